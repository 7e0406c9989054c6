package proxy_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc/oidctest"
)

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()

	// A person opens a page, is sent to sign in, and comes back to it.
	res := b.get("/meetings?limit=5", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html")
	if res.status != http.StatusSeeOther || !strings.HasPrefix(res.header.Get("Location"), "/sso/login?") {
		t.Fatalf("opening a page: %d %v", res.status, res.header)
	}
	back := b.signIn("ada@acme.example", res.header.Get("Location"))
	if back.status != http.StatusSeeOther || back.header.Get("Location") != "/meetings?limit=5" {
		t.Fatalf("after sign-in: %d to %s: %s", back.status, back.header.Get("Location"), back.body)
	}
	if res := b.get("/meetings?limit=5"); res.status != http.StatusOK || !strings.Contains(res.body, `"meetings"`) {
		t.Fatalf("with the session: %d %s", res.status, res.body)
	}
	if res := b.get("/sso/whoami"); res.status != http.StatusOK || !strings.Contains(res.body, `"email":"ada@acme.example"`) || !strings.Contains(res.body, `"rules":["staff"]`) {
		t.Fatalf("whoami: %d %s", res.status, res.body)
	}
	if res := b.get("/sso/", "Accept", "text/html"); res.status != http.StatusOK || !strings.Contains(res.body, "ada@acme.example") {
		t.Fatalf("home: %d %s", res.status, res.body)
	}

	// S7: another site signs nobody out.
	if res := b.send("POST", "/sso/logout", "", "Origin", "https://evil.example"); res.status != http.StatusForbidden || b.get("/sso/whoami").status != http.StatusOK {
		t.Errorf("signed out by another site: %d %s", res.status, res.body)
	}

	// D3: signed out is signed out, for the old cookie too.
	old := b.cookie()
	out := b.send("POST", "/sso/logout", "", "Origin", w.public)
	location, err := url.Parse(out.header.Get("Location"))
	must(t, err)
	if out.status != http.StatusSeeOther || location.Query().Get("id_token_hint") == "" || location.Query().Get("post_logout_redirect_uri") != w.public+"/sso/signed-out" {
		t.Fatalf("sign-out: %d to %s", out.status, out.header.Get("Location"))
	}
	if b.cookie() != "" {
		t.Error("the cookie is still there after sign-out")
	}
	if res := w.raw("GET /bots HTTP/1.1\r\nHost: " + w.host + "\r\nCookie: " + old + "\r\n\r\n"); res.status != http.StatusUnauthorized {
		t.Errorf("the old cookie after sign-out: %d %s", res.status, res.body)
	}
	if res := b.get("/sso/signed-out", "Accept", "text/html"); res.status != http.StatusOK {
		t.Errorf("signed out: %d", res.status)
	}
}

// S8: only a person's navigation is redirected; a program is told.
func TestProgramsAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	res := w.browser().get("/bots", "Accept", "application/json")
	if res.status != http.StatusUnauthorized || res.code() != "unauthenticated" || res.header.Get("WWW-Authenticate") != `Bearer realm="vexa-sso"` ||
		!strings.Contains(res.body, `"login_url":"`+w.public+`/sso/login"`) || !strings.Contains(res.body, `"detail":"`) {
		t.Errorf("%d %v %s", res.status, res.header, res.body)
	}
	if res := w.browser().send("POST", "/bots", "{}", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"); res.status != http.StatusUnauthorized {
		t.Errorf("a form was answered %d", res.status) // a redirect would lose what they typed
	}
}

