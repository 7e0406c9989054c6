package proxy_test

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
)

func migrating(o *worldOptions) { o.config.Tokens.NativeKeys = caller.NativeKeysMigrate }

// V2: a Vexa key is refused in words that help, whatever shows it.
func TestNativeKeyRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(oidctest.Ada).get("/bots")
	user, _ := w.vexa.User(oidctest.Ada)
	own := w.vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	w.vexa.GatewayWire().Forget()
	for _, header := range [][]string{{"X-API-Key", own}, {"Authorization", "Bearer " + own}, {"Authorization", own}} {
		res := w.program().get("/bots", header...)
		if res.status != http.StatusUnauthorized || res.code() != "native_key_refused" || !strings.Contains(res.body, w.public+"/sso/tokens") {
			t.Errorf("%d %s", res.status, res.body)
		}
	}
	if n := w.vexa.GatewayWire().Bytes(); n != 0 {
		t.Errorf("%d bytes reached the gateway", n)
	}
}

// For the weeks of moving over, a Vexa key of somebody who has an account here stands for them: it is shown to the gateway once, the
// request goes on with our key and no more than both allow, and the answer says that this will not last.
func TestNativeKeyMigrates(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{vexatest.Generation012, vexatest.Generation010} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, migrating, func(o *worldOptions) { o.generation = generation })
			w.clock.Advance(w.clock.Now().Truncate(24 * time.Hour).Add(36 * time.Hour).Sub(w.clock.Now())) // noon, so that hours later is the same day
			w.signIn(oidctest.Ada).get("/bots")
			user, _ := w.vexa.User(oidctest.Ada)
			ours := w.keyOf(oidctest.Ada)
			own := w.vexa.AddToken(user.ID, "notebook", 0, "tx", "bot").Secret
			narrow := w.vexa.AddToken(user.ID, "reader", 0, "tx").Secret
			stranger := w.vexa.AddToken(w.vexa.AddUser("stranger@acme.example", "").ID, "theirs", 0, "bot", "tx").Secret
			w.vexa.GatewayWire().Forget()
			for range 3 {
				res := w.program().get("/bots", "X-API-Key", own)
				if res.status != http.StatusOK {
					t.Fatalf("%d %s", res.status, res.body)
				}
				if at := res.header.Get("Deprecation"); !strings.HasPrefix(at, "@") || len(at) < 11 || !strings.Contains(res.header.Get("Link"), "<"+w.public+`/sso/tokens>; rel="deprecation"`) {
					t.Errorf("it does not say that this will not last: %v", res.header)
				}
			}
			shown := 0
			for _, r := range w.vexa.GatewayWire().Requests() {
				switch key := r.Get("X-API-Key"); {
				case len(key) == 1 && key[0] == own && r.Target == "/auth/me":
					shown++
					if from := r.Get("X-Forwarded-For"); len(from) != 1 || from[0] != "127.0.0.1" { // V12: or a ban for bad keys would be ours
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
			if res := w.program().get("/bots", "X-API-Key", narrow); res.code() != "scope_missing" || !strings.Contains(res.body, "this Vexa key does not have") || res.header.Get("Deprecation") == "" {
				t.Errorf("more than the key may: %d %s", res.status, res.body)
			}
			conn, opened, err := w.socketAs(nil, "X-API-Key", own)
			must(t, err)
			if got := talk(t, conn, `{"action":"ping"}`); !strings.Contains(got, "pong") || opened.Header.Get("Deprecation") == "" {
				t.Errorf("a WebSocket: %s %v", got, opened.Header)
			}
			for name, key := range map[string]string{"a stranger's": stranger, "nobody's": "vxa_bot_0123456789012345678901234567"} {
				if res := w.program().get("/bots", "X-API-Key", key); res.code() != "native_key_refused" {
					t.Errorf("%s: %d %s", name, res.status, res.body)
				}
			}
			if n := w.metric("vexa_sso_native_key_requests_total", accountOf(t, w, oidctest.Ada)); n != 5 {
				t.Errorf("%v requests are counted", n)
			}
			w.clock.Advance(2 * time.Hour)
			w.program().get("/meetings", "X-API-Key", own)
			logs := w.logs.String()
			if n := strings.Count(logs, `"event":"native_key_used"`); n != 1 {
				t.Errorf("the audit says so %d times a day", n)
			}
			w.clock.Advance(24 * time.Hour)
			w.program().get("/meetings", "X-API-Key", own)
			for _, secret := range []string{own, narrow, stranger, ours} {
				if strings.Contains(w.logs.String(), secret) {
					t.Error("the log holds a key")
				}
			}
		})
	}
}

