package caller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// E7, S5: somebody is suspended: their tokens and their bearer tokens are refused on the next request, on
// every replica, and the streams of both are cut.
func TestSuspendedWithPrograms(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers)
	other := w.Replica()
	w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "tx")
	shown := [][]string{{"X-API-Key", token}, {"Authorization", "Bearer " + w.Bearer(oidctest.Ada)}}
	var sockets []*websocket.Conn
	for _, header := range shown {
		for _, at := range []*proxytest.World{w, other} {
			if res := at.Program().Get("/meetings", header...); res.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", header[0], res.Status, res.Body)
			}
			sockets = append(sockets, at.MustSocketAs(header...))
		}
	}
	began := oidctest.StartStopwatch(t)
	proxytest.Must(t, w.Accounts.Revoke(t.Context(), mapping.Revocation{
		Kind: mapping.RevokeAccount, Account: proxytest.AccountOf(t, w, oidctest.Ada), Reason: "left",
	}, "admin"))
	for i, code := range []string{"token_ended", "suspended"} { // the token is gone, Okta's isn't
		for _, at := range []*proxytest.World{w, other} {
			at.WaitFor("the refusal", func() bool {
				res := at.Program().Get("/meetings", shown[i]...)
				return res.Code() == code &&
					(res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden)
			})
		}
	}
	for i, socket := range sockets {
		if closed := proxytest.HangsUp(t, socket); closed.Code != 4401 {
			t.Errorf("socket %d was closed with %d", i, closed.Code)
		}
	}
	if took := began.Took(); took > oidctest.Promised {
		t.Errorf("it took %s", took)
	}
	w.WaitFor("the keys to die", func() bool { return len(w.Vexa.Tokens()) == 0 })
}

// S5: a token that is revoked is refused everywhere, and its streams end: its own, and nobody else's.
func TestTokenRevoked(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	other := w.Replica()
	b := w.SignIn(oidctest.Ada)
	lost, value := w.NewToken(oidctest.Ada, "tx")
	_, kept := w.NewToken(oidctest.Ada, "tx")
	socket, keeps, browsers := other.MustSocketAs("X-API-Key", value),
		other.MustSocketAs("X-API-Key", kept), b.MustSocket()
	w.Program().Get("/meetings", "X-API-Key", value)
	proxytest.Must(t, w.Accounts.Revoke(t.Context(), mapping.Revocation{
		Kind: mapping.RevokeToken, Account: lost.AccountID, Token: lost.ID, Reason: "lost",
	}, "ada"))
	if closed := proxytest.HangsUp(t, socket); closed.Code != 4401 {
		t.Errorf("the socket was closed with %d", closed.Code)
	}
	for _, at := range []*proxytest.World{w, other} {
		at.WaitFor("the refusal", func() bool {
			res := at.Program().Get("/meetings", "X-API-Key", value)
			return res.Code() == "token_ended" && strings.Contains(res.Body, "it was revoked")
		})
		if res := at.Program().Get("/meetings", "X-API-Key", kept); res.Status != http.StatusOK {
			t.Errorf("the other token: %d %s", res.Status, res.Body)
		}
	}
	for _, socket := range []*websocket.Conn{keeps, browsers} {
		if got := proxytest.Talk(t, socket, `{"action":"ping"}`); !strings.Contains(got, "pong") {
			t.Errorf("another stream: %s", got)
		}
	}
}

