package upstream_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// state is a state in which a request can be when access ends.
type state struct {
	name    string
	request string // what the client has sent by then
	// what the gateway has received by then at the least: requests, and bytes of a body
	requests, body int
	needs          string // scope; "" for none
	own            bool   // a form of our own
}

const (
	jsonHead   = " HTTP/1.1\r\nHost: {host}\r\n{credential}\r\nOrigin: {public}\r\nContent-Type: application/json\r\n"
	getHead    = " HTTP/1.1\r\nHost: {host}\r\n{credential}\r\n"
	half       = `{"platform":"zoom",`
	largeSent  = 200_000 // bytes of a large body
	socketHead = "Origin: {public}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

// states returns every state of a request before a gateway of a generation.
func states(generation string) []state {
	large := strings.Repeat("x", largeSent)
	stream := "GET /agent/meeting/stream?cell=events"
	if generation == vexatest.Generation010 {
		stream = "GET /meetings?cell=events" // no table says so beforehand
	}
	return []state{
		{
			name:    "body arriving",
			request: "POST /bots?cell=small" + jsonHead + "Content-Length: 43\r\n\r\n" + half, needs: "bot",
		},
		{
			name: "large body arriving", requests: 1, body: largeSent / 2, needs: "bot",
			request: "POST /bots?cell=large" + jsonHead + "Content-Length: 1000000\r\n\r\n" + large,
		},
		{
			name: "chunks arriving", requests: 1, body: largeSent / 2, needs: "bot",
			request: "PUT /bots/zoom/1/config?cell=chunks" + jsonHead + "Transfer-Encoding: chunked\r\n\r\n" +
				fmt.Sprintf("%x\r\n%s\r\n", largeSent, large),
		},
		{
			name: "waiting for Vexa", requests: 1, needs: "tx",
			request: "GET /meetings?cell=waiting" + getHead + "\r\n",
		},
		{
			name: "answer flowing", requests: 1, needs: "tx",
			request: "GET /transcripts/zoom/1?cell=flowing" + getHead + "\r\n",
		},
		{
			name: "answer read slowly", requests: 1, needs: "tx",
			request: "GET /recordings/1/media/1/raw?cell=slow" + getHead + "\r\n",
		},
		{name: "event stream", requests: 1, needs: "tx", request: stream + getHead + "\r\n"},
		{name: "WebSocket", requests: 1, request: "GET /ws?cell=socket" + getHead + socketHead},
		{
			name: "own form", own: true,
			request: "POST /sso/tokens" + jsonHead + "Content-Length: 60\r\n\r\n" + `{"name":"late",`,
		},
		// the last: the key is taken away for it
		{
			name: "waiting for a key", requests: 1, needs: "bot",
			request: "GET /bots/status?cell=key" + getHead + "\r\n",
		},
	}
}

// cellGateway is a gateway that brings each request into its state and notes what it receives.
type cellGateway struct {
	mu       sync.Mutex
	requests map[string]int
	body     map[string]int
	acted    []string // cells of which it received the whole
	open     map[string]bool
	release  chan struct{}
}

func (g *cellGateway) note(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do()
}

func (g *cellGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cell := r.URL.Query().Get("cell")
	if cell == "" {
		return // for who makes a key beforehand
	}
	g.note(func() { g.requests[cell]++; g.open[cell] = true })
	defer g.note(func() { delete(g.open, cell) })
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buf)
		g.note(func() { g.body[cell] += n })
		if err == io.EOF {
			break
		}
		if err != nil {
			return // as Vexa: half a request is none
		}
	}
	g.answer(w, r, cell)
}

