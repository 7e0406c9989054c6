package authserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/authserver"
	"vexa-sso/proxy/proxytest"
)

// Where an answer may go is known before anything is redirected: until then every error is a page
// (RFC 6749 section 4.1.2.1). G8
func TestNoRedirectToStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for name, path := range map[string]string{
		"no client":               request("client_id", ""),
		"an unknown client":       request("client_id", "vexa-sso-cli2"),
		"two clients":             request() + "&client_id=vexa-sso-cli",
		"no redirect URI":         request("redirect_uri", ""),
		"two redirect URIs":       request() + "&redirect_uri=" + url.QueryEscape(loopback),
		"another host":            request("redirect_uri", "http://evil.example/callback"),
		"https on loopback":       request("redirect_uri", "https://127.0.0.1:54321/callback"),
		"localhost":               request("redirect_uri", "http://localhost:54321/callback"),
		"another loopback":        request("redirect_uri", "http://127.0.0.2:54321/callback"),
		"IPv6 written out":        request("redirect_uri", "http://[0:0:0:0:0:0:0:1]:54321/callback"),
		"mapped":                  request("redirect_uri", "http://[::ffff:127.0.0.1]:54321/callback"),
		"a number":                request("redirect_uri", "http://2130706433:54321/callback"),
		"user information":        request("redirect_uri", "http://127.0.0.1:54321@evil.example/callback"),
		"user before":             request("redirect_uri", "http://evil@127.0.0.1:54321/callback"),
		"a name that begins so":   request("redirect_uri", "http://127.0.0.1.evil.example/callback"),
		"another path":            request("redirect_uri", "http://127.0.0.1:54321/callback2"),
		"a path below":            request("redirect_uri", "http://127.0.0.1:54321/callback/x"),
		"a path in other case":    request("redirect_uri", "http://127.0.0.1:54321/Callback"),
		"dots":                    request("redirect_uri", "http://127.0.0.1:54321/x/../callback"),
		"a query":                 request("redirect_uri", "http://127.0.0.1:54321/callback?x=y"),
		"a fragment":              request("redirect_uri", "http://127.0.0.1:54321/callback#x"),
		"an empty fragment":       request("redirect_uri", "http://127.0.0.1:54321/callback#"),
		"port 0":                  request("redirect_uri", "http://127.0.0.1:0/callback"),
		"port 65536":              request("redirect_uri", "http://127.0.0.1:65536/callback"),
		"a port that is none":     request("redirect_uri", "http://127.0.0.1:+80/callback"),
		"no port after the colon": request("redirect_uri", "http://127.0.0.1:/callback"),
		"a scheme of its own":     request("redirect_uri", "vexa:/callback"),
		"a script":                request("redirect_uri", "javascript:alert(1)//127.0.0.1/callback"),
		"a backslash":             request("redirect_uri", `http://127.0.0.1:54321\@evil.example/callback`),
		"a line break": request("redirect_uri",
			"http://127.0.0.1:54321/callback\r\nSet-Cookie: a=b"),
		"another client's": request("redirect_uri", "https://app.example/cb?tenant=1"),
		"another query": request("client_id", "web",
			"redirect_uri", "https://app.example/cb?tenant=2"),
		"less of the query": request("client_id", "web", "redirect_uri", "https://app.example/cb"),
		"a port on a site": request("client_id", "web",
			"redirect_uri", "https://app.example:443/cb?tenant=1"),
		"another scheme":   request("client_id", "web", "redirect_uri", "http://app.example/cb?tenant=1"),
		"a port on a name": request("client_id", "web", "redirect_uri", "http://localhost:54321/cb"),
		"far too long":     request("state", strings.Repeat("s", 2100)),
	} {
		t.Run(name, func(t *testing.T) {
			a := w.browser().open(path)
			if a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" ||
				strings.Contains(a.Body, "evil.example") || len(a.Header["Set-Cookie"]) > 0 {
				t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
			}
		})
	}
}