// A stream ends when the token does with which it was opened.
func TestStreamEndsWithToken(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers, func(o *proxytest.Options) {
		o.Config.Session.Lifetime, o.Config.Session.Idle = 72*time.Hour, 72*time.Hour
	})
	b := w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "tx")
	bearer := w.Bearer(oidctest.Ada)
	browsers := b.MustSocket()
	for _, c := range []struct {
		header []string
		lives  time.Duration
	}{
		{[]string{"Authorization", "Bearer " + bearer}, time.Hour + time.Minute},
		{[]string{"X-API-Key", token}, 23 * time.Hour},
	} {
		socket := w.MustSocketAs(c.header...)
		w.Clock.Advance(c.lives)
		if closed := proxytest.HangsUp(t, socket); closed.Code != 4401 {
			t.Errorf("the socket was closed with %d", closed.Code)
		}
		if res := w.Program().Get("/meetings", c.header...); res.Status != http.StatusUnauthorized {
			t.Errorf("%d %s", res.Status, res.Body)
		}
	}
	if got := proxytest.Talk(t, browsers, `{"action":"ping"}`); !strings.Contains(got, "pong") {
		t.Errorf("the browser's stream: %s", got)
	}
}

// A token pauses when its owner's provider has not vouched for them for max_offline, with its streams, and
// goes on when they have signed in again; sessions are not concerned.
func TestTokenPauses(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, func(o *proxytest.Options) {
		o.Config.Tokens.MaxOffline = 2 * time.Hour
		o.Config.Session.Renew = 24 * time.Hour // nobody asks the provider meanwhile
		o.Config.Session.Lifetime = 72 * time.Hour
	})
	b := w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "tx")
	get := func() proxytest.Answer {
		return w.Program().Get("/meetings", append(proxytest.Navigation, "X-API-Key", token)...)
	}
	socket := w.MustSocketAs("X-API-Key", token)
	w.Clock.Advance(119 * time.Minute)
	if res := get(); res.Status != http.StatusOK {
		t.Errorf("before: %d %s", res.Status, res.Body)
	}
	w.Clock.Advance(2 * time.Minute)
	if res := get(); res.Code() != "proof_stale" || res.Status != http.StatusUnauthorized ||
		!strings.Contains(res.Body, `"login_url":"`+w.Public+`/sso/login`) {
		t.Errorf("after: %d %s", res.Status, res.Body)
	}
	if closed := proxytest.HangsUp(t, socket); closed.Code != 4401 {
		t.Errorf("the socket was closed with %d", closed.Code)
	}
	if res := b.Get("/meetings"); res.Status != http.StatusOK {
		t.Errorf("the session: %d %s", res.Status, res.Body)
	}
	w.SignIn(oidctest.Ada)
	w.WaitFor("the token to go on", func() bool { return get().Status == http.StatusOK })
}

// D9: what a token may do is what it was made for and what its owner may now, on each request and on streams
// that are open. Who is refused hears which of the two lacks the scope.
func TestScopesShrinkWithTheGrant(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	w.SignIn(oidctest.Ada)
	_, both := w.NewToken(oidctest.Ada, "bot", "tx")
	_, tx := w.NewToken(oidctest.Ada, "tx")
	expect := func(path, token, code string, words ...string) {
		t.Helper()
		res := w.Program().Get(path, "X-API-Key", token)
		if res.Code() != code || code == "" && res.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, res.Status, res.Body)
		}
		for _, word := range words {
			if !strings.Contains(res.Body, word) {
				t.Errorf("%s does not say %q: %s", path, word, res.Body)
			}
		}
		if challenge := res.Header.Get("WWW-Authenticate"); code == "scope_missing" &&
			!strings.Contains(challenge, `error="insufficient_scope", scope="`) {
			t.Errorf("WWW-Authenticate: %s", challenge)
		}
	}
	expect("/bots", both, "")
	expect("/meetings", both, "")
	expect("/meetings", tx, "")
	expect("/bots", tx, "scope_missing", "the scope bot", "this token does not have", "/sso/tokens")
	for _, key := range w.Vexa.Tokens() {
		if got := strings.Join(key.Scopes, ","); got != "bot,tx" && got != "tx" {
			t.Errorf("a key for %s", got)
		}
	}
	stream := w.EventsAs("GET", "/agent/meeting/stream", "X-API-Key", both)
	proxytest.Must(t, w.Okta.SetGroups(oidctest.Ada, oidctest.GroupViewers))
	w.Clock.Advance(12 * time.Minute)
	proxytest.Must(t, w.Accounts.RenewProofs(t.Context()))
	w.WaitFor("the grant to shrink", func() bool {
		return w.Program().Get("/bots", "X-API-Key", both).Code() == "scope_missing"
	})
	expect("/bots", both, "scope_missing", "the owner of this token doesn’t have.\"")
	expect("/meetings", both, "")
	expect("/meetings", tx, "")
	_ = stream // needs bot or tx: it goes on

	proxytest.Must(t, w.Okta.SetGroups(oidctest.Ada))
	w.Clock.Advance(12 * time.Minute)
	proxytest.Must(t, w.Accounts.RenewProofs(t.Context()))
	if !stream.Ends() {
		t.Error("the stream stays open")
	}
	w.WaitFor("the grant to end", func() bool {
		return w.Program().Get("/meetings", "X-API-Key", tx).Code() == "not_mapped"
	})
}

