package caller_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/proxytest"
)

func migrating(o *proxytest.Options) { o.Config.Tokens.NativeKeys = caller.NativeKeysMigrate }

// V2: a Vexa key is refused in words that help, whatever shows it.
func TestNativeKeyRefused(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	w.SignIn(oidctest.Ada).Get("/bots")
	user, _ := w.Vexa.User(oidctest.Ada)
	own := w.Vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	w.Vexa.GatewayWire().Forget()
	for _, header := range [][]string{
		{"X-API-Key", own}, {"Authorization", "Bearer " + own}, {"Authorization", own},
	} {
		res := w.Program().Get("/bots", header...)
		if res.Status != http.StatusUnauthorized || res.Code() != "native_key_refused" ||
			!strings.Contains(res.Body, w.Public+"/sso/tokens") {
			t.Errorf("%d %s", res.Status, res.Body)
		}
	}
	if n := w.Vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
}

// For the weeks of moving over, a Vexa key of somebody who has an account here stands for them: it is
// shown to the gateway once, the request goes on with our key and no more than both allow, and the answer
// says that this will not last.
func TestNativeKeyMigrates(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{vexatest.Generation012, vexatest.Generation010} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			w := proxytest.Start(t, migrating, func(o *proxytest.Options) { o.Generation = generation })
			// noon, so that hours later is the same day
			w.Clock.Advance(w.Clock.Now().Truncate(24 * time.Hour).Add(36 * time.Hour).Sub(w.Clock.Now()))
			w.SignIn(oidctest.Ada).Get("/bots")
			user, _ := w.Vexa.User(oidctest.Ada)
			ours := w.KeyOf(oidctest.Ada)
			own := w.Vexa.AddToken(user.ID, "notebook", 0, "tx", "bot").Secret
			narrow := w.Vexa.AddToken(user.ID, "reader", 0, "tx").Secret
			stranger := w.Vexa.AddToken(w.Vexa.AddUser("stranger@acme.example", "").ID, "theirs", 0,
				"bot", "tx").Secret
			w.Vexa.GatewayWire().Forget()
			for range 3 {
				res := w.Program().Get("/bots", "X-API-Key", own)
				if res.Status != http.StatusOK {
					t.Fatalf("%d %s", res.Status, res.Body)
				}
				if at := res.Header.Get("Deprecation"); !strings.HasPrefix(at, "@") ||
					len(at) < 11 || !strings.Contains(res.Header.Get("Link"),
					"<"+w.Public+`/sso/tokens>; rel="deprecation"`) {
					t.Errorf("it does not say that this will not last: %v", res.Header)
				}
			}
			shown := 0
			for _, r := range w.Vexa.GatewayWire().Requests() {
				switch key := r.Get("X-API-Key"); {
				case len(key) == 1 && key[0] == own && r.Target == "/auth/me":
					shown++
					// V12: or a ban for bad keys would be ours
					if from := r.Get("X-Forwarded-For"); len(from) != 1 || from[0] != "127.0.0.1" {
						t.Errorf("the key is shown on behalf of %q", from)
					}
				case len(key) == 1 && key[0] == ours:
				default:
					t.Errorf("the gateway got\n%s", r.Raw)
				}
			}
			if shown != 1 {
				t.Errorf("the key was shown to the gateway %d times", shown)
			}
			if res := w.Program().Get("/bots", "X-API-Key", narrow); res.Code() != "scope_missing" ||
				!strings.Contains(res.Body, "this Vexa key does not have") ||
				res.Header.Get("Deprecation") == "" {
				t.Errorf("more than the key may: %d %s", res.Status, res.Body)
			}
			conn, opened, err := w.SocketAs(nil, "X-API-Key", own)
			proxytest.Must(t, err)
			if got := proxytest.Talk(t, conn, `{"action":"ping"}`); !strings.Contains(got, "pong") ||
				opened.Header.Get("Deprecation") == "" {
				t.Errorf("a WebSocket: %s %v", got, opened.Header)
			}
			for name, key := range map[string]string{
				"a stranger's": stranger, "nobody's": "vxa_bot_0123456789012345678901234567",
			} {
				if res := w.Program().Get("/bots", "X-API-Key", key); res.Code() != "native_key_refused" {
					t.Errorf("%s: %d %s", name, res.Status, res.Body)
				}
			}
			if n := w.Metric("vexa_sso_native_key_requests_total", ""); n != 5 {
				t.Errorf("%v requests are counted", n)
			}
			w.Clock.Advance(2 * time.Hour)
			w.Program().Get("/meetings", "X-API-Key", own)
			logs := w.Logs.String()
			if n := strings.Count(logs, `"event":"native_key_used"`); n != 1 {
				t.Errorf("the audit says so %d times a day", n)
			}
			w.Clock.Advance(24 * time.Hour)
			w.Program().Get("/meetings", "X-API-Key", own)
			for _, secret := range []string{own, narrow, stranger, ours} {
				if strings.Contains(w.Logs.String(), secret) {
					t.Error("the log holds a key")
				}
			}
		})
	}
}