// Every other error goes to the program, with its state and with who says so (RFC 9207), and
// asks nobody to sign in first.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	dup := func(name, value string) string { return request() + "&" + name + "=" + url.QueryEscape(value) }
	for _, c := range []struct{ name, path, want string }{
		{"no response type", request("response_type", ""), "invalid_request"},
		{"implicit", request("response_type", "token"), "unsupported_response_type"},
		{"hybrid", request("response_type", "code id_token"), "unsupported_response_type"},
		{"in a fragment", request("response_mode", "fragment"), "invalid_request"},
		{"in a form", request("response_mode", "form_post"), "invalid_request"},
		{"no challenge", request("code_challenge", ""), "invalid_request"}, // C10
		{
			"no challenge and no method",
			request("code_challenge", "", "code_challenge_method", ""), "invalid_request",
		}, // C10
		{"plain", request("code_challenge_method", "plain"), "invalid_request"},       // C10
		{"plain by default", request("code_challenge_method", ""), "invalid_request"}, // C10
		{"an unknown method", request("code_challenge_method", "s256"), "invalid_request"},
		{"a short challenge", request("code_challenge", strings.Repeat("a", 42)), "invalid_request"},
		{"a long challenge", request("code_challenge", strings.Repeat("a", 44)), "invalid_request"},
		{"a padded challenge", request("code_challenge", strings.Repeat("a", 42)+"="), "invalid_request"},
		{"an unknown scope", request("scope", "tx admin"), "invalid_scope"},
		{"a scope in capitals", request("scope", "TX"), "invalid_scope"},
		{"openid", request("scope", "openid"), "invalid_scope"},
		{"another resource", request("resource", "https://elsewhere.example/"), "invalid_target"},
		{"two resources, one another's", dup("resource", "https://elsewhere.example/"), "invalid_target"},
		{"no prompt", request("prompt", "none"), "invalid_request"},
		{"another prompt", request("prompt", "login"), "invalid_request"},
		{"a request object", request("request", "eyJ"), "request_not_supported"},
		{
			"a request object elsewhere", request("request_uri", "https://evil.example/"),
			"request_uri_not_supported",
		},
		{"two challenges", dup("code_challenge", challengeOf("another")), "invalid_request"},
		{"two scopes", request("scope", "tx") + "&scope=bot", "invalid_request"},
		{"two response types", dup("response_type", "code"), "invalid_request"},
		{"two of a parameter that is none of ours", request() + "&x=1&x=2", "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.browser().open(c.path)
			u := a.leads(t)
			q := u.Query()
			if a.Status != http.StatusSeeOther || !strings.HasPrefix(u.String(), loopback+"?") ||
				q.Get("error") != c.want || q.Has("code") {
				t.Errorf("%d to %s, want %s", a.Status, u, c.want)
			}
			if q.Get("state") != "st/&=ate" || q.Get("iss") != w.Public+"/sso/oauth" ||
				q.Get("error_description") == "" {
				t.Errorf("came back with %v", q)
			}
		})
	}
	t.Run("two states", func(t *testing.T) { // neither is known to be the program's
		q := w.browser().open(dup("state", "b")).leads(t).Query()
		if q.Get("error") != "invalid_request" || q.Has("state") {
			t.Errorf("came back with %v", q)
		}
	})
	t.Run("a state with a line break", func(t *testing.T) {
		q := w.browser().open(request("state", "a\nb")).leads(t).Query()
		if q.Get("error") != "invalid_request" || q.Has("state") {
			t.Errorf("came back with %v", q)
		}
	})
	t.Run("by POST", func(t *testing.T) {
		path, body, _ := strings.Cut(request(), "?")
		form, err := url.ParseQuery(body)
		proxytest.Must(t, err)
		if a := w.browser().submit(path, form); a.Status != http.StatusMethodNotAllowed ||
			a.Header.Get("Allow") != "GET" {
			t.Errorf("%d %v", a.Status, a.Header)
		}
	})
	t.Run("by a script", func(t *testing.T) { // S8: which is told to sign in, not sent there
		if a := w.browser().Send("GET", request(), "", "Sec-Fetch-Mode", "cors",
			"Sec-Fetch-Dest", "empty"); a.Status != http.StatusUnauthorized {
			t.Errorf("%d %v", a.Status, a.Header)
		}
	})
}

func TestAcceptedRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	b.openAs(ada, "/sso/")
	for name, path := range map[string]string{
		"another port": request("redirect_uri", "http://127.0.0.1:1/callback"),
		"no port":      request("redirect_uri", "http://127.0.0.1/callback"),
		"IPv6":         request("redirect_uri", "http://[::1]:65535/callback"),
		"a site, as registered": request("client_id", "web",
			"redirect_uri", "https://app.example/cb?tenant=1"),
		"a name, as registered": request("client_id", "web", "redirect_uri", "http://localhost/cb"),
		"our resource":          request("resource", w.Public),
		"our resource, and below": request("resource", w.Public+"/") + "&resource=" +
			url.QueryEscape(w.Public+"/mcp"),
		"consent asked for":      request("prompt", "consent"),
		"the mode said":          request("response_mode", "query"),
		"no state":               request("state", ""),
		"something else besides": request("nonce", "x", "ui_locales", "de"),
	} {
		t.Run(name, func(t *testing.T) {
			ticket := b.open(path).ticket(t)
			q := b.submit("/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {"allow"}}).
				leads(t).Query()
			if !strings.HasPrefix(q.Get("code"), "vssc_") || q.Get("iss") != w.Public+"/sso/oauth" ||
				q.Has("state") == (name == "no state") {
				t.Errorf("came back with %v", q)
			}
			if name == "a site, as registered" && q.Get("tenant") != "1" {
				t.Error("the redirect URI has lost its own query")
			}
		})
	}
}

