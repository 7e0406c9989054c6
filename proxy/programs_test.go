package proxy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// socketAs opens a WebSocket as a program does.
func (w *world) socketAs(protocols []string, header ...string) (*websocket.Conn, *http.Response, error) {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	conn, res, err := websocket.Dial(w.within(10*time.Second), w.public+"/ws", &websocket.DialOptions{HTTPClient: w.client(nil), HTTPHeader: h, Subprotocols: protocols})
	if err == nil {
		w.t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, res, err
}

func (w *world) mustSocketAs(header ...string) *websocket.Conn {
	w.t.Helper()
	conn, _, err := w.socketAs(nil, header...)
	must(w.t, err)
	return conn
}

// E7, S5: somebody is suspended: their tokens and their bearer tokens are refused on the next request, on every replica, and the streams
// of both are cut.
func TestSuspendedWithPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takingBearers)
	other := w.replica()
	w.signIn(oidctest.Ada)
	_, token := w.newToken(oidctest.Ada, "tx")
	shown := [][]string{{"X-API-Key", token}, {"Authorization", "Bearer " + w.bearer(oidctest.Ada)}}
	var sockets []*websocket.Conn
	for _, header := range shown {
		for _, at := range []*world{w, other} {
			if res := at.program().get("/meetings", header...); res.status != http.StatusOK {
				t.Fatalf("%s: %d %s", header[0], res.status, res.body)
			}
			sockets = append(sockets, at.mustSocketAs(header...))
		}
	}
	began := proxytest.Start(t)
	must(t, w.accounts.Revoke(t.Context(), mapping.Revocation{Kind: mapping.RevokeAccount, Account: accountOf(t, w, oidctest.Ada), Reason: "left"}, "admin"))
	for i, code := range []string{"token_invalid", "suspended"} { // the token is gone, Okta's isn't
		for _, at := range []*world{w, other} {
			at.waitFor("the refusal", func() bool {
				res := at.program().get("/meetings", shown[i]...)
				return res.code() == code && (res.status == http.StatusUnauthorized || res.status == http.StatusForbidden)
			})
		}
	}
	for i, socket := range sockets {
		if closed := hangsUp(t, socket); closed.Code != 4401 {
			t.Errorf("socket %d was closed with %d", i, closed.Code)
		}
	}
	if took := began.Took(); took > proxytest.Promised {
		t.Errorf("it took %s", took)
	}
	w.waitFor("the keys to die", func() bool { return len(w.vexa.Tokens()) == 0 })
}

// S5: a token that is revoked is refused everywhere, and its streams end: its own, and nobody else's.
func TestTokenRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.replica()
	b := w.signIn(oidctest.Ada)
	lost, value := w.newToken(oidctest.Ada, "tx")
	_, kept := w.newToken(oidctest.Ada, "tx")
	socket, keeps, browsers := other.mustSocketAs("X-API-Key", value), other.mustSocketAs("X-API-Key", kept), b.mustSocket()
	w.program().get("/meetings", "X-API-Key", value)
	must(t, w.accounts.Revoke(t.Context(), mapping.Revocation{Kind: mapping.RevokeToken, Account: lost.AccountID, Token: lost.ID, Reason: "lost"}, "ada"))
	if closed := hangsUp(t, socket); closed.Code != 4401 {
		t.Errorf("the socket was closed with %d", closed.Code)
	}
	for _, at := range []*world{w, other} {
		at.waitFor("the refusal", func() bool { return at.program().get("/meetings", "X-API-Key", value).code() == "token_invalid" })
		if res := at.program().get("/meetings", "X-API-Key", kept); res.status != http.StatusOK {
			t.Errorf("the other token: %d %s", res.status, res.body)
		}
	}
	for _, socket := range []*websocket.Conn{keeps, browsers} {
		if got := talk(t, socket, `{"action":"ping"}`); !strings.Contains(got, "pong") {
			t.Errorf("another stream: %s", got)
		}
	}
}

