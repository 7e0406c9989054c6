package upstream_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
	"vexa-sso/proxy/upstream"
)

// BenchmarkIdleWebSocket measures what an idle WebSocket costs in memory, heap and goroutine stacks: through
// the bridge and through a bare httputil.ReverseProxy, each less what client and gateway take when they talk
// to each other directly. The target is at most 20 KiB for the bridge.
func BenchmarkIdleWebSocket(b *testing.B) {
	const sockets = 1000
	gateway := startSocketUpstream(b)
	w := proxytest.Start(b, func(o *proxytest.Options) {
		o.Gateway, o.Config.Limits.StreamsPerAccount = "http://"+gateway, sockets
	})
	cookie := w.SignIn("ada@acme.example").Cookie()
	// there is a key from here on
	w.Raw(w.Fill("GET /bots HTTP/1.1\r\n"+proxytest.SignedIn+"\r\n", cookie, ""))

	target, err := url.Parse("http://" + gateway)
	proxytest.Must(b, err)
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Transport: upstream.NewTransport(), Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	})
	b.Cleanup(bare.Close)

	ways := []struct{ name, address, host, cookie string }{
		{"direct", gateway, gateway, ""},
		{"bare", strings.TrimPrefix(bare.URL, "http://"), gateway, ""},
		{"bridge", w.Host, w.Host, cookie},
	}
	perSocket := map[string]float64{}
	for range b.N {
		for _, way := range ways {
			perSocket[way.name] += float64(idleCost(b, sockets, way.address, way.host, way.cookie)) /
				sockets / float64(b.N)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(perSocket["bare"]-perSocket["direct"], "bare-bytes/conn")
	b.ReportMetric(perSocket["bridge"]-perSocket["direct"], "bridge-bytes/conn")
}

// idleCost opens sockets, hears one message on each, and returns how many bytes of memory they
// hold when nothing happens.
func idleCost(b *testing.B, sockets int, address, host, cookie string) int64 {
	before, running := memoryInUse(), runtime.NumGoroutine()
	conns := make([]net.Conn, sockets)
	for i := range conns {
		conns[i] = openIdle(b, address, host, cookie)
	}
	after := memoryInUse()
	for _, conn := range conns {
		conn.Close()
	}
	oidctest.WaitFor(b, "both ends to hear of it", func() bool { return runtime.NumGoroutine() <= running })
	return after - before
}

// memoryInUse is what heap and stacks take once all that is garbage has gone and stacks have shrunk.
func memoryInUse() int64 {
	var m runtime.MemStats
	for range 5 { // each halves a stack at most
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

const socketOpening = "GET /ws HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nOrigin: http://{host}\r\nCookie: {cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

const socketAnswer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

// openIdle opens a WebSocket, sends a frame and hears its echo: both directions have been in use.
func openIdle(b *testing.B, address, host, cookie string) net.Conn {
	conn, err := net.Dial("tcp", address)
	proxytest.Must(b, err)
	_, err = io.WriteString(conn,
		strings.NewReplacer("{host}", host, "{cookie}", cookie).Replace(socketOpening))
	proxytest.Must(b, err)
	var got [1024]byte
	n, err := conn.Read(got[:])
	if err != nil || !strings.HasPrefix(string(got[:n]), "HTTP/1.1 101") {
		b.Fatalf("answered %q, %v", got[:n], err)
	}
	frame := "\x81\x05hello" // the gateway is none that minds the mask
	_, err = io.WriteString(conn, frame)
	proxytest.Must(b, err)
	_, err = io.ReadFull(conn, got[:len(frame)])
	proxytest.Must(b, err)
	return conn
}

// startSocketUpstream answers every request: one for a WebSocket with an upgrade, upon which it echoes what
// it hears, with as little memory as can be.
func startSocketUpstream(b *testing.B) string {
	on, err := net.Listen("tcp", "127.0.0.1:0")
	proxytest.Must(b, err)
	b.Cleanup(func() { on.Close() })
	go func() {
		for {
			conn, err := on.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if !answerOpening(conn) {
					return
				}
				var buf [64]byte
				for {
					n, err := conn.Read(buf[:])
					if err != nil {
						return
					}
					if _, err := conn.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return on.Addr().String()
}

func answerOpening(conn net.Conn) bool {
	req, err := http.ReadRequest(bufio.NewReaderSize(conn, 1024))
	if err != nil {
		return false
	}
	if req.Header.Get("Upgrade") == "" {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return false
	}
	_, err = io.WriteString(conn, socketAnswer)
	return err == nil
}
