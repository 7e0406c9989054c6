package caller_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// An explicit credential silences the cookie. The same one twice is one, two different ones are none, and an
// invalid one is refused and never replaced by the cookie (D5).
func TestPrecedence(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers)
	ada, grace := w.SignIn(oidctest.Ada), w.SignIn(oidctest.Grace)
	cookie := ada.Cookie()
	ada.Get("/bots")
	_, token := w.NewToken(oidctest.Grace, "tx")
	_, other := w.NewToken(oidctest.Grace, "tx")
	bearer := w.Bearer(oidctest.Tim)
	native := w.KeyOf(oidctest.Ada)
	proxytest.Must(t, w.Accounts.Revoke(t.Context(), mapping.Revocation{
		Kind: mapping.RevokeSession, Account: proxytest.AccountOf(t, w, oidctest.Grace),
		Session: sessionOf(grace),
	}, "test"))
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
		{
			"a token without a scheme, as keys could be sent to /mcp",
			[]string{"Authorization", token},
			200, oidctest.Grace,
		},
		{"a token beside the cookie", []string{"Cookie", cookie, "X-API-Key", token}, 200, oidctest.Grace},
		{"an access token", []string{"Authorization", "Bearer " + bearer}, 200, oidctest.Tim},
		{"an access token beside the cookie", []string{
			"Cookie", cookie, "Authorization", "Bearer " + bearer,
		}, 200, oidctest.Tim},
		{"the same token twice", []string{
			"X-API-Key", token, "Authorization", "Bearer " + token,
		}, 200, oidctest.Grace},
		{"the same token twice as key", []string{
			"X-API-Key", token, "x-api-key", token,
		}, 200, oidctest.Grace},
		{"two tokens", []string{"X-API-Key", token, "Authorization", "Bearer " + other}, 400, "bad_request"},
		{"two tokens as keys", []string{"X-API-Key", token, "X-API-Key", other}, 400, "bad_request"},
		{"a token and an access token", []string{
			"X-API-Key", token, "Authorization", "Bearer " + bearer,
		}, 400, "bad_request"},
		{"a token and nothing", []string{"X-API-Key", token, "Authorization", ""}, 400, "bad_request"},
		{"a token and a Vexa key", []string{
			"X-API-Key", native, "Authorization", "Bearer " + token,
		}, 400, "bad_request"},
		{"a token and another among subprotocols", []string{
			"X-API-Key", token, "Sec-WebSocket-Protocol", "vsso.token." + other + ", vexa",
		}, 400, "bad_request"},
		{"a broken token beside the cookie", []string{
			"Cookie", cookie, "X-API-Key", broken,
		}, 401, "token_invalid"},
		{"a token that nobody made", []string{
			"Cookie", cookie, "X-API-Key", proxytest.MadeUp(t),
		}, 401, "token_invalid"},
		{"what is like a token among subprotocols", []string{
			"Cookie", cookie, "Sec-WebSocket-Protocol", "xvsso.token." + token,
		}, 401, "token_invalid"},
		{"a refresh token", []string{
			"Cookie", cookie, "X-API-Key", "vssr_" + token[5:],
		}, 401, "token_invalid"},
		{"an access token as key", []string{"Cookie", cookie, "X-API-Key", bearer}, 401, "token_invalid"},
		{"an access token of another issuer", []string{"Authorization", "Bearer " + w.Okta.Sign(
			w.BearerClaims(oidctest.Tim).With("iss", "https://other.example"),
		)}, 401, "token_invalid"},
		{"an access token for another audience", []string{"Cookie", cookie, "Authorization", "Bearer " +
			w.Okta.Sign(w.BearerClaims(oidctest.Tim).With("aud", "api://other"))}, 401, "token_invalid"},
		{"an expired access token", []string{"Cookie", cookie, "Authorization", "Bearer " + w.Okta.Sign(
			w.BearerClaims(oidctest.Tim).With("exp", w.Clock.Now().Unix()-120),
		)}, 401, "token_expired"},
		{"an access token whose owner no rule knows", []string{
			"Authorization", "Bearer " + w.Bearer(oidctest.Mallory),
		}, 403, "not_mapped"},
		{"Basic", []string{"Cookie", cookie, "Authorization", "Basic YWRhOng="}, 401, "token_invalid"},
		{"a Vexa key", []string{"Cookie", cookie, "X-API-Key", native}, 401, "native_key_refused"},
		{"an empty key", []string{"Cookie", cookie, "X-API-Key", ""}, 401, "token_invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := w.Program().Get("/sso/whoami", append(c.header, proxytest.Navigation...)...)
			if c.name == "nothing" {
				res = w.Program().Get("/sso/whoami")
			}
			var said struct {
				Email, Code string
			}
			proxytest.Must(t, json.Unmarshal([]byte(res.Body), &said))
			if res.Status != c.status || said.Email+said.Code != c.who {
				t.Errorf("%d %s", res.Status, res.Body)
			}
			if challenge := res.Header.Get("WWW-Authenticate"); res.Status == 401 && c.name != "nothing" &&
				(!strings.HasPrefix(
					challenge, `Bearer realm="vexa-sso", error="invalid_token", error_description="`,
				) || strings.Trim(challenge, printable) != "") {
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
func sessionOf(b *proxytest.Browser) string {
	var said struct {
		Session struct{ ID string }
	}
	proxytest.Must(b.W.T, json.Unmarshal([]byte(b.Get("/sso/whoami").Body), &said))
	return said.Session.ID
}

// S1, S2, G7: the upstream gets our key and nothing of what was shown, byte for byte,
// whatever was shown and wherever.
func TestUpstreamSeesNoToken(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers)
	w.SignIn(oidctest.Ada).Get("/bots")
	_, token := w.NewToken(oidctest.Ada, "bot", "tx")
	bearer := w.Bearer(oidctest.Ada)
	own := w.KeyOf(oidctest.Ada)
	for _, shown := range []string{
		"X-API-Key: " + token + "\r\n",
		"Authorization: Bearer " + token + "\r\n",
		"X-Api-Key: " + token + "\r\nAuthorization: bearer " + token + "\r\n",
		"Authorization: Bearer " + bearer + "\r\n",
		"Authorization: " + token + "\r\n",
		"Sec-WebSocket-Protocol: vsso.token." + token + "\r\n",
		"Sec-WebSocket-Protocol: vsso.token." + bearer + "\r\n",
	} {
		w.Vexa.GatewayWire().Forget()
		res := w.Raw("GET /bots HTTP/1.1\r\nHost: " + w.Host + "\r\nUser-Agent: probe\r\n" + shown + "\r\n")
		if res.Status != http.StatusOK {
			t.Errorf("%q: %d %s", shown, res.Status, res.Body)
			continue
		}
		w.ExpectUpstream(t, proxytest.PlainRequest, own, res.Header.Get("X-Trace-Id"))
	}
	families, err := w.Metrics.Gather()
	proxytest.Must(t, err)
	files, err := filepath.Glob(strings.TrimPrefix(w.Database, "sqlite:") + "*") // F4
	proxytest.Must(t, err)
	kept := w.Logs.String() + fmt.Sprint(families)
	for _, name := range files {
		text, err := os.ReadFile(name)
		proxytest.Must(t, err)
		kept += string(text)
	}
	if len(files) == 0 || strings.Contains(kept, token[5:48]) ||
		strings.Contains(kept, bearer[len(bearer)-40:]) {
		t.Errorf("the log, the metrics or the store (%v) hold a token", files)
	}
}

// S2: a token in an address is refused, and neither logged nor passed on.
func TestTokenInAddress(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "tx")
	w.Vexa.GatewayWire().Forget()
	for _, path := range []string{
		"/meetings?token=" + token, "/meetings?api_key=" + token, "/meetings/" + token,
		"/sso/login?return_to=%2Fx%3Fk%3D" + token, "/meetings?k=vssr_" + token[5:],
		"/meetings?k=vsso%5F" + token[5:],
	} {
		if res := b.Get(path); res.Code() != "bad_request" || strings.Contains(res.Body, token) {
			t.Errorf("%s: %d %s", path, res.Status, res.Body)
		}
	}
	if w.Vexa.GatewayWire().Bytes() != 0 || strings.Contains(w.Logs.String(), token[5:]) {
		t.Error("the token went on")
	}
	if res := b.Get("/meetings?q=vsso_" + strings.Repeat("a", 30)); res.Status != http.StatusOK {
		t.Errorf("what is no token: %d %s", res.Status, res.Body)
	}
}

// S6: five hundred first requests with one token, of somebody who has no key yet: one mint.
func TestOneMintForACrowdOfPrograms(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "tx")
	before := w.Vexa.Calls().TokensMinted
	var crowd errgroup.Group
	program := w.Program()
	for range 500 {
		crowd.Go(func() error {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", w.Public+"/meetings", nil)
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
	proxytest.Must(t, crowd.Wait())
	if mints := w.Vexa.Calls().TokensMinted - before; mints != 1 {
		t.Errorf("%d mints", mints)
	}
}
