package upstream_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// V1, S1: WebSockets pass with what Vexa says on them, and the key reaches it as a
// header and in no other way.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{vexatest.Generation012, vexatest.Generation010} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			w := proxytest.Start(t, func(o *proxytest.Options) { o.Generation = generation })
			b := w.SignIn("ada@acme.example")
			if res := b.Send("POST", "/bots", `{"platform":"google_meet","native_meeting_id":"abc"}`,
				"Content-Type", "application/json", "Origin", w.Public); res.Status != http.StatusCreated {
				t.Fatal(res.Status, res.Body)
			}
			w.Vexa.GatewayWire().Forget()
			conn, res, err := b.Socket("/ws?api_key=vxa_bot_victim&x=1&API_KEY=y")
			proxytest.Must(t, err)
			if answer := proxytest.Talk(t, conn, `{"action":"ping"}`); answer != `{"type": "pong"}` {
				t.Error(answer)
			}
			if answer := proxytest.Talk(
				t, conn, `{"action":"subscribe","meetings":[{"platform":"google_meet","native_id":"abc"}]}`,
			); !strings.HasPrefix(answer, `{"type": "subscribed"`) {
				t.Error(answer)
			}
			said := `{"type":"transcript","text":"` + strings.Repeat("so to say ", 300_000) + `"}`
			if n := w.Vexa.Publish("google_meet", "abc", said); n != 1 {
				t.Fatal(n)
			}
			if _, heard, err := conn.Read(w.Within(10 * time.Second)); err != nil || string(heard) != said {
				t.Errorf("%d bytes of %d, %v", len(heard), len(said), err)
			}
			if answer := proxytest.Talk(t, conn, `{"action":"`+strings.Repeat("x", 900_000)+`"}`); answer !=
				`{"type": "error", "error": "unknown_action"}` {
				t.Error(answer)
			}

			opening := w.Vexa.GatewayWire().Requests()[0]
			if opening.Target != "/ws?x=1" || len(opening.Get("X-API-Key")) != 1 ||
				opening.Get("X-API-Key")[0] != w.KeyOf("ada@acme.example") ||
				len(opening.Get("Cookie")) != 0 {
				t.Errorf("the gateway was asked\n%s", opening.Raw)
			}
			if res.Header.Get("Server") != "" || res.Header.Get("X-Trace-Id") == "" {
				t.Errorf("answered with %v", res.Header)
			}
			proxytest.Must(t, conn.Close(websocket.StatusNormalClosure, ""))
			proxytest.Must(t, w.Vexa.WaitStreams(w.Within(10*time.Second), "/ws", 0))
			w.WaitFor("the line in the log", func() bool {
				return strings.Contains(w.Logs.String(), `"route":"/ws","status":101`)
			})
		})
	}
}

