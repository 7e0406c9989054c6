package authserver_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/authserver"
	"vexa-sso/proxy/proxytest"
)

const tokenPath = "/sso/oauth/token"

// C5: the code is good for who began, for a minute, once; and a token never stands in an address.
func TestCodeIsBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	long := strings.Repeat("v", 129)
	for _, c := range []struct{ name, asked, want string }{
		// C10: a challenge was sent
		{"without a verifier", exchange("", "code_verifier", "").Encode(), "invalid_request"},
		{
			"with an empty verifier",
			exchange("", "code_verifier", "").Encode() + "&code_verifier=", "invalid_request",
		},
		{"with another verifier", exchange("", "code_verifier", verifier+"x").Encode(), "invalid_grant"},
		{
			"with the challenge as verifier",
			exchange("", "code_verifier", challengeOf(verifier)).Encode(), "invalid_grant",
		}, // C10: as under plain
		{"with a short verifier", exchange("", "code_verifier", verifier[:42]).Encode(), "invalid_request"},
		{"with a long verifier", exchange("", "code_verifier", long).Encode(), "invalid_request"},
		{
			"with a verifier of other characters",
			exchange("", "code_verifier", verifier+"/+=").Encode(), "invalid_request",
		},
		{"of another client", exchange("", "client_id", "web").Encode(), "invalid_grant"},
		{"of no client", exchange("", "client_id", "").Encode(), "invalid_client"},
		{"of an unknown client", exchange("", "client_id", "nobody").Encode(), "invalid_client"},
		{
			"from another port", exchange("", "redirect_uri", "http://127.0.0.1:54322/callback").Encode(),
			"invalid_grant",
		},
		{"without a redirect URI", exchange("", "redirect_uri", "").Encode(), "invalid_request"},
		{
			"for another resource",
			exchange("", "resource", "https://elsewhere.example").Encode(), "invalid_target",
		},
		{"with two verifiers", exchange("").Encode() + "&code_verifier=" + verifier, "invalid_request"},
		{"with two codes", exchange("").Encode() + "&code=", "invalid_request"},
		{"with a secret", exchange("", "client_secret", "x").Encode(), "invalid_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := b.codeFor(ada, request())
			form, err := url.ParseQuery(c.asked)
			proxytest.Must(t, err)
			form["code"][0] = code
			if status, got := w.post(tokenPath, form).refusal(t); got != c.want ||
				status != map[bool]int{true: 401, false: 400}[c.want == "invalid_client"] {
				t.Errorf("%d %s, want %s", status, got, c.want)
			}
			// Who has a code and cannot show what goes with it has it from somebody else:
			// then it is good for nobody.
			a := w.post(tokenPath, exchange(code))
			if burnt := c.want == "invalid_grant"; burnt != (a.Status != http.StatusOK) {
				t.Errorf("then, in order: %d %s", a.Status, a.Body)
			}
		})
	}
	t.Run("after a minute", func(t *testing.T) {
		code := b.codeFor(ada, request())
		w.Clock.Advance(time.Minute)
		if status, got := w.post(tokenPath, exchange(code)).refusal(t); status != 400 ||
			got != "invalid_grant" {
			t.Errorf("%d %s", status, got)
		}
	})
	if logged := w.Logs.String(); strings.Contains(logged, "vssc_") || strings.Contains(logged, "vsso_") ||
		strings.Contains(logged, verifier) || strings.Contains(logged, challengeOf(verifier)) {
		t.Error("a code, a token, a verifier or a challenge is on the log")
	}
}