// What a person is asked for is what they have of what the program wants; nobody can give more.
func TestScopesOfConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for _, c := range []struct{ who, asked, want string }{
		{ada, "", "bot tx"},
		{ada, "tx", "tx"},
		{ada, "tx  bot tx", "bot tx"},
		{ada, "browser tx", "tx"},
		{tim, "", "tx"},
		{tim, "bot tx", "tx"},
		{tim, "bot", ""},
		{tim, "browser", ""},
	} {
		t.Run(c.who+" "+c.asked, func(t *testing.T) {
			b := w.browser()
			a := b.openAs(c.who, request("scope", c.asked))
			if c.want == "" {
				if q := a.leads(t).Query(); q.Get("error") != "access_denied" {
					t.Errorf("came back with %v", q)
				}
				return
			}
			back := b.submit("/sso/oauth/consent",
				url.Values{"ticket": {a.ticket(t)}, "decision": {"allow"}}).
				leads(t)
			token := w.post("/sso/oauth/token", exchange(back.Query().Get("code"))).json(t)
			if token["scope"] != c.want {
				t.Errorf("got %v, want %s", token["scope"], c.want)
			}
		})
	}
}

// The page that asks says what it is about, and shows itself nowhere else (S7).
func TestConsentPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	a := w.browser().openAs(ada, request("scope", "tx"))
	for _, said := range []string{"Vexa command line", "vexa-sso-cli", "this computer", ada, "Acme"} {
		if !strings.Contains(a.Body, said) {
			t.Errorf("the page does not say %q", said)
		}
	}
	for name, want := range map[string]string{
		"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") ||
		!strings.Contains(csp, "form-action 'self'") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	if strings.Contains(a.Body, "vssc_") {
		t.Error("the code is on the page before anybody agreed")
	}
}

// G1: somebody who agreed a moment ago is asked again, and so is who comes from another site. G3
func TestConsentIsNeverRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	b.codeFor(ada, request())
	b.open(request()).ticket(t)
	b.send("GET", request(), "", "Accept", "text/html", "Sec-Fetch-Mode", "navigate",
		"Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site").
		ticket(t)
}

