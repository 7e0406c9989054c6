package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// person is one browser, with its cookies here and at the provider.
type person struct {
	*proxytest.Browser
	there *oidctest.Browser
}

// withoutRefresh is a world whose provider gives no refresh tokens, and Ada's browser, signed in.
func withoutRefresh(t *testing.T) (*proxytest.World, *person) {
	t.Helper()
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Okta.SID = true })
	proxytest.Must(t, w.Okta.ChangeClient("0oa1bridge", func(c *oidctest.Client) {
		c.GrantTypes = []string{oidctest.GrantCode}
	}))
	p := &person{w.Browser(), w.Okta.NewBrowser()}
	p.comesBack(p.Get("/sso/login").Header.Get("Location"), oidctest.Ada)
	if p.Cookie() == "" {
		t.Fatal("not signed in")
	}
	return w, p
}

// comesBack follows where we sent the browser through the provider to our answer; without a name
// no button is pressed there.
func (p *person) comesBack(location, who string) proxytest.Answer {
	p.W.T.Helper()
	var back *oidctest.Callback
	var err error
	if who == "" {
		back, err = p.there.Open(p.W.T.Context(), location)
	} else {
		back, err = p.there.SignIn(p.W.T.Context(), location, who)
	}
	proxytest.Must(p.W.T, err)
	return p.Get(strings.TrimPrefix(back.URL, p.W.Public), proxytest.Navigation...)
}

// sentWith is the prompt with which an answer sends the browser to the provider; "elsewhere" when it doesn't.
func (p *person) sentWith(res proxytest.Answer) string {
	location, err := url.Parse(res.Header.Get("Location"))
	proxytest.Must(p.W.T, err)
	if res.Status != http.StatusSeeOther || !strings.HasPrefix(location.String(), p.W.Okta.BaseURL()) {
		return "elsewhere"
	}
	return location.Query().Get("prompt")
}

// sent opens a page that is to lead past the provider. Whoever is asked too late on a busy machine is let go
// on, and sent the next time.
func (p *person) sent(path string) (res proxytest.Answer) {
	late := func() int { return strings.Count(p.W.Logs.String(), "session not renewed") }
	before := late()
	p.W.WaitFor("a page to lead past the provider", func() bool {
		res = p.Get(path, proxytest.Navigation...)
		if n := late(); n > before { // nobody is asked again until their word has grown old once more
			before = n
			p.W.Clock.Advance(16 * time.Minute)
		}
		return res.Status != http.StatusOK
	})
	return res
}