// A stream ends when the token does with which it was opened.
func TestStreamEndsWithToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takingBearers, func(o *worldOptions) { o.config.Session.Lifetime, o.config.Session.Idle = 72*time.Hour, 72*time.Hour })
	b := w.signIn(oidctest.Ada)
	_, token := w.newToken(oidctest.Ada, "tx")
	bearer := w.bearer(oidctest.Ada)
	browsers := b.mustSocket()
	for _, c := range []struct {
		header []string
		lives  time.Duration
	}{{[]string{"Authorization", "Bearer " + bearer}, time.Hour + time.Minute}, {[]string{"X-API-Key", token}, 23 * time.Hour}} {
		socket := w.mustSocketAs(c.header...)
		w.clock.Advance(c.lives)
		if closed := hangsUp(t, socket); closed.Code != 4401 {
			t.Errorf("the socket was closed with %d", closed.Code)
		}
		if res := w.program().get("/meetings", c.header...); res.status != http.StatusUnauthorized {
			t.Errorf("%d %s", res.status, res.body)
		}
	}
	if got := talk(t, browsers, `{"action":"ping"}`); !strings.Contains(got, "pong") {
		t.Errorf("the browser's stream: %s", got)
	}
}

// A token pauses when its owner's provider has not vouched for them for max_offline, with its streams, and goes on when they have
// signed in again; sessions are not concerned.
func TestTokenPauses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *worldOptions) {
		o.config.Tokens.MaxOffline = 2 * time.Hour
		o.config.Session.Renew = 24 * time.Hour // nobody asks the provider meanwhile
		o.config.Session.Lifetime = 72 * time.Hour
	})
	b := w.signIn(oidctest.Ada)
	_, token := w.newToken(oidctest.Ada, "tx")
	get := func() answer { return w.program().get("/meetings", append(navigation, "X-API-Key", token)...) }
	socket := w.mustSocketAs("X-API-Key", token)
	w.clock.Advance(119 * time.Minute)
	if res := get(); res.status != http.StatusOK {
		t.Errorf("before: %d %s", res.status, res.body)
	}
	w.clock.Advance(2 * time.Minute)
	if res := get(); res.code() != "proof_stale" || res.status != http.StatusUnauthorized || !strings.Contains(res.body, `"login_url":"`+w.public+`/sso/login`) {
		t.Errorf("after: %d %s", res.status, res.body)
	}
	if closed := hangsUp(t, socket); closed.Code != 4401 {
		t.Errorf("the socket was closed with %d", closed.Code)
	}
	if res := b.get("/meetings"); res.status != http.StatusOK {
		t.Errorf("the session: %d %s", res.status, res.body)
	}
	w.signIn(oidctest.Ada)
	w.waitFor("the token to go on", func() bool { return get().status == http.StatusOK })
}

