package proxy

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc"
	"vexa-sso/proxy/page"
)

// Deps is what the edge works with.
type Deps struct {
	Gateway   *url.URL           // the Vexa gateway
	Routes    func() *vexa.Table // which routes it has and what they need
	Providers []*oidc.Provider   // in the order people see them
	Accounts  *mapping.Accounts
	Rules     *rule.Live
	Owners    KeyOwners // needed for tokens.native_keys: migrate
	Sessions  SessionStore
	Store     Health
	Ring      *keyring.Ring
	Ready     []Check // what readyz asks, besides the store and the providers

	Transport http.RoundTripper     // towards the gateway; default NewTransport
	Metrics   prometheus.Registerer // default: a registry of its own
	Log       *slog.Logger
	Now       func() time.Time
	Random    io.Reader
}

// Proxy is the HTTP edge: the http.Handler of the bridge.
type Proxy struct {
	cfg       Config
	public    *url.URL
	origin    string // scheme://host of public
	host      string // canonical
	trusted   []netip.Prefix
	names     cookieNames
	gateway   *url.URL
	routes    func() *vexa.Table
	providers []*oidc.Provider
	accounts  *mapping.Accounts
	rules     *rule.Live
	sessions  SessionStore
	store     Health
	ring      *keyring.Ring
	ready     []Check

	known      known
	used       *lastUse
	failures   *failures
	issuers    []*oidc.Provider // those of the providers whose access tokens are taken
	owners     KeyOwners        // nil: no Vexa key is looked at
	nativeAsks *rate.Limiter
	foreign    map[string]bool // origins whose pages may call with a credential of their own

	cookies   *sessionCookies
	attempts  *attemptCookies
	callbacks *callbacks
	streams   *streams
	reverse   *httputil.ReverseProxy
	pages     *page.Pages
	own       *http.ServeMux
	metrics   *metrics

	log    *slog.Logger
	now    func() time.Time
	random io.Reader
}

