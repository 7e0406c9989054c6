package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.Browser()

	// A person opens a page, is sent to sign in, and comes back to it.
	res := b.Get("/meetings?limit=5", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
		"Accept", "text/html")
	if res.Status != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/sso/login?") {
		t.Fatalf("opening a page: %d %v", res.Status, res.Header)
	}
	back := b.SignIn("ada@acme.example", res.Header.Get("Location"))
	if back.Status != http.StatusSeeOther || back.Header.Get("Location") != "/meetings?limit=5" {
		t.Fatalf("after sign-in: %d to %s: %s", back.Status, back.Header.Get("Location"), back.Body)
	}
	if res := b.Get("/meetings?limit=5"); res.Status != http.StatusOK ||
		!strings.Contains(res.Body, `"meetings"`) {
		t.Fatalf("with the session: %d %s", res.Status, res.Body)
	}
	if res := b.Get("/sso/whoami"); res.Status != http.StatusOK ||
		!strings.Contains(res.Body, `"email":"ada@acme.example"`) ||
		!strings.Contains(res.Body, `"rules":["staff"]`) {
		t.Fatalf("whoami: %d %s", res.Status, res.Body)
	}
	if res := b.Get("/sso/", "Accept", "text/html"); res.Status != http.StatusOK ||
		!strings.Contains(res.Body, "ada@acme.example") {
		t.Fatalf("home: %d %s", res.Status, res.Body)
	}

	// S7: another site signs nobody out.
	if res := b.Send(
		"POST", "/sso/logout", "", "Origin", "https://evil.example",
	); res.Status != http.StatusForbidden || b.Get("/sso/whoami").Status != http.StatusOK {
		t.Errorf("signed out by another site: %d %s", res.Status, res.Body)
	}

	// D3: signed out is signed out, for the old cookie too.
	old := b.Cookie()
	out := b.Send("POST", "/sso/logout", "", "Origin", w.Public)
	location, err := url.Parse(out.Header.Get("Location"))
	proxytest.Must(t, err)
	if out.Status != http.StatusSeeOther || location.Query().Get("id_token_hint") == "" ||
		location.Query().Get("post_logout_redirect_uri") != w.Public+"/sso/signed-out" {
		t.Fatalf("sign-out: %d to %s", out.Status, out.Header.Get("Location"))
	}
	if b.Cookie() != "" {
		t.Error("the cookie is still there after sign-out")
	}
	if res := w.Raw("GET /bots HTTP/1.1\r\nHost: " + w.Host + "\r\nCookie: " + old +
		"\r\n\r\n"); res.Status != http.StatusUnauthorized {
		t.Errorf("the old cookie after sign-out: %d %s", res.Status, res.Body)
	}
	if res := b.Get("/sso/signed-out", "Accept", "text/html"); res.Status != http.StatusOK {
		t.Errorf("signed out: %d", res.Status)
	}
}

// The page after sign-out looks whether it is true: who is signed in is led to their start page, and nobody
// is told anything while that cannot be looked up.
func TestSignedOutPageLooks(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	if res := b.Get("/sso/signed-out", "Accept", "text/html"); res.Status != http.StatusSeeOther ||
		res.Header.Get("Location") != "/sso/" {
		t.Errorf("while signed in: %d %s", res.Status, res.Body)
	}
	w.Clock.Advance(25 * time.Hour)
	if res := b.Get("/sso/signed-out", "Accept", "text/html"); res.Status != http.StatusOK {
		t.Errorf("when the session has run out: %d %s", res.Status, res.Body)
	}
}

// S8: only a person's navigation is redirected; a program is told.
func TestProgramsAreTold(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	res := w.Browser().Get("/bots", "Accept", "application/json")
	if res.Status != http.StatusUnauthorized || res.Code() != "unauthenticated" ||
		res.Header.Get("WWW-Authenticate") != `Bearer realm="vexa-sso"` ||
		!strings.Contains(res.Body, `"login_url":"`+w.Public+`/sso/login"`) ||
		!strings.Contains(res.Body, `"detail":"`) {
		t.Errorf("%d %v %s", res.Status, res.Header, res.Body)
	}
	if res := w.Browser().Send("POST", "/bots", "{}", "Accept", "text/html", "Sec-Fetch-Mode", "navigate",
		"Sec-Fetch-Dest", "document"); res.Status != http.StatusUnauthorized {
		t.Errorf("a form was answered %d", res.Status) // a redirect would lose what they typed
	}
}