// D2: a session that was there before has another id after sign-in, and the old one is over. D1: signing in again ends it, too.
func TestNewIDAtSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn("ada@acme.example")
	first := b.cookie()
	b.signIn("tim@acme.example", "/sso/login?prompt=login")
	second := b.cookie()
	if first == second {
		t.Fatal("the session kept its id")
	}
	if res := w.raw("GET /sso/whoami HTTP/1.1\r\nHost: " + w.host + "\r\nCookie: " + first + "\r\n\r\n"); res.status != http.StatusUnauthorized {
		t.Errorf("the session before: %d %s", res.status, res.body)
	}
	if res := b.get("/sso/whoami"); !strings.Contains(res.body, "tim@acme.example") {
		t.Errorf("the session after: %s", res.body)
	}

	// An id that the browser brings along is not taken over.
	c := w.browser()
	c.Jar.SetCookies(mustURL(t, w.public), []*http.Cookie{{Name: "vexa_sso", Value: "fixed", Path: "/"}})
	c.signIn("ada@acme.example", "/sso/login")
	if c.cookie() == "vexa_sso=fixed" {
		t.Error("the session id was fixed from outside")
	}
}

// C8: an answer that belongs to somebody else's browser is no sign-in. C12, C9: nor is one of another provider, or with parameters
// given twice.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attacker := w.browser()
	start := attacker.get("/sso/login")
	callback, err := w.okta.SignIn(t.Context(), start.header.Get("Location"), "mallory@acme.example")
	must(t, err)
	path := strings.TrimPrefix(callback.URL, w.public)

	victim := w.browser()
	if res := victim.get(path); res.status != http.StatusBadRequest || res.code() != "sign_in_expired" || victim.cookie() != "" {
		t.Errorf("the victim's browser: %d %s", res.status, res.body)
	}
	for name, altered := range map[string]string{
		"state twice":       path + "&state=x",
		"no state":          "/sso/callback/okta?code=x",
		"another provider":  strings.Replace(path, "/okta", "/entra", 1),
		"no such attempt":   "/sso/callback/okta?code=x&state=y",
		"an error for none": "/sso/callback/okta?error=access_denied&state=y",
	} {
		if res := attacker.get(altered); res.status != http.StatusBadRequest && res.status != http.StatusNotFound || attacker.cookie() != "" {
			t.Errorf("%s: %d %s", name, res.status, res.body)
		}
	}
	if res := attacker.get(path + "&code=again"); res.status != http.StatusBadRequest || attacker.cookie() != "" {
		t.Errorf("code twice: %d %s", res.status, res.body)
	}
}

// Several tabs at once work; a browser holds at most five attempts; one that is dead while a session lives just continues.
func TestTabs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	first, second := b.get("/sso/login?return_to=/bots"), b.get("/sso/login?return_to=/meetings")
	for _, tab := range []struct {
		login answer
		want  string
	}{{second, "/meetings"}, {first, "/bots"}} {
		callback, err := w.okta.SignIn(t.Context(), tab.login.header.Get("Location"), "ada@acme.example")
		must(t, err)
		path := strings.TrimPrefix(callback.URL, w.public)
		if res := b.get(path); res.header.Get("Location") != tab.want {
			t.Errorf("came back to %q, want %q: %s", res.header.Get("Location"), tab.want, res.body)
		}
		if res := b.get(path); res.status != http.StatusSeeOther || res.header.Get("Location") != "/sso/" {
			t.Errorf("the same answer again, signed in: %d to %q", res.status, res.header.Get("Location"))
		}
	}
	for range 12 {
		b.get("/sso/login")
		w.clock.Advance(time.Second)
	}
	attempts := 0
	for _, c := range b.Jar.Cookies(mustURL(t, w.public)) {
		if strings.HasPrefix(c.Name, "vexa_sso_login_") {
			attempts++
		}
	}
	if attempts != 5 {
		t.Errorf("the browser holds %d attempts, want 5", attempts)
	}
}

// The cookies are what they should be, on https and on loopback.
func TestCookieAttributes(t *testing.T) { // D6
	t.Parallel()
	w := newWorld(t)
	login := w.browser().get("/sso/login")
	for _, line := range login.header.Values("Set-Cookie") {
		for _, want := range []string{"vexa_sso_login_", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=900"} {
			if !strings.Contains(line, want) {
				t.Errorf("the attempt's cookie lacks %q: %s", want, line)
			}
		}
	}
	b := w.browser()
	res := b.signIn("ada@acme.example", "/sso/login")
	var session string
	for _, line := range res.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, "vexa_sso=") {
			session = line
		}
	}
	for _, want := range []string{"vexa_sso=", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=86400"} {
		if !strings.Contains(session, want) {
			t.Errorf("the session's cookie lacks %q: %s", want, session)
		}
	}
	if len(b.cookie()) > 300 {
		t.Errorf("the session's cookie is %d bytes", len(b.cookie()))
	}
}

func TestRefusedPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tc := range []struct{ who, code, words string }{
		{"mallory@acme.example", "not_mapped", "mallory@acme.example"},
		{"guest@partner.example", "denied_by_rule", "Ask it@acme.example."},
	} {
		b := w.browser()
		login := b.get("/sso/login")
		callback, err := w.okta.SignIn(t.Context(), login.header.Get("Location"), tc.who)
		must(t, err)
		w.vexa.GatewayWire().Forget()
		page := b.get(strings.TrimPrefix(callback.URL, w.public), "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
		if page.status != http.StatusForbidden || !strings.Contains(page.body, tc.words) || !strings.Contains(page.body, tc.code) || b.cookie() != "" {
			t.Errorf("%s: %d %s", tc.who, page.status, page.body)
		}
		if users := w.vexa.Users(); len(users) != 0 || w.vexa.GatewayWire().Bytes() != 0 {
			t.Errorf("%s has touched Vexa: %v", tc.who, users)
		}
	}
	if log := w.logs.String(); strings.Count(log, `"event":"sign_in_refused","actor":"okta:`) != 2 {
		t.Error("the audit does not tell who was refused")
	}
}

// V15: what the scopes do not cover is refused here, with the reason, and never reaches Vexa.
func TestScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tim := w.signIn("tim@acme.example")
	if res := tim.get("/meetings"); res.status != http.StatusOK {
		t.Fatalf("reading with tx: %d %s", res.status, res.body)
	}
	w.vexa.GatewayWire().Forget()
	for _, tc := range []struct{ method, path string }{{"POST", "/bots"}, {"DELETE", "/recordings/1"}, {"GET", "/user/calendars"}} {
		if res := tim.send(tc.method, tc.path, "", "Origin", w.public); res.status != http.StatusForbidden || res.code() != "scope_missing" || !strings.Contains(res.body, "scope bot") {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, res.status, res.body)
		}
	}
	if n := w.vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
	for _, token := range w.vexa.Tokens() {
		if strings.Join(token.Scopes, ",") != "tx" || token.ExpiresAt.IsZero() || !strings.HasPrefix(token.Name, "vsso:test:") { // V7, V8
			t.Errorf("minted %+v", token)
		}
	}
}

// V17: a rule can close a route that its scopes would open.
func TestDeniedRoutes(t *testing.T) {
	t.Parallel()
	rules := staffRules()
	rules[0].Grant.DenyRoutes = []string{"PUT /user/webhook"}
	w := newWorld(t, func(o *worldOptions) { o.rules = rules })
	ada := w.signIn("ada@acme.example")
	if res := ada.send("PUT", "/user/webhook", "{}", "Origin", w.public); res.status != http.StatusForbidden || res.code() != "forbidden_route" {
		t.Errorf("%d %s", res.status, res.body)
	}
	if res := ada.get("/user/webhook"); res.status != http.StatusOK {
		t.Errorf("reading it: %d %s", res.status, res.body)
	}
}

// S6, D12: however many requests are a person's first, one user is made and one key minted.
func TestFirstRequestsOfANewPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn("ada@acme.example")
	const requests = 500
	answers := make(chan answer, requests)
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			answers <- w.raw("GET /bots HTTP/1.1\r\nHost: " + w.host + "\r\nConnection: close\r\nCookie: " + b.cookie() + "\r\n\r\n")
		})
	}
	wg.Wait()
	close(answers)
	good := 0
	for a := range answers {
		if a.status == http.StatusOK {
			good++
		} else {
			t.Logf("%d %s", a.status, a.body)
		}
	}
	if calls := w.vexa.Calls(); good != requests || calls.UsersCreated != 1 || calls.TokensMinted != 1 {
		t.Errorf("%d of %d answered, %d users, %d mints", good, requests, calls.UsersCreated, calls.TokensMinted)
	}
}

