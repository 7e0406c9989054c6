package proxy_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/proxy/proxytest"
)

// S5: from the moment that an account is suspended to the last byte on an open WebSocket and event stream, to a refusal of the
// cookie, and to Vexa's word that the key is gone. While the Admin API is down, access here ends all the same, and the key dies
// when it is back. The times are printed.
func TestTimeToDead(t *testing.T) {
	t.Parallel()
	for _, adminDown := range []bool{false, true} {
		name := "Admin API up"
		if adminDown {
			name = "Admin API down"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.signIn("ada@acme.example")
			socket := b.mustSocket()
			talk(t, socket, `{"action":"ping"}`) // the gateway opens it before it looks at the key
			events := b.open("GET", "/agent/meeting/stream")
			account := accountOf(t, w, "ada@acme.example")
			if adminDown {
				w.vexa.Set(vexatest.AdminAPI, vexatest.Down)
			}

			var mu sync.Mutex
			took := map[string]time.Duration{}
			var dying sync.WaitGroup
			began := proxytest.Start(t)
			dies := func(what string, wait func()) {
				dying.Go(func() {
					wait()
					mu.Lock()
					defer mu.Unlock()
					took[what] = began.Took()
				})
			}
			dies("the WebSocket", func() {
				if closed := hangsUp(t, socket); closed.Code != 4401 {
					t.Errorf("the WebSocket was closed with %d", closed.Code)
				}
			})
			dies("the event stream", func() { events.ends() })
			must(t, w.accounts.Revoke(t.Context(), mapping.Revocation{Kind: mapping.RevokeAccount, Account: account, Reason: "left"}, "admin"))
			dies("the cookie", func() {
				w.waitFor("the cookie to be refused", func() bool { return b.get("/bots").status != http.StatusOK })
			})
			if !adminDown {
				dies("the key at Vexa", func() {
					w.waitFor("the key to be deleted", func() bool { return len(w.vexa.Tokens()) == 0 })
				})
			}
			dying.Wait()
			for what, d := range took {
				t.Logf("%s was dead after %s", what, d.Round(time.Millisecond))
				if d > proxytest.Promised {
					t.Errorf("%s lived on for %s", what, d)
				}
			}
			if adminDown {
				if len(w.vexa.Tokens()) != 1 {
					t.Error("the key is gone although nobody could be asked to delete it")
				}
				w.vexa.Set(vexatest.AdminAPI, vexatest.Up)
				w.waitFor("the key to be deleted when the Admin API is back", func() bool { return len(w.vexa.Tokens()) == 0 })
			}
		})
	}
}
