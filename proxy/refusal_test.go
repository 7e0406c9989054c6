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
	"vexa-sso/proxy/proxytest"
)

// E7, S5: who is suspended is refused with the session they had and cannot get another.
func TestSuspended(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	if res := b.Get("/bots"); res.Status != http.StatusOK {
		t.Fatalf("before: %d %s", res.Status, res.Body)
	}
	account := proxytest.AccountOf(t, w, "ada@acme.example")
	proxytest.Must(t, w.Accounts.Revoke(t.Context(), mapping.Revocation{
		Kind: mapping.RevokeAccount, Account: account, Reason: "left the company",
	}, "admin"))
	w.WaitFor("the session to end", func() bool { return b.Get("/bots").Status != http.StatusOK })
	if res := b.Get("/bots"); res.Status != http.StatusUnauthorized && res.Code() != "suspended" {
		t.Errorf("the session: %d %s", res.Status, res.Body)
	}
	again := w.Browser()
	if res := again.SignIn("ada@acme.example", "/sso/login"); res.Status != http.StatusForbidden ||
		res.Code() != "suspended" || again.Cookie() != "" {
		t.Errorf("signing in again: %d %s", res.Status, res.Body)
	}
	w.WaitFor("the key to be deleted", func() bool { return len(w.Vexa.Tokens()) == 0 })
}

// E10: an ID token is proof of a sign-in, not a credential; D5: nor is anything else that looks like one.
func TestTokensThatAreNoCredential(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	idToken := w.Okta.Sign(w.Okta.IDTokenClaims("ada@acme.example", "0oa1bridge", "nonce"))
	accessToken := w.Okta.Sign(w.Okta.AccessTokenClaims("ada@acme.example", "0oa1bridge", "openid"))
	b := w.SignIn("ada@acme.example")
	w.Vexa.GatewayWire().Forget()
	for name, header := range map[string][2]string{
		"an ID token":          {"Authorization", "Bearer " + idToken},
		"an access token":      {"Authorization", "Bearer " + accessToken},
		"an ID token as a key": {"X-API-Key", idToken},
		"Basic": {
			"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("ada:x")),
		},
		"an empty bearer":        {"Authorization", "Bearer"},
		"an empty authorization": {"Authorization", ""},
		"an empty key":           {"X-API-Key", ""},
	} {
		if res := b.Get("/bots", header[0], header[1]); res.Status != http.StatusUnauthorized ||
			res.Code() != "token_invalid" ||
			!strings.Contains(res.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			// an explicit one silences the cookie
			t.Errorf("%s, beside a good cookie: %d %s", name, res.Status, res.Body)
		}
	}
	if n := w.Vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
}

