// Package bridge wires the rooms together, starts what runs in the background, listens, and stops all of it
// again. The program and the demo start the same bridge.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"vexa-sso/config"
	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc"
	"vexa-sso/proxy"
	"vexa-sso/proxy/upstream"
)

const (
	drainTimeout = 10 * time.Second // for requests under way when the program stops
	storeRetry   = time.Second      // between attempts to open the store

)

// Options are what a bridge needs besides its configuration.
type Options struct {
	// Reload reads the configuration again; nil: it never changes.
	Reload func() (*config.Config, error)

	// Reloads triggers a reload with every signal; nil: none does. Files are watched in any case.
	Reloads <-chan os.Signal

	// Ready is called once requests are served: both listeners are open and the store is. Optional.
	Ready func(addr, metricsAddr net.Addr)

	// Transport is the transport to the gateway; default upstream.NewTransport.
	Transport http.RoundTripper

	StorePatience time.Duration // see store.Env

	// After is what the looks at Vexa wait on, between one and the next; default time.After.
	After func(time.Duration) <-chan time.Time

	// Build is the version of the program, for operators.
	Build string

	Log io.Writer
}

// Run serves until ctx ends, then lets requests under way finish (graceful shutdown), and returns when no
// goroutine of it is left.
func Run(ctx context.Context, cfg *config.Config, o Options) error {
	b, err := build(cfg, o)
	if err != nil {
		return err
	}
	return b.run(ctx)
}

// bridge is what lives as long as the program.
type bridge struct {
	cfg     *config.Config
	options Options
	log     *slog.Logger

	registry  *prometheus.Registry
	metrics   *metrics
	rules     *rule.Live
	client    *vexa.Client
	table     *tables
	admin     *adminAPI
	transport http.RoundTripper // to the gateway
	providers []*oidc.Provider
	cert      *certificate // nil: plain http
	name      string       // among the replicas
	starting  http.Handler // handler until there is an edge

	// edge is nil until the store has been opened: a store that is down at start is no
	// reason not to start (S10).
	edge atomic.Pointer[edge]
}

// edge is what needs the store.
type edge struct {
	store    *store.Store
	accounts *mapping.Accounts
	proxy    *proxy.Proxy
	replicas *replicas
}

// build makes everything that needs neither network nor store. Its errors are faults of the configuration.
func build(cfg *config.Config, o Options) (*bridge, error) {
	b := &bridge{
		cfg: cfg, options: o, log: newLogger(cfg.Log, o.Log), registry: prometheus.NewRegistry(),
		rules: &rule.Live{}, starting: proxy.Starting(cfg.PublicURL), name: replicaName(),
	}
	b.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	b.rules.Replace(cfg.RuleSet)
	var err error
	if b.client, err = vexa.New(cfg.Vexa); err != nil {
		return nil, err
	}
	if b.transport = o.Transport; b.transport == nil {
		b.transport = upstream.NewTransport()
	}
	b.table = newTables(b.client, cfg.Vexa.Generation, b.log)
	b.admin = newAdminAPI(b.client, b.log)
	if o.After != nil {
		b.table.after, b.admin.after = o.After, o.After
	}
	for _, c := range cfg.Providers {
		c.RedirectURL = cfg.PublicURL + "/sso/callback/" + c.Name
		provider, err := oidc.New(c, oidc.Env{Log: b.log})
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", c.Name, err)
		}
		b.providers = append(b.providers, provider)
	}
	if cfg.TLS.CertFile != "" {
		if b.cert, err = loadCertificate(cfg.TLS); err != nil {
			return nil, err
		}
	}
	b.metrics = newMetrics(b)
	return b, nil
}

