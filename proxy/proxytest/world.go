// Package proxytest is a whole bridge for tests, in one process, between doubles of a provider and of Vexa:
// see [Start]. A test uses it with a browser (browser.go), a program (program.go), streams (stream.go), and a
// provider that calls us (provider.go).
package proxytest

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store"
	"vexa-sso/mapping/vexa"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/tokens"
)

// World is a whole bridge between an Okta and a Vexa, in one process, on loopback: the provider on localhost
// and the bridge on 127.0.0.1, so that they are cross-site as in production.
type World struct {
	T        testing.TB
	Okta     *oidctest.Okta
	Vexa     *vexatest.Server
	Store    *store.Store
	Accounts *mapping.Accounts
	Rules    *rule.Live
	Proxy    *proxy.Proxy
	Public   string // http://127.0.0.1:port
	Host     string
	listens  string // address of this replica; Host for the first
	Log      *slog.Logger
	Logs     *oidctest.LogBook // the log
	Clock    *oidctest.Clock
	Metrics  *prometheus.Registry
	Stop     func()      // stops this replica gracefully
	Away     atomic.Bool // makes Usable false: the store is away beyond its grace

	Options  Options
	Ring     *keyring.Ring
	Database string
}

// Usable implements caller.Health, so that a test need not wait for the grace.
func (w *World) Usable() bool { return !w.Away.Load() && w.Store.Usable() }

// Options are the options of a World.
type Options struct {
	Generation string
	Rules      []rule.Rule
	Config     proxy.Config
	LogLevel   slog.Level
	Gateway    string // instead of Vexa's
	Okta       oidctest.OktaOptions
	// providers besides Okta; their redirect URLs are filled in
	More      []oidc.Config
	audiences []string                             // of Okta's access tokens that are taken
	Also      func(okta oidc.Config) []oidc.Config // more providers at the same Okta
	Database  string                               // default: a SQLite file of the test's own

	WriteTimeout time.Duration // of the server; default exchange.AnswerTimeout

	// Sessions is put between the edge and its store of sessions; nil: nothing is.
	Sessions func(caller.SessionStore) caller.SessionStore

	// Rooms puts further rooms on each replica, and returns what runs beside it; nil: nothing does.
	Rooms func(*World) (run func(context.Context) error)
}

func (o Options) between(s caller.SessionStore) caller.SessionStore {
	if o.Sessions == nil {
		return s
	}
	return o.Sessions(s)
}

// StaffRules lets the demo cast's vexa-users do everything, and its vexa-viewers read.
func StaffRules() []rule.Rule {
	two := 2
	return []rule.Rule{
		{
			Name: "staff", Match: rule.Match{Groups: []string{"vexa-users"}},
			Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}, MaxConcurrentBots: &two},
		},
		{
			Name: "viewers", Match: rule.Match{Groups: []string{"vexa-viewers"}},
			Grant: &rule.GrantSpec{Scopes: []string{"tx"}},
		},
		{
			Name: "partners", Match: rule.Match{Domains: []string{"partner.example"}},
			Deny: "Partners may not use Vexa. Ask it@acme.example.",
		},
	}
}

// Start starts a world, which ends with the test.
func Start(t testing.TB, options ...func(*Options)) *World {
	t.Helper()
	o := Options{Generation: vexatest.Generation012, Rules: StaffRules(), LogLevel: slog.LevelDebug}
	for _, option := range options {
		option(&o)
	}
	w := &World{
		T: t, Logs: &oidctest.LogBook{}, Clock: &oidctest.Clock{}, Rules: &rule.Live{},
		Metrics: prometheus.NewRegistry(),
	}
	on, err := net.Listen("tcp", "127.0.0.1:0")
	Must(t, err)
	w.Public, w.Host = "http://"+on.Addr().String(), on.Addr().String()

	o.Okta.Now = w.Clock.Now
	w.Okta = oidctest.StartOkta(t, o.Okta)
	w.Okta.AddCast()
	w.Okta.AddClient(oidctest.Client{
		ID: "0oa1bridge", Secrets: []string{"okta-client-secret-canary"},
		RedirectURIs:   []string{w.Public + "/sso/callback/okta"},
		PostLogoutURIs: []string{w.Public + "/sso/signed-out"},
	})
	w.Vexa = vexatest.Start(t, vexatest.Generation(o.Generation), vexatest.Clock(w.Clock.Now))

	rules, problems := rule.Compile(o.Rules)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.Rules.Replace(rules)
	ringJSON, err := keyring.Generate()
	Must(t, err)
	w.Ring, err = keyring.Load(ringJSON)
	Must(t, err)
	w.Database = cmp.Or(o.Database, "sqlite:"+filepath.Join(t.TempDir(), "bridge.db"))
	w.Options = o
	w.start(on)
	return w
}