// answer acts on a whole request.
func (g *cellGateway) answer(w http.ResponseWriter, r *http.Request, cell string) {
	flush := http.NewResponseController(w).Flush
	switch cell {
	case "waiting":
		select {
		case <-g.release:
			g.note(func() { g.acted = append(g.acted, cell) })
		case <-r.Context().Done():
		}
	case "flowing", "slow":
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("word ", 1000)); err != nil {
				return
			}
		}
	case "events":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = flush()
		<-r.Context().Done()
	case "socket":
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"+
			"Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
		_, _ = io.Copy(io.Discard, rw)
	case "key":
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"detail":"Invalid API key"}`)
	default:
		g.note(func() { g.acted = append(g.acted, cell) })
	}
}

// cell is one request on its way.
type cell struct {
	state
	conn net.Conn
	dead chan struct{} // closed when the client's side has ended
	took time.Duration
}

// S5, S13: revoked while a request is in any state, by any end: it is over within a second, on both sides,
// and Vexa receives nothing more of it. What the end does not concern goes on.
func TestRevokedWhile(t *testing.T) {
	t.Parallel()
	suspend := func(w *proxytest.World, account string) {
		_, err := w.Accounts.Suspend(w.T.Context(), account, mapping.Suspension{Reason: "left"}, "admin")
		proxytest.Must(w.T, err)
	}
	renew := func(w *proxytest.World) {
		w.Clock.Advance(12 * time.Minute)
		proxytest.Must(w.T, w.Accounts.RenewProofs(w.T.Context()))
	}
	for _, end := range []struct {
		name    string
		byToken bool   // the credential is a personal token
		leaves  string // the scope that is left
		do      func(w *proxytest.World, b *proxytest.Browser, account, token string)
	}{
		{name: "signed out", do: func(_ *proxytest.World, b *proxytest.Browser, _, _ string) {
			b.Send("POST", "/sso/logout", "", "Origin", b.W.Public)
		}},
		{name: "session ended", do: func(w *proxytest.World, _ *proxytest.Browser, account, _ string) {
			sessions, err := w.Store.SessionsOf(w.T.Context(), account)
			proxytest.Must(w.T, err)
			proxytest.Must(w.T, w.Accounts.Revoke(w.T.Context(), mapping.Revocation{
				Kind: mapping.RevokeSession, Account: account, Session: sessions[0].ID,
			}, "admin"))
		}},
		{name: "suspended", do: func(w *proxytest.World, _ *proxytest.Browser, account, _ string) {
			suspend(w, account)
		}},
		{name: "gone at the provider", do: func(w *proxytest.World, _ *proxytest.Browser, _, _ string) {
			proxytest.Must(w.T, w.Okta.Disable(oidctest.Ada))
			renew(w)
		}},
		{name: "grant gone", do: func(w *proxytest.World, _ *proxytest.Browser, _, _ string) {
			proxytest.Must(w.T, w.Okta.SetGroups(oidctest.Ada))
			renew(w)
		}},
		{name: "grant shrunk", leaves: "tx", do: func(w *proxytest.World, _ *proxytest.Browser, _, _ string) {
			proxytest.Must(w.T, w.Okta.SetGroups(oidctest.Ada, oidctest.GroupViewers))
			renew(w)
		}},
		{
			name: "token revoked", byToken: true,
			do: func(w *proxytest.World, _ *proxytest.Browser, account, token string) {
				proxytest.Must(w.T, w.Accounts.Revoke(w.T.Context(), mapping.Revocation{
					Kind: mapping.RevokeToken, Account: account, Token: token,
				}, "admin"))
			},
		},
		{
			name: "owner suspended", byToken: true,
			do: func(w *proxytest.World, _ *proxytest.Browser, account, _ string) { suspend(w, account) },
		},
	} {
		for _, generation := range []string{vexatest.Generation012, vexatest.Generation010} {
			t.Run(end.name+" "+generation, func(t *testing.T) {
				t.Parallel()
				gateway := &cellGateway{
					requests: map[string]int{}, body: map[string]int{}, open: map[string]bool{},
					release: make(chan struct{}),
				}
				g := startGateway(t, gateway.ServeHTTP)
				w := proxytest.Start(t, func(o *proxytest.Options) {
					o.Generation, o.Gateway = generation, g.URL
				})
				b := w.SignIn(oidctest.Ada)
				account := proxytest.AccountOf(t, w, oidctest.Ada)
				credential, token := "Cookie: "+b.Cookie(), ""
				if end.byToken {
					made, value := w.NewToken(oidctest.Ada, "bot", "tx")
					credential, token = "X-API-Key: "+value, made.ID
				}
				held := make(chan struct{})
				cells := begin(t, w, gateway, generation, credential, held)
				before := gateway.counts()

				began := oidctest.StartStopwatch(t)
				end.do(w, b, account, token)
				for _, c := range cells {
					if !c.ends(end.leaves) {
						continue
					}
					<-c.dead
					if c.took = began.Took(); c.took > oidctest.Promised {
						t.Errorf("%s: over after %s", c.name, c.took)
					}
					w.WaitFor(c.name+" to be over at the gateway", func() bool { return !gateway.isOpen(c) })
				}
				left := 0
				for _, c := range cells {
					if !c.ends(end.leaves) {
						left++
					}
				}
				w.WaitFor("nothing else to be under way", func() bool { return w.UnderWay() == left })
				for _, c := range cells { // what it was still waiting for comes now
					_, _ = io.WriteString(c.conn, `"native_meeting_id":"1"}`)
				}
				close(held)
				gateway.expect(t, cells, before, end.leaves)
				close(gateway.release)
				if !slices.ContainsFunc(cells, func(c *cell) bool { return c.own }) {
					return
				}
				if tokens := w.TokensOf(oidctest.Ada); end.leaves == "" && len(tokens) != 0 {
					t.Errorf("the form made a token: %v", tokens)
				}
			})
		}
	}
}

// begin brings a request into each state.
func begin(
	t *testing.T, w *proxytest.World, g *cellGateway, generation, credential string, held chan struct{},
) (cells []*cell) {
	t.Helper()
	fill := strings.NewReplacer("{host}", w.Host, "{public}", w.Public, "{credential}", credential)
	get := w.Program()
	name, value, _ := strings.Cut(credential, ": ")
	if res := get.Get("/bots/status", name, value); res.Status != http.StatusOK { // so that there is a key
		t.Fatal(res.Status, res.Body)
	}
	for _, s := range states(generation) {
		if s.own && !strings.HasPrefix(credential, "Cookie") {
			continue
		}
		var mint *vexatest.Injected
		if s.name == "waiting for a key" {
			lost := w.Vexa.Tokens()[0]
			w.Vexa.RevokeToken(lost.ID)
			mint = w.Vexa.Inject(vexatest.Fault{
				Method: "POST", Path: fmt.Sprintf("/admin/users/%d/tokens", lost.UserID),
				Effect: vexatest.HoldBefore, Until: held,
			})
		}
		conn, err := net.Dial("tcp", w.Host)
		proxytest.Must(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = io.WriteString(conn, fill.Replace(s.request))
		proxytest.Must(t, err)
		c := &cell{state: s, conn: conn, dead: make(chan struct{})}
		w.WaitFor(s.name, func() bool { return g.reached(c) })
		if mint != nil {
			proxytest.Must(t, mint.Wait(oidctest.Within(t), 1))
		}
		w.WaitFor(s.name+" to be registered", func() bool { return w.UnderWay() == len(cells)+1 })
		go c.read()
		cells = append(cells, c)
	}
	return cells
}

// read reads the client's side until it ends. A slow reader begins when there is nothing more to come.
func (c *cell) read() {
	defer close(c.dead)
	from := bufio.NewReaderSize(c.conn, 16)
	if c.name == "answer read slowly" {
		_, _ = from.ReadByte()
		return // whether it is over shows at the gateway
	}
	_, _ = io.Copy(io.Discard, from)
}

// ends reports whether the request must end where that scope is left.
func (c *cell) ends(left string) bool {
	return c.name != "" && (left == "" || c.needs != "" && c.needs != left)
}

func (c *cell) key() string {
	_, rest, _ := strings.Cut(c.request, "cell=")
	key, _, _ := strings.Cut(rest, " ")
	return key
}

func (g *cellGateway) reached(c *cell) (there bool) {
	g.note(func() { there = g.requests[c.key()] >= c.requests && g.body[c.key()] >= c.body })
	return there
}

func (g *cellGateway) isOpen(c *cell) (open bool) {
	g.note(func() { open = g.open[c.key()] })
	return open
}

func (g *cellGateway) counts() (bytes map[string]int) {
	g.note(func() { bytes = maps.Clone(g.body) })
	return bytes
}

// expect compares what the gateway received in the end with what it had received before.
func (g *cellGateway) expect(t *testing.T, cells []*cell, before map[string]int, left string) {
	t.Helper()
	g.note(func() {
		for _, c := range cells {
			if c.own || !c.ends(left) {
				continue
			}
			key := c.key()
			t.Logf("%s: over after %s; Vexa received %d requests and %d bytes of a body", c.name,
				c.took.Round(time.Millisecond), g.requests[key], g.body[key])
			if g.requests[key] != c.requests || g.body[key] != before[key] || slices.Contains(g.acted, key) {
				t.Errorf("%s: the gateway received %d requests and %d bytes, acted on %v", c.name,
					g.requests[key], g.body[key], g.acted)
			}
		}
		for _, c := range cells {
			if !c.own && !c.ends(left) && !g.open[c.key()] {
				t.Errorf("%s: ended although the grant still covers it", c.name)
			}
		}
	})
}

// S5, S13: over HTTP/2 a request whose body still arrives is answered and over too, and neither another
// account's request on the same connection nor the next one there feels anything.
func TestBodyOverHTTP2(t *testing.T) {
	t.Parallel()
	gateway := &cellGateway{requests: map[string]int{}, body: map[string]int{}, open: map[string]bool{}}
	g := startGateway(t, gateway.ServeHTTP)
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = g.URL })
	ada, grace := w.SignIn(oidctest.Ada), w.SignIn("grace@acme.example")
	server := httptest.NewUnstartedServer(w.Proxy)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	type upload struct {
		body *io.PipeWriter
		res  chan *http.Response
	}
	begin := func(b *proxytest.Browser, cell string) upload {
		from, to := io.Pipe()
		target := server.URL + "/bots?cell=" + cell
		req, err := http.NewRequestWithContext(oidctest.Within(t), "POST", target, from)
		proxytest.Must(t, err)
		req.Host = w.Host
		req.Header.Set("Cookie", b.Cookie())
		req.Header.Set("Origin", w.Public)
		up := upload{to, make(chan *http.Response, 1)}
		go func() {
			res, err := server.Client().Do(req)
			if err != nil {
				t.Error(err)
			}
			up.res <- res
		}()
		_, err = io.WriteString(to, half)
		proxytest.Must(t, err)
		return up
	}
	hers, others := begin(ada, "hers"), begin(grace, "others")
	w.WaitFor("both to be under way", func() bool { return w.UnderWay() == 2 })
	began := oidctest.StartStopwatch(t)
	_, err := w.Accounts.Suspend(t.Context(), proxytest.AccountOf(t, w, oidctest.Ada),
		mapping.Suspension{Reason: "left"}, "admin")
	proxytest.Must(t, err)
	res := <-hers.res
	if took := began.Took(); res == nil || res.ProtoMajor != 2 || res.StatusCode != http.StatusUnauthorized ||
		took > oidctest.Promised {
		t.Fatalf("%+v after %s", res, took)
	}
	res.Body.Close()
	_, _ = io.WriteString(hers.body, "}")
	hers.body.Close()
	w.WaitFor("hers to be over", func() bool { return w.UnderWay() == 1 })

	_, err = io.WriteString(others.body, "}")
	proxytest.Must(t, err)
	others.body.Close()
	if res := <-others.res; res == nil || res.StatusCode != http.StatusOK {
		t.Errorf("another account's: %+v", res)
	} else {
		res.Body.Close()
	}
	gateway.note(func() {
		if !slices.Equal(gateway.acted, []string{"others"}) {
			t.Errorf("the gateway acted on %v", gateway.acted)
		}
	})
}
