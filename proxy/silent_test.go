package proxy_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// navigation is what a browser says of a page that a person opens.
var navigation = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html"}

// person is one browser, with its cookies here and at the provider.
type person struct {
	*browser
	there *oidctest.Browser
}

// withoutRefresh is a world whose provider gives no refresh tokens, and Ada's browser, signed in.
func withoutRefresh(t *testing.T) (*world, *person) {
	t.Helper()
	w := newWorld(t, func(o *worldOptions) { o.okta.SID = true })
	must(t, w.okta.ChangeClient("0oa1bridge", func(c *oidctest.Client) { c.GrantTypes = []string{oidctest.GrantCode} }))
	p := &person{w.browser(), w.okta.NewBrowser()}
	p.comesBack(p.get("/sso/login").header.Get("Location"), oidctest.Ada)
	if p.cookie() == "" {
		t.Fatal("not signed in")
	}
	return w, p
}

// comesBack follows where we sent the browser through the provider to our answer; without a name no button is pressed there.
func (p *person) comesBack(location, who string) answer {
	p.w.t.Helper()
	var back *oidctest.Callback
	var err error
	if who == "" {
		back, err = p.there.Open(p.w.t.Context(), location)
	} else {
		back, err = p.there.SignIn(p.w.t.Context(), location, who)
	}
	must(p.w.t, err)
	return p.get(strings.TrimPrefix(back.URL, p.w.public), navigation...)
}

// sentWith is the prompt with which an answer sends the browser to the provider; "elsewhere" when it doesn't.
func (p *person) sentWith(res answer) string {
	location, err := url.Parse(res.header.Get("Location"))
	must(p.w.t, err)
	if res.status != http.StatusSeeOther || !strings.HasPrefix(location.String(), p.w.okta.BaseURL()) {
		return "elsewhere"
	}
	return location.Query().Get("prompt")
}

// sent opens a page that is to lead past the provider. Whoever is asked too late on a busy machine is let go on, and sent the next
// time.
func (p *person) sent(path string) (res answer) {
	late := func() int { return strings.Count(p.w.logs.String(), "a session is not renewed now") }
	before := late()
	p.w.waitFor("a page to lead past the provider", func() bool {
		res = p.get(path, navigation...)
		if n := late(); n > before { // nobody is asked again until their word has grown old once more
			before = n
			p.w.clock.Advance(16 * time.Minute)
		}
		return res.status != http.StatusOK
	})
	return res
}

// Where the provider cannot be asked in the background, a page that is opened when its word has grown old passes by it, and the
// person does not notice: the same path, the same session, and the newest groups.
func TestSilentRenewal(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	session := p.cookie()
	if res := p.get("/meetings?limit=5", navigation...); res.status != http.StatusOK {
		t.Fatalf("while the word is fresh: %d %v", res.status, res.header)
	}
	for round := range 2 {
		w.clock.Advance(16 * time.Minute)
		for _, header := range [][]string{{"Accept", "application/json"}, {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}} {
			if res := p.get("/meetings?limit=5", header...); res.status != http.StatusOK {
				t.Fatalf("a fetch was sent away: %d %v", res.status, res.header)
			}
		}
		if round == 1 {
			must(t, w.okta.SetGroups(oidctest.Ada, oidctest.GroupViewers))
		}
		res := p.sent("/meetings?limit=5")
		if p.sentWith(res) != "none" {
			t.Fatalf("opening a page: %d to %s", res.status, res.header.Get("Location"))
		}
		if other := p.get("/sso/", navigation...); other.status != http.StatusOK {
			t.Errorf("another tab at the same time: %d", other.status)
		}
		if back := p.comesBack(res.header.Get("Location"), ""); back.status != http.StatusSeeOther || back.header.Get("Location") != "/meetings?limit=5" {
			t.Fatalf("back: %d to %s %s", back.status, back.header.Get("Location"), back.body)
		}
		if res := p.get("/meetings?limit=5", navigation...); res.status != http.StatusOK {
			t.Fatalf("afterwards: %d to %s", res.status, res.header.Get("Location"))
		}
	}
	if p.cookie() != session {
		t.Error("the session has another id")
	}
	if body := p.get("/sso/whoami").body; !strings.Contains(body, `"scopes":["tx"]`) {
		t.Errorf("the groups did not follow: %s", body)
	}
	if len(w.refreshes()) != 0 {
		t.Error("a refresh token was used")
	}
}