// S5, V14: when access ends, the client is told so with Vexa's close code, soon, and Vexa's side is closed
// too. S10: it is told something else when the trouble is ours.
func TestWebSocketEndsWithAccess(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		code  websocket.StatusCode
		end   func(w *proxytest.World, b *proxytest.Browser)
		after time.Duration // it is noticed in the next round
		other bool          // another session of the account goes on
	}{
		{"sign-out", 4401, func(w *proxytest.World, b *proxytest.Browser) {
			b.Send("POST", "/sso/logout", "", "Origin", w.Public)
		}, 0, true},
		{"the session is ended", 4401, func(w *proxytest.World, b *proxytest.Browser) {
			account := proxytest.AccountOf(w.T, w, "ada@acme.example")
			sessions, err := w.Store.SessionsOf(w.T.Context(), account)
			proxytest.Must(w.T, err)
			proxytest.Must(w.T, w.Accounts.Revoke(w.T.Context(), mapping.Revocation{
				Kind: mapping.RevokeSession, Account: account, Session: sessions[0].ID,
			}, "admin"))
		}, 0, true},
		{"the account is suspended", 4401, func(w *proxytest.World, _ *proxytest.Browser) {
			proxytest.Must(w.T, w.Accounts.Revoke(w.T.Context(), mapping.Revocation{
				Kind: mapping.RevokeAccount, Account: proxytest.AccountOf(w.T, w, "ada@acme.example"),
			}, "admin"))
		}, 0, false},
		{"no rule grants it any more", 4401, func(w *proxytest.World, _ *proxytest.Browser) {
			w.ReplaceRules(proxytest.StaffRules()[1:])
		}, time.Second, false},
		{"a rule denies the route", 4401, func(w *proxytest.World, _ *proxytest.Browser) {
			rules := proxytest.StaffRules()
			rules[0].Grant.DenyRoutes = []string{"GET /ws"}
			w.ReplaceRules(rules)
		}, time.Second, false},
		{"the session is over", 4401, func(w *proxytest.World, _ *proxytest.Browser) {
			w.Clock.Advance(24*time.Hour + time.Minute)
		}, time.Second, false},
		{"the store stays away", 4503, func(w *proxytest.World, _ *proxytest.Browser) {
			w.Away.Store(true)
		}, time.Second, false},
		{"the program stops", 1001, func(w *proxytest.World, _ *proxytest.Browser) {
			w.Proxy.CutStreams()
		}, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := proxytest.Start(t)
			b, other := w.SignIn("ada@acme.example"), w.SignIn("ada@acme.example")
			conn, otherConn := b.MustSocket(), other.MustSocket()
			proxytest.Talk(t, conn, `{"action":"ping"}`)
			proxytest.Talk(t, otherConn, `{"action":"ping"}`)
			proxytest.Must(t, w.Vexa.WaitStreams(w.Within(10*time.Second), "/ws", 2))

			tc.end(w, b)
			ended := oidctest.StartStopwatch(t)
			closed := proxytest.HangsUp(t, conn)
			if closed.Code != tc.code || closed.Reason == "" {
				t.Errorf("closed with %d %q, want %d", closed.Code, closed.Reason, tc.code)
			}
			if took := ended.Took(); took > oidctest.Promised+tc.after {
				t.Errorf("it took %s", took)
			}
			if tc.other {
				proxytest.Must(t, w.Vexa.WaitStreams(w.Within(10*time.Second), "/ws", 1))
				proxytest.Talk(t, otherConn, `{"action":"ping"}`)
				return
			}
			if closed := proxytest.HangsUp(t, otherConn); closed.Code != tc.code {
				t.Errorf("the other session's socket was closed with %d", closed.Code)
			}
			proxytest.Must(t, w.Vexa.WaitStreams(w.Within(10*time.Second), "/ws", 0))
		})
	}
}

// S10: after the store was away, the same session opens the socket again.
func TestWebSocketComesBackWithTheStore(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	conn := b.MustSocket()
	w.Away.Store(true)
	if closed := proxytest.HangsUp(t, conn); closed.Code != 4503 {
		t.Errorf("closed with %d", closed.Code)
	}
	if _, res, err := b.Socket("/ws"); err == nil || res.StatusCode != http.StatusServiceUnavailable ||
		res.Header.Get("Retry-After") == "" {
		t.Errorf("meanwhile: %v", res)
	}
	w.Away.Store(false)
	proxytest.Talk(t, b.MustSocket(), `{"action":"ping"}`)
}

// S5: a stream that is just being opened when its session ends is not forgotten, although the
// revocation knew nothing of it.
func TestRevokedWhileOpening(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		t.Run(fmt.Sprintf("session in memory %t", known), func(t *testing.T) {
			t.Parallel()
			w := proxytest.Start(t)
			release := make(chan struct{})
			b := w.SignIn("ada@acme.example")
			mint := w.Vexa.Inject(vexatest.Fault{
				Method: "POST", Path: "/admin/users/1/tokens", Effect: vexatest.HoldBefore, Until: release,
			})
			result := make(chan error, 1)
			go func() {
				conn, _, err := b.Socket("/ws")
				if err == nil {
					_, _, err = conn.Read(w.T.Context())
				}
				result <- err
			}()
			proxytest.Must(t, mint.Wait(w.Within(10*time.Second), 1))
			account := proxytest.AccountOf(t, w, "ada@acme.example")
			if !known { // so that nothing remembers it for the request
				w.Proxy.Apply(mapping.Revocation{Kind: mapping.RevokeGrant, Account: account})
			}
			sessions, err := w.Store.SessionsOf(t.Context(), account)
			proxytest.Must(t, err)
			proxytest.Must(t, w.Accounts.Revoke(t.Context(), mapping.Revocation{
				Kind: mapping.RevokeSession, Account: account, Session: sessions[0].ID,
			}, "admin"))
			w.WaitFor("the revocation", func() bool {
				return b.Get("/sso/whoami").Status == http.StatusUnauthorized
			})
			close(release)
			select {
			case err := <-result:
				if !strings.Contains(err.Error(), "got 401") {
					t.Error(err)
				}
			case <-time.After(oidctest.Patience):
				t.Error("the socket of a session that has ended stays open")
			}
		})
	}
}