func (b *bridge) run(ctx context.Context) error {
	public, err := b.listen()
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer public.Close()
	operators, err := net.Listen("tcp", b.cfg.Metrics.Listen)
	if err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	defer operators.Close()
	b.log.Info("listening", "listen", public.Addr().String(), "metrics", operators.Addr().String(),
		"public_url", b.cfg.PublicURL)

	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	tasks := newTasks(context.WithoutCancel(ctx), fail)
	tasks.start(func(ctx context.Context) error {
		if err := b.openEdge(ctx, tasks); err != nil {
			return err
		}
		b.log.Info("serving")
		if b.options.Ready != nil {
			b.options.Ready(public.Addr(), operators.Addr())
		}
		return nil
	})
	tasks.start(b.table.run)
	tasks.start(b.admin.run)
	tasks.start(b.watchFiles)

	servers := []*http.Server{b.publicServer(), b.operatorServer()}
	for i, on := range []net.Listener{public, operators} {
		tasks.start(func(context.Context) error { return serve(servers[i], on) })
	}

	<-ctx.Done()
	if e := b.edge.Load(); e != nil {
		e.proxy.CutStreams() // they would never end by themselves
	}
	for _, s := range servers {
		drain(s)
	}
	tasks.stop() // after the last request: what works in the background serves requests too
	for _, p := range b.providers {
		p.Close()
	}
	b.client.Close()
	if idle, ok := b.transport.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
	if e := b.edge.Load(); e != nil {
		err = e.store.Close()
	}
	b.log.Info("stopped")
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// tasks are the background goroutines of a bridge. The first error stops the bridge.
type tasks struct {
	ctx    context.Context
	cancel context.CancelFunc
	fail   context.CancelCauseFunc
	group  sync.WaitGroup
}

func newTasks(ctx context.Context, fail context.CancelCauseFunc) *tasks {
	ctx, cancel := context.WithCancel(ctx)
	return &tasks{ctx: ctx, cancel: cancel, fail: fail}
}

func (t *tasks) start(work func(context.Context) error) {
	t.group.Go(func() {
		if err := work(t.ctx); err != nil && t.ctx.Err() == nil {
			t.fail(err)
		}
	})
}

func (t *tasks) stop() {
	t.cancel()
	t.group.Wait()
}

func serve(s *http.Server, on net.Listener) error {
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(on, "", "")
	} else {
		err = s.Serve(on)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// drain shuts a server down, and closes it after drainTimeout.
func drain(s *http.Server) {
	limit, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if s.Shutdown(limit) != nil {
		s.Close()
	}
}

func (b *bridge) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if e := b.edge.Load(); e != nil {
		e.proxy.ServeHTTP(w, r)
		return
	}
	b.starting.ServeHTTP(w, r)
}

// openEdge opens the store, for as long as that takes, and starts what works on it.
func (b *bridge) openEdge(ctx context.Context, tasks *tasks) error {
	s, err := b.openStore(ctx)
	if err != nil {
		return err
	}
	e, err := b.newEdge(s)
	if err != nil {
		s.Close()
		return err
	}
	// First of all, so that no revocation is missed of what is cached.
	s.Watch(ctx, func(r mapping.Revocation) {
		e.accounts.Apply(r)
		e.proxy.Apply(r)
	})
	tasks.start(e.accounts.Run)
	tasks.start(e.proxy.Run)
	tasks.start(e.replicas.run)
	b.edge.Store(e)
	return nil
}

// openStore opens the store, and retries while it cannot be reached. One that can be reached and must not be
// used is an error.
func (b *bridge) openStore(ctx context.Context) (*store.Store, error) {
	for {
		s, err := b.tryStore(ctx)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, mapping.ErrStoreUnavailable) {
			return nil, err
		}
		b.log.Error("store cannot be opened; will be retried", "error", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(storeRetry):
		}
	}
}

func (b *bridge) tryStore(ctx context.Context) (*store.Store, error) {
	s, err := store.Open(ctx, b.cfg.Store, store.Env{Log: b.log, Patience: b.options.StorePatience})
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if err := checkRing(ctx, s, b.cfg.Ring); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
