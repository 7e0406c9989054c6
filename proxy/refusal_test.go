package proxy_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
)

// E7, S5: who is suspended is refused with the session they had and cannot get another.
func TestSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn("ada@acme.example")
	if res := b.get("/bots"); res.status != http.StatusOK {
		t.Fatalf("before: %d %s", res.status, res.body)
	}
	account := accountOf(t, w, "ada@acme.example")
	must(t, w.accounts.Revoke(t.Context(), mapping.Revocation{Kind: mapping.RevokeAccount, Account: account, Reason: "left the company"}, "admin"))
	w.waitFor("the session to end", func() bool { return b.get("/bots").status != http.StatusOK })
	if res := b.get("/bots"); res.status != http.StatusUnauthorized && res.code() != "suspended" {
		t.Errorf("the session: %d %s", res.status, res.body)
	}
	again := w.browser()
	if res := again.signIn("ada@acme.example", "/sso/login"); res.status != http.StatusForbidden || res.code() != "suspended" || again.cookie() != "" {
		t.Errorf("signing in again: %d %s", res.status, res.body)
	}
	w.waitFor("the key to be deleted", func() bool { return len(w.vexa.Tokens()) == 0 })
}

// E10: an ID token is proof of a sign-in, not a credential; D5: nor is anything else that looks like one.
func TestTokensThatAreNoCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	idToken := w.okta.Sign(w.okta.IDTokenClaims("ada@acme.example", "0oa1bridge", "nonce"))
	accessToken := w.okta.Sign(w.okta.AccessTokenClaims("ada@acme.example", "0oa1bridge", "openid"))
	b := w.signIn("ada@acme.example")
	w.vexa.GatewayWire().Forget()
	for name, header := range map[string][2]string{
		"an ID token":            {"Authorization", "Bearer " + idToken},
		"an access token":        {"Authorization", "Bearer " + accessToken},
		"an ID token as a key":   {"X-API-Key", idToken},
		"Basic":                  {"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("ada:x"))},
		"an empty bearer":        {"Authorization", "Bearer"},
		"an empty authorization": {"Authorization", ""},
		"an empty key":           {"X-API-Key", ""},
	} {
		if res := b.get("/bots", header[0], header[1]); res.status != http.StatusUnauthorized || res.code() != "token_invalid" || !strings.Contains(res.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("%s, beside a good cookie: %d %s", name, res.status, res.body) // an explicit one silences the cookie
		}
	}
	if n := w.vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
}

// D4: the id in the cookie has 256 bits and comes from nowhere else; C6: what a sign-in in flight holds cannot be read or changed.
func TestWhatCookiesHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	login := b.get("/sso/login?return_to=/meetings")
	attempt := login.header.Get("Set-Cookie")
	sealed, err := base64.RawURLEncoding.DecodeString(strings.SplitN(strings.SplitN(attempt, ";", 2)[0], "=", 2)[1])
	must(t, err)
	for _, plain := range []string{"/meetings", "okta", "state", strings.SplitN(login.header.Get("Location"), "state=", 2)[1][:20]} {
		if strings.Contains(string(sealed), plain) {
			t.Errorf("the attempt's cookie shows %q", plain)
		}
	}
	callback, err := w.okta.SignIn(t.Context(), login.header.Get("Location"), "ada@acme.example")
	must(t, err)
	name, value, _ := strings.Cut(strings.SplitN(attempt, ";", 2)[0], "=")
	forged := w.browser()
	forged.Jar.SetCookies(mustURL(t, w.public), []*http.Cookie{{Name: name, Value: value[:len(value)-2] + "AA", Path: "/"}})
	if res := forged.get(strings.TrimPrefix(callback.URL, w.public)); res.status != http.StatusBadRequest || forged.cookie() != "" {
		t.Errorf("a changed attempt: %d %s", res.status, res.body)
	}

	seen := map[string]bool{}
	for range 20 {
		cookie := w.signIn("ada@acme.example").cookie()
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(cookie, "vexa_sso="))
		if err != nil || len(raw) < 32+16 || seen[cookie] {
			t.Errorf("the session's cookie is %q", cookie)
		}
		seen[cookie] = true
	}
}