// Design section 5: a key that Vexa no longer knows ends the socket in a way that makes its client come back,
// and then it finds another key.
func TestWebSocketOnADeadKey(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	b.Get("/bots")
	dead := w.Vexa.Tokens()[0]
	w.Vexa.RevokeToken(dead.ID)

	w.Vexa.Set(vexatest.AdminAPI, vexatest.Down) // nobody can say what became of it
	conn := b.MustSocket()
	if closed := proxytest.HangsUp(t, conn); closed.Code != 4503 {
		t.Errorf("while the Admin API is down: closed with %d", closed.Code)
	}
	w.Vexa.Heal()
	conn = b.MustSocket()
	if closed := proxytest.HangsUp(t, conn); closed.Code != 4503 || closed.Reason == "" {
		t.Errorf("closed with %d %q", closed.Code, closed.Reason)
	}
	proxytest.Talk(t, b.MustSocket(), `{"action":"ping"}`)
	if calls := w.Vexa.Calls(); calls.TokensMinted != 2 {
		t.Errorf("%d keys were minted", calls.TokensMinted)
	}
	if tokens := w.Vexa.Tokens(); len(tokens) != 1 || tokens[0].ID == dead.ID {
		t.Errorf("%v", tokens)
	}
}

// V14: that Vexa cannot check the key just now costs no key.
func TestWebSocketWhileVexaCannotCheck(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn("ada@acme.example")
	b.Get("/bots")
	w.Vexa.Set(vexatest.AdminAPI, vexatest.Down)
	conn := b.MustSocket()
	if _, said, err := conn.Read(w.Within(10 * time.Second)); err != nil ||
		!strings.Contains(string(said), "auth_unavailable") {
		t.Errorf("%s %v", said, err)
	}
	if closed := proxytest.HangsUp(t, conn); closed.Code != 4503 {
		t.Errorf("closed with %d", closed.Code)
	}
	w.Vexa.Heal()
	proxytest.Talk(t, b.MustSocket(), `{"action":"ping"}`)
	if calls := w.Vexa.Calls(); calls.TokensMinted != 1 {
		t.Errorf("%d keys were minted", calls.TokensMinted)
	}
}

// S12: an account has so many streams and no more, of whatever kind, and another account is none the worse.
func TestStreamsPerAccount(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Config.Limits.StreamsPerAccount = 2 })
	b := w.SignIn("ada@acme.example")
	first := b.MustSocket()
	events := b.Open("GET", "/mcp")
	_, res, err := w.SignIn("ada@acme.example").Socket("/ws") // another session of the same account
	if err == nil || res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("a third: %v %v", res, err)
	}
	if res := b.Get("/mcp"); res.Status != http.StatusTooManyRequests || res.Code() != "rate_limited" {
		t.Errorf("a third: %d %s", res.Status, res.Body)
	}
	if res := b.Get("/bots"); res.Status != http.StatusOK {
		t.Errorf("what is no stream: %d", res.Status)
	}
	proxytest.Talk(t, w.SignIn("grace@acme.example").MustSocket(), `{"action":"ping"}`)

	proxytest.Must(t, first.Close(websocket.StatusNormalClosure, ""))
	w.WaitFor("a place", func() bool {
		conn, _, err := b.Socket("/ws")
		if err == nil {
			proxytest.Must(t, conn.CloseNow())
		}
		return err == nil
	})
	events.Body.Close()
	proxytest.Must(t, w.Vexa.WaitStreams(w.Within(10*time.Second), "/mcp", 0))
}