// S3: after Vexa was set up anew a user of the same number is somebody else, whose key opens nothing.
func TestNativeKeyOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, migrating)
	w.signIn(oidctest.Ada).get("/bots")
	user, _ := w.vexa.User(oidctest.Ada)
	key := w.vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	w.vexa.SetUserEmail(user.ID, "other@acme.example")
	if res := w.program().get("/bots", "X-API-Key", key); res.code() != "native_key_refused" {
		t.Errorf("%d %s", res.status, res.body)
	}
}

// E7: a key of a user whom two people share is nobody's: it may be that of the one who was suspended.
func TestNativeKeyOfASharedUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, migrating)
	w.signIn(oidctest.Ada).get("/bots")
	grace := w.signIn(oidctest.Grace)
	grace.get("/bots")
	user, _ := w.vexa.User(oidctest.Ada)
	account, err := w.accounts.Account(t.Context(), accountOf(t, w, oidctest.Grace))
	must(t, err)
	_, _, err = w.accounts.Pin(t.Context(), account.Subject, oidctest.Ada, "admin")
	must(t, err)
	grace.get("/bots")
	key := w.vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	must(t, w.accounts.Revoke(t.Context(), mapping.Revocation{Kind: mapping.RevokeAccount, Account: accountOf(t, w, oidctest.Ada), Reason: "left"}, "admin"))
	if res := w.program().get("/sso/whoami", "X-API-Key", key); res.code() != "native_key_refused" {
		t.Errorf("%d %s", res.status, res.body)
	}
}

// S5: nobody tells us that Vexa has deleted somebody's key, so a stream that was opened with one has an end of its own.
func TestStreamOfANativeKeyEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, migrating)
	w.signIn(oidctest.Ada).get("/bots")
	user, _ := w.vexa.User(oidctest.Ada)
	key := w.vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	conn, _, err := w.socketAs(nil, "X-API-Key", key)
	must(t, err)
	talk(t, conn, `{"action":"ping"}`)
	for range 7 { // its account is looked at afresh every minute, which gives it no more time
		w.clock.Advance(2 * time.Minute)
		w.proxy.Apply(mapping.Revocation{Kind: mapping.RevokeGrant, Account: accountOf(t, w, oidctest.Ada)})
		talk(t, conn, `{"action":"ping"}`)
		looked := w.clock.Now()
		w.waitFor("the next look", func() bool { return w.clock.Now().Sub(looked) > 1200*time.Millisecond })
	}
	w.clock.Advance(2 * time.Minute)
	if closed := hangsUp(t, conn); closed.Code != 4401 {
		t.Errorf("closed with %d", closed.Code)
	}
	if _, _, err := w.socketAs(nil, "X-API-Key", key); err != nil {
		t.Errorf("with the key again: %v", err)
	}
}

// S12: who makes Vexa keys up is made to wait before they have used up what everybody may ask the gateway.
func TestMadeUpNativeKeysWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, migrating)
	w.signIn(oidctest.Ada).get("/bots")
	user, _ := w.vexa.User(oidctest.Ada)
	key := w.vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	refused := 0
	for i := range 40 {
		if res := w.program().get("/bots", "X-API-Key", fmt.Sprintf("vxa_bot_%028d", i)); res.code() == "native_key_refused" {
			refused++
		}
	}
	if refused > 25 {
		t.Errorf("%d made-up keys were shown to the gateway", refused)
	}
	w.clock.Advance(time.Minute)
	if res := w.program().get("/bots", "X-API-Key", key); res.status != http.StatusOK {
		t.Errorf("a good one afterwards: %d %s", res.status, res.body)
	}
}

// S10: a gateway that cannot say whose a key is makes nobody a stranger.
func TestNativeKeyWhileGatewayIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, migrating)
	w.signIn(oidctest.Ada).get("/bots")
	user, _ := w.vexa.User(oidctest.Ada)
	key := w.vexa.AddToken(user.ID, "notebook", 0, "bot", "tx").Secret
	w.vexa.Set(vexatest.Gateway, vexatest.Down)
	if res := w.program().get("/bots", "X-API-Key", key); res.status != http.StatusServiceUnavailable || res.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", res.status, res.body)
	}
	w.vexa.Set(vexatest.Gateway, vexatest.Up)
	if res := w.program().get("/bots", "X-API-Key", key); res.status != http.StatusOK {
		t.Errorf("when it is back: %d %s", res.status, res.body)
	}
}