// E6: the address is one person's, however the provider writes it.
func TestEmailsAreFolded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.okta.AddPerson(oidctest.Person{Email: "Eve@ACME.example", Name: "Eve", Groups: []string{"vexa-users"}})
	w.signIn("Eve@ACME.example").get("/bots")
	if users := w.vexa.Users(); len(users) != 1 || users[0].Email != "eve@acme.example" {
		t.Errorf("%+v", users)
	}
}

// The idle timeout and the absolute lifetime end a session; use in between keeps it.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn("ada@acme.example")
	for range 2 {
		w.clock.Advance(7 * time.Hour)
		if res := b.get("/sso/whoami"); res.status != http.StatusOK {
			t.Fatalf("in use: %d %s", res.status, res.body)
		}
	}
	w.clock.Advance(8*time.Hour + time.Minute)
	if res := b.get("/sso/whoami"); res.status != http.StatusUnauthorized {
		t.Errorf("idle for more than 8 h: %d", res.status)
	}
	c := w.signIn("tim@acme.example")
	for range 3 {
		w.clock.Advance(7 * time.Hour)
		c.get("/sso/whoami")
	}
	w.clock.Advance(3*time.Hour + time.Minute)
	if res := c.get("/sso/whoami"); res.status != http.StatusUnauthorized {
		t.Errorf("after 24 h: %d", res.status)
	}
}

// Rules that change take effect on the next request of a session that is open (D9).
func TestRulesTakeEffectAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn("ada@acme.example")
	if res := b.get("/bots"); res.status != http.StatusOK {
		t.Fatal(res.body)
	}
	rules := staffRules()
	rules[0].Grant.Scopes = []string{"tx"}
	compiled, problems := rule.Compile(rules)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.rules.Replace(compiled)
	if res := b.get("/bots"); res.status != http.StatusForbidden || res.code() != "scope_missing" {
		t.Errorf("after the scope was taken away: %d %s", res.status, res.body)
	}
	if res := b.get("/meetings"); res.status != http.StatusOK {
		t.Errorf("what is left: %d %s", res.status, res.body)
	}
}

// S12: an answer counts once, also for who keeps the cookie: the provider is not asked again, and nothing more is written.
func TestAnAnswerCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	login := b.get("/sso/login")
	kept, _, _ := strings.Cut(login.header.Get("Set-Cookie"), ";")
	state := mustURL(t, login.header.Get("Location")).Query().Get("state")
	for range 5 {
		res := w.raw("GET /sso/callback/okta?code=made-up&state=" + state + " HTTP/1.1\r\nHost: " + w.host + "\r\nCookie: " + kept + "\r\n\r\n")
		if res.status < 400 {
			t.Fatalf("%d %s", res.status, res.body)
		}
	}
	if n := w.okta.Requests(oidctest.EndpointToken); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// S1: who no longer is let in gets no further than here, whatever session they have.
func TestLetInNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn("ada@acme.example")
	if res := b.get("/bots"); res.status != http.StatusOK {
		t.Fatal(res.body)
	}
	for _, tc := range []struct {
		code  string
		rules []rule.Rule
	}{
		{"not_mapped", staffRules()[1:]},
		{"denied_by_rule", append(staffRules(), rule.Rule{Name: "audit", Match: rule.Match{Emails: []string{"ada@acme.example"}}, Deny: "Under investigation."})},
	} {
		compiled, problems := rule.Compile(tc.rules)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		w.rules.Replace(compiled)
		w.vexa.GatewayWire().Forget()
		if res := b.send("POST", "/bots", "secret body", "Origin", w.public); res.status != http.StatusForbidden || res.code() != tc.code || w.vexa.GatewayWire().Bytes() != 0 {
			t.Errorf("%d %s, and %d bytes upstream", res.status, res.body, w.vexa.GatewayWire().Bytes())
		}
	}
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	must(t, err)
	return u
}
