package proxy_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc/oidctest"
)

// takingBearers lets Okta's access tokens for api://default stand for their callers.
func takingBearers(o *worldOptions) { o.audiences = []string{"api://default"} }

// bearer is an access token of Okta's that says as much as a sign-in does.
func (w *world) bearer(who string) string {
	return w.okta.Sign(w.bearerClaims(who))
}

func (w *world) bearerClaims(who string) oidctest.Claims {
	person, _ := w.okta.Person(who)
	return w.okta.AccessTokenClaims(who, "0oa2program", "vexa").With("groups", append([]string{"Everyone"}, person.Groups...)).With("email", person.Email).With("email_verified", true)
}

// newToken makes a personal token of somebody who has signed in before.
func (w *world) newToken(email string, scopes ...string) (mapping.Token, string) {
	w.t.Helper()
	token, value, err := w.accounts.CreateToken(w.t.Context(), accountOf(w.t, w, email), mapping.NewToken{
		Kind: mapping.TokenPersonal, Name: "CI", Scopes: rule.NewScopes(scopes...), Lifetime: 24 * time.Hour,
	}, "test")
	must(w.t, err)
	return token, value
}

// program is a client without cookies.
func (w *world) program() *browser { return &browser{w.client(nil), w} }

// An explicit credential silences the cookie. The same one twice is one, two different ones are none, and an invalid one is refused
// and never replaced by the cookie (D5).
func TestPrecedence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takingBearers)
	ada, grace := w.signIn(oidctest.Ada), w.signIn(oidctest.Grace)
	cookie := ada.cookie()
	ada.get("/bots")
	_, token := w.newToken(oidctest.Grace, "tx")
	_, other := w.newToken(oidctest.Grace, "tx")
	bearer := w.bearer(oidctest.Tim)
	native := w.keyOf(oidctest.Ada)
	must(t, w.accounts.Revoke(t.Context(), mapping.Revocation{Kind: mapping.RevokeSession, Account: accountOf(t, w, oidctest.Grace), Session: sessionOf(grace)}, "test"))
	broken := token[:len(token)-1] + string("01"[b2i(token[len(token)-1] == '0')])

	for _, c := range []struct {
		name   string
		header []string
		status int
		who    string // or the code
	}{
		{"nothing", nil, 401, "unauthenticated"},
		{"the cookie", []string{"Cookie", cookie}, 200, oidctest.Ada},
		{"a token as key", []string{"X-API-Key", token}, 200, oidctest.Grace},
		{"a token as bearer", []string{"Authorization", "Bearer " + token}, 200, oidctest.Grace},
		{"a scheme in any case", []string{"Authorization", "bEaReR   " + token}, 200, oidctest.Grace},
		{"a token without a scheme, as keys could be sent to /mcp", []string{"Authorization", token}, 200, oidctest.Grace},
		{"a token beside the cookie", []string{"Cookie", cookie, "X-API-Key", token}, 200, oidctest.Grace},
		{"an access token", []string{"Authorization", "Bearer " + bearer}, 200, oidctest.Tim},
		{"an access token beside the cookie", []string{"Cookie", cookie, "Authorization", "Bearer " + bearer}, 200, oidctest.Tim},
		{"the same token twice", []string{"X-API-Key", token, "Authorization", "Bearer " + token}, 200, oidctest.Grace},
		{"the same token twice as key", []string{"X-API-Key", token, "x-api-key", token}, 200, oidctest.Grace},
		{"two tokens", []string{"X-API-Key", token, "Authorization", "Bearer " + other}, 400, "bad_request"},
		{"two tokens as keys", []string{"X-API-Key", token, "X-API-Key", other}, 400, "bad_request"},
		{"a token and an access token", []string{"X-API-Key", token, "Authorization", "Bearer " + bearer}, 400, "bad_request"},
		{"a token and nothing", []string{"X-API-Key", token, "Authorization", ""}, 400, "bad_request"},
		{"a token and a Vexa key", []string{"X-API-Key", native, "Authorization", "Bearer " + token}, 400, "bad_request"},
		{"a token and another among subprotocols", []string{"X-API-Key", token, "Sec-WebSocket-Protocol", "vsso.token." + other + ", vexa"}, 400, "bad_request"},
		{"a broken token beside the cookie", []string{"Cookie", cookie, "X-API-Key", broken}, 401, "token_invalid"},
		{"a token that nobody made", []string{"Cookie", cookie, "X-API-Key", madeUp(t)}, 401, "token_invalid"},
		{"what is like a token among subprotocols", []string{"Cookie", cookie, "Sec-WebSocket-Protocol", "xvsso.token." + token}, 401, "token_invalid"},
		{"a refresh token", []string{"Cookie", cookie, "X-API-Key", "vssr_" + token[5:]}, 401, "token_invalid"},
		{"an access token as key", []string{"Cookie", cookie, "X-API-Key", bearer}, 401, "token_invalid"},
		{"an access token of another issuer", []string{"Authorization", "Bearer " + w.okta.Sign(w.bearerClaims(oidctest.Tim).With("iss", "https://other.example"))}, 401, "token_invalid"},
		{"an access token for another audience", []string{"Cookie", cookie, "Authorization", "Bearer " + w.okta.Sign(w.bearerClaims(oidctest.Tim).With("aud", "api://other"))}, 401, "token_invalid"},
		{"an expired access token", []string{"Cookie", cookie, "Authorization", "Bearer " + w.okta.Sign(w.bearerClaims(oidctest.Tim).With("exp", w.clock.Now().Unix()-120))}, 401, "token_expired"},
		{"an access token whose owner no rule knows", []string{"Authorization", "Bearer " + w.bearer(oidctest.Mallory)}, 403, "not_mapped"},
		{"Basic", []string{"Cookie", cookie, "Authorization", "Basic YWRhOng="}, 401, "token_invalid"},
		{"a Vexa key", []string{"Cookie", cookie, "X-API-Key", native}, 401, "native_key_refused"},
		{"an empty key", []string{"Cookie", cookie, "X-API-Key", ""}, 401, "token_invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := w.program().get("/sso/whoami", append(c.header, navigation...)...)
			if c.name == "nothing" {
				res = w.program().get("/sso/whoami")
			}
			var said struct {
				Email, Code string
			}
			must(t, json.Unmarshal([]byte(res.body), &said))
			if res.status != c.status || said.Email+said.Code != c.who {
				t.Errorf("%d %s", res.status, res.body)
			}
			if challenge := res.header.Get("WWW-Authenticate"); res.status == 401 && c.name != "nothing" &&
				(!strings.HasPrefix(challenge, `Bearer realm="vexa-sso", error="invalid_token", error_description="`) || strings.Trim(challenge, printable) != "") {
				t.Errorf("WWW-Authenticate: %s", challenge)
			}
		})
	}
}

