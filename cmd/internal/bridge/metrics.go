package bridge

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"vexa-sso/mapping"
	"vexa-sso/proxy"
	"vexa-sso/proxy/exchange"
)

// metrics are the Prometheus metrics of the whole bridge.
type metrics struct {
	mints           *prometheus.CounterVec
	revocations     *prometheus.CounterVec
	rulesGeneration prometheus.Gauge
	reloadFailed    prometheus.Counter
}

func newMetrics(b *bridge) *metrics {
	m := &metrics{
		mints: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vexa_sso_mints_total", Help: "Attempts to mint a Vexa key, by result.",
		}, []string{"result"}),
		revocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vexa_sso_revocations_total",
			Help: "Revocations, by how far they reach.",
		}, []string{"kind"}),
		rulesGeneration: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vexa_sso_rules_generation",
			Help: "How many sets of rules have been in force since the start.",
		}),
		reloadFailed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vexa_sso_rules_reload_failed_total",
			Help: "Reloads that changed nothing because the configuration is not valid.",
		}),
	}
	m.rulesGeneration.Set(1)
	b.registry.MustRegister(m.mints, m.revocations, m.rulesGeneration, m.reloadFailed,
		gauge("vexa_sso_store_up", "Whether the store has answered within its grace.", nil,
			func() bool { e := b.edge.Load(); return e != nil && e.store.Usable() }),
		gauge("vexa_sso_vexa_admin_up", "Whether Vexa's Admin API answers.", nil, func() bool {
			return b.ping(b.admin.ping)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "vexa_sso_revocation_pending_seconds",
			Help: "Age of the oldest revocation that Vexa has not confirmed.",
		}, b.pendingSeconds))
	for _, work := range mapping.BackgroundWork {
		b.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "vexa_sso_behind_seconds",
			Help:        "For how long what is due of the work in the background has been due, by work.",
			ConstLabels: prometheus.Labels{"work": work},
		}, func() float64 { return b.behindSeconds(work) }))
	}
	for _, p := range b.providers {
		b.registry.MustRegister(gauge("vexa_sso_provider_up", "Whether the identity provider answers, as "+
			"of the last minute.", prometheus.Labels{"provider": p.Name()},
			func() bool { return b.ping(p.Ping) }))
	}
	return m
}

func gauge(name, help string, labels prometheus.Labels, up func() bool) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels},
		func() float64 {
			if up() {
				return 1
			}
			return 0
		})
}

// ping runs a check with a timeout that a scrape can wait for, and reports whether it succeeded.
func (b *bridge) ping(ask func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return ask(ctx) == nil
}

func (b *bridge) pendingSeconds() float64 {
	e := b.edge.Load()
	if e == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	oldest, err := e.accounts.OldestRevocation(ctx)
	switch {
	case err != nil:
		return math.NaN() // nobody knows
	case oldest.IsZero():
		return 0
	}
	return time.Since(oldest).Seconds()
}

func (b *bridge) behindSeconds(work string) float64 {
	e := b.edge.Load()
	if e == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	behind, err := e.accounts.Behind(ctx, work)
	if err != nil {
		return math.NaN() // nobody knows
	}
	return behind.Seconds()
}

func (m *metrics) minted(result string) { m.mints.WithLabelValues(result).Inc() }
func (m *metrics) revoked(kind mapping.RevocationKind) {
	m.revocations.WithLabelValues(string(kind)).Inc()
}

// operatorServer returns the server of the listener that only operators reach: metrics and probes.
func (b *bridge) operatorServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(b.registry, promhttp.HandlerOpts{}))
	probe := func(path string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path, r.URL.RawPath, r.URL.RawQuery = path, "", ""
			b.serveHTTP(w, proxy.FromOperator(r))
		}
	}
	mux.HandleFunc("GET /healthz", probe("/sso/healthz"))
	mux.HandleFunc("GET /readyz", probe("/sso/readyz"))
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10,
		WriteTimeout: exchange.AnswerTimeout, IdleTimeout: idleTimeout,
	}
}
