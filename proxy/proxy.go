package proxy

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/channel"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
	"vexa-sso/proxy/signin"
	"vexa-sso/proxy/upstream"
)

// Deps are the dependencies of a Proxy.
type Deps struct {
	Gateway   *url.URL           // the Vexa gateway
	Routes    func() *vexa.Table // the current route table
	Providers oidc.Providers     // in the order in which people see them
	Accounts  Accounts
	Rules     *rule.Live
	Owners    caller.KeyOwners // required with tokens.native_keys: migrate
	Sessions  caller.SessionStore
	Store     caller.Health
	Ring      *keyring.Ring
	Ready     []Check    // for readyz, besides the store and the providers
	Running   func() any // what readyz tells operators of what runs here; optional

	Transport http.RoundTripper     // to the gateway; default upstream.NewTransport
	Metrics   prometheus.Registerer // default: a registry of its own
	Log       *slog.Logger
	Now       func() time.Time
	Random    io.Reader
}

// Accounts is the union of the ports through which the rooms use accounts. *mapping.Accounts implements it.
type Accounts interface {
	caller.Accounts
	signin.Accounts
	channel.Accounts
	upstream.Keys
	exchange.Auditor
	Revoker
}

// Proxy is the HTTP edge: the http.Handler of the bridge. It joins the rooms; what each of them keeps is its
// own.
type Proxy struct {
	*revocations // applies them on this replica

	edge        *exchange.Edge
	hosts       []host // ours; the first is the public one
	trusted     []netip.Prefix
	rules       *rule.Live
	signIn      *signin.Flow
	health      health
	home        home
	notTrusted  atomic.Int64    // Unix seconds of the last warning about X-Forwarded-For
	corsOrigins map[string]bool // origins whose pages may call with a credential of their own
	mux         *http.ServeMux  // everything that is not forwarded
}

// host is one public host and the upstream behind it.
type host struct {
	site   *exchange.Site
	passer *upstream.Passer
}

// New returns a Proxy. It does not use the network.
func New(cfg Config, d Deps) (*Proxy, error) {
	site, err := exchange.NewSite(cfg.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("public_url: %w", err)
	}
	trusted, err := exchange.ParsePrefixes(cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("trusted_proxies: %w", err)
	}
	cfg, d = withDefaults(cfg), d.withDefaults()
	streams := upstream.NewStreams(cfg.Limits.StreamsPerAccount)
	edge := &exchange.Edge{
		Pages: page.New(page.Config{
			Site: site.Host, Now: d.Now,
			Scope: func(name string) (string, string) { return d.Routes().Ability(name).Words() },
		}),
		Metrics: exchange.NewMetrics(d.Metrics, streams.Count),
		Audit:   d.Accounts, Log: d.Log, Now: d.Now, Random: d.Random,
	}
	callers := caller.New(
		caller.Config{
			Session: cfg.Session, Tokens: cfg.Tokens, RequestsPerSecond: cfg.Limits.RequestsPerSecond,
		},
		caller.Deps{
			Edge: edge, Accounts: d.Accounts, Rules: d.Rules,
			Sessions: d.Sessions, Store: d.Store, Ring: d.Ring,
			Providers: d.Providers, Owners: d.Owners,
		},
	)
	passer, err := upstream.New(upstream.Upstream{URL: d.Gateway, Routes: d.Routes}, upstream.Deps{
		Edge: edge, Keys: d.Accounts, Callers: callers, Streams: streams, Ring: d.Ring,
		BodyReplay: int64(cfg.Limits.BodyReplay), Transport: d.Transport,
	})
	if err != nil {
		return nil, err
	}
	ends := &revocations{accounts: d.Accounts, callers: callers, streams: streams, now: d.Now}
	p := &Proxy{
		revocations: ends, edge: edge, hosts: []host{{site, passer}}, trusted: trusted, rules: d.Rules,
		signIn: signin.New(cfg.Session, signin.Deps{
			Edge: edge, Callers: callers, Accounts: d.Accounts, Ender: ends, Sessions: d.Sessions,
			Providers: d.Providers, Ring: d.Ring,
		}),
		health:      health{store: d.Store, ready: d.Ready, providers: d.Providers, running: d.Running},
		home:        home{idle: cfg.Session.Idle, providers: d.Providers},
		corsOrigins: set(cfg.CORS.Origins),
		mux:         http.NewServeMux(),
	}
	p.ownPages(channel.New(channel.Deps{
		Edge: edge, Accounts: d.Accounts, Ender: ends, Sessions: d.Sessions, Providers: d.Providers,
	}))
	return p, nil
}