// V17: a route that the rules deny is denied to tokens too, whatever their scopes.
func TestDeniedRoutesHoldForTokens(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers, func(o *proxytest.Options) {
		o.Rules = []rule.Rule{{
			Name: "staff", Match: rule.Match{Groups: []string{"vexa-users"}},
			Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}, DenyRoutes: []string{"PUT /user/webhook"}},
		}}
	})
	w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "bot", "tx")
	for _, shown := range []string{token, w.Bearer(oidctest.Ada)} {
		if res := w.Program().Send("PUT", "/user/webhook", "{}",
			"Authorization", "Bearer "+shown); res.Code() != "forbidden_route" {
			t.Errorf("%d %s", res.Status, res.Body)
		}
		if res := w.Program().Get("/user/webhook",
			"Authorization", "Bearer "+shown); res.Status != http.StatusOK {
			t.Errorf("%d %s", res.Status, res.Body)
		}
	}
}

// What is warm asks nobody: not the store, not the provider, not the Admin API.
func TestWarmProgramsAskNobody(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers)
	b := w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "bot", "tx")
	shown := [][]string{
		{"Cookie", b.Cookie()}, {"X-API-Key", token}, {"Authorization", "Bearer " + w.Bearer(oidctest.Ada)},
	}
	for _, header := range shown {
		w.Program().Get("/bots", header...)
	}
	asked := w.Okta.Requests(oidctest.EndpointKeys)
	proxytest.Must(t, w.Store.Close())
	for range 5 {
		for _, header := range shown {
			if res := w.Program().Get("/bots", header...); res.Status != http.StatusOK {
				t.Errorf("%s: %d %s", header[0], res.Status, res.Body)
			}
		}
	}
	if now := w.Okta.Requests(oidctest.EndpointKeys); now != asked {
		t.Errorf("the provider's keys were fetched %d times more", now-asked)
	}
	if res := w.Program().Get("/bots",
		"X-API-Key", proxytest.MadeUp(t)); res.Status != http.StatusServiceUnavailable {
		t.Errorf("who is not known: %d %s", res.Status, res.Body)
	}
}