// What is no token request of ours is refused as RFC 6749 section 5.2 says, and costs no look into the store.
func TestHostileTokenRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	form := "application/x-www-form-urlencoded"
	ok := exchange("vssc_" + strings.Repeat("0", 49)).Encode()
	var long strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&long, "&p%d=v%d", i, i)
	}
	for _, c := range []struct {
		name, method, query, body string
		header                    []string
		status                    int
		want                      string
	}{
		{"GET", "GET", "?" + ok, "", nil, 405, ""},
		{"PUT", "PUT", "", ok, []string{"Content-Type", form}, 405, ""},
		{"OPTIONS of a page", "OPTIONS", "", "", []string{
			"Origin", "https://evil.example", "Access-Control-Request-Method", "POST",
		}, 405, ""},
		{"in the address", "POST", "?" + ok, "", []string{"Content-Type", form}, 400, "invalid_request"},
		{
			"partly in the address", "POST", "?code=x", ok,
			[]string{"Content-Type", form},
			400, "invalid_request",
		},
		{
			"JSON", "POST", "", `{"grant_type":"authorization_code"}`,
			[]string{"Content-Type", "application/json"},
			400, "invalid_request",
		},
		{
			"multipart", "POST", "", ok,
			[]string{"Content-Type", "multipart/form-data; boundary=x"},
			400, "invalid_request",
		},
		{"no type", "POST", "", ok, nil, 400, "invalid_request"},
		{"nothing", "POST", "", "", []string{"Content-Type", form}, 401, "invalid_client"},
		{
			"no grant type", "POST", "", "client_id=vexa-sso-cli",
			[]string{"Content-Type", form},
			400, "invalid_request",
		},
		{
			"a password", "POST", "", "client_id=vexa-sso-cli&grant_type=password&username=a&password=b",
			[]string{"Content-Type", form},
			400, "unsupported_grant_type",
		},
		{
			"client credentials", "POST", "", "client_id=vexa-sso-cli&grant_type=client_credentials",
			[]string{"Content-Type", form},
			400, "unsupported_grant_type",
		},
		{
			"token exchange", "POST", "",
			"client_id=vexa-sso-cli&grant_type=urn:ietf:params:oauth:grant-type:token-exchange",
			[]string{"Content-Type", form},
			400, "unsupported_grant_type",
		},
		{
			"a JWT", "POST", "",
			"client_id=vexa-sso-cli&grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=x",
			[]string{"Content-Type", form},
			400, "unsupported_grant_type",
		},
		{
			"two grant types", "POST", "", ok + "&grant_type=refresh_token",
			[]string{"Content-Type", form},
			400, "invalid_request",
		},
		{
			"basic", "POST", "", ok,
			[]string{"Content-Type", form, "Authorization", "Basic dmV4YS1zc28tY2xpOg=="},
			401, "invalid_client",
		},
		{
			"an assertion", "POST", "", ok + "&client_assertion=x",
			[]string{"Content-Type", form},
			401, "invalid_client",
		},
		{"a semicolon", "POST", "", ok + ";x=y", []string{"Content-Type", form}, 400, "invalid_request"},
		{"bad escapes", "POST", "", ok + "&x=%zz", []string{"Content-Type", form}, 400, "invalid_request"},
		{"a NUL", "POST", "", ok + "&x=%00", []string{"Content-Type", form}, 400, "invalid_request"},
		{"not UTF-8", "POST", "", ok + "&x=%ff", []string{"Content-Type", form}, 400, "invalid_request"},
		{
			"a long value", "POST", "", ok + "&x=" + strings.Repeat("y", 2049),
			[]string{"Content-Type", form},
			400, "invalid_request",
		},
		{
			"a long form", "POST", "", ok + long.String(),
			[]string{"Content-Type", form},
			400, "invalid_request",
		},
		{"an unknown code", "POST", "", ok, []string{"Content-Type", form}, 400, "invalid_grant"},
		{
			"an unknown refresh token", "POST", "",
			"client_id=vexa-sso-cli&grant_type=refresh_token&refresh_token=vssr_x",
			[]string{"Content-Type", form},
			400, "invalid_grant",
		},
		{"an unknown device code", "POST", "", "client_id=vexa-sso-cli&grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=vssd_x", []string{"Content-Type", form}, 400, "invalid_grant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.Clock.Advance(time.Minute) // what failed before is forgiven
			b := w.program()
			a := b.send(c.method, tokenPath+c.query, c.body, c.header...)
			if c.want == "" {
				if a.Status != c.status || a.Header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%d %v", a.Status, a.Header)
				}
				return
			}
			if status, got := a.refusal(t); status != c.status || got != c.want {
				t.Errorf("%d %s, want %d %s", status, got, c.status, c.want)
			}
			if a.Header.Get("Cache-Control") != "no-store" ||
				(a.Status == 401) != (a.Header.Get("WWW-Authenticate") != "") ||
				a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%v", a.Header)
			}
		})
	}
}

// Nothing is asked of a cookie: a browser that is signed in gets from the token endpoint what nobody gets.
func TestCookiesAreNotAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	code := b.codeFor(ada, request())
	a := b.send("POST", tokenPath, exchange(code, "client_id", "web").Encode(), "Content-Type",
		"application/x-www-form-urlencoded", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	if status, got := a.refusal(t); status != 400 || got != "invalid_grant" ||
		len(a.Header["Set-Cookie"]) > 0 || a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %s %v", status, got, a.Header)
	}
}

