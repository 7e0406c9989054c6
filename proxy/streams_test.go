package proxy_test

import (
	"bufio"
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

// metric is the value of a metric with that label.
func (w *world) metric(name, label string) float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	must(w.t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if family.GetName() == name && l.GetValue() == label {
					return m.GetGauge().GetValue() + m.GetCounter().GetValue()
				}
			}
		}
	}
	w.t.Fatalf("there is no metric %s with %s", name, label)
	return 0
}

// events is an event stream as its reader sees it.
type events struct {
	*http.Response
	lines *bufio.Scanner
	t     testing.TB
}

// open opens an event stream as a page of this site does.
func (b *browser) open(method, path string) *events {
	b.w.t.Helper()
	return b.w.eventsAs(method, path, "Cookie", b.cookie(), "Origin", b.w.public)
}

// eventsAs opens an event stream with these headers.
func (w *world) eventsAs(method, path string, header ...string) *events {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.within(20*time.Second), method, w.public+path, nil)
	must(w.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Transport{}).RoundTrip(req) // a connection of its own
	must(w.t, err)
	w.t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		w.t.Fatalf("%s %s: %d %v", method, path, res.StatusCode, res.Header)
	}
	return &events{res, bufio.NewScanner(res.Body), w.t}
}

// expect reads lines.
func (e *events) expect(want ...string) {
	e.t.Helper()
	for _, line := range want {
		if !e.lines.Scan() || e.lines.Text() != line {
			e.t.Fatalf("read %q, %v, want %q", e.lines.Text(), e.lines.Err(), line)
		}
	}
}

// ends reads to the end and says whether there was one.
func (e *events) ends() bool {
	for e.lines.Scan() {
	}
	var timeout net.Error
	return !errors.As(e.lines.Err(), &timeout) || !timeout.Timeout()
}

// Events arrive when they are sent, and not when there are many of them; a stream that is silent is open all the same.
func TestEventStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn("ada@acme.example")
	live := b.open("GET", "/agent/meeting/stream")
	live.expect("event: ready", "data: {}", "")
	tools := b.open("GET", "/mcp") // its head has come, and no event yet
	if tools.Header.Get("Mcp-Session-Id") == "" {
		t.Errorf("%v", tools.Header)
	}
	must(t, w.vexa.WaitStreams(w.within(10*time.Second), "", 2))
	for _, note := range []string{"one", "two"} {
		if w.vexa.Emit("/agent/meeting/stream", "note", note) != 1 || w.vexa.Emit("/mcp", "", note) != 1 {
			t.Fatal("not emitted")
		}
		live.expect("event: note", "data: "+note, "")
		tools.expect("data: "+note, "")
	}
	chat := b.open("POST", "/agent/chat")
	if text, err := io.ReadAll(chat.Body); err != nil || !strings.Contains(string(text), "event: done") {
		t.Errorf("%s %v", text, err)
	}
	if n := w.metric("vexa_sso_streams", "events"); n != 2 {
		t.Errorf("%v streams are open", n)
	}

	// The client's end ends the gateway's.
	live.Body.Close()
	must(t, w.vexa.WaitStreams(w.within(10*time.Second), "/agent/meeting/stream", 0))
	w.vexa.Set(vexatest.Gateway, vexatest.Down) // and the gateway's end the client's
	if !tools.ends() {
		t.Error("the stream outlives the gateway")
	}
	w.waitFor("the places in the register", func() bool { return w.metric("vexa_sso_streams", "events") == 0 })
}