// Replica starts another replica on the same store, behind the same public URL.
func (w *World) Replica() *World {
	w.T.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	Must(w.T, err)
	r := &World{
		T: w.T, Okta: w.Okta, Vexa: w.Vexa, Rules: w.Rules, Public: w.Public,
		Host: w.Host, Logs: w.Logs, Clock: w.Clock,
		Metrics: prometheus.NewRegistry(), Options: w.Options, Ring: w.Ring, Database: w.Database,
	}
	r.start(on)
	return r
}

// start makes the bridge and serves it.
func (w *World) start(on net.Listener) {
	w.T.Helper()
	o, t := w.Options, w.T
	w.listens = on.Addr().String()
	log := slog.New(slog.NewJSONHandler(w.Logs, &slog.HandlerOptions{Level: o.LogLevel}))
	w.Log = log
	var err error
	w.Store, err = store.Open(t.Context(), store.Config{URL: w.Database, Grace: 30 * time.Second},
		store.Env{Log: log, Patience: oidctest.Patience})
	Must(t, err)
	admin, err := vexa.New(vexa.Config{
		GatewayURL: w.Vexa.GatewayURL, AdminURL: w.Vexa.AdminURL, AdminToken: vexatest.DefaultAdminToken,
		Generation: o.Generation,
	})
	Must(t, err)
	var providers []*oidc.Provider
	directories := map[string]mapping.Directory{}
	okta := oidc.Config{
		Name: "okta", Type: oidc.TypeOkta, Issuer: w.Okta.Issuer(), ClientID: "0oa1bridge",
		ClientSecret: "okta-client-secret-canary",
		Scopes:       []string{"groups"}, TrustedDomains: []string{"acme.example"}, Timeout: time.Minute,
		API: oidc.API{Audiences: o.audiences},
	}
	if o.Also != nil {
		o.More = append(o.More, o.Also(okta)...)
	}
	for _, c := range append([]oidc.Config{okta}, o.More...) {
		c.RedirectURL = w.Public + "/sso/callback/" + c.Name
		provider, err := oidc.New(c, oidc.Env{Now: w.Clock.Now, Log: log})
		Must(t, err)
		providers = append(providers, provider)
		directories[c.Name] = provider
	}
	w.Accounts = mapping.NewAccounts(
		mapping.Config{
			Instance: "test", Renew: o.Config.Session.Renew, Idle: o.Config.Session.Idle,
			MaxOffline: o.Config.Tokens.MaxOffline, MaxTokenLifetime: o.Config.Tokens.MaxLifetime,
		},
		mapping.Deps{
			Store: w.Store, Vexa: admin, Ring: w.Ring, Rules: w.Rules, Directories: directories,
			Log: log, Now: w.Clock.Now,
		},
	)

	if o.Gateway == "" {
		o.Gateway = w.Vexa.GatewayURL
	}
	gateway, err := url.Parse(o.Gateway)
	Must(t, err)
	o.Config.PublicURL = w.Public
	table := vexa.Routes(o.Generation)
	w.Proxy, err = proxy.New(o.Config, proxy.Deps{
		Gateway: gateway, Routes: func() *vexa.Table { return table }, Providers: providers,
		Accounts: w.Accounts, Rules: w.Rules, Owners: admin,
		Sessions: o.between(w.Store), Store: w, Ring: w.Ring, Metrics: w.Metrics, Log: log, Now: w.Clock.Now,
	})
	Must(t, err)
	titles := map[string]string{}
	for _, provider := range providers {
		titles[provider.Name()] = provider.Title()
	}
	tokens.New(tokens.Deps{
		Accounts: w.Accounts, Ender: w.Proxy, Titles: titles, MaxLifetime: o.Config.Tokens.MaxLifetime,
	}).Register(w.Proxy)
	var beside func(context.Context) error
	if o.Rooms != nil {
		beside = o.Rooms(w)
	}
	w.serve(on, providers, beside)
}

// serve runs the bridge and what belongs to it until the test is over.
func (w *World) serve(on net.Listener, providers []*oidc.Provider, beside func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{w.Accounts.Run, w.Proxy.Run, beside} {
		if run != nil {
			running.Go(func() { _ = run(ctx) })
		}
	}
	w.Store.Watch(ctx, func(r mapping.Revocation) {
		w.Accounts.Apply(r)
		w.Proxy.Apply(r)
	})
	server := &http.Server{
		Handler: w.Proxy, DisableGeneralOptionsHandler: true, MaxHeaderBytes: 64 << 10,
		WriteTimeout: cmp.Or(w.Options.WriteTimeout, exchange.AnswerTimeout),
		ErrorLog:     slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	running.Go(func() { _ = server.Serve(on) })
	w.Stop = func() {
		w.Proxy.CutStreams()
		server.Close()
		cancel()
		running.Wait()
	}
	w.T.Cleanup(func() {
		w.Stop()
		for _, provider := range providers {
			provider.Close()
		}
		w.Store.Close()
	})
}

// WaitFor waits until happened returns true, or fails the test.
func (w *World) WaitFor(what string, happened func() bool) {
	w.T.Helper()
	oidctest.WaitFor(w.T, what, happened)
}

// Must fails the test at an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
