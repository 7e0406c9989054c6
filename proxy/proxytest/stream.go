package proxytest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"vexa-sso/oidc/oidctest"
)

// SocketAs opens a WebSocket as a program does.
func (w *World) SocketAs(protocols []string, header ...string) (*websocket.Conn, *http.Response, error) {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	conn, res, err := websocket.Dial(w.Within(10*time.Second), w.Public+"/ws",
		&websocket.DialOptions{HTTPClient: w.Client(nil), HTTPHeader: h, Subprotocols: protocols})
	if err == nil {
		w.T.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, res, err
}

func (w *World) MustSocketAs(header ...string) *websocket.Conn {
	w.T.Helper()
	conn, _, err := w.SocketAs(nil, header...)
	Must(w.T, err)
	return conn
}

// Metric returns the value of a metric with that label; without one for the empty one.
func (w *World) Metric(name, label string) float64 {
	w.T.Helper()
	families, err := w.Metrics.Gather()
	Must(w.T, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			found := label == "" && len(m.GetLabel()) == 0
			for _, l := range m.GetLabel() {
				found = found || l.GetValue() == label
			}
			if found && family.GetName() == name {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	w.T.Fatalf("there is no metric %s with %s", name, label)
	return 0
}

// Open opens an event stream as a page of this site does.
func (b *Browser) Open(method, path string) *Events {
	b.W.T.Helper()
	return b.W.EventsAs(method, path, "Cookie", b.Cookie(), "Origin", b.W.Public)
}

// EventsAs opens an event stream with these headers.
func (w *World) EventsAs(method, path string, header ...string) *Events {
	w.T.Helper()
	req, err := http.NewRequestWithContext(w.Within(20*time.Second), method, w.Public+path, nil)
	Must(w.T, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Transport{}).RoundTrip(req) // a connection of its own
	Must(w.T, err)
	w.T.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK ||
		!strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		w.T.Fatalf("%s %s: %d %v", method, path, res.StatusCode, res.Header)
	}
	return &Events{res, bufio.NewScanner(res.Body), w.T}
}

// Socket opens a WebSocket as a page of this site does.
func (b *Browser) Socket(path string, protocols ...string) (*websocket.Conn, *http.Response, error) {
	conn, res, err := websocket.Dial(b.W.Within(10*time.Second), b.W.Public+path, &websocket.DialOptions{
		HTTPHeader:   http.Header{"Cookie": {b.Cookie()}, "Origin": {b.W.Public}},
		Subprotocols: protocols, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err == nil {
		conn.SetReadLimit(4 << 20)
		b.W.T.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, res, err
}

func (b *Browser) MustSocket() *websocket.Conn {
	b.W.T.Helper()
	conn, _, err := b.Socket("/ws")
	Must(b.W.T, err)
	return conn
}

// Within returns a context with a timeout, which ends with the test.
func (w *World) Within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(w.T.Context(), max(d, oidctest.Patience))
	w.T.Cleanup(cancel)
	return ctx
}

// RawSocket opens a WebSocket and returns the bare connection after the response headers.
func (b *Browser) RawSocket(behind string) (net.Conn, *bufio.Reader) {
	b.W.T.Helper()
	conn, err := net.Dial("tcp", b.W.Host)
	Must(b.W.T, err)
	b.W.T.Cleanup(func() { conn.Close() })
	Must(b.W.T, conn.SetDeadline(time.Now().Add(oidctest.Patience)))
	_, err = io.WriteString(conn,
		b.W.Fill("GET /ws HTTP/1.1\r\n"+SignedIn+"Origin: {public}\r\nConnection: Upgrade\r\nUpgrade: "+
			"websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
			b.Cookie(), "")+behind)
	Must(b.W.T, err)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	Must(b.W.T, err)
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Set-Cookie") != "" {
		b.W.T.Fatalf("answered %d %v", res.StatusCode, res.Header)
	}
	return conn, r
}

// Events is an open event stream.
type Events struct {
	*http.Response
	lines *bufio.Scanner
	t     testing.TB
}

// Expect reads lines and compares them.
func (e *Events) Expect(want ...string) {
	e.t.Helper()
	for _, line := range want {
		if !e.lines.Scan() || e.lines.Text() != line {
			e.t.Fatalf("read %q, %v, want %q", e.lines.Text(), e.lines.Err(), line)
		}
	}
}

// Ends reads to the end and reports whether there was one.
func (e *Events) Ends() bool {
	for e.lines.Scan() {
	}
	var timeout net.Error
	return !errors.As(e.lines.Err(), &timeout) || !timeout.Timeout()
}

// Talk sends a text on a socket and returns the answer.
func Talk(t testing.TB, conn *websocket.Conn, text string) string {
	t.Helper()
	ctx := oidctest.Within(t)
	Must(t, conn.Write(ctx, websocket.MessageText, []byte(text)))
	_, answer, err := conn.Read(ctx)
	Must(t, err)
	return string(answer)
}

// HangsUp reads a socket until it is closed and returns the close frame's code and reason; -1 without a close
// frame.
func HangsUp(t testing.TB, conn *websocket.Conn) websocket.CloseError {
	t.Helper()
	ctx := oidctest.Within(t)
	for {
		_, _, err := conn.Read(ctx)
		var closed websocket.CloseError
		switch {
		case err == nil:
		case errors.As(err, &closed):
			return closed
		case ctx.Err() != nil:
			t.Fatal("the socket stays open")
		default:
			return websocket.CloseError{Code: -1, Reason: err.Error()}
		}
	}
}

// UnderWay returns how many requests and streams of callers are under way.
func (w *World) UnderWay() int {
	w.T.Helper()
	return int(w.Metric("vexa_sso_streams", "transfer") + w.Metric("vexa_sso_streams", "events") +
		w.Metric("vexa_sso_streams", "websocket"))
}