// D4: the id in the cookie has 256 bits and comes from nowhere else; C6: what a sign-in in flight holds
// cannot be read or changed.
func TestWhatCookiesHold(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.Browser()
	login := b.Get("/sso/login?return_to=/meetings")
	attempt := login.Header.Get("Set-Cookie")
	sealed, err := base64.RawURLEncoding.DecodeString(strings.SplitN(strings.SplitN(attempt, ";", 2)[0],
		"=", 2)[1])
	proxytest.Must(t, err)
	for _, plain := range []string{
		"/meetings", "okta", "state", strings.SplitN(login.Header.Get("Location"), "state=", 2)[1][:20],
	} {
		if strings.Contains(string(sealed), plain) {
			t.Errorf("the attempt's cookie shows %q", plain)
		}
	}
	callback, err := w.Okta.SignIn(t.Context(), login.Header.Get("Location"), "ada@acme.example")
	proxytest.Must(t, err)
	name, value, _ := strings.Cut(strings.SplitN(attempt, ";", 2)[0], "=")
	forged := w.Browser()
	forged.Jar.SetCookies(proxytest.MustURL(t, w.Public),
		[]*http.Cookie{{Name: name, Value: value[:len(value)-2] + "AA", Path: "/"}})
	if res := forged.Get(strings.TrimPrefix(callback.URL, w.Public)); res.Status != http.StatusBadRequest ||
		forged.Cookie() != "" {
		t.Errorf("a changed attempt: %d %s", res.Status, res.Body)
	}

	seen := map[string]bool{}
	for range 20 {
		cookie := w.SignIn("ada@acme.example").Cookie()
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
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	b.Get("/bots")
	key := w.KeyOf("ada@acme.example")
	for _, path := range []string{
		"/sso/", "/sso/whoami", "/sso/healthz", "/sso/readyz", "/sso/signed-out", "/sso/nothing", "/auth/me",
	} {
		res := b.Get(path, "Accept", "text/html")
		for _, secret := range []string{
			key, "vxa_", "eyJ", "okta-client-secret-canary", strings.TrimPrefix(b.Cookie(), "vexa_sso="),
		} {
			if strings.Contains(res.Body, secret) ||
				strings.Contains(proxytest.HeaderText(res.Header), secret) {
				t.Errorf("%s tells %q: %s", path, secret, res.Body)
			}
		}
	}
	if strings.Contains(w.Logs.String(), "vxa_") || strings.Contains(w.Logs.String(), "eyJ") ||
		strings.Contains(w.Logs.String(), strings.TrimPrefix(b.Cookie(), "vexa_sso=")) {
		t.Error("the log tells a secret")
	}
}

// E11, S3: an address that comes back on another subject is somebody else, and waits.
func TestRecycledAddress(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	w.SignIn("ada@acme.example").Get("/bots")
	proxytest.Must(t, w.Okta.RemovePerson("ada@acme.example"))
	w.Okta.AddPerson(oidctest.Person{
		Email: "ada@acme.example", Name: "Another Ada", Groups: []string{"vexa-users"},
	})
	b := w.SignIn("ada@acme.example")
	if res := b.Get("/bots"); res.Status != http.StatusForbidden || res.Code() != "pending_approval" {
		t.Errorf("the new Ada: %d %s", res.Status, res.Body)
	}
	if res := b.Get("/sso/", "Accept", "text/html"); res.Status != http.StatusOK ||
		!strings.Contains(res.Body, "waits for approval") {
		t.Errorf("her page: %d %s", res.Status, res.Body)
	}
}

// A11: whatever a stranger sends, Vexa gets none of it, and what is answered is a refusal or a page of ours.
func FuzzStranger(f *testing.F) {
	for _, seed := range []string{
		"GET /bots", "POST /bots", "GET /health", "OPTIONS *", "GET //x", "HEAD /sso/",
		"GET /ws?api_key=vxa_x", "PUT /user/webhook", "GET /%2e%2e/admin", "DELETE /recordings/1;x",
	} {
		method, target, _ := strings.Cut(seed, " ")
		f.Add(method, target, "X-Api-Key", "")
		f.Add(method, target, "Cookie", "vexa_sso=x")
		f.Add(method, target, "X-Forwarded-For", "127.0.0.1")
	}
	w := proxytest.Start(f)
	f.Fuzz(func(t *testing.T, method, target, name, value string) {
		if strings.ContainsAny(method+target+name+value, " \r\n") || method == "" || target == "" ||
			name == "" || strings.Contains(name, ":") {
			t.Skip("not one request")
		}
		w.Vexa.GatewayWire().Forget()
		res := proxytest.Raw(t, w.Host, method+" "+target+" HTTP/1.1\r\nHost: "+w.Host+"\r\n"+name+": "+value+
			"\r\nConnection: close\r\n\r\n")
		if n := w.Vexa.GatewayWire().Bytes(); n != 0 {
			t.Fatalf("%d bytes reached the gateway", n)
		}
		if res.Status/100 == 2 && !strings.HasPrefix(target, "/sso") {
			t.Fatalf("answered %d %s", res.Status, res.Body)
		}
	})
}

// S1: what rules take away while a key is being minted is not given after all, and the key does not stay.
func TestRulesChangeDuringAMint(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	release := make(chan struct{})
	held := w.Vexa.Inject(vexatest.Fault{
		Method: "POST", Path: "/admin/users/", Effect: vexatest.HoldBefore, Until: release,
	})
	w.Vexa.GatewayWire().Forget()
	answered := make(chan proxytest.Answer, 1)
	go func() { answered <- b.Get("/bots") }()
	proxytest.Must(t, held.Wait(w.Within(10*time.Second), 1))
	w.ReplaceRules(proxytest.StaffRules()[1:])
	close(release)
	if res := <-answered; res.Status != http.StatusForbidden || res.Code() != "not_mapped" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if n := w.Vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
	w.WaitFor("the key to be deleted", func() bool { return len(w.Vexa.Tokens()) == 0 })
}
