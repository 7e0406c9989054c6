package bridge

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"vexa-sso/proxy/exchange"
)

const (
	// idleTimeout is longer than balancers keep connections for their next request (Google's for ten
	// minutes), or they would now and then send one into a connection that we have just closed.
	idleTimeout = 11 * time.Minute

	// directIdleTimeout is that of clients that come directly, and connect again when they have to.
	directIdleTimeout = 2 * time.Minute
)

// publicServer returns the server of the public listener. Its write timeout is for answers of ours; package
// upstream takes it off what lasts.
func (b *bridge) publicServer() *http.Server {
	s := &http.Server{
		Handler:           http.HandlerFunc(b.serveHTTP),
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      exchange.AnswerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(b.log.Handler(), slog.LevelDebug),
		HTTP2:             boundedHTTP2(),

		DisableGeneralOptionsHandler: true, // OPTIONS * is refused like every address that is none
	}
	if b.cert != nil {
		s.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: b.cert.get}
		if len(b.cfg.TrustedProxies) == 0 {
			s.IdleTimeout = directIdleTimeout
		}
	}
	return s
}

// boundedHTTP2 bounds what one connection can hold (S12). Flow control is the client's: with a window of zero
// each of its streams waits with an answer until the server's write timeout.
func boundedHTTP2() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          100,       // the least that RFC 9113 section 6.5.2 recommends
		MaxReceiveBufferPerConnection: 256 << 10, // of bodies that nobody reads yet
		MaxReceiveBufferPerStream:     256 << 10,
		SendPingTimeout:               time.Minute, // finds out who has left without a word
		PingTimeout:                   15 * time.Second,
		WriteByteTimeout:              30 * time.Second,
	}
}

// listen opens the public listener, with a bound on its connections.
func (b *bridge) listen() (net.Listener, error) {
	trusted, err := exchange.ParsePrefixes(b.cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("trusted_proxies: %w", err)
	}
	on, err := net.Listen("tcp", b.cfg.Listen)
	if err != nil {
		return nil, err
	}
	limits := b.cfg.Limits
	return &boundedListener{
		Listener: on, most: limits.Connections, mostOfOne: limits.ConnectionsPerAddress, log: b.log,
		proxy: func(a netip.Addr) bool { return exchange.InAny(a, trusted) },
		// without TLS of ours, who connects is the proxy that ends it, and not the client
		counts: b.cert != nil, from: map[netip.Prefix]int{},
	}, nil
}