// D7: that an access token holds is remembered together with who found so and by which rules. Another
// provider's audience, other rules or another minute need another look.
func TestWhatIsRememberedOfBearers(t *testing.T) {
	t.Parallel()
	second := func(o *proxytest.Options) {
		proxytest.TakingBearers(o)
		o.Also = func(first oidc.Config) []oidc.Config {
			first.Name, first.API.Audiences = "okta2", []string{"api://second"}
			return []oidc.Config{first}
		}
		o.Rules = []rule.Rule{
			{
				Name: "first", Match: rule.Match{Providers: []string{"okta"}, Groups: []string{"vexa-users"}},
				Grant: &rule.GrantSpec{Scopes: []string{"tx"}},
			},
		}
	}
	w := proxytest.Start(t, second)
	w.Clock.Stop() // what was signed before the first was shown is no older than that
	here, there := w.Bearer(oidctest.Ada),
		w.Okta.Sign(w.BearerClaims(oidctest.Ada).With("aud", "api://second"))
	get := func(token string) proxytest.Answer {
		return w.Program().Get("/sso/whoami", "Authorization", "Bearer "+token)
	}
	if res := get(here); res.Status != http.StatusOK || !strings.Contains(res.Body, `"provider":"okta"`) {
		t.Errorf("for the first: %d %s", res.Status, res.Body)
	}
	if res := w.Program().Get("/meetings", "Authorization", "Bearer "+there); res.Code() != "not_mapped" {
		t.Errorf("for the second, whom no rule knows: %d %s", res.Status, res.Body)
	}
	grown, problems := rule.Compile(append(w.Options.Rules, rule.Rule{
		Name: "second", Match: rule.Match{Providers: []string{"okta2"}, Groups: []string{"vexa-users"}},
		Grant: &rule.GrantSpec{Scopes: []string{"bot"}},
	}))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.Rules.Replace(grown)
	if res := get(there); res.Status != http.StatusOK || !strings.Contains(res.Body, `"scopes":["bot"]`) {
		t.Errorf("for the second, as soon as one does: %d %s", res.Status, res.Body)
	}
	if res := get(here); res.Status != http.StatusOK || !strings.Contains(res.Body, `"scopes":["tx"]`) {
		t.Errorf("for the first: %d %s", res.Status, res.Body)
	}

	proxytest.Must(t, w.Store.Close()) // what is remembered goes on, and nothing else
	if res := get(here); res.Status != http.StatusOK {
		t.Errorf("remembered: %d %s", res.Status, res.Body)
	}
	w.Clock.Advance(time.Minute)
	if res := get(here); res.Status == http.StatusOK {
		t.Errorf("a minute later it was not looked at again")
	}
	w.Clock.Advance(-time.Minute)
	if res := get(here); res.Status != http.StatusOK {
		t.Errorf("remembered: %d %s", res.Status, res.Body)
	}
	w.Rules.Replace(grownAgain(t, w))
	if res := get(here); res.Status == http.StatusOK {
		t.Errorf("under other rules it was not looked at again")
	}
}

func grownAgain(t *testing.T, w *proxytest.World) *rule.Rules {
	t.Helper()
	rules, problems := rule.Compile(w.Options.Rules)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules
}

// V13: each credential has its own share of requests, so that a token in a loop leaves its owner's
// browser, and other tokens, alone.
func TestRequestsPerCredential(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers, func(o *proxytest.Options) {
		o.Config.Limits.RequestsPerSecond = 3
	})
	b := w.SignIn(oidctest.Ada)
	_, busy := w.NewToken(oidctest.Ada, "tx")
	_, other := w.NewToken(oidctest.Ada, "tx")
	w.Clock.Stop()
	limited := 0
	for range 20 {
		res := w.Program().Get("/sso/whoami", "X-API-Key", busy)
		if res.Status == http.StatusTooManyRequests {
			if limited++; res.Header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
		}
	}
	if limited < 10 {
		t.Errorf("%d of 20 requests in a row were refused", limited)
	}
	if res := w.Program().Get("/meetings", "X-API-Key", other); res.Status != http.StatusOK {
		t.Errorf("another token: %d %s", res.Status, res.Body)
	}
	if res := w.Program().Get("/meetings",
		"Authorization", "Bearer "+w.Bearer(oidctest.Ada)); res.Status != http.StatusOK {
		t.Errorf("an access token: %d %s", res.Status, res.Body)
	}
	if res := b.Get("/meetings"); res.Status != http.StatusOK {
		t.Errorf("the browser: %d %s", res.Status, res.Body)
	}
}

// V13: all programs of somebody together leave a quarter of the streams to their browser.
func TestStreamsOfPrograms(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Config.Limits.StreamsPerAccount = 4 })
	b := w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "tx")
	for range 3 {
		w.MustSocketAs("X-API-Key", token)
	}
	if _, res, err := w.SocketAs(nil, "X-API-Key", token); err == nil ||
		res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a fourth stream of programs: %v", err)
	}
	b.MustSocket()
}