// Where the provider cannot be asked in the background, a page that is opened when its word has grown old
// passes by it, and the person does not notice: the same path, the same session, and the newest groups.
func TestSilentRenewal(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	session := p.Cookie()
	if res := p.Get("/meetings?limit=5", proxytest.Navigation...); res.Status != http.StatusOK {
		t.Fatalf("while the word is fresh: %d %v", res.Status, res.Header)
	}
	for round := range 2 {
		w.Clock.Advance(16 * time.Minute)
		for _, header := range [][]string{
			{"Accept", "application/json"}, {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
		} {
			if res := p.Get("/meetings?limit=5", header...); res.Status != http.StatusOK {
				t.Fatalf("a fetch was sent away: %d %v", res.Status, res.Header)
			}
		}
		if round == 1 {
			proxytest.Must(t, w.Okta.SetGroups(oidctest.Ada, oidctest.GroupViewers))
		}
		res := p.sent("/meetings?limit=5")
		if p.sentWith(res) != "none" {
			t.Fatalf("opening a page: %d to %s", res.Status, res.Header.Get("Location"))
		}
		if other := p.Get("/sso/", proxytest.Navigation...); other.Status != http.StatusOK {
			t.Errorf("another tab at the same time: %d", other.Status)
		}
		if back := p.comesBack(res.Header.Get("Location"), ""); back.Status != http.StatusSeeOther ||
			back.Header.Get("Location") != "/meetings?limit=5" {
			t.Fatalf("back: %d to %s %s", back.Status, back.Header.Get("Location"), back.Body)
		}
		if res := p.Get("/meetings?limit=5", proxytest.Navigation...); res.Status != http.StatusOK {
			t.Fatalf("afterwards: %d to %s", res.Status, res.Header.Get("Location"))
		}
	}
	if p.Cookie() != session {
		t.Error("the session has another id")
	}
	if body := p.Get("/sso/whoami").Body; !strings.Contains(body, `"scopes":["tx"]`) {
		t.Errorf("the groups did not follow: %s", body)
	}
	if len(w.Refreshes()) != 0 {
		t.Error("a refresh token was used")
	}
}

// S18: a renewal in the background that does not repeat the groups throws nobody out; the page that is opened
// next passes by the provider, which tells them there. Tokens pause when nobody passes by.
func TestThinRenewalPassesByTheProvider(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	proxytest.Must(t, w.Okta.ChangeClient("0oa1bridge", func(c *oidctest.Client) { c.LeanRefresh = true }))
	p := &person{w.Browser(), w.Okta.NewBrowser()}
	p.comesBack(p.Get("/sso/login").Header.Get("Location"), oidctest.Ada)
	_, token, err := w.Accounts.CreateToken(t.Context(), proxytest.AccountOf(t, w, oidctest.Ada),
		mapping.NewToken{
			Kind: mapping.TokenPersonal, Name: "CI", Scopes: "tx", Lifetime: 72 * time.Hour,
		}, "test")
	proxytest.Must(t, err)
	thin := func() {
		t.Helper()
		for range 2 {
			w.Clock.Advance(12 * time.Minute)
			proxytest.Must(t, w.Accounts.RenewProofs(t.Context()))
			w.WaitFor("the session to go on", func() bool { return p.Get("/bots").Status == http.StatusOK })
		}
	}
	thin()
	if len(w.Refreshes()) != 2 {
		t.Fatalf("refreshes: %v", w.Refreshes())
	}
	silent := p.sent("/meetings")
	if p.sentWith(silent) != "none" {
		t.Fatalf("opening a page: %d to %s", silent.Status, silent.Header.Get("Location"))
	}
	if back := p.comesBack(silent.Header.Get("Location"), ""); back.Header.Get("Location") != "/meetings" {
		t.Fatalf("back: %d %s", back.Status, back.Body)
	}
	if res := p.Get("/meetings", proxytest.Navigation...); res.Status != http.StatusOK {
		t.Errorf("afterwards: %d to %s", res.Status, res.Header.Get("Location"))
	}
	for range 24 { // nobody opens a page
		w.Clock.Advance(time.Hour)
		proxytest.Must(t, w.Accounts.RenewProofs(t.Context()))
	}
	w.WaitFor("the token to pause", func() bool {
		return w.Program().Get("/meetings", "X-API-Key", token).Code() == "proof_stale"
	})
	w.SignIn(oidctest.Ada)
	w.WaitFor("the token to go on", func() bool {
		return w.Program().Get("/meetings", "X-API-Key", token).Status == http.StatusOK
	})
}

// When the provider does not know the person any more they sign in, and come back to the same path. Whoever
// does not, goes on until the next time: a session is sent once per session.renew, over all replicas, so
// that there are no circles.
func TestSilentRenewalNeedsThePerson(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	other := w.Replica()
	p.there = w.Okta.NewBrowser() // the provider's session is gone
	w.Clock.Advance(16 * time.Minute)
	silent := p.sent("/meetings?limit=5")
	if p.sentWith(silent) != "none" {
		t.Fatalf("%d to %s", silent.Status, silent.Header.Get("Location"))
	}
	asked := p.comesBack(silent.Header.Get("Location"), "")
	if p.sentWith(asked) != "" {
		t.Fatalf("after login_required: %d to %s %s", asked.Status, asked.Header.Get("Location"), asked.Body)
	}
	// they walk away from the sign-in page
	for _, from := range []*proxytest.Browser{p.Browser, p.At(other)} {
		if res := from.Get("/meetings?limit=5", proxytest.Navigation...); res.Status != http.StatusOK {
			t.Errorf("once more: %d to %s", res.Status, res.Header.Get("Location"))
		}
	}
	before := p.Cookie()
	if back := p.comesBack(asked.Header.Get("Location"), oidctest.Ada); back.Status != http.StatusSeeOther ||
		back.Header.Get("Location") != "/meetings?limit=5" {
		t.Fatalf("signed in: %d to %s %s", back.Status, back.Header.Get("Location"), back.Body)
	}
	if p.Cookie() == before {
		t.Error("a sign-in kept the session's id") // D2
	}
	w.Clock.Advance(16 * time.Minute)
	if res := p.sent("/meetings?limit=5"); p.sentWith(res) != "none" {
		t.Errorf("the next time: %d to %s", res.Status, res.Header.Get("Location"))
	}
}

// Whoever is somebody else at the provider by now does not silently become them here.
func TestSilentRenewalOfSomebodyElse(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	p.there = w.Okta.NewBrowser()
	_, err := p.there.SignIn(t.Context(), w.Browser().Get("/sso/login").Header.Get("Location"), oidctest.Tim)
	proxytest.Must(t, err)
	w.Clock.Advance(16 * time.Minute)
	silent := p.sent("/meetings")
	if back := p.comesBack(silent.Header.Get("Location"), ""); p.sentWith(back) != "login" {
		t.Errorf("%d to %s", back.Status, back.Header.Get("Location"))
	}
	if body := p.Get("/sso/whoami").Body; !strings.Contains(body, oidctest.Ada) {
		t.Errorf("became another: %s", body)
	}
}

// E7: whom the provider refuses is out; and so is whom the rules refuse by what it says now.
func TestSilentRenewalRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*oidctest.Person)
		code   string
		after  int
	}{
		"by the provider": {
			func(p *oidctest.Person) { p.Unassigned = true }, "sign_in_refused", http.StatusUnauthorized,
		},
		"by the rules": {func(p *oidctest.Person) { p.Groups = nil }, "not_mapped", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := withoutRefresh(t)
			w.Clock.Advance(16 * time.Minute)
			silent := p.sent("/meetings")
			proxytest.Must(t, w.Okta.ChangePerson(oidctest.Ada, tc.change))
			back := p.Refusal(p.comesBack(silent.Header.Get("Location"), ""))
			if back.Status != http.StatusForbidden || !strings.Contains(back.Body, tc.code) {
				t.Fatalf("%d %s", back.Status, back.Body)
			}
			if res := p.Get("/meetings"); res.Status != tc.after {
				t.Errorf("afterwards: %d %s", res.Status, res.Body)
			}
		})
	}
}