// S7: a sign-in of five minutes ago is not enough to be asked, nor to answer.
func TestConsentNeedsAFreshSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	ticket := b.openAs(ada, request()).ticket(t)
	w.Clock.Advance(5 * time.Minute)

	a := b.open(request())
	if to := a.Header.Get("Location"); a.Status != http.StatusSeeOther ||
		!strings.Contains(to, "/sso/login?fresh=1") {
		t.Fatalf("%d %v", a.Status, a.Header)
	}
	a = b.submit("/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {"allow"}})
	if strings.Contains(a.Body, "vssc_") || !strings.Contains(a.Body, "sign in again") {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	again := a.leadsHere(t)
	if events := w.events(mapping.EventToolAuthorized); len(events) > 0 {
		t.Errorf("%v", events)
	}

	// To say no, nobody has to sign in.
	if q := b.submit("/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {"deny"}}).leads(t).
		Query(); q.Get("error") != "access_denied" {
		t.Errorf("came back with %v", q)
	}

	// The way on leads through a sign-in back to the same question.
	code := b.codeFor(ada, again)
	if a := w.post("/sso/oauth/token", exchange(code)); a.Status != http.StatusOK {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// G2: an answer counts in the session that was asked, once, soon, and from this site.
func TestConsentIsBoundToTheBrowser(t *testing.T) {
	onEachEngine(t, func(t *testing.T, w *world) {
		const path = "/sso/oauth/consent"
		b, other := w.browser(), w.browser()
		other.openAs(ada, "/sso/") // the same person, in another browser
		ticket := b.openAs(ada, request()).ticket(t)
		allow := url.Values{"ticket": {ticket}, "decision": {"allow"}}

		refused := func(what string, a answer, status int) {
			t.Helper()
			if a.Status != status || strings.Contains(a.Body, "vssc_") {
				t.Errorf("%s: %d %s", what, a.Status, a.Body)
			}
		}
		refused("another browser", other.submit(path, allow), http.StatusForbidden)
		refused("nobody", w.browser().submit(path, allow), http.StatusUnauthorized)
		refused("another site", b.send("POST", path, allow.Encode(), "Sec-Fetch-Site", "cross-site",
			"Sec-Fetch-Mode", "navigate", "Content-Type", "application/x-www-form-urlencoded"),
			http.StatusForbidden)
		refused("a sibling site", b.send("POST", path, allow.Encode(), "Sec-Fetch-Site", "same-site",
			"Sec-Fetch-Mode", "navigate", "Content-Type", "application/x-www-form-urlencoded"),
			http.StatusForbidden)
		refused("no origin",
			b.send("POST", path, allow.Encode(), "Content-Type", "application/x-www-form-urlencoded"),
			http.StatusForbidden)
		refused("no ticket", b.submit(path, url.Values{"decision": {"allow"}}), http.StatusForbidden)
		changed := []byte(ticket)
		changed[len(changed)/2] ^= 1
		refused("a changed ticket",
			b.submit(path, url.Values{"ticket": {string(changed)}, "decision": {"allow"}}),
			http.StatusForbidden)
		refused("no decision", b.submit(path, url.Values{"ticket": {ticket}}), http.StatusBadRequest)
		refused("by GET", b.open(path+"?"+allow.Encode()), http.StatusMethodNotAllowed)
		refused("as a device's", b.submit("/sso/device", allow), http.StatusForbidden)

		if a := b.submit(path, allow); a.leads(t).Query().Get("code") == "" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		refused("again", b.submit(path, allow), http.StatusForbidden)
		refused("again, saying no",
			b.at(w.replica()).submit(path, url.Values{"ticket": {ticket}, "decision": {"deny"}}),
			http.StatusForbidden)
	})
}

// The session that was asked is over: so is the question.
func TestConsentEndsWithTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	ticket := b.openAs(ada, request()).ticket(t)
	b.login(ada, "/sso/login?fresh=1&return_to=/sso/")
	if a := b.submit(
		"/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {"allow"}},
	); a.Status != http.StatusForbidden {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestSayingNo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	ticket := b.openAs(ada, request()).ticket(t)
	u := b.submit("/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {"deny"}}).leads(t)
	if q := u.Query(); q.Get("error") != "access_denied" || q.Get("state") != "st/&=ate" ||
		q.Get("iss") != w.Public+"/sso/oauth" || q.Has("code") {
		t.Errorf("came back with %v", q)
	}
	if a := b.submit(
		"/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {"allow"}},
	); a.Status != http.StatusForbidden {
		t.Errorf("changing one's mind: %d %s", a.Status, a.Body)
	}
	if events := w.events(mapping.EventToolDenied); len(events) != 1 ||
		events[0].Reason != authserver.CommandLine || events[0].Account == "" ||
		events[0].Address != "127.0.0.1" {
		t.Errorf("%+v", events)
	}
}

// S12: an account answers twenty questions at once, yes and no alike and in however many sessions; each is
// kept for a while. That keeps nobody else from answering.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b, again, other := w.browser(), w.browser(), w.browser()
	again.openAs(ada, "/sso/")
	decide := func(b *browser, who, decision string) answer {
		return b.submit("/sso/oauth/consent",
			url.Values{"ticket": {b.openAs(who, request()).ticket(t)}, "decision": {decision}})
	}
	for i := range 20 {
		if a := decide(b, ada, []string{"deny", "allow"}[i%2]); a.Status != http.StatusOK {
			t.Fatalf("answer %d: %d %s", i, a.Status, a.Body)
		}
	}
	for what, a := range map[string]answer{
		"no": decide(b, ada, "deny"), "yes": decide(b, ada, "allow"),
		"another session": decide(again, ada, "deny"),
	} {
		if a.Status != http.StatusTooManyRequests {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	if n := len(w.events(mapping.EventToolDenied)); n != 10 {
		t.Errorf("%d denials are in the audit", n)
	}
	if a := decide(other, tim, "deny"); a.Status != http.StatusOK {
		t.Errorf("somebody else: %d %s", a.Status, a.Body)
	}
	w.Clock.Advance(time.Minute)
	if a := decide(b, ada, "deny"); a.Status != http.StatusOK {
		t.Errorf("a minute later: %d %s", a.Status, a.Body)
	}
}

// A question is open for ten minutes.
func TestConsentExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	ticket := b.openAs(ada, request()).ticket(t)
	w.Clock.Advance(10 * time.Minute)
	for _, decision := range []string{"allow", "deny"} {
		if a := b.submit(
			"/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {decision}},
		); a.Status != http.StatusForbidden {
			t.Errorf("%s: %d %s", decision, a.Status, a.Body)
		}
	}
}

// A ticket cannot be answered again when the code that came of it is forgotten.
func TestTicketOutlivesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	ticket := b.openAs(ada, request()).ticket(t)
	form := url.Values{"ticket": {ticket}, "decision": {"allow"}}
	b.submit("/sso/oauth/consent", form).leads(t)
	w.Clock.Advance(4 * time.Minute) // the code has expired
	proxytest.Must(t, w.Store.Purge(t.Context(), mapping.Retention{Idle: time.Hour}))
	if a := b.submit("/sso/oauth/consent", form); a.Status != http.StatusForbidden {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// leadsHere is where a page leads on to at our own address.
func (a answer) leadsHere(t testing.TB) string {
	t.Helper()
	return a.leads(t).RequestURI()
}