// D9: what a token may do is what it was made for and what its owner may now, on each request and on streams that are open. Who is
// refused hears which of the two lacks the scope.
func TestScopesShrinkWithTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(oidctest.Ada)
	_, both := w.newToken(oidctest.Ada, "bot", "tx")
	_, tx := w.newToken(oidctest.Ada, "tx")
	expect := func(path, token, code string, words ...string) {
		t.Helper()
		res := w.program().get(path, "X-API-Key", token)
		if res.code() != code || code == "" && res.status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, res.status, res.body)
		}
		for _, word := range words {
			if !strings.Contains(res.body, word) {
				t.Errorf("%s does not say %q: %s", path, word, res.body)
			}
		}
		if challenge := res.header.Get("WWW-Authenticate"); code == "scope_missing" && !strings.Contains(challenge, `error="insufficient_scope", scope="`) {
			t.Errorf("WWW-Authenticate: %s", challenge)
		}
	}
	expect("/bots", both, "")
	expect("/meetings", both, "")
	expect("/meetings", tx, "")
	expect("/bots", tx, "scope_missing", "the scope bot", "this token does not have", "/sso/tokens")
	for _, key := range w.vexa.Tokens() {
		if got := strings.Join(key.Scopes, ","); got != "bot,tx" && got != "tx" {
			t.Errorf("a key for %s", got)
		}
	}
	stream := w.eventsAs("GET", "/agent/meeting/stream", "X-API-Key", both)
	must(t, w.okta.SetGroups(oidctest.Ada, oidctest.GroupViewers))
	w.clock.Advance(12 * time.Minute)
	must(t, w.accounts.RenewProofs(t.Context()))
	w.waitFor("the grant to shrink", func() bool { return w.program().get("/bots", "X-API-Key", both).code() == "scope_missing" })
	expect("/bots", both, "scope_missing", "the owner of this token doesn’t have", "The rule staff would give it")
	expect("/meetings", both, "")
	expect("/meetings", tx, "")
	_ = stream // needs bot or tx: it goes on

	must(t, w.okta.SetGroups(oidctest.Ada))
	w.clock.Advance(12 * time.Minute)
	must(t, w.accounts.RenewProofs(t.Context()))
	if !stream.ends() {
		t.Error("the stream stays open")
	}
	w.waitFor("the grant to end", func() bool { return w.program().get("/meetings", "X-API-Key", tx).code() == "not_mapped" })
}

// V17: a route that the rules deny is denied to tokens too, whatever their scopes.
func TestDeniedRoutesHoldForTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takingBearers, func(o *worldOptions) {
		o.rules = []rule.Rule{{Name: "staff", Match: rule.Match{Groups: []string{"vexa-users"}}, Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}, DenyRoutes: []string{"PUT /user/webhook"}}}}
	})
	w.signIn(oidctest.Ada)
	_, token := w.newToken(oidctest.Ada, "bot", "tx")
	for _, shown := range []string{token, w.bearer(oidctest.Ada)} {
		if res := w.program().send("PUT", "/user/webhook", "{}", "Authorization", "Bearer "+shown); res.code() != "forbidden_route" {
			t.Errorf("%d %s", res.status, res.body)
		}
		if res := w.program().get("/user/webhook", "Authorization", "Bearer "+shown); res.status != http.StatusOK {
			t.Errorf("%d %s", res.status, res.body)
		}
	}
}

// What is warm asks nobody: not the store, not the provider, not the Admin API.
func TestWarmProgramsAskNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takingBearers)
	b := w.signIn(oidctest.Ada)
	_, token := w.newToken(oidctest.Ada, "bot", "tx")
	shown := [][]string{{"Cookie", b.cookie()}, {"X-API-Key", token}, {"Authorization", "Bearer " + w.bearer(oidctest.Ada)}}
	for _, header := range shown {
		w.program().get("/bots", header...)
	}
	asked := w.okta.Requests(oidctest.EndpointKeys)
	must(t, w.store.Close())
	for range 5 {
		for _, header := range shown {
			if res := w.program().get("/bots", header...); res.status != http.StatusOK {
				t.Errorf("%s: %d %s", header[0], res.status, res.body)
			}
		}
	}
	if now := w.okta.Requests(oidctest.EndpointKeys); now != asked {
		t.Errorf("the provider's keys were fetched %d times more", now-asked)
	}
	if res := w.program().get("/bots", "X-API-Key", madeUp(t)); res.status != http.StatusServiceUnavailable {
		t.Errorf("who is not known: %d %s", res.status, res.body)
	}
}