// S13: a no that nobody understands ends nothing.
func TestSilentRenewalRefusedStrangely(t *testing.T) {
	t.Parallel()
	for _, said := range []url.Values{
		{"error": {"access_denied"}, "error_description": {"Please try again."}},
		{"error": {"unauthorized"}},
		{"error": {"slow_down"}},
		{"error": {"request_timeout"}},
		{"error": {"invalid_grant"}},
	} {
		t.Run(said.Get("error"), func(t *testing.T) {
			t.Parallel()
			w, p := withoutRefresh(t)
			w.Clock.Advance(16 * time.Minute)
			silent := p.sent("/meetings")
			location, err := url.Parse(silent.Header.Get("Location"))
			proxytest.Must(t, err)
			said.Set("state", location.Query().Get("state"))
			back := p.Get("/sso/callback/okta?"+said.Encode(), proxytest.Navigation...)
			if back.Status != http.StatusSeeOther || back.Header.Get("Location") != "/meetings" {
				t.Fatalf("%d to %s %s", back.Status, back.Header.Get("Location"), back.Body)
			}
			if res := p.Get("/meetings"); res.Status != http.StatusOK {
				t.Errorf("afterwards: %d %s", res.Status, res.Body)
			}
		})
	}
}

// S10: an answer that cannot be completed, because the provider is in trouble, costs nothing.
func TestSilentRenewalWhileTheProviderIsDown(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	w.Clock.Advance(16 * time.Minute)
	silent := p.sent("/meetings")
	w.Okta.Break(oidctest.EndpointToken, oidctest.Status(http.StatusServiceUnavailable))
	if back := p.comesBack(silent.Header.Get("Location"), ""); back.Status != http.StatusSeeOther ||
		back.Header.Get("Location") != "/meetings" {
		t.Fatalf("%d %s", back.Status, back.Body)
	}
	if res := p.Get("/meetings", proxytest.Navigation...); res.Status != http.StatusOK {
		t.Errorf("afterwards: %d to %s", res.Status, res.Header.Get("Location"))
	}
}

// S10: nobody is sent to a provider that is down; when it is back, they are.
func TestNobodyIsSentToAProviderThatIsDown(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	w.Clock.Advance(16 * time.Minute)
	w.Okta.Break(oidctest.EndpointAny, oidctest.Down())
	if res := p.Get("/meetings", proxytest.Navigation...); res.Status != http.StatusOK {
		t.Errorf("while it is down: %d to %s", res.Status, res.Header.Get("Location"))
	}
	w.Okta.Mend(oidctest.EndpointAny)
	w.Clock.Advance(2 * time.Minute)
	if res := p.sent("/meetings"); p.sentWith(res) != "none" {
		t.Errorf("when it is back: %d", res.Status)
	}
}

// A session that ends while its browser is at the provider does not come to life again.
func TestSilentRenewalOfAnEndedSession(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	w.Clock.Advance(16 * time.Minute)
	silent := p.sent("/meetings")
	proxytest.Must(t,
		w.Accounts.SignOutEverywhere(t.Context(), proxytest.AccountOf(t, w, oidctest.Ada), "test", "admin"))
	p.comesBack(silent.Header.Get("Location"), "")
	if res := p.Get("/meetings"); res.Status != http.StatusUnauthorized {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	account, err := w.Accounts.Account(t.Context(), proxytest.AccountOf(t, w, oidctest.Ada))
	if proxytest.Must(t, err); !account.ProvenAt.IsZero() {
		t.Error("the account is open again without a sign-in")
	}
}