func withDefaults(cfg Config) Config {
	cfg.Session.Idle = cmp.Or(cfg.Session.Idle, 8*time.Hour)
	cfg.Session.Lifetime = cmp.Or(cfg.Session.Lifetime, 24*time.Hour)
	cfg.Session.Renew = cmp.Or(cfg.Session.Renew, 15*time.Minute)
	cfg.Tokens.MaxOffline = cmp.Or(cfg.Tokens.MaxOffline, 24*time.Hour)
	cfg.Tokens.NativeKeys = cmp.Or(cfg.Tokens.NativeKeys, caller.NativeKeysDeny)
	cfg.Limits.BodyReplay = cmp.Or(cfg.Limits.BodyReplay, 64<<10)
	cfg.Limits.StreamsPerAccount = cmp.Or(cfg.Limits.StreamsPerAccount, 20)
	return cfg
}

func (d Deps) withDefaults() Deps {
	if d.Log == nil {
		d.Log = exchange.Discard
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Random == nil {
		d.Random = rand.Reader
	}
	if d.Metrics == nil {
		d.Metrics = prometheus.NewRegistry()
	}
	return d
}

// request is the state of one request, in one allocation.
type request struct {
	exchange.Exchange
	passage upstream.Passage
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rq := &request{}
	ex := &rq.Exchange
	at := p.hostOf(r)
	p.warnOfForwarded(r)
	ex.Begin(w, at.site, exchange.ClientAddress(r, p.trusted), p.edge.Now(), p.edge.Random)
	defer func() {
		if !ex.GoesOn {
			p.edge.Finish(r.Context(), ex, r.Method)
		}
	}()
	upstream.LimitBody(w, r)
	if err := p.dispatch(rq, at, r); err != nil {
		p.edge.Answer(ex, r, err)
	}
}

// warnOfForwarded logs, at most once an hour, that X-Forwarded-For came from an address that is not trusted.
// Either somebody makes it up, or a proxy in front is missing in trusted_proxies, and then everybody has its
// address: in the audit, and where an address has a bound.
func (p *Proxy) warnOfForwarded(r *http.Request) {
	if len(r.Header["X-Forwarded-For"]) == 0 || exchange.FromTrustedProxy(r, p.trusted) {
		return
	}
	now, last := p.edge.Now().Unix(), p.notTrusted.Load()
	if now-last < int64(time.Hour/time.Second) || !p.notTrusted.CompareAndSwap(last, now) {
		return
	}
	p.edge.Log.Warn("X-Forwarded-For from an address that is not trusted was not believed", "peer", r.RemoteAddr,
		"remedy", "if a proxy of yours has this address, add it to trusted_proxies; else anybody may send that "+
			"header, and nothing is to be done")
}

// hostOf returns the host of ours that a request is for: by Host, or, behind a trusted proxy, by
// X-Forwarded-Host. For any other name the result has no passer, and the site of the public host, which
// answers for it.
func (p *Proxy) hostOf(r *http.Request) host {
	name := r.Host
	if forwarded := r.Header["X-Forwarded-Host"]; len(forwarded) == 1 &&
		exchange.FromTrustedProxy(r, p.trusted) {
		name = forwarded[0]
	}
	for _, h := range p.hosts {
		if h.site.Is(name) {
			return h
		}
	}
	return host{site: p.hosts[0].site}
}

// dispatch makes the request's address canonical and sends it to a handler of ours, or to Vexa.
func (p *Proxy) dispatch(rq *request, at host, r *http.Request) error {
	ex := &rq.Exchange
	if err := makeCanonical(ex, r); err != nil {
		return err
	}
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return exchange.Refuse("method_not_allowed", "")
	case isProbe(ex.Path):
	case at.passer == nil:
		return exchange.Refuse("misdirected", "")
	}
	if p.answerCORS(ex, r) {
		return nil
	}
	switch {
	case p.isOurs(ex, r):
		ex.Label = "sso"
		p.mux.ServeHTTP(ex, r)
		return nil
	case ex.Path == "/":
		ex.Label = "sso"
		exchange.Redirect(ex, "/sso/")
		return nil
	}
	return p.forward(rq, at, r)
}

// makeCanonical sets the exchange's path and query, once for all who decide by them (S4). It refuses an
// address with a token in it.
func makeCanonical(ex *exchange.Exchange, r *http.Request) error {
	var ok bool
	if caller.HoldsToken(r.URL.Path) || caller.HoldsToken(r.URL.RawQuery) {
		return tokenInAddress()
	}
	if ex.Path, ok = exchange.CanonicalPath(r.URL); !ok {
		return exchange.Refuse("bad_request", "The address is malformed or ambiguous.")
	}
	if ex.Query, ok = exchange.CanonicalQuery(r.URL.RawQuery); !ok {
		return exchange.Refuse("bad_request", "The query is malformed or ambiguous.")
	}
	if caller.HoldsToken(ex.Query) { // it was percent-encoded in a way that only decoding shows
		return tokenInAddress()
	}
	return nil
}

func tokenInAddress() error {
	return exchange.Refuse("bad_request", "A token must not be in an address, which ends up in logs. Send "+
		"it as X-API-Key or as Authorization: Bearer.")
}

// isProbe reports whether a path is for the probes of load balancers, which may ask by IP address.
func isProbe(path string) bool { return path == "/sso/healthz" || path == "/sso/readyz" }