// D7: that an access token holds is remembered together with who found so and by which rules. Another provider's audience, other rules
// or another minute need another look.
func TestWhatIsRememberedOfBearers(t *testing.T) {
	t.Parallel()
	second := func(o *worldOptions) {
		takingBearers(o)
		o.also = func(first oidc.Config) []oidc.Config {
			first.Name, first.API.Audiences = "okta2", []string{"api://second"}
			return []oidc.Config{first}
		}
		o.rules = []rule.Rule{
			{Name: "first", Match: rule.Match{Providers: []string{"okta"}, Groups: []string{"vexa-users"}}, Grant: &rule.GrantSpec{Scopes: []string{"tx"}}},
		}
	}
	w := newWorld(t, second)
	here, there := w.bearer(oidctest.Ada), w.okta.Sign(w.bearerClaims(oidctest.Ada).With("aud", "api://second"))
	get := func(token string) answer { return w.program().get("/sso/whoami", "Authorization", "Bearer "+token) }
	if res := get(here); res.status != http.StatusOK || !strings.Contains(res.body, `"provider":"okta"`) {
		t.Errorf("for the first: %d %s", res.status, res.body)
	}
	if res := w.program().get("/meetings", "Authorization", "Bearer "+there); res.code() != "not_mapped" {
		t.Errorf("for the second, whom no rule knows: %d %s", res.status, res.body)
	}
	grown, problems := rule.Compile(append(w.options.rules, rule.Rule{
		Name: "second", Match: rule.Match{Providers: []string{"okta2"}, Groups: []string{"vexa-users"}}, Grant: &rule.GrantSpec{Scopes: []string{"bot"}},
	}))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.rules.Replace(grown)
	if res := get(there); res.status != http.StatusOK || !strings.Contains(res.body, `"scopes":["bot"]`) {
		t.Errorf("for the second, as soon as one does: %d %s", res.status, res.body)
	}
	if res := get(here); res.status != http.StatusOK || !strings.Contains(res.body, `"scopes":["tx"]`) {
		t.Errorf("for the first: %d %s", res.status, res.body)
	}

	must(t, w.store.Close()) // what is remembered goes on, and nothing else
	if res := get(here); res.status != http.StatusOK {
		t.Errorf("remembered: %d %s", res.status, res.body)
	}
	w.clock.Advance(time.Minute)
	if res := get(here); res.status == http.StatusOK {
		t.Errorf("a minute later it was not looked at again")
	}
	w.clock.Advance(-time.Minute)
	if res := get(here); res.status != http.StatusOK {
		t.Errorf("remembered: %d %s", res.status, res.body)
	}
	w.rules.Replace(grownAgain(t, w))
	if res := get(here); res.status == http.StatusOK {
		t.Errorf("under other rules it was not looked at again")
	}
}

func grownAgain(t *testing.T, w *world) *rule.Rules {
	t.Helper()
	rules, problems := rule.Compile(w.options.rules)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules
}

// V13: each credential has its own share of requests, so that a token in a loop leaves its owner's browser, and other tokens, alone.
func TestRequestsPerCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takingBearers, func(o *worldOptions) { o.config.Limits.RequestsPerSecond = 3 })
	b := w.signIn(oidctest.Ada)
	_, busy := w.newToken(oidctest.Ada, "tx")
	_, other := w.newToken(oidctest.Ada, "tx")
	w.clock.Stop()
	limited := 0
	for range 20 {
		res := w.program().get("/sso/whoami", "X-API-Key", busy)
		if res.status == http.StatusTooManyRequests {
			if limited++; res.header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
		}
	}
	if limited < 10 {
		t.Errorf("%d of 20 requests in a row were refused", limited)
	}
	if res := w.program().get("/meetings", "X-API-Key", other); res.status != http.StatusOK {
		t.Errorf("another token: %d %s", res.status, res.body)
	}
	if res := w.program().get("/meetings", "Authorization", "Bearer "+w.bearer(oidctest.Ada)); res.status != http.StatusOK {
		t.Errorf("an access token: %d %s", res.status, res.body)
	}
	if res := b.get("/meetings"); res.status != http.StatusOK {
		t.Errorf("the browser: %d %s", res.status, res.body)
	}
}