// gatewayDouble is a gateway that does what a test says: handle answers everything, or where that is nil,
// WebSockets are handed over as bare connections.
type gatewayDouble struct {
	*httptest.Server
	sockets chan net.Conn
}

func startGateway(t *testing.T, handle http.HandlerFunc) *gatewayDouble {
	g := &gatewayDouble{sockets: make(chan net.Conn, 10)}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handle != nil {
			handle(w, r)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSet-Cookie: jar=shared\r\nSec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
		if offered, _, _ := strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), ","); offered != "" {
			answer += "Sec-WebSocket-Protocol: " + offered + "\r\n"
		}
		_, _ = io.WriteString(conn, answer+"\r\n")
		t.Cleanup(func() { conn.Close() })
		g.sockets <- conn
	}))
	t.Cleanup(g.Close)
	return g
}

// serverFrame is a frame as a server sends it.
func serverFrame(first byte, payload string) []byte {
	switch n := len(payload); {
	case n < 126:
		return append([]byte{first, byte(n)}, payload...)
	case n < 1<<16:
		return append(binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(n)), payload...)
	default:
		return append(binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(n)), payload...)
	}
}

// expectBytes reads exactly what is wanted.
func expectBytes(t *testing.T, r io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(r, got)
	if !bytes.Equal(got[:n], want) || err != nil {
		t.Fatalf("read %.80q (%d bytes, %v), want %.80q (%d bytes)", got[:n], n, err, want, len(want))
	}
}

// expectClose reads a close frame, and the end behind it.
func expectClose(t *testing.T, r io.Reader, code uint16) {
	t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || head[0] != 0x88 ||
		binary.BigEndian.Uint16(head[2:]) != code {
		t.Fatalf("read % x, %v, want a close frame with %d", head, err, code)
	}
	if rest, err := io.ReadAll(r); err != nil || len(rest) != int(head[1])-2 {
		t.Fatalf("behind the close frame: %q, %v", rest, err)
	}
}

// What passes is passed as it is: bytes, in both directions, also those that come together with the opening.
func TestWebSocketBytes(t *testing.T) {
	t.Parallel()
	g := startGateway(t, nil)
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = g.URL })
	masked := "\x81\x85\x01\x02\x03\x04hello"
	client, r := w.SignIn("ada@acme.example").RawSocket(masked)
	gateway := <-g.sockets
	expectBytes(t, gateway, []byte(masked))

	long := serverFrame(0x82, strings.Repeat("0123456789abcdef", 10_000))
	for _, frame := range [][]byte{
		serverFrame(0x01, "frag"), serverFrame(0x89, "a ping between"), serverFrame(0x80, "ment"),
		serverFrame(0x81, ""), serverFrame(0x81, strings.Repeat("x", 1200)), long,
	} {
		_, err := gateway.Write(frame)
		proxytest.Must(t, err)
		expectBytes(t, r, frame)
	}
	all := bytes.Repeat([]byte(masked), 20_000)
	go func() { _, _ = client.Write(all) }()
	expectBytes(t, gateway, all)

	// The closing handshake, begun by the gateway.
	_, err := gateway.Write(serverFrame(0x88, "\x0f\xa0because"))
	proxytest.Must(t, err)
	expectBytes(t, r, serverFrame(0x88, "\x0f\xa0because"))
	reply := "\x88\x82\x00\x00\x00\x00\x0f\xa0"
	_, err = io.WriteString(client, reply)
	proxytest.Must(t, err)
	expectBytes(t, gateway, []byte(reply))
	gateway.Close()
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("behind the close frame: %q, %v", rest, err)
	}
}

func TestWebSocketSubprotocol(t *testing.T) {
	t.Parallel()
	g := startGateway(t, nil)
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = g.URL })
	conn, _, err := w.SignIn("ada@acme.example").Socket("/ws", "vexa.v2", "vexa.v1")
	proxytest.Must(t, err)
	if conn.Subprotocol() != "vexa.v2" {
		t.Errorf("selected %q", conn.Subprotocol())
	}
	gateway := <-g.sockets
	_, err = gateway.Write(serverFrame(0x88, "\x0f\xa1go away"))
	proxytest.Must(t, err)
	if closed := proxytest.HangsUp(t, conn); closed.Code != 4001 || closed.Reason != "go away" {
		t.Errorf("closed with %v", closed)
	}
}

