package upstream_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// Events arrive when they are sent, and not when there are many of them; a stream that is
// silent is open all the same.
func TestEventStreams(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	live := b.Open("GET", "/agent/meeting/stream")
	live.Expect("event: ready", "data: {}", "")
	tools := b.Open("GET", "/mcp") // its head has come, and no event yet
	if tools.Header.Get("Mcp-Session-Id") == "" {
		t.Errorf("%v", tools.Header)
	}
	proxytest.Must(t, w.Vexa.WaitStreams(w.Within(10*time.Second), "", 2))
	for _, note := range []string{"one", "two"} {
		if w.Vexa.Emit("/agent/meeting/stream", "note", note) != 1 || w.Vexa.Emit("/mcp", "", note) != 1 {
			t.Fatal("not emitted")
		}
		live.Expect("event: note", "data: "+note, "")
		tools.Expect("data: "+note, "")
	}
	chat := b.Open("POST", "/agent/chat")
	if text, err := io.ReadAll(chat.Body); err != nil || !strings.Contains(string(text), "event: done") {
		t.Errorf("%s %v", text, err)
	}
	if n := w.Metric("vexa_sso_streams", "events"); n != 2 {
		t.Errorf("%v streams are open", n)
	}

	// The client's end ends the gateway's.
	live.Body.Close()
	proxytest.Must(t, w.Vexa.WaitStreams(w.Within(10*time.Second), "/agent/meeting/stream", 0))
	w.Vexa.Set(vexatest.Gateway, vexatest.Down) // and the gateway's end the client's
	if !tools.Ends() {
		t.Error("the stream outlives the gateway")
	}
	w.WaitFor("the places in the register", func() bool {
		return w.Metric("vexa_sso_streams", "events") == 0
	})
}

// S5, D9: streams end with the access that they need, and no others do.
func TestEventStreamsEndWithAccess(t *testing.T) {
	t.Parallel()
	account := func(w *proxytest.World) string { return proxytest.AccountOf(w.T, w, "ada@acme.example") }
	revoke := func(w *proxytest.World, r mapping.Revocation) {
		r.Account = account(w)
		proxytest.Must(w.T, w.Accounts.Revoke(w.T.Context(), r, "admin"))
	}
	// Two streams of one session: one needs bot or tx, the other is denied by a rule of some cases.
	// And one of another session.
	for _, tc := range []struct {
		name                string
		end                 func(w *proxytest.World, b *proxytest.Browser)
		after               time.Duration
		live, mcp, otherMCP bool // is open afterwards
	}{
		{"sign-out", func(_ *proxytest.World, b *proxytest.Browser) {
			b.Send("POST", "/sso/logout", "", "Origin", b.W.Public)
		}, 0, false, false, true},
		{"the account is suspended", func(w *proxytest.World, _ *proxytest.Browser) {
			revoke(w, mapping.Revocation{Kind: mapping.RevokeAccount})
		}, 0, false, false, false},
		{"a grant is looked at again and still covers all", func(w *proxytest.World, _ *proxytest.Browser) {
			rules := proxytest.StaffRules()
			rules[0].Grant.Scopes = []string{"tx"}
			w.ReplaceRules(rules)
			revoke(w, mapping.Revocation{Kind: mapping.RevokeGrant})
		}, 0, true, true, true},
		{"a grant that covers nothing any more", func(w *proxytest.World, _ *proxytest.Browser) {
			rules := proxytest.StaffRules()
			rules[0].Grant.Scopes = []string{"browser"}
			w.ReplaceRules(rules)
			revoke(w, mapping.Revocation{Kind: mapping.RevokeGrant})
		}, 0, false, false, false},
		{"a grant that denies one route", func(w *proxytest.World, _ *proxytest.Browser) {
			rules := proxytest.StaffRules()
			rules[0].Grant.DenyRoutes = []string{"GET /agent/{rest...}"}
			w.ReplaceRules(rules)
		}, time.Second, false, true, true},
		{"the session is over", func(w *proxytest.World, _ *proxytest.Browser) {
			w.Clock.Advance(25 * time.Hour)
		}, time.Second, false, false, false},
		{"the store stays away", func(w *proxytest.World, _ *proxytest.Browser) {
			w.Away.Store(true)
		}, time.Second, false, false, false},
		{
			"entries of the log were missed, a sign-out among them",
			func(w *proxytest.World, b *proxytest.Browser) {
				sessions, err := w.Store.SessionsOf(w.T.Context(), account(w))
				proxytest.Must(w.T, err)
				proxytest.Must(w.T, w.Store.Update(w.T.Context(), func(tx mapping.Tx) error {
					return tx.DeleteSession(sessions[0].ID)
				}))
				w.Proxy.Apply(mapping.Revocation{Kind: mapping.RevokeEverything})
			}, 0, false, false, true,
		},
		{"the program stops", func(w *proxytest.World, _ *proxytest.Browser) {
			w.Proxy.CutStreams()
		}, 0, false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := proxytest.Start(t)
			b, other := w.SignIn("ada@acme.example"), w.SignIn("ada@acme.example")
			live, mcp, otherMCP := b.Open("GET", "/agent/meeting/stream"), b.Open("GET", "/mcp"),
				other.Open("GET", "/mcp")
			proxytest.Must(t, w.Vexa.WaitStreams(w.Within(10*time.Second), "", 3))
			live.Expect("event: ready", "data: {}", "")

			tc.end(w, b)
			ended := oidctest.StartStopwatch(t)
			for _, s := range []struct {
				events *proxytest.Events
				open   bool
			}{{live, tc.live}, {mcp, tc.mcp}, {otherMCP, tc.otherMCP}} {
				if !s.open && (!s.events.Ends() || ended.Took() > oidctest.Promised+tc.after) {
					t.Errorf("%s has not ended after %s", s.events.Request.URL.Path, ended.Took())
				}
			}
			proxytest.Must(t,
				w.Vexa.WaitStreams(w.Within(10*time.Second), "", count(tc.live, tc.mcp, tc.otherMCP)))
			if tc.live && tc.mcp { // nothing ends that may go on: look for longer than it takes to look
				w.WaitFor("the recheck", func() bool {
					return ended.Took() > oidctest.Promised+500*time.Millisecond
				})
			}
			if w.Vexa.Emit("/agent/meeting/stream", "", "x") != count(tc.live) ||
				w.Vexa.Emit("/mcp", "", "x") != count(tc.mcp, tc.otherMCP) {
				t.Error("a stream has ended that may go on")
			}
		})
	}
}