// D2: a session that was there before has another id after sign-in, and the old one is over. D1:
// signing in again ends it, too.
func TestNewIDAtSignIn(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	first := b.Cookie()
	b.SignIn("tim@acme.example", "/sso/login?prompt=login")
	second := b.Cookie()
	if first == second {
		t.Fatal("the session kept its id")
	}
	if res := w.Raw("GET /sso/whoami HTTP/1.1\r\nHost: " + w.Host + "\r\nCookie: " + first +
		"\r\n\r\n"); res.Status != http.StatusUnauthorized {
		t.Errorf("the session before: %d %s", res.Status, res.Body)
	}
	if res := b.Get("/sso/whoami"); !strings.Contains(res.Body, "tim@acme.example") {
		t.Errorf("the session after: %s", res.Body)
	}

	// An id that the browser brings along is not taken over.
	c := w.Browser()
	c.Jar.SetCookies(proxytest.MustURL(t, w.Public),
		[]*http.Cookie{{Name: "vexa_sso", Value: "fixed", Path: "/"}})
	c.SignIn("ada@acme.example", "/sso/login")
	if c.Cookie() == "vexa_sso=fixed" {
		t.Error("the session id was fixed from outside")
	}
}

// C8: an answer that belongs to somebody else's browser is no sign-in. C12, C9: nor is one of another
// provider, or with parameters given twice.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	attacker := w.Browser()
	start := attacker.Get("/sso/login")
	callback, err := w.Okta.SignIn(t.Context(), start.Header.Get("Location"), "mallory@acme.example")
	proxytest.Must(t, err)
	path := strings.TrimPrefix(callback.URL, w.Public)

	victim := w.Browser()
	if res := victim.Get(path); res.Status != http.StatusBadRequest || res.Code() != "sign_in_expired" ||
		victim.Cookie() != "" {
		t.Errorf("the victim's browser: %d %s", res.Status, res.Body)
	}
	for name, altered := range map[string]string{
		"state twice":       path + "&state=x",
		"no state":          "/sso/callback/okta?code=x",
		"another provider":  strings.Replace(path, "/okta", "/entra", 1),
		"no such attempt":   "/sso/callback/okta?code=x&state=y",
		"an error for none": "/sso/callback/okta?error=access_denied&state=y",
	} {
		if res := attacker.Get(altered); res.Status != http.StatusBadRequest &&
			res.Status != http.StatusNotFound ||
			attacker.Cookie() != "" {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	if res := attacker.Get(path + "&code=again"); res.Status != http.StatusBadRequest ||
		attacker.Cookie() != "" {
		t.Errorf("code twice: %d %s", res.Status, res.Body)
	}
}

// Several tabs at once work; a browser holds at most five attempts; one that is dead while a
// session lives just continues.
func TestTabs(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.Browser()
	first, second := b.Get("/sso/login?return_to=/bots"), b.Get("/sso/login?return_to=/meetings")
	for _, tab := range []struct {
		login proxytest.Answer
		want  string
	}{{second, "/meetings"}, {first, "/bots"}} {
		callback, err := w.Okta.SignIn(t.Context(), tab.login.Header.Get("Location"), "ada@acme.example")
		proxytest.Must(t, err)
		path := strings.TrimPrefix(callback.URL, w.Public)
		if res := b.Get(path); res.Header.Get("Location") != tab.want {
			t.Errorf("came back to %q, want %q: %s", res.Header.Get("Location"), tab.want, res.Body)
		}
		if res := b.Get(path); res.Status != http.StatusSeeOther || res.Header.Get("Location") != "/sso/" {
			t.Errorf("the same answer again, signed in: %d to %q", res.Status, res.Header.Get("Location"))
		}
	}
	for range 12 {
		b.Get("/sso/login")
		w.Clock.Advance(time.Second)
	}
	attempts := 0
	for _, c := range b.Jar.Cookies(proxytest.MustURL(t, w.Public)) {
		if strings.HasPrefix(c.Name, "vexa_sso_login_") {
			attempts++
		}
	}
	if attempts != 5 {
		t.Errorf("the browser holds %d attempts, want 5", attempts)
	}
}

// The cookies that a browser is given, on loopback. What https adds: TestCookiesOfASite in exchange.
func TestCookieAttributes(t *testing.T) { // D6
	t.Parallel()
	w := proxytest.Start(t)
	login := w.Browser().Get("/sso/login")
	for _, line := range login.Header.Values("Set-Cookie") {
		for _, want := range []string{
			"vexa_sso_login_", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=900",
		} {
			if !strings.Contains(line, want) {
				t.Errorf("the attempt's cookie lacks %q: %s", want, line)
			}
		}
	}
	b := w.Browser()
	res := b.SignIn("ada@acme.example", "/sso/login")
	var session string
	for _, line := range res.Header.Values("Set-Cookie") {
		if strings.HasPrefix(line, "vexa_sso=") {
			session = line
		}
	}
	for _, want := range []string{"vexa_sso=", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=86400"} {
		if !strings.Contains(session, want) {
			t.Errorf("the session's cookie lacks %q: %s", want, session)
		}
	}
	if len(b.Cookie()) > 300 {
		t.Errorf("the session's cookie is %d bytes", len(b.Cookie()))
	}
}

func TestRefusedPeople(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	for _, tc := range []struct{ who, code, words string }{
		{"mallory@acme.example", "not_mapped", "mallory@acme.example"},
		{"guest@partner.example", "denied_by_rule", "Ask it@acme.example."},
	} {
		b := w.Browser()
		login := b.Get("/sso/login")
		callback, err := w.Okta.SignIn(t.Context(), login.Header.Get("Location"), tc.who)
		proxytest.Must(t, err)
		w.Vexa.GatewayWire().Forget()
		page := b.Refusal(b.Get(strings.TrimPrefix(callback.URL, w.Public), proxytest.Navigation...))
		if page.Status != http.StatusForbidden || !strings.Contains(page.Body, tc.words) ||
			!strings.Contains(page.Body, tc.code) || b.Cookie() != "" {
			t.Errorf("%s: %d %s", tc.who, page.Status, page.Body)
		}
		if users := w.Vexa.Users(); len(users) != 0 || w.Vexa.GatewayWire().Bytes() != 0 {
			t.Errorf("%s has touched Vexa: %v", tc.who, users)
		}
	}
	if log := w.Logs.String(); strings.Count(log, `"event":"sign_in_refused","actor":"okta:`) != 2 {
		t.Error("the audit does not tell who was refused")
	}
}

// V15: what the scopes do not cover is refused here, with the reason, and never reaches Vexa.
func TestScopes(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	tim := w.SignIn("tim@acme.example")
	if res := tim.Get("/meetings"); res.Status != http.StatusOK {
		t.Fatalf("reading with tx: %d %s", res.Status, res.Body)
	}
	w.Vexa.GatewayWire().Forget()
	for _, tc := range []struct{ method, path string }{
		{"POST", "/bots"}, {"DELETE", "/recordings/1"}, {"GET", "/user/calendars"},
	} {
		if res := tim.Send(tc.method, tc.path, "", "Origin", w.Public); res.Status != http.StatusForbidden ||
			res.Code() != "scope_missing" || !strings.Contains(res.Body, "scope bot") {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, res.Status, res.Body)
		}
	}
	if n := w.Vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
	for _, token := range w.Vexa.Tokens() {
		if strings.Join(token.Scopes, ",") != "tx" || token.ExpiresAt.IsZero() ||
			!strings.HasPrefix(token.Name, "vsso:test:") { // V7, V8
			t.Errorf("minted %+v", token)
		}
	}
}