// S5, D9: streams end with the access that they need, and no others do.
func TestEventStreamsEndWithAccess(t *testing.T) {
	t.Parallel()
	account := func(w *world) string { return accountOf(w.t, w, "ada@acme.example") }
	revoke := func(w *world, r mapping.Revocation) {
		r.Account = account(w)
		must(w.t, w.accounts.Revoke(w.t.Context(), r, "admin"))
	}
	// Two streams of one session: one needs bot or tx, the other is denied by a rule of some cases. And one of another session.
	for _, tc := range []struct {
		name                string
		end                 func(w *world, b *browser)
		after               time.Duration
		live, mcp, otherMCP bool // is open afterwards
	}{
		{"sign-out", func(_ *world, b *browser) { b.send("POST", "/sso/logout", "", "Origin", b.w.public) }, 0, false, false, true},
		{"the account is suspended", func(w *world, _ *browser) { revoke(w, mapping.Revocation{Kind: mapping.RevokeAccount}) }, 0, false, false, false},
		{"a grant is looked at again and still covers all", func(w *world, _ *browser) {
			rules := staffRules()
			rules[0].Grant.Scopes = []string{"tx"}
			w.replaceRules(rules)
			revoke(w, mapping.Revocation{Kind: mapping.RevokeGrant})
		}, 0, true, true, true},
		{"a grant that covers nothing any more", func(w *world, _ *browser) {
			rules := staffRules()
			rules[0].Grant.Scopes = []string{"browser"}
			w.replaceRules(rules)
			revoke(w, mapping.Revocation{Kind: mapping.RevokeGrant})
		}, 0, false, false, false},
		{"a grant that denies one route", func(w *world, _ *browser) {
			rules := staffRules()
			rules[0].Grant.DenyRoutes = []string{"GET /agent/{rest...}"}
			w.replaceRules(rules)
		}, time.Second, false, true, true},
		{"the session is over", func(w *world, _ *browser) { w.clock.Advance(25 * time.Hour) }, time.Second, false, false, false},
		{"the store stays away", func(w *world, _ *browser) { w.away.Store(true) }, time.Second, false, false, false},
		{"entries of the log were missed, a sign-out among them", func(w *world, b *browser) {
			sessions, err := w.store.SessionsOf(w.t.Context(), account(w))
			must(w.t, err)
			must(w.t, w.store.Update(w.t.Context(), func(tx mapping.Tx) error { return tx.DeleteSession(sessions[0].ID) }))
			w.proxy.Apply(mapping.Revocation{Kind: mapping.RevokeEverything})
		}, 0, false, false, true},
		{"the program stops", func(w *world, _ *browser) { w.proxy.CutStreams() }, 0, false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b, other := w.signIn("ada@acme.example"), w.signIn("ada@acme.example")
			live, mcp, otherMCP := b.open("GET", "/agent/meeting/stream"), b.open("GET", "/mcp"), other.open("GET", "/mcp")
			must(t, w.vexa.WaitStreams(w.within(10*time.Second), "", 3))
			live.expect("event: ready", "data: {}", "")

			tc.end(w, b)
			ended := proxytest.Start(t)
			for _, s := range []struct {
				events *events
				open   bool
			}{{live, tc.live}, {mcp, tc.mcp}, {otherMCP, tc.otherMCP}} {
				if !s.open && (!s.events.ends() || ended.Took() > proxytest.Promised+tc.after) {
					t.Errorf("%s has not ended after %s", s.events.Request.URL.Path, ended.Took())
				}
			}
			must(t, w.vexa.WaitStreams(w.within(10*time.Second), "", count(tc.live, tc.mcp, tc.otherMCP)))
			if tc.live && tc.mcp { // nothing ends that may go on: look for longer than it takes to look
				w.waitFor("the recheck", func() bool { return ended.Took() > proxytest.Promised+500*time.Millisecond })
			}
			if w.vexa.Emit("/agent/meeting/stream", "", "x") != count(tc.live) || w.vexa.Emit("/mcp", "", "x") != count(tc.mcp, tc.otherMCP) {
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
	w := newWorld(t, func(o *worldOptions) { o.gateway = g.URL })
	b := w.signIn("ada@acme.example")
	client, err := net.Dial("tcp", w.host)
	must(t, err)
	defer client.Close()
	_, err = io.WriteString(client, w.fill("GET /mcp HTTP/1.1\r\n"+signedIn+"\r\n", b.cookie(), ""))
	must(t, err)
	select {
	case <-full:
	case <-time.After(oidctest.Patience):
		t.Fatal("100 MiB went to a client that does not read")
	}
	revoked, account := proxytest.Start(t), accountOf(t, w, "ada@acme.example")
	w.waitFor("the place in the register", func() bool {
		w.proxy.Apply(mapping.Revocation{Kind: mapping.RevokeAccount, Account: account}) // again and again, which gives it no more time
		return w.metric("vexa_sso_streams", "events") == 0
	})
	if took := revoked.Took(); took > proxytest.Promised+time.Second {
		t.Errorf("it took %s", took)
	}
	<-ended
	must(t, client.SetDeadline(time.Now().Add(oidctest.Patience)))
	var timeout net.Error
	if _, err := io.Copy(io.Discard, client); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection stays open")
	}
}

// S5: once the program stops, no stream begins any more.
func TestNoStreamBeginsWhileStopping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn("ada@acme.example")
	b.get("/bots")
	w.proxy.CutStreams()
	if res := b.get("/mcp"); res.status != http.StatusServiceUnavailable || res.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", res.status, res.body)
	}
	if res := b.get("/bots"); res.status != http.StatusOK {
		t.Errorf("a request: %d %s", res.status, res.body)
	}
}

// S5: over HTTP/2 many streams share a connection: one is cut, also if it is not read, and the others are none the worse.
func TestEventStreamsOverHTTP2(t *testing.T) {
	t.Parallel()
	g := startGateway(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		for n := 0; n < 100 && r.Method == http.MethodGet && r.URL.Path == "/mcp" && r.Context().Err() == nil; n++ {
			_, _ = io.WriteString(rw, "data: "+strings.Repeat("x", 1<<20)+"\n\n")
		}
	})
	w := newWorld(t, func(o *worldOptions) { o.gateway = g.URL })
	b, other := w.signIn("ada@acme.example"), w.signIn("grace@acme.example")
	server := httptest.NewUnstartedServer(w.proxy)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	ask := func(b *browser, path string) *http.Response {
		req, err := http.NewRequestWithContext(w.within(20*time.Second), "GET", server.URL+path, nil)
		must(t, err)
		req.Host = w.host
		req.Header.Set("Cookie", b.cookie())
		res, err := server.Client().Do(req)
		must(t, err)
		t.Cleanup(func() { res.Body.Close() })
		if res.ProtoMajor != 2 || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %d", path, res.Proto, res.StatusCode)
		}
		return res
	}
	read, unread, others := ask(b, "/mcp"), ask(b, "/mcp"), ask(other, "/mcp")
	_, err := io.CopyN(io.Discard, others.Body, 1<<20)
	must(t, err)
	w.proxy.Apply(mapping.Revocation{Kind: mapping.RevokeAccount, Account: accountOf(t, w, "ada@acme.example")})
	revoked := proxytest.Start(t)
	if _, err := io.Copy(io.Discard, read.Body); err == nil || revoked.Took() > proxytest.Promised {
		t.Errorf("%v after %s", err, revoked.Took())
	}
	w.waitFor("the places in the register", func() bool { return w.metric("vexa_sso_streams", "events") == 1 })
	if took := revoked.Took(); took > proxytest.Promised+time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := io.Copy(io.Discard, unread.Body); err == nil {
		t.Error("the stream that nobody read has come to a good end")
	}
	if n, err := io.Copy(io.Discard, others.Body); err != nil || n < 90<<20 {
		t.Errorf("another account's stream ends after %d bytes: %v", n, err)
	}
}
