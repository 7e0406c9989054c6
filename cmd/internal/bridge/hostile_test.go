package bridge

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"vexa-sso/config"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy"
)

// listener is the public listener with TLS, as it is before the store is open: it answers pages of ours.
type listener struct {
	addr   string
	server *http.Server
	log    bytes.Buffer
}

func startListener(t *testing.T, change func(*config.Config, *http.Server)) *listener {
	t.Helper()
	cfg := config.Default()
	cfg.Listen, cfg.PublicURL = "127.0.0.1:0", "https://vexa.acme.example"
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	defer pair.Close()
	l := &listener{}
	b := &bridge{
		cfg: cfg, cert: &certificate{}, starting: proxy.Starting(cfg.PublicURL),
		log: slog.New(slog.NewTextHandler(&l.log, nil)),
	}
	b.cert.current.Store(&pair.TLS.Certificates[0])
	l.server = b.publicServer()
	change(cfg, l.server)
	on, err := b.listen()
	if err != nil {
		t.Fatal(err)
	}
	l.addr = on.Addr().String()
	served := make(chan error, 1)
	go func() { served <- serve(l.server, on) }()
	t.Cleanup(func() {
		l.server.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l
}

// hostile is an HTTP/2 connection whose window is zero: no answer's body ever gets through.
type hostile struct {
	conn   *tls.Conn
	framer *http2.Framer
	reset  atomic.Int64 // streams that the server has ended
	most   atomic.Int64 // SETTINGS_MAX_CONCURRENT_STREAMS
	opened uint32
}

func openHostile(t *testing.T, addr string) *hostile {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	h := &hostile{conn: conn, framer: http2.NewFramer(conn, conn)}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	settings := []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 0}}
	if err := h.framer.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	go h.read()
	oidctest.WaitFor(t, "the settings", func() bool { return h.most.Load() > 0 })
	if err := h.framer.WriteSettingsAck(); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hostile) read() {
	for {
		frame, err := h.framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if most, ok := f.Value(http2.SettingMaxConcurrentStreams); ok {
				h.most.Store(int64(most))
			}
		case *http2.RSTStreamFrame:
			h.reset.Add(1)
		}
	}
}

// ask opens a stream that asks for a page of ours, with that much in a header.
func (h *hostile) ask(t *testing.T, path string, header int) {
	t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{
		{":method", "GET"},
		{":scheme", "https"},
		{":authority", "vexa.acme.example"},
		{":path", path},
		{"accept", "text/html"},
		{"x-ballast", strings.Repeat("x", header)},
	} {
		_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1], Sensitive: true})
	}
	id, first, rest := 2*h.opened+1, block.Bytes(), []byte(nil)
	h.opened++
	if len(first) > 16<<10 {
		first, rest = first[:16<<10], first[16<<10:]
	}
	err := h.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: first, EndStream: true, EndHeaders: len(rest) == 0,
	})
	for len(rest) > 0 && err == nil {
		part := rest[:min(len(rest), 16<<10)]
		rest = rest[len(part):]
		err = h.framer.WriteContinuation(id, len(rest) == 0, part)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// S12: what a connection holds whose client takes no answer is bounded, and printed.
func TestBytesOfAHostileConnection(t *testing.T) {
	for _, tc := range []struct {
		name         string
		header, most int // bytes
	}{{"with small headers", 100, 4 << 20}, {"with the largest headers", 56 << 10, 24 << 20}} {
		t.Run(tc.name, func(t *testing.T) {
			l := startListener(t, func(*config.Config, *http.Server) {})
			const connections = 4
			bytesBefore, goroutinesBefore := held(), runtime.NumGoroutine()
			var all []*hostile
			for range connections {
				h := openHostile(t, l.addr)
				if h.most.Load() > 100 {
					t.Fatalf("%d streams are allowed", h.most.Load())
				}
				for range h.most.Load() {
					h.ask(t, "/", tc.header)
				}
				all = append(all, h)
			}
			oidctest.WaitFor(t, "the answers to wait", func() bool {
				return runtime.NumGoroutine() >= goroutinesBefore+100*connections
			})
			each := (held() - bytesBefore) / connections
			t.Logf("a hostile connection holds %d KiB and %d goroutines, its client's among them", each>>10,
				(runtime.NumGoroutine()-goroutinesBefore)/connections)
			if each > tc.most {
				t.Errorf("%d bytes, and %d are the most", each, tc.most)
			}
			for _, h := range all {
				h.ask(t, "/", 1)
			}
			oidctest.WaitFor(t, "the stream beyond the bound to be refused", func() bool {
				return !slices.ContainsFunc(all, func(h *hostile) bool { return h.reset.Load() == 0 })
			})
		})
	}
}

// held returns the bytes of heap and stacks in use.
func held() int {
	runtime.GC()
	runtime.GC() // what finalizers have released
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// S12: an answer that nobody takes ends, and its goroutine with it.
func TestAnswersThatNobodyTakesEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a real deadline")
	}
	t.Parallel()
	l := startListener(t, func(_ *config.Config, s *http.Server) { s.WriteTimeout = 3 * time.Second })
	h := openHostile(t, l.addr)
	for range 50 {
		h.ask(t, "/sso/healthz", 1)
	}
	oidctest.WaitFor(t, "the streams to end", func() bool { return h.reset.Load() == 50 })
}