// V13: all programs of somebody together leave a quarter of the streams to their browser.
func TestStreamsOfPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *worldOptions) { o.config.Limits.StreamsPerAccount = 4 })
	b := w.signIn(oidctest.Ada)
	_, token := w.newToken(oidctest.Ada, "tx")
	for range 3 {
		w.mustSocketAs("X-API-Key", token)
	}
	if _, res, err := w.socketAs(nil, "X-API-Key", token); err == nil || res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a fourth stream of programs: %v", err)
	}
	b.mustSocket()
}

// S12: whoever makes up tokens is held up, and whoever shows one that is known isn't. The same one again and again costs nothing.
func TestManyTokensThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(oidctest.Ada)
	_, good := w.newToken(oidctest.Ada, "tx")
	program := w.program()
	program.get("/meetings", "X-API-Key", good)
	same := madeUp(t)
	w.clock.Stop()
	for i := range 200 {
		if res := program.get("/meetings", "X-API-Key", same); res.code() != "token_invalid" {
			t.Fatalf("the same one for the %dth time: %d %s", i, res.status, res.body)
		}
	}
	codes := map[string]int{}
	for range 200 {
		codes[program.get("/meetings", "X-API-Key", madeUp(t)).code()]++
	}
	if codes["rate_limited"] < 50 || codes["token_invalid"] < 40 || codes["rate_limited"]+codes["token_invalid"] != 200 {
		t.Errorf("answers to 200 that are none: %v", codes)
	}
	if res := program.get("/meetings", "X-API-Key", good); res.status != http.StatusOK {
		t.Errorf("one that is known: %d %s", res.status, res.body)
	}
	_, fresh := w.newToken(oidctest.Ada, "tx")
	w.clock.Advance(time.Second)
	if res := program.get("/meetings", "X-API-Key", fresh); res.status != http.StatusOK {
		t.Errorf("one that is new, a second later: %d %s", res.status, res.body)
	}
}

// S12: whoever makes credentials up locks out nobody at the same address whose own was good.
func TestNobodyIsLockedOutByANeighbour(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takingBearers)
	w.signIn(oidctest.Ada)
	program, bearer := w.program(), w.bearer(oidctest.Ada)
	if res := program.get("/meetings", "Authorization", "Bearer "+bearer); res.status != http.StatusOK {
		t.Fatalf("%d %s", res.status, res.body)
	}
	w.clock.Stop()
	w.clock.Advance(2 * time.Minute) // it is to be looked at afresh
	limited := false
	for range 200 {
		limited = limited || program.get("/meetings", "X-API-Key", madeUp(t)).code() == "rate_limited"
	}
	if res := program.get("/meetings", "Authorization", "Bearer "+bearer); res.status != http.StatusOK || !limited {
		t.Errorf("%d %s, limited: %v", res.status, res.body, limited)
	}
}

// Whoami says with what it was asked; so do the log and the metrics.
func TestWhoamiForPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takingBearers)
	b := w.signIn(oidctest.Ada)
	token, value := w.newToken(oidctest.Ada, "tx")
	for _, c := range []struct {
		header                 []string
		kind, id, name, client string
		scopes                 []string
		session                bool
	}{
		{[]string{"Cookie", b.cookie()}, "session", sessionOf(b), "", "", []string{"bot", "tx"}, true},
		{[]string{"X-API-Key", value}, "token", token.ID, "CI", "", []string{"tx"}, false},
		{[]string{"Authorization", "Bearer " + w.bearer(oidctest.Ada)}, "bearer", "", "", "0oa2program", []string{"bot", "tx"}, false},
	} {
		var said struct {
			Scopes     []string
			Credential struct {
				Kind, ID, Name, Client string
				ExpiresAt              time.Time `json:"expires_at"`
			}
			Session *struct{ ID string }
		}
		res := w.program().get("/sso/whoami", c.header...)
		must(t, json.Unmarshal([]byte(res.body), &said))
		got := said.Credential
		if got.Kind != c.kind || got.ID != c.id || got.Name != c.name || got.Client != c.client || fmt.Sprint(said.Scopes) != fmt.Sprint(c.scopes) ||
			got.ExpiresAt.Before(w.clock.Now()) || (said.Session != nil) != c.session {
			t.Errorf("%s: %s", c.kind, res.body)
		}
		w.program().get("/meetings", c.header...)
		w.waitFor("the log", func() bool {
			return strings.Contains(w.logs.String(), `"credential":"`+c.kind+`"`) && strings.Contains(w.logs.String(), `"credential_id":"`+c.id)
		})
		if w.metric("vexa_sso_requests_total", c.kind) == 0 {
			t.Errorf("no request by %s is counted", c.kind)
		}
	}
}