// A code that comes a second time is in two hands: what it gave is revoked, wherever it comes
// (RFC 6749 section 4.1.2).
func TestCodeReuse(t *testing.T) {
	onEachEngine(t, func(t *testing.T, w *world) {
		other := w.replica()
		code := w.browser().codeFor(ada, request())
		first := w.post(tokenPath, exchange(code)).json(t)
		if !w.works(first["access_token"].(string)) {
			t.Fatal("the access token opens nothing")
		}
		for range 3 {
			if status, got := other.post(tokenPath, exchange(code)).refusal(t); status != 400 ||
				got != "invalid_grant" {
				t.Errorf("%d %s", status, got)
			}
		}
		w.gone(first)
		other.gone(first)
		events := w.events(mapping.EventCodeReused)
		if len(events) != 1 || events[0].Account == "" || events[0].CredentialID == "" ||
			events[0].Address != "127.0.0.1" || !strings.Contains(events[0].Reason, authserver.CommandLine) {
			t.Errorf("%+v", events)
		}
		if n := len(w.events(mapping.EventTokenRevoked)); n != 1 {
			t.Errorf("%d tokens revoked", n)
		}
		if !strings.Contains(w.Logs.String(), `"level":"WARN","msg":"audit","event":{"id":"`+events[0].ID) {
			t.Error("the reuse of a code is no warning on the log")
		}
	})
}

// Of many who show a code at one moment, over two replicas, at most one gets something,
// and it does not stay good.
func TestCodeRace(t *testing.T) {
	onEachEngine(t, func(t *testing.T, w *world) {
		replicas := []*world{w, w.replica()}
		code := w.browser().codeFor(ada, request())
		var mu sync.Mutex
		var given []map[string]any
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				if a := replicas[i%2].post(tokenPath, exchange(code)); a.Status == http.StatusOK {
					mu.Lock()
					defer mu.Unlock()
					given = append(given, a.json(t))
				}
			})
		}
		all.Wait()
		if len(given) > 1 {
			t.Fatalf("%d got tokens", len(given))
		}
		for _, one := range given {
			w.gone(one)
		}
		if tokens, err := w.Accounts.TokensOf(t.Context(), ""); err != nil || len(tokens) != 0 {
			t.Errorf("left: %v %v", tokens, err)
		}
	})
}

// gone checks that nothing of what a program was given is good any more.
func (w *world) gone(given map[string]any) {
	w.T.Helper()
	waitFor(w.T, "the access token to end", func() bool { return !w.works(given["access_token"].(string)) })
	if status, got := w.post(tokenPath, renewal(given["refresh_token"])).refusal(w.T); status != 400 ||
		got != "invalid_grant" {
		w.T.Errorf("the refresh token: %d %s", status, got)
	}
}

// renewal is a request in order for a refresh, with the changes as of request.
func renewal(value any, changes ...string) url.Values {
	q := url.Values{
		"grant_type": {"refresh_token"}, "client_id": {authserver.CommandLine},
		"refresh_token": {fmt.Sprint(value)},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		q.Set(changes[i], changes[i+1])
	}
	return q
}

// G5: a refresh token that was spent answers for 30 seconds more, because the answer may have
// got lost; then it is theft.
func TestRefreshReuse(t *testing.T) {
	onEachEngine(t, func(t *testing.T, w *world) {
		other := w.replica()
		first := w.post(tokenPath, exchange(w.browser().codeFor(ada, request()))).json(t)
		if a := w.post(tokenPath, renewal(first["refresh_token"])); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		w.Clock.Advance(20 * time.Second)
		second := other.post(tokenPath, renewal(first["refresh_token"]))
		if second.Status != http.StatusOK || second.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v %s", second.Status, second.Header, second.Body)
		}
		w.Clock.Advance(20 * time.Second)
		if status, got := w.post(tokenPath, renewal(first["refresh_token"])).refusal(t); status != 400 ||
			got != "invalid_grant" {
			t.Errorf("%d %s", status, got)
		}
		w.gone(second.json(t))
		if n := len(w.events(mapping.EventTokenReused)); n != 1 {
			t.Errorf("%d events", n)
		}
	})
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	given := w.post(tokenPath, exchange(w.browser().codeFor(ada, request()))).json(t)
	value := given["refresh_token"]
	for name, c := range map[string]struct {
		form url.Values
		want string
	}{
		"of another client": {renewal(value, "client_id", "web"), "invalid_grant"},
		"an access token":   {renewal(given["access_token"]), "invalid_grant"},
		"nothing":           {renewal(""), "invalid_request"},
		"narrower":          {renewal(value, "scope", "tx"), "invalid_scope"},
		"wider":             {renewal(value, "scope", "bot browser tx"), "invalid_scope"},
		"an unknown scope":  {renewal(value, "scope", "all"), "invalid_scope"},
		"for another resource": {
			renewal(value, "resource", "https://elsewhere.example"), "invalid_target",
		},
		"with the checksum wrong": {renewal(value.(string)[:53] + "!"), "invalid_grant"},
	} {
		if status, got := w.post(tokenPath, c.form).refusal(t); status != 400 || got != c.want {
			t.Errorf("%s: %d %s, want %s", name, status, got, c.want)
		}
	}
	a := w.post(tokenPath, renewal(value, "scope", "tx bot", "resource", w.Public+"/mcp"))
	if a.Status != http.StatusOK || a.json(t)["scope"] != "bot tx" {
		t.Errorf("the same scopes: %d %s", a.Status, a.Body)
	}
}

