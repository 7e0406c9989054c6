package vexatest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The two generations in production use.
const (
	Generation012 = "0.12"
	Generation010 = "0.10"
)

// The secrets of a Server whose Config names none.
const (
	DefaultAdminToken     = "test-admin-token"
	DefaultInternalSecret = "test-internal-secret"
)

// Config says what Vexa to simulate. The zero value is a 0.12 with the default secrets.
type Config struct {
	Generation     string // Generation012 (default) or Generation010
	AdminToken     string // ADMIN_API_TOKEN of the deployment
	InternalSecret string // what the gateway shows to /internal/validate

	// Production is VEXA_ENV=production: a 0.10 then hides /docs and /openapi.json. 0.12 knows no such thing.
	Production bool

	Now func() time.Time // the clock that keys expire by; default time.Now
	// what timeouts and event intervals wait on; default time.After
	After func(time.Duration) <-chan time.Time
	Rand  io.Reader // where secrets and ids come from, never ending; default crypto/rand

	// Resolve says whether a webhook's host name has an address, which 0.10 checks; default: all have.
	Resolve func(host string) bool
}

// Server is one simulated Vexa: an Admin API and a gateway over one database. All methods
// are safe for concurrent use.
type Server struct {
	AdminURL   string // set by Start
	GatewayURL string // set by Start

	config     Config
	generation atomic.Pointer[string]
	random     *random
	db         *database
	parts      *parts
	faults     *faults
	calls      *calls
	streams    *streams

	admin   *service
	gateway *edge
	echo    *echo

	mcpEvents atomic.Bool
	toolCalls toolCalls

	closing context.Context
	close   context.CancelFunc
	serving sync.WaitGroup
	mu      sync.Mutex
	servers []*http.Server
}

// New returns a Vexa with an empty database. It listens nowhere: see ServeAdmin and ServeGateway, or
// AdminHandler and GatewayHandler. Close it when done.
func New(c Config) *Server {
	if c.Generation == "" {
		c.Generation = Generation012
	}
	if c.AdminToken == "" {
		c.AdminToken = DefaultAdminToken
	}
	if c.InternalSecret == "" {
		c.InternalSecret = DefaultInternalSecret
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.After == nil {
		c.After = time.After
	}
	if c.Resolve == nil {
		c.Resolve = func(string) bool { return true }
	}
	s := &Server{
		config: c, random: newRandom(c.Rand), parts: newParts(), faults: newFaults(), streams: newStreams(),
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.db = newDatabase()
	s.calls = newCalls()
	s.echo = &echo{}
	s.admin = &service{wire: newWire()}
	s.gateway = &edge{service: service{wire: newWire()}, cache: make(map[string]cacheLine)}
	s.install(c.Generation)
	return s
}

// Start runs a Vexa on two ports of 127.0.0.1 until the test is over. Options change
// the Config before it starts.
func Start(t testing.TB, options ...func(*Config)) *Server {
	t.Helper()
	var c Config
	for _, option := range options {
		option(&c)
	}
	s := New(c)
	t.Cleanup(s.Close)
	if err := s.Listen("127.0.0.1:0", "127.0.0.1:0"); err != nil {
		t.Fatalf("start the simulated Vexa: %v", err)
	}
	return s
}

// Generation is an option of Start.
func Generation(g string) func(*Config) { return func(c *Config) { c.Generation = g } }

// Clock is an option of Start.
func Clock(now func() time.Time) func(*Config) { return func(c *Config) { c.Now = now } }

// Listen serves the Admin API and the gateway on those addresses until Close, and
// sets AdminURL and GatewayURL.
func (s *Server) Listen(adminAddress, gatewayAddress string) error {
	admin, err := net.Listen("tcp", adminAddress)
	if err != nil {
		return err
	}
	gateway, err := net.Listen("tcp", gatewayAddress)
	if err != nil {
		_ = admin.Close()
		return err
	}
	s.AdminURL = "http://" + admin.Addr().String()
	s.GatewayURL = "http://" + gateway.Addr().String()
	s.serving.Add(2)
	go func() { defer s.serving.Done(); _ = s.ServeAdmin(admin) }()
	go func() { defer s.serving.Done(); _ = s.ServeGateway(gateway) }()
	return nil
}

// ServeAdmin serves the Admin API on l until Close, recording what it receives.
func (s *Server) ServeAdmin(l net.Listener) error { return s.serve(l, s.admin.wire, s.AdminHandler()) }

// ServeGateway serves the gateway on l until Close, recording what it receives.
func (s *Server) ServeGateway(l net.Listener) error {
	return s.serve(l, s.gateway.wire, s.GatewayHandler())
}

// AdminHandler returns the Admin API. What needs the exact bytes of a request (blanks after a header's value,
// the order of headers in an echo, the record) works only behind ServeAdmin.
func (s *Server) AdminHandler() http.Handler { return http.HandlerFunc(s.serveAdmin) }

// GatewayHandler returns the gateway, with the same remark. In 0.10 it serves /admin as well.
func (s *Server) GatewayHandler() http.Handler { return http.HandlerFunc(s.serveGateway) }

// AdminWire returns the record of what the Admin API received from outside. What the
// gateway asks it is not in there.
func (s *Server) AdminWire() *Wire { return s.admin.wire }

// GatewayWire returns the record of what the gateway received.
func (s *Server) GatewayWire() *Wire { return s.gateway.wire }

// idleTimeout is uvicorn's timeout_keep_alive.
const idleTimeout = 5 * time.Second

func (s *Server) serve(l net.Listener, wire *Wire, h http.Handler) error {
	server := &http.Server{
		Handler:     h,
		IdleTimeout: idleTimeout,
		BaseContext: func(net.Listener) context.Context { return s.closing },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, wireConnKey{}, c)
		},
		ErrorLog: discardLog,
	}
	s.mu.Lock()
	s.servers = append(s.servers, server)
	s.mu.Unlock()
	if s.closing.Err() != nil {
		_ = l.Close()
		return http.ErrServerClosed
	}
	err := server.Serve(wire.listener(l))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends everything: listeners, streams, whoever is held by a fault.
func (s *Server) Close() {
	s.close()
	s.mu.Lock()
	servers := s.servers
	s.mu.Unlock()
	for _, server := range servers {
		_ = server.Close()
	}
	s.admin.wire.refuse(true)
	s.gateway.wire.refuse(true)
	s.serving.Wait()
}

// legacy says whether this is a 0.10.
func (s *Server) legacy() bool { return *s.generation.Load() == Generation010 }

func (s *Server) now() time.Time { return s.config.Now().UTC() }