// printable are the characters that a header of ours may have.
var printable = func() string {
	var all []byte
	for c := byte(' '); c <= '~'; c++ {
		all = append(all, c)
	}
	return string(all)
}()

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sessionOf is the id of a browser's session.
func sessionOf(b *browser) string {
	var said struct {
		Session struct{ ID string }
	}
	must(b.w.t, json.Unmarshal([]byte(b.get("/sso/whoami").body), &said))
	return said.Session.ID
}

// madeUp is a token value with a good checksum that nobody was given.
func madeUp(t testing.TB) string {
	t.Helper()
	value, err := mapping.NewTokenValue(rand.Reader, mapping.AccessValue)
	must(t, err)
	return value
}

// S1, S2, G7: the upstream gets our key and nothing of what was shown, byte for byte, whatever was shown and wherever.
func TestUpstreamSeesNoToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takingBearers)
	w.signIn(oidctest.Ada).get("/bots")
	_, token := w.newToken(oidctest.Ada, "bot", "tx")
	bearer := w.bearer(oidctest.Ada)
	own := w.keyOf(oidctest.Ada)
	for _, shown := range []string{
		"X-API-Key: " + token + "\r\n",
		"Authorization: Bearer " + token + "\r\n",
		"X-Api-Key: " + token + "\r\nAuthorization: bearer " + token + "\r\n",
		"Authorization: Bearer " + bearer + "\r\n",
		"Authorization: " + token + "\r\n",
		"Sec-WebSocket-Protocol: vsso.token." + token + "\r\n",
		"Sec-WebSocket-Protocol: vsso.token." + bearer + "\r\n",
	} {
		w.vexa.GatewayWire().Forget()
		res := w.raw("GET /bots HTTP/1.1\r\nHost: " + w.host + "\r\nUser-Agent: probe\r\n" + shown + "\r\n")
		if res.status != http.StatusOK {
			t.Errorf("%q: %d %s", shown, res.status, res.body)
			continue
		}
		w.expectUpstream(t, plain, own, res.header.Get("X-Trace-Id"))
	}
	families, err := w.metrics.Gather()
	must(t, err)
	files, err := filepath.Glob(strings.TrimPrefix(w.database, "sqlite:") + "*") // F4
	must(t, err)
	kept := w.logs.String() + fmt.Sprint(families)
	for _, name := range files {
		text, err := os.ReadFile(name)
		must(t, err)
		kept += string(text)
	}
	if len(files) == 0 || strings.Contains(kept, token[5:48]) || strings.Contains(kept, bearer[len(bearer)-40:]) {
		t.Errorf("the log, the metrics or the store (%v) hold a token", files)
	}
}

// S2: a token in an address is refused, and neither logged nor passed on.
func TestTokenInAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	_, token := w.newToken(oidctest.Ada, "tx")
	w.vexa.GatewayWire().Forget()
	for _, path := range []string{"/meetings?token=" + token, "/meetings?api_key=" + token, "/meetings/" + token, "/sso/login?return_to=%2Fx%3Fk%3D" + token, "/meetings?k=vssr_" + token[5:], "/meetings?k=vsso%5F" + token[5:]} {
		if res := b.get(path); res.code() != "bad_request" || strings.Contains(res.body, token) {
			t.Errorf("%s: %d %s", path, res.status, res.body)
		}
	}
	if w.vexa.GatewayWire().Bytes() != 0 || strings.Contains(w.logs.String(), token[5:]) {
		t.Error("the token went on")
	}
	if res := b.get("/meetings?q=vsso_" + strings.Repeat("a", 30)); res.status != http.StatusOK {
		t.Errorf("what is no token: %d %s", res.status, res.body)
	}
}

// S6: five hundred first requests with one token, of somebody who has no key yet: one mint.
func TestOneMintForACrowdOfPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(oidctest.Ada)
	_, token := w.newToken(oidctest.Ada, "tx")
	before := w.vexa.Calls().TokensMinted
	var crowd errgroup.Group
	program := w.program()
	for range 500 {
		crowd.Go(func() error {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", w.public+"/meetings", nil)
			req.Header.Set("X-API-Key", token)
			res, err := program.Do(req)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("answered %d", res.StatusCode)
			}
			return nil
		})
	}
	must(t, crowd.Wait())
	if mints := w.vexa.Calls().TokensMinted - before; mints != 1 {
		t.Errorf("%d mints", mints)
	}
}