// New makes the edge. It needs no network.
func New(cfg Config, d Deps) (*Proxy, error) {
	public, err := url.Parse(cfg.PublicURL)
	if err != nil || public.Host == "" {
		return nil, fmt.Errorf("public_url %q is not a URL", cfg.PublicURL)
	}
	if strings.Trim(d.Gateway.Path, "/") != "" {
		return nil, fmt.Errorf("the gateway's address %s has a path: its routes begin at the root", d.Gateway.Redacted())
	}
	trusted, err := parsePrefixes(cfg.TrustedProxies)
	if err != nil {
		return nil, err
	}
	cfg = withDefaults(cfg)
	p := &Proxy{
		cfg: cfg, public: public, origin: public.Scheme + "://" + canonicalHost(public.Host, public.Scheme), host: canonicalHost(public.Host, public.Scheme), trusted: trusted,
		names: namesFor(public.Scheme), gateway: d.Gateway, routes: d.Routes, providers: d.Providers, accounts: d.Accounts, rules: d.Rules,
		sessions: d.Sessions, store: d.Store, ring: d.Ring, ready: d.Ready,
		streams: newStreams(cfg.Limits.StreamsPerAccount),
		log:     d.Log, now: d.Now, random: d.Random,
	}
	if p.log == nil {
		p.log = discard
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.random == nil {
		p.random = rand.Reader
	}
	if d.Metrics == nil {
		d.Metrics = prometheus.NewRegistry()
	}
	if d.Transport == nil {
		d.Transport = NewTransport()
	}
	p.metrics = newMetrics(d.Metrics, p.streams)
	p.callbacks = newCallbacks()
	p.known, p.used, p.failures = newKnown(), newLastUse(), newFailures()
	p.owners, p.nativeAsks = d.Owners, rate.NewLimiter(nativePerSecond, nativeBurst)
	p.foreign = set(cfg.CORS.Origins...)
	for _, provider := range p.providers {
		if provider.AcceptsBearer() {
			p.issuers = append(p.issuers, provider)
		}
	}
	p.cookies = &sessionCookies{names: p.names, codec: d.Ring.Codec(keyring.SessionCookie, cfg.Session.Lifetime, p.now), store: d.Sessions, random: p.random, maxAge: cfg.Session.Lifetime}
	p.attempts = newAttemptCookies(p.names, d.Ring.Codec(keyring.SignInAttempt, attemptLifetime, p.now), p.now)
	p.pages = page.New(page.Config{Site: public.Host, Now: p.now})
	p.reverse = &httputil.ReverseProxy{
		Rewrite: p.rewrite, ModifyResponse: p.answered, ErrorHandler: p.broken,
		Transport: &healing{next: d.Transport, p: p}, BufferPool: newBufferPool(),
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	p.own = http.NewServeMux()
	p.ownPages()
	p.tokenPages()
	return p, nil
}

func withDefaults(cfg Config) Config {
	cfg.Session.Idle = cmp.Or(cfg.Session.Idle, 8*time.Hour)
	cfg.Session.Lifetime = cmp.Or(cfg.Session.Lifetime, 24*time.Hour)
	cfg.Session.Renew = cmp.Or(cfg.Session.Renew, 15*time.Minute)
	cfg.Tokens.MaxLifetime = cmp.Or(cfg.Tokens.MaxLifetime, 90*24*time.Hour)
	cfg.Tokens.MaxOffline = cmp.Or(cfg.Tokens.MaxOffline, 24*time.Hour)
	cfg.Tokens.NativeKeys = cmp.Or(cfg.Tokens.NativeKeys, NativeKeysDeny)
	cfg.Limits.BodyReplay = cmp.Or(cfg.Limits.BodyReplay, 64<<10)
	cfg.Limits.StreamsPerAccount = cmp.Or(cfg.Limits.StreamsPerAccount, 20)
	return cfg
}

func parsePrefixes(texts []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(text)
			if addrErr != nil {
				return nil, fmt.Errorf("trusted_proxies: %q is neither a network nor an address", text)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := &exchange{ResponseWriter: w, start: p.now(), address: clientAddress(r, p.trusted), credential: "none"}
	ex.traceID = ex.newTraceID(p.random)
	defer func() {
		if !ex.goesOn {
			p.finish(r.Context(), ex, r.Method)
		}
	}()
	limitBody(w, r)
	if err := p.handle(ex, r); err != nil {
		p.answerProblem(ex, r, err)
	}
}

// handle makes the request canonical and gives it to whom it belongs: ours lives under /sso/, everything else is Vexa's.
func (p *Proxy) handle(ex *exchange, r *http.Request) error {
	var ok bool
	if holdsToken(r.URL.Path) || holdsToken(r.URL.RawQuery) {
		return tokenInAddress()
	}
	if ex.path, ok = canonicalPath(r.URL); !ok {
		return refuse("bad_request", "The address is malformed or ambiguous.")
	}
	if ex.query, ok = canonicalQuery(r.URL.RawQuery); !ok {
		return refuse("bad_request", "The query is malformed or ambiguous.")
	}
	if holdsToken(ex.query) { // in another spelling, which Vexa would not get to see
		return tokenInAddress()
	}
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return refuse("method_not_allowed", "")
	case p.isProbe(ex.path):
	case !p.isOurHost(r):
		return refuse("misdirected", "")
	}
	if p.answerForeign(ex, r) {
		return nil
	}
	switch {
	case p.isOurs(ex, r):
		ex.label = "sso"
		p.own.ServeHTTP(ex, r)
		return nil
	case ex.path == "/":
		ex.label = "sso"
		redirect(ex, "/sso/")
		return nil
	}
	return p.forward(ex, r)
}

func tokenInAddress() error {
	return refuse("bad_request", "A token does not belong into an address. Send it as X-API-Key or as Authorization: Bearer.")
}

// isOurHost says whether the request was meant for us: by the Host it names, or, where a trusted proxy stands in front, by the
// one that the proxy was asked for.
func (p *Proxy) isOurHost(r *http.Request) bool {
	host := r.Host
	if forwarded := r.Header["X-Forwarded-Host"]; len(forwarded) == 1 && fromTrustedProxy(r, p.trusted) {
		host = forwarded[0]
	}
	return host == p.public.Host || canonicalHost(host, p.public.Scheme) == p.host
}

// isProbe says whether a path is for load balancers, which may ask by address.
func (p *Proxy) isProbe(path string) bool { return path == "/sso/healthz" || path == "/sso/readyz" }