// S12: whoever makes up tokens is held up, and whoever shows one that is known isn't. The same one
// again and again costs nothing.
func TestManyTokensThatAreNone(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	w.SignIn(oidctest.Ada)
	_, good := w.NewToken(oidctest.Ada, "tx")
	program := w.Program()
	program.Get("/meetings", "X-API-Key", good)
	same := proxytest.MadeUp(t)
	w.Clock.Stop()
	for i := range 200 {
		if res := program.Get("/meetings", "X-API-Key", same); res.Code() != "token_invalid" {
			t.Fatalf("the same one for the %dth time: %d %s", i, res.Status, res.Body)
		}
	}
	for range 200 {
		if res := program.Get("/meetings", "X-API-Key", proxytest.MadeUp(t)); res.Code() != "token_invalid" {
			t.Fatalf("one that is none: %d %s", res.Status, res.Body)
		}
	}
	if res := program.Get("/meetings", "X-API-Key", good); res.Status != http.StatusOK {
		t.Errorf("one that is known: %d %s", res.Status, res.Body)
	}
	_, fresh := w.NewToken(oidctest.Ada, "tx")
	if res := program.Get("/meetings", "X-API-Key", fresh); res.Status != http.StatusOK {
		t.Errorf("one that is new: %d %s", res.Status, res.Body)
	}
}

// S12: whoever makes credentials up locks out nobody at the same address, whether or not theirs is known.
func TestNobodyIsLockedOutByANeighbour(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers)
	w.SignIn(oidctest.Ada)
	program, bearer := w.Program(), w.Bearer(oidctest.Ada)
	if res := program.Get("/meetings", "Authorization", "Bearer "+bearer); res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	w.Clock.Stop()
	w.Clock.Advance(2 * time.Minute) // it is to be looked at afresh
	var flood sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for range 8 {
		flood.Go(func() {
			for ctx.Err() == nil {
				program.Get("/meetings", "X-API-Key", proxytest.MadeUp(t))
			}
		})
	}
	for range 100 { // so that there are too many of them
		program.Get("/meetings", "X-API-Key", proxytest.MadeUp(t))
	}
	if res := program.Get("/meetings", "Authorization", "Bearer "+bearer); res.Status != http.StatusOK {
		t.Errorf("one that is known: %d %s", res.Status, res.Body)
	}
	_, first := w.NewToken(oidctest.Ada, "tx")
	if res := program.Get("/meetings", "X-API-Key", first); res.Status != http.StatusOK {
		t.Errorf("one that is shown for the first time: %d %s", res.Status, res.Body)
	}
	stop()
	flood.Wait()
}

// Whoami says with what it was asked; so do the log and the metrics.
func TestWhoamiForPrograms(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers)
	b := w.SignIn(oidctest.Ada)
	token, value := w.NewToken(oidctest.Ada, "tx")
	for _, c := range []struct {
		header                 []string
		kind, id, name, client string
		scopes                 []string
		session                bool
	}{
		{[]string{"Cookie", b.Cookie()}, "session", sessionOf(b), "", "", []string{"bot", "tx"}, true},
		{[]string{"X-API-Key", value}, "token", token.ID, "CI", "", []string{"tx"}, false},
		{[]string{
			"Authorization", "Bearer " + w.Bearer(oidctest.Ada),
		}, "bearer", "", "", "0oa2program", []string{"bot", "tx"}, false},
	} {
		var said struct {
			Scopes     []string
			Credential struct {
				Kind, ID, Name, Client string
				ExpiresAt              time.Time `json:"expires_at"`
			}
			Session *struct{ ID string }
		}
		res := w.Program().Get("/sso/whoami", c.header...)
		proxytest.Must(t, json.Unmarshal([]byte(res.Body), &said))
		got := said.Credential
		if got.Kind != c.kind || got.ID != c.id || got.Name != c.name || got.Client != c.client ||
			fmt.Sprint(said.Scopes) != fmt.Sprint(c.scopes) ||
			got.ExpiresAt.Before(w.Clock.Now()) || (said.Session != nil) != c.session {
			t.Errorf("%s: %s", c.kind, res.Body)
		}
		w.Program().Get("/meetings", c.header...)
		w.WaitFor("the log", func() bool {
			return strings.Contains(w.Logs.String(), `"credential":"`+c.kind+`"`) &&
				strings.Contains(w.Logs.String(), `"credential_id":"`+c.id)
		})
		if w.Metric("vexa_sso_requests_total", c.kind) == 0 {
			t.Errorf("no request by %s is counted", c.kind)
		}
	}
}