// V17: a rule can close a route that its scopes would open.
func TestDeniedRoutes(t *testing.T) {
	t.Parallel()
	rules := proxytest.StaffRules()
	rules[0].Grant.DenyRoutes = []string{"PUT /user/webhook"}
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Rules = rules })
	ada := w.SignIn("ada@acme.example")
	if res := ada.Send("PUT", "/user/webhook", "{}",
		"Origin", w.Public); res.Status != http.StatusForbidden || res.Code() != "forbidden_route" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if res := ada.Get("/user/webhook"); res.Status != http.StatusOK {
		t.Errorf("reading it: %d %s", res.Status, res.Body)
	}
}

// S6, D12: however many requests are a person's first, one user is made and one key minted.
func TestFirstRequestsOfANewPerson(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	const requests = 500
	answers := make(chan proxytest.Answer, requests)
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			answers <- w.Raw("GET /bots HTTP/1.1\r\nHost: " + w.Host + "\r\nConnection: close\r\nCookie: " +
				b.Cookie() + "\r\n\r\n")
		})
	}
	wg.Wait()
	close(answers)
	good := 0
	for a := range answers {
		if a.Status == http.StatusOK {
			good++
		} else {
			t.Logf("%d %s", a.Status, a.Body)
		}
	}
	if calls := w.Vexa.Calls(); good != requests || calls.UsersCreated != 1 || calls.TokensMinted != 1 {
		t.Errorf("%d of %d answered, %d users, %d mints",
			good, requests, calls.UsersCreated, calls.TokensMinted)
	}
}