// An end without a word on one side is one on the other.
func TestWebSocketBreaks(t *testing.T) {
	t.Parallel()
	g := startGateway(t, nil)
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = g.URL })
	b := w.SignIn("ada@acme.example")

	conn := b.MustSocket()
	(<-g.sockets).Close()
	if closed := proxytest.HangsUp(t, conn); closed.Code != -1 {
		t.Errorf("closed with %v", closed)
	}
	client, _ := b.RawSocket("")
	gateway := <-g.sockets
	proxytest.Must(t, gateway.SetDeadline(time.Now().Add(oidctest.Patience)))
	client.Close()
	if _, err := gateway.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the gateway reads %v", err)
	}
}

// S5: a close frame goes in between two frames: what had begun is finished, and nothing of the next is sent.
func TestCloseFrameWaitsForItsPlace(t *testing.T) {
	t.Parallel()
	long := serverFrame(0x81, strings.Repeat("a sentence ", 100))
	for _, tc := range []struct {
		name         string
		before, then []byte // of the revocation, from the gateway
		heard        []byte // by the client, before the close frame
		kind         mapping.RevocationKind
	}{
		{"nothing was ever sent", nil, nil, nil, mapping.RevokeSession},
		{"between two frames", long, nil, long, mapping.RevokeAccount},
		{
			"between two fragments", serverFrame(0x01, "half a sen"), nil, serverFrame(0x01, "half a sen"),
			mapping.RevokeSession,
		},
		{"in a payload", long[:500], append(long[500:], "\x81\x05after"...), long, mapping.RevokeAccount},
		{"in a head", long[:3], append(long[3:], "\x81\x05after"...), long, mapping.RevokeSession},
		{"in the gateway's close frame", []byte("\x88\x0b\x0f"), nil, nil, mapping.RevokeAccount},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, nil)
			w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = g.URL })
			client, r := w.SignIn("ada@acme.example").RawSocket("")
			gateway := <-g.sockets
			_, err := gateway.Write(tc.before)
			proxytest.Must(t, err)
			seen := min(len(tc.before), len(tc.heard))
			expectBytes(t, r, tc.heard[:seen])
			account := proxytest.AccountOf(t, w, "ada@acme.example")
			sessions, err := w.Store.SessionsOf(t.Context(), account)
			proxytest.Must(t, err)
			w.Proxy.Apply(mapping.Revocation{Kind: tc.kind, Account: account, Session: sessions[0].ID})
			_, err = io.WriteString(client, "\x81\x85\x01\x02\x03\x04hello")
			proxytest.Must(t, err)
			if tc.then != nil {
				_, err = gateway.Write(tc.then)
				proxytest.Must(t, err)
			}
			expectBytes(t, r, tc.heard[seen:])
			expectClose(t, r, 4401)
			proxytest.Must(t, gateway.SetDeadline(time.Now().Add(oidctest.Patience)))
			if rest, err := io.ReadAll(gateway); len(rest) > 0 ||
				err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("what the client said afterwards reached the gateway: %q, %v", rest, err)
			}
		})
	}
}