// When a token was last used, and from where, is written in the background.
func TestTokenLastUsed(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Config.TrustedProxies = []string{"127.0.0.1"} })
	w.SignIn(oidctest.Ada)
	token, value := w.NewToken(oidctest.Ada, "tx")
	w.Program().Get("/meetings", "X-API-Key", value, "X-Forwarded-For", "198.51.100.7")
	w.Stop()
	tokens, err := w.Accounts.TokensOf(t.Context(), token.AccountID)
	proxytest.Must(t, err)
	if len(tokens) != 1 || tokens[0].UsedFrom != "198.51.100.7" ||
		w.Clock.Now().Sub(tokens[0].UsedAt).Abs() > time.Minute {
		t.Errorf("%+v", tokens)
	}
}

// S8: a program whose owner has to sign in first is told so, and not sent there.
func TestProgramIsNeverRedirected(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers)
	w.SignIn(oidctest.Ada)
	bearer := w.Bearer(oidctest.Ada)
	proxytest.Must(t,
		w.Accounts.SignOutEverywhere(t.Context(), proxytest.AccountOf(t, w, oidctest.Ada), "test", "test"))
	for _, path := range []string{"/meetings", "/sso/whoami"} {
		res := w.Program().Get(path, append(proxytest.Navigation, "Authorization", "Bearer "+bearer)...)
		if res.Status != http.StatusUnauthorized || res.Code() != "unauthenticated" ||
			!strings.Contains(res.Header.Get("WWW-Authenticate"), `error="invalid_token"`) ||
			!strings.Contains(res.Body, "login_url") {
			t.Errorf("%s: %d to %q %s", path, res.Status, res.Header.Get("Location"), res.Body)
		}
	}
}

// A program that acts for itself is let in by a rule about programs, and by none about people.
func TestServiceOfItsOwn(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers, func(o *proxytest.Options) {
		o.Rules = append(proxytest.StaffRules(), rule.Rule{
			Name: "robots", Match: rule.Match{Providers: []string{"okta"}, Kind: []oidc.Kind{oidc.Service}},
			Grant: &rule.GrantSpec{
				Scopes:    []string{"tx"},
				VexaEmail: `= "robot-" + identity.claims.cid.lowerAscii() + "@robots.example"`,
			},
		})
	})
	robot := w.Okta.Sign(w.Okta.ServiceTokenClaims("0oa3robot", "vexa"))
	res := w.Program().Get("/sso/whoami", "Authorization", "Bearer "+robot)
	if res.Status != http.StatusOK || !strings.Contains(res.Body, `"kind":"service"`) ||
		!strings.Contains(res.Body, `"client":"0oa3robot"`) {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	if res := w.Program().Get("/meetings", "Authorization", "Bearer "+robot); res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if _, ok := w.Vexa.User("robot-0oa3robot@robots.example"); !ok {
		t.Error("it has no Vexa user of its own")
	}
	if res := w.Program().Get("/bots", "Authorization", "Bearer "+robot); res.Code() != "scope_missing" ||
		!strings.Contains(res.Body, "which you don’t have") {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	without, problems := rule.Compile(proxytest.StaffRules())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.Rules.Replace(without)
	if res := w.Program().Get("/meetings", "Authorization", "Bearer "+robot); res.Code() != "not_mapped" {
		t.Errorf("by rules about people: %d %s", res.Status, res.Body)
	}
}
