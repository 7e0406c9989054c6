package proxy_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/proxy/proxytest"
)

// S5: from the moment that an account is suspended to the last byte on an open WebSocket and event stream, to
// a refusal of the cookie, and to Vexa's word that the key is gone. While the Admin API is down, access here
// ends all the same, and the key dies when it is back. The times are printed.
func TestTimeToDead(t *testing.T) {
	t.Parallel()
	for _, adminDown := range []bool{false, true} {
		name := "Admin API up"
		if adminDown {
			name = "Admin API down"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := proxytest.Start(t)
			b := w.SignIn("ada@acme.example")
			socket := b.MustSocket()
			proxytest.Talk(t, socket, `{"action":"ping"}`) // the gateway opens it before it looks at the key
			events := b.Open("GET", "/agent/meeting/stream")
			account := proxytest.AccountOf(t, w, "ada@acme.example")
			if adminDown {
				w.Vexa.Set(vexatest.AdminAPI, vexatest.Down)
			}

			var mu sync.Mutex
			took := map[string]time.Duration{}
			var dying sync.WaitGroup
			began := oidctest.StartStopwatch(t)
			dies := func(what string, wait func()) {
				dying.Go(func() {
					wait()
					mu.Lock()
					defer mu.Unlock()
					took[what] = began.Took()
				})
			}
			dies("the WebSocket", func() {
				if closed := proxytest.HangsUp(t, socket); closed.Code != 4401 {
					t.Errorf("the WebSocket was closed with %d", closed.Code)
				}
			})
			dies("the event stream", func() { events.Ends() })
			proxytest.Must(t, w.Accounts.Revoke(t.Context(),
				mapping.Revocation{Kind: mapping.RevokeAccount, Account: account, Reason: "left"}, "admin"))
			dies("the cookie", func() {
				w.WaitFor("the cookie to be refused", func() bool {
					return b.Get("/bots").Status != http.StatusOK
				})
			})
			if !adminDown {
				dies("the key at Vexa", func() {
					w.WaitFor("the key to be deleted", func() bool { return len(w.Vexa.Tokens()) == 0 })
				})
			}
			dying.Wait()
			for what, d := range took {
				t.Logf("%s was dead after %s", what, d.Round(time.Millisecond))
				if d > oidctest.Promised {
					t.Errorf("%s lived on for %s", what, d)
				}
			}
			if adminDown {
				if len(w.Vexa.Tokens()) != 1 {
					t.Error("the key is gone although nobody could be asked to delete it")
				}
				w.Vexa.Set(vexatest.AdminAPI, vexatest.Up)
				w.WaitFor("the key to be deleted when the Admin API is back", func() bool {
					return len(w.Vexa.Tokens()) == 0
				})
			}
		})
	}
}