// S12: one address has so many connections, and no more; what it gives back it has again, and others are
// served all the while. A trusted proxy is bounded by the total alone.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	l := startListener(t, func(c *config.Config, _ *http.Server) { c.Limits.ConnectionsPerAddress = 3 })
	get := func() (*http.Client, error) {
		c := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
		}}
		res, err := c.Get("https://" + l.addr + "/sso/healthz")
		if err == nil {
			res.Body.Close()
		}
		return c, err
	}
	var open []*http.Client
	for range 3 {
		c, err := get()
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	if _, err := get(); err == nil {
		t.Error("a fourth connection of three is served")
	}
	open[0].CloseIdleConnections()
	oidctest.WaitFor(t, "a connection to be free", func() bool {
		c, err := get()
		open[0] = c
		return err == nil
	})
	for _, c := range open {
		c.CloseIdleConnections()
	}
}

func TestConnectionsByAddress(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	l := &boundedListener{
		most: 5, mostOfOne: 2, counts: true, from: map[netip.Prefix]int{},
		log:   slog.New(slog.NewTextHandler(&log, nil)),
		proxy: netip.MustParsePrefix("10.0.0.0/8").Contains,
	}
	var release []func()
	take := func(address string, want bool) {
		t.Helper()
		give, ok := l.take(netip.MustParseAddr(address))
		if ok != want {
			t.Errorf("%s: %v", address, ok)
		}
		if ok {
			release = append(release, give)
		}
	}
	for range 2 {
		take("192.0.2.1", true)
	}
	take("192.0.2.1", false)
	take("2001:db8:0:1::1", true)
	take("2001:db8:0:1:ffff::2", true) // the same customer
	take("2001:db8:0:1::3", false)
	for range 5 {
		take("10.1.2.3", true)
	}
	take("10.1.2.4", false) // proxies have a total
	take("192.0.2.2", true)
	take("192.0.2.3", false) // and so have all others
	if n := strings.Count(log.String(), "WARN"); n != 1 {
		t.Errorf("%d warnings in a minute: %s", n, log.String())
	}
	for _, give := range release {
		give()
	}
	if l.direct != 0 || l.proxied != 0 || len(l.from) != 0 {
		t.Errorf("left: %d %d %v", l.direct, l.proxied, l.from)
	}
	l.counts = false // behind a terminator of TLS that is not named, one address is everybody's
	for range 5 {
		take("192.0.2.1", true)
	}
	take("192.0.2.1", false)
}

var _ net.Listener = (*boundedListener)(nil)