// When a token was last used, and from where, is written in the background.
func TestTokenLastUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *worldOptions) { o.config.TrustedProxies = []string{"127.0.0.1"} })
	w.signIn(oidctest.Ada)
	token, value := w.newToken(oidctest.Ada, "tx")
	w.program().get("/meetings", "X-API-Key", value, "X-Forwarded-For", "198.51.100.7")
	w.stop()
	tokens, err := w.accounts.TokensOf(t.Context(), token.AccountID)
	must(t, err)
	if len(tokens) != 1 || tokens[0].UsedFrom != "198.51.100.7" || w.clock.Now().Sub(tokens[0].UsedAt).Abs() > time.Minute {
		t.Errorf("%+v", tokens)
	}
}

// S8: a program whose owner has to sign in first is told so, and not sent there.
func TestProgramIsNeverRedirected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takingBearers)
	w.signIn(oidctest.Ada)
	bearer := w.bearer(oidctest.Ada)
	must(t, w.accounts.SignOutEverywhere(t.Context(), accountOf(t, w, oidctest.Ada), "test", "test"))
	for _, path := range []string{"/meetings", "/sso/whoami"} {
		res := w.program().get(path, append(navigation, "Authorization", "Bearer "+bearer)...)
		if res.status != http.StatusUnauthorized || res.code() != "unauthenticated" || !strings.Contains(res.header.Get("WWW-Authenticate"), `error="invalid_token"`) || !strings.Contains(res.body, "login_url") {
			t.Errorf("%s: %d to %q %s", path, res.status, res.header.Get("Location"), res.body)
		}
	}
}

// A program that acts for itself is let in by a rule about programs, and by none about people.
func TestServiceOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takingBearers, func(o *worldOptions) {
		o.rules = append(staffRules(), rule.Rule{
			Name: "robots", Match: rule.Match{Providers: []string{"okta"}, Kind: []oidc.Kind{oidc.Service}},
			Grant: &rule.GrantSpec{Scopes: []string{"tx"}, VexaEmail: `= "robot-" + identity.claims.cid.lowerAscii() + "@robots.example"`},
		})
	})
	robot := w.okta.Sign(w.okta.ServiceTokenClaims("0oa3robot", "vexa"))
	res := w.program().get("/sso/whoami", "Authorization", "Bearer "+robot)
	if res.status != http.StatusOK || !strings.Contains(res.body, `"kind":"service"`) || !strings.Contains(res.body, `"client":"0oa3robot"`) {
		t.Fatalf("%d %s", res.status, res.body)
	}
	if res := w.program().get("/meetings", "Authorization", "Bearer "+robot); res.status != http.StatusOK {
		t.Errorf("%d %s", res.status, res.body)
	}
	if _, ok := w.vexa.User("robot-0oa3robot@robots.example"); !ok {
		t.Error("it has no Vexa user of its own")
	}
	if res := w.program().get("/bots", "Authorization", "Bearer "+robot); res.code() != "scope_missing" || !strings.Contains(res.body, "which you don’t have") {
		t.Errorf("%d %s", res.status, res.body)
	}
	without, problems := rule.Compile(staffRules())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.rules.Replace(without)
	if res := w.program().get("/meetings", "Authorization", "Bearer "+robot); res.code() != "not_mapped" {
		t.Errorf("by rules about people: %d %s", res.status, res.body)
	}
}