// E6: the address is one person's, however the provider writes it.
func TestEmailsAreFolded(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	w.Okta.AddPerson(oidctest.Person{Email: "Eve@ACME.example", Name: "Eve", Groups: []string{"vexa-users"}})
	w.SignIn("Eve@ACME.example").Get("/bots")
	if users := w.Vexa.Users(); len(users) != 1 || users[0].Email != "eve@acme.example" {
		t.Errorf("%+v", users)
	}
}

// The idle timeout and the absolute lifetime end a session; use in between keeps it.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	for range 2 {
		w.Clock.Advance(7 * time.Hour)
		if res := b.Get("/sso/whoami"); res.Status != http.StatusOK {
			t.Fatalf("in use: %d %s", res.Status, res.Body)
		}
	}
	w.Clock.Advance(8*time.Hour + time.Minute)
	if res := b.Get("/sso/whoami"); res.Status != http.StatusUnauthorized {
		t.Errorf("idle for more than 8 h: %d", res.Status)
	}
	c := w.SignIn("tim@acme.example")
	for range 3 {
		w.Clock.Advance(7 * time.Hour)
		c.Get("/sso/whoami")
	}
	w.Clock.Advance(3*time.Hour + time.Minute)
	if res := c.Get("/sso/whoami"); res.Status != http.StatusUnauthorized {
		t.Errorf("after 24 h: %d", res.Status)
	}
}

// Rules that change take effect on the next request of a session that is open (D9).
func TestRulesTakeEffectAtOnce(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	if res := b.Get("/bots"); res.Status != http.StatusOK {
		t.Fatal(res.Body)
	}
	rules := proxytest.StaffRules()
	rules[0].Grant.Scopes = []string{"tx"}
	compiled, problems := rule.Compile(rules)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.Rules.Replace(compiled)
	if res := b.Get("/bots"); res.Status != http.StatusForbidden || res.Code() != "scope_missing" {
		t.Errorf("after the scope was taken away: %d %s", res.Status, res.Body)
	}
	if res := b.Get("/meetings"); res.Status != http.StatusOK {
		t.Errorf("what is left: %d %s", res.Status, res.Body)
	}
}

// S12: an answer counts once, also for who keeps the cookie: the provider is not asked again,
// and nothing more is written.
func TestAnAnswerCountsOnce(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.Browser()
	login := b.Get("/sso/login")
	kept, _, _ := strings.Cut(login.Header.Get("Set-Cookie"), ";")
	state := proxytest.MustURL(t, login.Header.Get("Location")).Query().Get("state")
	for range 5 {
		res := w.Raw("GET /sso/callback/okta?code=made-up&state=" + state + " HTTP/1.1\r\nHost: " + w.Host +
			"\r\nCookie: " + kept + "\r\n\r\n")
		if res.Status < 400 {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
	}
	if n := w.Okta.Requests(oidctest.EndpointToken); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// S1: who no longer is let in gets no further than here, whatever session they have.
func TestLetInNoMore(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	if res := b.Get("/bots"); res.Status != http.StatusOK {
		t.Fatal(res.Body)
	}
	for _, tc := range []struct {
		code  string
		rules []rule.Rule
	}{
		{"not_mapped", proxytest.StaffRules()[1:]},
		{"denied_by_rule", append(proxytest.StaffRules(), rule.Rule{
			Name: "audit", Match: rule.Match{Emails: []string{"ada@acme.example"}},
			Deny: "Under investigation.",
		})},
	} {
		compiled, problems := rule.Compile(tc.rules)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		w.Rules.Replace(compiled)
		w.Vexa.GatewayWire().Forget()
		if res := b.Send(
			"POST", "/bots", "secret body", "Origin", w.Public,
		); res.Status != http.StatusForbidden || res.Code() != tc.code || w.Vexa.GatewayWire().Bytes() != 0 {
			t.Errorf("%d %s, and %d bytes upstream", res.Status, res.Body, w.Vexa.GatewayWire().Bytes())
		}
	}
}
