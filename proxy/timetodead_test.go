package proxy_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/proxy/proxytest"
)

// lifetimes notes how long each kind of thing lived on after its end.
type lifetimes struct {
	mu   sync.Mutex
	took map[string][]time.Duration
}

func (l *lifetimes) note(what string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took[what] = append(l.took[what], took)
}

// report prints p50, p99 and the worst of each kind, and holds the worst to the promise.
func (l *lifetimes) report(t *testing.T) {
	for what, all := range l.took {
		slices.Sort(all)
		at := func(p float64) time.Duration { return all[int(p*float64(len(all)-1))].Round(time.Millisecond) }
		t.Logf("%s: dead after p50 %s, p99 %s, worst %s of %d", what, at(.5), at(.99), at(1), len(all))
		if worst := at(1); worst > oidctest.Promised {
			t.Errorf("%s lived on for %s", what, worst)
		}
	}
}

// S5: from the moment that an account is suspended to the last byte on an open WebSocket and event stream, to
// the end of a request whose body still arrives, to a refusal of the cookie, and to Vexa's word that the key
// is gone, a hundred times. While the Admin API is down, access here ends all the same, and the key dies when
// it is back. The times are printed.
func TestTimeToDead(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]struct {
		adminDown bool
		rounds    int
	}{"Admin API up": {false, 100}, "Admin API down": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := proxytest.Start(t)
			took := &lifetimes{took: map[string][]time.Duration{}}
			for range run.rounds {
				dieOnce(t, w, took, run.adminDown)
			}
			took.report(t)
		})
	}
}

// dieOnce opens something of each kind for Ada, suspends her, and notes when each was dead.
func dieOnce(t *testing.T, w *proxytest.World, took *lifetimes, adminDown bool) {
	t.Helper()
	b := w.SignIn(oidctest.Ada)
	socket := b.MustSocket()
	proxytest.Talk(t, socket, `{"action":"ping"}`) // the gateway opens it before it looks at the key
	events := b.Open("GET", "/agent/meeting/stream")
	uploads := map[string]net.Conn{"a short body that arrives": upload(t, w, b, 43)}
	if !adminDown { // or the gateway, which cannot check the key, may answer the long one by itself
		uploads["a long body that arrives"] = upload(t, w, b, 1<<20)
	}
	account := proxytest.AccountOf(t, w, oidctest.Ada)
	w.WaitFor("all to be under way", func() bool { return w.UnderWay() == 2+len(uploads) })
	if adminDown {
		w.Vexa.Set(vexatest.AdminAPI, vexatest.Down)
	}

	var dying sync.WaitGroup
	began := oidctest.StartStopwatch(t)
	dies := func(what string, wait func()) {
		dying.Go(func() {
			wait()
			took.note(what, began.Took())
		})
	}
	dies("WebSocket", func() {
		if closed := proxytest.HangsUp(t, socket); closed.Code != 4401 {
			t.Errorf("the WebSocket was closed with %d", closed.Code)
		}
	})
	dies("event stream", func() { events.Ends() })
	for what, conn := range uploads {
		dies(what, func() {
			if answer, _ := io.ReadAll(conn); !strings.HasPrefix(string(answer), "HTTP/1.1 401") {
				t.Errorf("%s was answered %q", what, answer)
			}
		})
	}
	_, err := w.Accounts.Suspend(t.Context(), account, mapping.Suspension{Reason: "left"}, "admin")
	proxytest.Must(t, err)
	dies("cookie", func() {
		w.WaitFor("the cookie to be refused", func() bool { return b.Get("/bots").Status != http.StatusOK })
	})
	keyDies := func() {
		w.WaitFor("the key to be deleted", func() bool { return len(w.Vexa.Tokens()) == 0 })
	}
	if !adminDown {
		dies("key at Vexa", keyDies)
	}
	dying.Wait()
	if adminDown {
		if len(w.Vexa.Tokens()) != 1 {
			t.Error("the key is gone although nobody could be asked to delete it")
		}
		w.Vexa.Set(vexatest.AdminAPI, vexatest.Up)
		keyDies()
	}
	proxytest.Must(t, w.Accounts.Resume(t.Context(), account, "admin"))
}

// upload begins a request with a body and sends part of it.
func upload(t *testing.T, w *proxytest.World, b *proxytest.Browser, length int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", w.Host)
	proxytest.Must(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /bots HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nOrigin: %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n{", w.Host, b.Cookie(), w.Public, length)
	proxytest.Must(t, err)
	return conn
}