// S5: where no place for a close frame comes, or nobody takes it, the connections are closed all the same.
func TestCutHard(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		send func(t *testing.T, gateway net.Conn)
	}{
		{"the gateway stops in the middle of a frame", func(t *testing.T, gateway net.Conn) {
			_, err := gateway.Write(serverFrame(0x81, strings.Repeat("x", 1000))[:500])
			proxytest.Must(t, err)
		}},
		{"the client does not read", func(t *testing.T, gateway net.Conn) {
			frame := serverFrame(0x82, strings.Repeat("x", 1<<20))
			for range 100 { // until everything between here and there is full
				proxytest.Must(t, gateway.SetWriteDeadline(time.Now().Add(500*time.Millisecond)))
				if _, err := gateway.Write(frame); err != nil {
					return
				}
			}
			t.Fatal("100 MiB went to a client that does not read")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, nil)
			w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = g.URL })
			b := w.SignIn("ada@acme.example")
			client, r := b.RawSocket("")
			gateway := <-g.sockets
			tc.send(t, gateway)
			proxytest.Must(t, w.Accounts.Revoke(t.Context(), mapping.Revocation{
				Kind: mapping.RevokeAccount, Account: proxytest.AccountOf(t, w, "ada@acme.example"),
			}, "admin"))
			revoked := oidctest.StartStopwatch(t)
			proxytest.Must(t, gateway.SetDeadline(time.Now().Add(oidctest.Patience)))
			_, err := io.Copy(io.Discard, gateway)
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatal("the gateway's side stays open")
			}
			// one to hear of it, one to part
			if took := revoked.Took(); took > 2*oidctest.Promised+500*time.Millisecond {
				t.Errorf("it took %s", took)
			}
			proxytest.Must(t, client.SetDeadline(time.Now().Add(oidctest.Patience)))
			if _, err := io.Copy(io.Discard, r); errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("the client's side stays open")
			}
			w.WaitFor("the place in the register", func() bool {
				return w.Metric("vexa_sso_streams", "websocket") == 0
			})
		})
	}
}

// An upgrade that the gateway does not grant is answered with what it said; one to
// something else is no answer.
func TestWebSocketRefusedUpstream(t *testing.T) {
	t.Parallel()
	var answer http.HandlerFunc
	g := startGateway(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			answer(w, r)
		}
	})
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = g.URL })
	b := w.SignIn("ada@acme.example")
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		status int
		header [2]string
		body   string
	}{
		{"refused", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "a=b")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"detail":"Rate limit exceeded"}`)
		}, http.StatusTooManyRequests, [2]string{"Retry-After", "7"}, `{"detail":"Rate limit exceeded"}`},
		{"another protocol", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "h2c")
			w.WriteHeader(http.StatusSwitchingProtocols)
		}, http.StatusBadGateway, [2]string{"Retry-After", "5"}, "vexa_unavailable"},
		{"no answer", func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, http.StatusBadGateway, [2]string{"Retry-After", "5"}, "vexa_unavailable"},
	} {
		answer = tc.answer
		_, res, err := b.Socket("/ws")
		if err == nil {
			t.Fatalf("%s: open", tc.name)
		}
		if res == nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != tc.status || res.Header.Get(tc.header[0]) != tc.header[1] ||
			!strings.Contains(string(body), tc.body) || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v %s", tc.name, res.StatusCode, res.Header, body)
		}
	}
	if n := w.Metric("vexa_sso_streams", "websocket"); n != 0 {
		t.Errorf("%v are registered", n)
	}
}

// S1: what follows the head of an opening is WebSocket, never a body.
func TestWebSocketWithABody(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	cookie := w.SignIn("ada@acme.example").Cookie()
	for _, behind := range []string{
		"Content-Length: 4\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
	} {
		w.Vexa.GatewayWire().Forget()
		res := w.Raw(w.Fill("GET /ws HTTP/1.1\r\n"+proxytest.SignedIn+"Origin: {public}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"+behind, cookie, ""))
		if res.Status != http.StatusBadRequest || w.Vexa.GatewayWire().Bytes() != 0 {
			t.Errorf("%q: %d %s", behind, res.Status, res.Body)
		}
	}
}

// A client that leaves while its socket is being opened leaves nothing behind.
func TestClientLeavesWhileOpening(t *testing.T) {
	t.Parallel()
	arrived, left := make(chan struct{}, 1), make(chan struct{}, 1)
	g := startGateway(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			arrived <- struct{}{}
			<-r.Context().Done()
			left <- struct{}{}
		}
	})
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = g.URL })
	b := w.SignIn("ada@acme.example")
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-arrived
		leave()
	}()
	if _, _, err := websocket.Dial(ctx, w.Public+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Cookie": {b.Cookie()}, "Origin": {w.Public}},
	}); err == nil {
		t.Fatal("it opened")
	}
	select {
	case <-left:
	case <-time.After(oidctest.Patience):
		t.Fatal("the gateway still waits for a client that has left")
	}
	w.WaitFor("the place in the register", func() bool {
		return w.Metric("vexa_sso_streams", "websocket") == 0
	})
}
