package exchange

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the Prometheus metrics of requests, sign-ins and decisions.
type Metrics struct {
	requests  *prometheus.CounterVec
	seconds   prometheus.Histogram
	upstream  prometheus.Histogram
	SignIns   *prometheus.CounterVec
	Decisions *prometheus.CounterVec

	NativeKeys prometheus.Counter
}

// NewMetrics registers the metrics. open returns how many streams of a kind are open.
func NewMetrics(reg prometheus.Registerer, open func(kind string) int) *Metrics {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vexa_sso_requests_total",
			Help: "Requests answered, by route, status code and kind of credential.",
		}, []string{"route", "code", "credential"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "vexa_sso_request_seconds",
			Help: "Time to answer a request, streams left out.", Buckets: buckets,
		}),
		upstream: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "vexa_sso_upstream_seconds",
			Help: "Time until the gateway began to answer.", Buckets: buckets,
		}),
		SignIns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vexa_sso_sign_ins_total", Help: "Sign-ins that came back from a provider, by result.",
		}, []string{"provider", "result"}),
		Decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vexa_sso_decisions_total", Help: "Decisions of the rules, by result.",
		}, []string{"result"}),
	}
	m.NativeKeys = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "vexa_sso_native_key_requests_total",
		Help: "Requests with a Vexa key instead of a token; the audit says whose.",
	})
	reg.MustRegister(m.requests, m.seconds, m.upstream, m.SignIns, m.Decisions, m.NativeKeys)
	for _, kind := range []string{"websocket", "events", "transfer"} {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "vexa_sso_streams", Help: "Streams open and requests under way (transfer) now, by kind.",
			ConstLabels: prometheus.Labels{"kind": kind},
		}, func() float64 { return float64(open(kind)) }))
	}
	return m
}

func (m *Metrics) observe(ex *Exchange, took time.Duration) {
	m.requests.WithLabelValues(ex.Label, statusText(ex.Status), ex.Credential).Inc()
	if !ex.Lasts {
		m.seconds.Observe(took.Seconds())
	}
	if ex.Upstream > 0 {
		m.upstream.Observe(ex.Upstream.Seconds())
	}
}

// statusText is strconv.Itoa without an allocation for statuses below 600.
func statusText(status int) string {
	if status >= 0 && status < len(statusTexts) {
		return statusTexts[status]
	}
	return strconv.Itoa(status)
}

var statusTexts = func() (texts [600]string) {
	for i := range texts {
		texts[i] = strconv.Itoa(i)
	}
	return
}()