// S3: after Vexa was set up anew a user of the same number is somebody else, whose key opens nothing.
func TestNativeKeyOfAnother(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, migrating)
	w.SignIn(oidctest.Ada).Get("/bots")
	user, _ := w.Vexa.User(oidctest.Ada)
	key := w.Vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	w.Vexa.SetUserEmail(user.ID, "other@acme.example")
	if res := w.Program().Get("/bots", "X-API-Key", key); res.Code() != "native_key_refused" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// E7: a key of a user whom two people share is nobody's: it may be that of the one who was suspended.
func TestNativeKeyOfASharedUser(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, migrating)
	w.SignIn(oidctest.Ada).Get("/bots")
	grace := w.SignIn(oidctest.Grace)
	grace.Get("/bots")
	user, _ := w.Vexa.User(oidctest.Ada)
	account, err := w.Accounts.Account(t.Context(), proxytest.AccountOf(t, w, oidctest.Grace))
	proxytest.Must(t, err)
	_, _, err = w.Accounts.Pin(t.Context(), account.Subject, oidctest.Ada, "admin")
	proxytest.Must(t, err)
	grace.Get("/bots")
	key := w.Vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	proxytest.Must(t, w.Accounts.Revoke(t.Context(), mapping.Revocation{
		Kind: mapping.RevokeAccount, Account: proxytest.AccountOf(t, w, oidctest.Ada), Reason: "left",
	}, "admin"))
	if res := w.Program().Get("/sso/whoami", "X-API-Key", key); res.Code() != "native_key_refused" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// S5: nobody tells us that Vexa has deleted somebody's key, so a stream that was opened with
// one has an end of its own.
func TestStreamOfANativeKeyEnds(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, migrating)
	w.SignIn(oidctest.Ada).Get("/bots")
	user, _ := w.Vexa.User(oidctest.Ada)
	key := w.Vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	conn, _, err := w.SocketAs(nil, "X-API-Key", key)
	proxytest.Must(t, err)
	proxytest.Talk(t, conn, `{"action":"ping"}`)
	for range 7 { // its account is looked at afresh every minute, which gives it no more time
		w.Clock.Advance(2 * time.Minute)
		w.Proxy.Apply(mapping.Revocation{
			Kind: mapping.RevokeGrant, Account: proxytest.AccountOf(t, w, oidctest.Ada),
		})
		proxytest.Talk(t, conn, `{"action":"ping"}`)
		looked := w.Clock.Now()
		w.WaitFor("the next look", func() bool { return w.Clock.Now().Sub(looked) > 1200*time.Millisecond })
	}
	w.Clock.Advance(2 * time.Minute)
	if closed := proxytest.HangsUp(t, conn); closed.Code != 4401 {
		t.Errorf("closed with %d", closed.Code)
	}
	if _, _, err := w.SocketAs(nil, "X-API-Key", key); err != nil {
		t.Errorf("with the key again: %v", err)
	}
}

// S12: who makes Vexa keys up is made to wait before they have used up what everybody may ask the gateway.
func TestMadeUpNativeKeysWait(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, migrating)
	w.SignIn(oidctest.Ada).Get("/bots")
	user, _ := w.Vexa.User(oidctest.Ada)
	key := w.Vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	refused := 0
	for i := range 40 {
		if res := w.Program().Get("/bots",
			"X-API-Key", fmt.Sprintf("vxa_bot_%028d", i)); res.Code() == "native_key_refused" {
			refused++
		}
	}
	if refused > 25 {
		t.Errorf("%d made-up keys were shown to the gateway", refused)
	}
	w.Clock.Advance(time.Minute)
	if res := w.Program().Get("/bots", "X-API-Key", key); res.Status != http.StatusOK {
		t.Errorf("a good one afterwards: %d %s", res.Status, res.Body)
	}
}

// S10: a gateway that cannot say whose a key is makes nobody a stranger.
func TestNativeKeyWhileGatewayIsDown(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, migrating)
	w.SignIn(oidctest.Ada).Get("/bots")
	user, _ := w.Vexa.User(oidctest.Ada)
	key := w.Vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	w.Vexa.Set(vexatest.Gateway, vexatest.Down)
	if res := w.Program().Get("/bots", "X-API-Key", key); res.Status != http.StatusServiceUnavailable ||
		res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	w.Vexa.Set(vexatest.Gateway, vexatest.Up)
	if res := w.Program().Get("/bots", "X-API-Key", key); res.Status != http.StatusOK {
		t.Errorf("when it is back: %d %s", res.Status, res.Body)
	}
}