// When the provider does not know the person any more they sign in, and come back to the same path. Whoever does not, goes on
// until the next time: a session is sent once per session.renew, over all replicas, so that there are no circles.
func TestSilentRenewalNeedsThePerson(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	other := w.replica()
	p.there = w.okta.NewBrowser() // the provider's session is gone
	w.clock.Advance(16 * time.Minute)
	silent := p.sent("/meetings?limit=5")
	if p.sentWith(silent) != "none" {
		t.Fatalf("%d to %s", silent.status, silent.header.Get("Location"))
	}
	asked := p.comesBack(silent.header.Get("Location"), "")
	if p.sentWith(asked) != "" {
		t.Fatalf("after login_required: %d to %s %s", asked.status, asked.header.Get("Location"), asked.body)
	}
	for _, from := range []*browser{p.browser, p.at(other)} { // they walk away from the sign-in page
		if res := from.get("/meetings?limit=5", navigation...); res.status != http.StatusOK {
			t.Errorf("once more: %d to %s", res.status, res.header.Get("Location"))
		}
	}
	before := p.cookie()
	if back := p.comesBack(asked.header.Get("Location"), oidctest.Ada); back.status != http.StatusSeeOther || back.header.Get("Location") != "/meetings?limit=5" {
		t.Fatalf("signed in: %d to %s %s", back.status, back.header.Get("Location"), back.body)
	}
	if p.cookie() == before {
		t.Error("a sign-in kept the session's id") // D2
	}
	w.clock.Advance(16 * time.Minute)
	if res := p.sent("/meetings?limit=5"); p.sentWith(res) != "none" {
		t.Errorf("the next time: %d to %s", res.status, res.header.Get("Location"))
	}
}

// Whoever is somebody else at the provider by now does not silently become them here.
func TestSilentRenewalOfSomebodyElse(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	p.there = w.okta.NewBrowser()
	_, err := p.there.SignIn(t.Context(), w.browser().get("/sso/login").header.Get("Location"), oidctest.Tim)
	must(t, err)
	w.clock.Advance(16 * time.Minute)
	silent := p.sent("/meetings")
	if back := p.comesBack(silent.header.Get("Location"), ""); p.sentWith(back) != "login" {
		t.Errorf("%d to %s", back.status, back.header.Get("Location"))
	}
	if body := p.get("/sso/whoami").body; !strings.Contains(body, oidctest.Ada) {
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
		"by the provider": {func(p *oidctest.Person) { p.Unassigned = true }, "sign_in_refused", http.StatusUnauthorized},
		"by the rules":    {func(p *oidctest.Person) { p.Groups = nil }, "not_mapped", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := withoutRefresh(t)
			w.clock.Advance(16 * time.Minute)
			silent := p.sent("/meetings")
			must(t, w.okta.ChangePerson(oidctest.Ada, tc.change))
			if back := p.comesBack(silent.header.Get("Location"), ""); back.status != http.StatusForbidden || !strings.Contains(back.body, tc.code) {
				t.Fatalf("%d %s", back.status, back.body)
			}
			if res := p.get("/meetings"); res.status != tc.after {
				t.Errorf("afterwards: %d %s", res.status, res.body)
			}
		})
	}
}

// S10: an answer that cannot be completed, because the provider is in trouble, costs nothing.
func TestSilentRenewalWhileTheProviderIsDown(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	w.clock.Advance(16 * time.Minute)
	silent := p.sent("/meetings")
	w.okta.Break(oidctest.EndpointToken, oidctest.Status(http.StatusServiceUnavailable))
	if back := p.comesBack(silent.header.Get("Location"), ""); back.status != http.StatusSeeOther || back.header.Get("Location") != "/meetings" {
		t.Fatalf("%d %s", back.status, back.body)
	}
	if res := p.get("/meetings", navigation...); res.status != http.StatusOK {
		t.Errorf("afterwards: %d to %s", res.status, res.header.Get("Location"))
	}
}

// S10: nobody is sent to a provider that is down; when it is back, they are.
func TestNobodyIsSentToAProviderThatIsDown(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	w.clock.Advance(16 * time.Minute)
	w.okta.Break(oidctest.EndpointAny, oidctest.Down())
	if res := p.get("/meetings", navigation...); res.status != http.StatusOK {
		t.Errorf("while it is down: %d to %s", res.status, res.header.Get("Location"))
	}
	w.okta.Mend(oidctest.EndpointAny)
	w.clock.Advance(2 * time.Minute)
	if res := p.sent("/meetings"); p.sentWith(res) != "none" {
		t.Errorf("when it is back: %d", res.status)
	}
}

// A session that ends while its browser is at the provider does not come to life again.
func TestSilentRenewalOfAnEndedSession(t *testing.T) {
	t.Parallel()
	w, p := withoutRefresh(t)
	w.clock.Advance(16 * time.Minute)
	silent := p.sent("/meetings")
	must(t, w.accounts.SignOutEverywhere(t.Context(), accountOf(t, w, oidctest.Ada), "test", "admin"))
	p.comesBack(silent.header.Get("Location"), "")
	if res := p.get("/meetings"); res.status != http.StatusUnauthorized {
		t.Errorf("%d %s", res.status, res.body)
	}
	account, err := w.accounts.Account(t.Context(), accountOf(t, w, oidctest.Ada))
	if must(t, err); !account.ProvenAt.IsZero() {
		t.Error("the account is open again without a sign-in")
	}
}