func count(those ...bool) (n int) {
	for _, one := range those {
		if one {
			n++
		}
	}
	return n
}

// S5: an event stream ends also when its client has stopped reading.
func TestEventStreamIsCutHard(t *testing.T) {
	t.Parallel()
	full, ended := make(chan struct{}), make(chan struct{})
	g := startGateway(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		event := []byte("data: " + strings.Repeat("x", 1<<20) + "\n\n")
		out := http.NewResponseController(rw)
		for range 100 {
			_ = out.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
			if _, err := rw.Write(event); err != nil {
				close(full)
				break
			}
		}
		<-r.Context().Done()
		close(ended)
	})
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = g.URL })
	b := w.SignIn("ada@acme.example")
	client, err := net.Dial("tcp", w.Host)
	proxytest.Must(t, err)
	defer client.Close()
	_, err = io.WriteString(client, w.Fill("GET /mcp HTTP/1.1\r\n"+proxytest.SignedIn+"\r\n", b.Cookie(), ""))
	proxytest.Must(t, err)
	select {
	case <-full:
	case <-time.After(oidctest.Patience):
		t.Fatal("100 MiB went to a client that does not read")
	}
	revoked, account := oidctest.StartStopwatch(t), proxytest.AccountOf(t, w, "ada@acme.example")
	w.WaitFor("the place in the register", func() bool {
		// again and again, which gives it no more time
		w.Proxy.Apply(mapping.Revocation{Kind: mapping.RevokeAccount, Account: account})
		return w.Metric("vexa_sso_streams", "events") == 0
	})
	if took := revoked.Took(); took > oidctest.Promised+time.Second {
		t.Errorf("it took %s", took)
	}
	<-ended
	proxytest.Must(t, client.SetDeadline(time.Now().Add(oidctest.Patience)))
	var timeout net.Error
	if _, err := io.Copy(io.Discard, client); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection stays open")
	}
}

// S5: once the program stops, no stream begins any more.
func TestNoStreamBeginsWhileStopping(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	b.Get("/bots")
	w.Proxy.CutStreams()
	if res := b.Get("/mcp"); res.Status != http.StatusServiceUnavailable ||
		res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if res := b.Get("/bots"); res.Status != http.StatusOK {
		t.Errorf("a request: %d %s", res.Status, res.Body)
	}
}

// S5: over HTTP/2 many streams share a connection: one is cut, also if it is not read, and the
// others are none the worse.
func TestEventStreamsOverHTTP2(t *testing.T) {
	t.Parallel()
	g := startGateway(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		for n := 0; n < 100 && r.Method == http.MethodGet && r.URL.Path == "/mcp" &&
			r.Context().Err() == nil; n++ {
			_, _ = io.WriteString(rw, "data: "+strings.Repeat("x", 1<<20)+"\n\n")
		}
	})
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = g.URL })
	b, other := w.SignIn("ada@acme.example"), w.SignIn("grace@acme.example")
	server := httptest.NewUnstartedServer(w.Proxy)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	ask := func(b *proxytest.Browser, path string) *http.Response {
		req, err := http.NewRequestWithContext(w.Within(20*time.Second), "GET", server.URL+path, nil)
		proxytest.Must(t, err)
		req.Host = w.Host
		req.Header.Set("Cookie", b.Cookie())
		res, err := server.Client().Do(req)
		proxytest.Must(t, err)
		t.Cleanup(func() { res.Body.Close() })
		if res.ProtoMajor != 2 || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %d", path, res.Proto, res.StatusCode)
		}
		return res
	}
	read, unread, others := ask(b, "/mcp"), ask(b, "/mcp"), ask(other, "/mcp")
	_, err := io.CopyN(io.Discard, others.Body, 1<<20)
	proxytest.Must(t, err)
	w.Proxy.Apply(mapping.Revocation{
		Kind: mapping.RevokeAccount, Account: proxytest.AccountOf(t, w, "ada@acme.example"),
	})
	revoked := oidctest.StartStopwatch(t)
	if _, err := io.Copy(io.Discard, read.Body); err == nil || revoked.Took() > oidctest.Promised {
		t.Errorf("%v after %s", err, revoked.Took())
	}
	w.WaitFor("the places in the register", func() bool {
		return w.Metric("vexa_sso_streams", "events") == 1
	})
	if took := revoked.Took(); took > oidctest.Promised+time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := io.Copy(io.Discard, unread.Body); err == nil {
		t.Error("the stream that nobody read has come to a good end")
	}
	if n, err := io.Copy(io.Discard, others.Body); err != nil || n < 90<<20 {
		t.Errorf("another account's stream ends after %d bytes: %v", n, err)
	}
}