// A person who was suspended has no programs that go on, neither with what they have nor with
// what they were about to get.
func TestSuspendedPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	given := w.post(tokenPath, exchange(b.codeFor(ada, request()))).json(t)
	code := b.codeFor(ada, request())
	account := w.events(mapping.EventToolAuthorized)[0].Account
	proxytest.Must(t, w.Accounts.Revoke(t.Context(),
		mapping.Revocation{Kind: mapping.RevokeAccount, Account: account, Reason: "left"}, "admin"))
	if status, got := w.post(tokenPath, exchange(code)).refusal(t); status != 400 || got != "invalid_grant" {
		t.Errorf("%d %s", status, got)
	}
	w.gone(given)
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.browser()
	revoke := func(value any, changes ...string) answer {
		q := url.Values{"client_id": {authserver.CommandLine}, "token": {fmt.Sprint(value)}}
		for i := 0; i+1 < len(changes); i += 2 {
			q.Set(changes[i], changes[i+1])
		}
		return w.post("/sso/oauth/revoke", q)
	}
	for _, which := range []string{"access_token", "refresh_token"} {
		given := w.post(tokenPath, exchange(b.codeFor(ada, request()))).json(t)
		kept := w.post(tokenPath, exchange(b.codeFor(ada, request()))).json(t)
		if status, got := revoke(given[which], "client_id", "web").refusal(t); status != 400 ||
			got != "invalid_grant" {
			t.Errorf("another client's %s: %d %s", which, status, got)
		}
		for range 2 { // the second time there is nothing left to revoke, and that is no error
			if a := revoke(given[which], "token_type_hint", "nonsense"); a.Status != http.StatusOK {
				t.Errorf("%s: %d %s", which, a.Status, a.Body)
			}
		}
		w.gone(given)
		if !w.works(kept["access_token"].(string)) {
			t.Errorf("another grant ended with its neighbour's %s", which)
		}
	}
	if events := w.events(mapping.EventTokenRevoked); len(events) != 2 || events[0].CredentialID == "" ||
		events[0].Account == "" {
		t.Errorf("%+v", events)
	}
	account := w.events(mapping.EventToolAuthorized)[0].Account
	_, personal, err := w.Accounts.CreateToken(t.Context(), account,
		mapping.NewToken{Kind: mapping.TokenPersonal, Name: "mine", Scopes: rule.NewScopes("tx")}, account)
	proxytest.Must(t, err)
	if status, got := revoke(personal).refusal(t); status != 400 || got != "invalid_grant" ||
		!w.works(personal) {
		t.Errorf("a personal token: %d %s", status, got)
	}
	for _, unknown := range []string{
		"nonsense", "vsso_" + strings.Repeat("0", 49), strings.Repeat("x", 2000),
	} {
		if a := revoke(unknown); a.Status != http.StatusOK {
			t.Errorf("%q: %d %s", unknown, a.Status, a.Body)
		}
	}
	if status, got := revoke("").refusal(t); status != 400 || got != "invalid_request" {
		t.Errorf("nothing: %d %s", status, got)
	}
}

// G7: what a program shows to us is never shown to Vexa.
func TestTokenIsNotPassedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	given := w.post(tokenPath, exchange(w.browser().codeFor(ada, request()))).json(t)
	access := given["access_token"].(string)
	if !w.works(access) {
		t.Fatal("the access token opens nothing")
	}
	requests := w.Vexa.GatewayWire().Requests()
	for _, r := range requests {
		if strings.Contains(string(r.Raw), access) {
			t.Errorf("Vexa was shown the token: %s", r.Raw)
		}
	}
	if len(requests) == 0 {
		t.Error("Vexa was asked nothing")
	}
}

// With the store away, programs are told to come back, and devices to poll on.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	code := w.browser().codeFor(ada, request())
	proxytest.Must(t, w.Store.Close())
	a := w.post(tokenPath, exchange(code))
	if status, got := a.refusal(t); status != http.StatusServiceUnavailable ||
		got != "temporarily_unavailable" || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s %v", status, got, a.Header)
	}
	value, err := mapping.NewTokenValue(strings.NewReader(strings.Repeat("x", 32)), "vssd_")
	proxytest.Must(t, err)
	a = w.post(tokenPath, polling(value))
	if status, got := a.refusal(t); status != http.StatusServiceUnavailable || got != "slow_down" ||
		a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s %v", status, got, a.Header)
	}
}

// waitFor waits until something that happens in the background has.
func waitFor(t testing.TB, what string, happened func() bool) {
	t.Helper()
	oidctest.WaitFor(t, what, happened)
}