// F1: no answer of ours tells a provider's token or a Vexa key.
func TestOwnPagesTellNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn("ada@acme.example")
	b.get("/bots")
	key := w.keyOf("ada@acme.example")
	for _, path := range []string{"/sso/", "/sso/whoami", "/sso/healthz", "/sso/readyz", "/sso/signed-out", "/sso/nothing", "/auth/me"} {
		res := b.get(path, "Accept", "text/html")
		for _, secret := range []string{key, "vxa_", "eyJ", "okta-client-secret-canary", strings.TrimPrefix(b.cookie(), "vexa_sso=")} {
			if strings.Contains(res.body, secret) || strings.Contains(headerText(res.header), secret) {
				t.Errorf("%s tells %q: %s", path, secret, res.body)
			}
		}
	}
	if strings.Contains(w.logs.String(), "vxa_") || strings.Contains(w.logs.String(), "eyJ") || strings.Contains(w.logs.String(), strings.TrimPrefix(b.cookie(), "vexa_sso=")) {
		t.Error("the log tells a secret")
	}
}

// E11, S3: an address that comes back on another subject is somebody else, and waits.
func TestRecycledAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn("ada@acme.example").get("/bots")
	must(t, w.okta.RemovePerson("ada@acme.example"))
	w.okta.AddPerson(oidctest.Person{Email: "ada@acme.example", Name: "Another Ada", Groups: []string{"vexa-users"}})
	b := w.signIn("ada@acme.example")
	if res := b.get("/bots"); res.status != http.StatusForbidden || res.code() != "pending_approval" {
		t.Errorf("the new Ada: %d %s", res.status, res.body)
	}
	if res := b.get("/sso/", "Accept", "text/html"); res.status != http.StatusOK || !strings.Contains(res.body, "waits for approval") {
		t.Errorf("her page: %d %s", res.status, res.body)
	}
}

func headerText(h http.Header) string {
	var b strings.Builder
	_ = h.Write(&b)
	return b.String()
}

// accountOf is the id of a person's account.
func accountOf(t testing.TB, w *world, email string) string {
	t.Helper()
	var id string
	must(t, w.store.View(t.Context(), func(tx mapping.Tx) error {
		accounts, err := tx.Accounts()
		for _, a := range accounts {
			if a.Identity.Email == email {
				id = a.ID
			}
		}
		return err
	}))
	if id == "" {
		t.Fatalf("%s has no account", email)
	}
	return id
}

// A11: whatever a stranger sends, Vexa gets none of it, and what is answered is a refusal or a page of ours.
func FuzzStranger(f *testing.F) {
	for _, seed := range []string{"GET /bots", "POST /bots", "GET /health", "OPTIONS *", "GET //x", "HEAD /sso/", "GET /ws?api_key=vxa_x", "PUT /user/webhook", "GET /%2e%2e/admin", "DELETE /recordings/1;x"} {
		method, target, _ := strings.Cut(seed, " ")
		f.Add(method, target, "X-Api-Key", "")
		f.Add(method, target, "Cookie", "vexa_sso=x")
		f.Add(method, target, "X-Forwarded-For", "127.0.0.1")
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, method, target, name, value string) {
		if strings.ContainsAny(method+target+name+value, " \r\n") || method == "" || target == "" || name == "" || strings.Contains(name, ":") {
			t.Skip("not one request")
		}
		w.vexa.GatewayWire().Forget()
		res := raw(t, w.host, method+" "+target+" HTTP/1.1\r\nHost: "+w.host+"\r\n"+name+": "+value+"\r\nConnection: close\r\n\r\n")
		if n := w.vexa.GatewayWire().Bytes(); n != 0 {
			t.Fatalf("%d bytes reached the gateway", n)
		}
		if res.status/100 == 2 && !strings.HasPrefix(target, "/sso") {
			t.Fatalf("answered %d %s", res.status, res.body)
		}
	})
}

// S1: what rules take away while a key is being minted is not given after all, and the key does not stay.
func TestRulesChangeDuringAMint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn("ada@acme.example")
	release := make(chan struct{})
	held := w.vexa.Inject(vexatest.Fault{Method: "POST", Path: "/admin/users/", Effect: vexatest.HoldBefore, Until: release})
	w.vexa.GatewayWire().Forget()
	answered := make(chan answer, 1)
	go func() { answered <- b.get("/bots") }()
	must(t, held.Wait(w.within(10*time.Second), 1))
	w.replaceRules(staffRules()[1:])
	close(release)
	if res := <-answered; res.status != http.StatusForbidden || res.code() != "not_mapped" {
		t.Errorf("%d %s", res.status, res.body)
	}
	if n := w.vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
	w.waitFor("the key to be deleted", func() bool { return len(w.vexa.Tokens()) == 0 })
}
