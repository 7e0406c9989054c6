package proxy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
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
	"vexa-sso/proxy/tokens"
)

// world is a whole bridge between an Okta and a Vexa, in one process, on loopback: the provider on localhost and the bridge on
// 127.0.0.1, so that they are cross-site as in life.
type world struct {
	t        testing.TB
	okta     *oidctest.Okta
	vexa     *vexatest.Server
	store    *store.Store
	accounts *mapping.Accounts
	rules    *rule.Live
	proxy    *proxy.Proxy
	public   string // http://127.0.0.1:port
	host     string
	listens  string // where this replica does; host, but for further replicas
	logs     *oidctest.LogBook
	clock    *oidctest.Clock
	metrics  *prometheus.Registry
	stop     func()      // ends this replica, and lets it write what it still has to
	away     atomic.Bool // the store has been out of reach for longer than its grace

	options  worldOptions
	ring     *keyring.Ring
	database string
}

// Usable stands between the edge and the store, so that a test needs no grace to pass.
func (w *world) Usable() bool { return !w.away.Load() && w.store.Usable() }

type worldOptions struct {
	generation string
	rules      []rule.Rule
	config     proxy.Config
	logLevel   slog.Level
	gateway    string // instead of Vexa's
	okta       oidctest.OktaOptions
	more       []oidc.Config                        // providers besides Okta; their redirect URLs are filled in
	audiences  []string                             // of Okta's access tokens that are taken
	also       func(okta oidc.Config) []oidc.Config // more providers at the same Okta
	pages      func(*proxy.Proxy)
}

// staffRules lets the demo cast's vexa-users do everything, and its vexa-viewers read.
func staffRules() []rule.Rule {
	two := 2
	return []rule.Rule{
		{Name: "staff", Match: rule.Match{Groups: []string{"vexa-users"}}, Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}, MaxConcurrentBots: &two}},
		{Name: "viewers", Match: rule.Match{Groups: []string{"vexa-viewers"}}, Grant: &rule.GrantSpec{Scopes: []string{"tx"}}},
		{Name: "partners", Match: rule.Match{Domains: []string{"partner.example"}}, Deny: "Partners may not use Vexa. Ask it@acme.example."},
	}
}

func newWorld(t testing.TB, options ...func(*worldOptions)) *world {
	t.Helper()
	o := worldOptions{generation: vexatest.Generation012, rules: staffRules(), logLevel: slog.LevelDebug}
	for _, option := range options {
		option(&o)
	}
	w := &world{t: t, logs: &oidctest.LogBook{}, clock: &oidctest.Clock{}, rules: &rule.Live{}, metrics: prometheus.NewRegistry()}
	on, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.public, w.host = "http://"+on.Addr().String(), on.Addr().String()

	o.okta.Now = w.clock.Now
	w.okta = oidctest.StartOkta(t, o.okta)
	w.okta.AddCast()
	w.okta.AddClient(oidctest.Client{ID: "0oa1bridge", Secrets: []string{"okta-client-secret-canary"}, RedirectURIs: []string{w.public + "/sso/callback/okta"}, PostLogoutURIs: []string{w.public + "/sso/signed-out"}})
	w.vexa = vexatest.Start(t, vexatest.Generation(o.generation), vexatest.Clock(w.clock.Now))

	rules, problems := rule.Compile(o.rules)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.rules.Replace(rules)
	ringJSON, err := keyring.Generate()
	must(t, err)
	w.ring, err = keyring.Load(ringJSON)
	must(t, err)
	w.database = "sqlite:" + filepath.Join(t.TempDir(), "bridge.db")
	w.options = o
	w.start(on)
	return w
}

// replica starts another process on the same store, behind the same public URL.
func (w *world) replica() *world {
	w.t.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	r := &world{
		t: w.t, okta: w.okta, vexa: w.vexa, rules: w.rules, public: w.public, host: w.host, logs: w.logs, clock: w.clock,
		metrics: prometheus.NewRegistry(), options: w.options, ring: w.ring, database: w.database,
	}
	r.start(on)
	return r
}

// start makes the bridge and serves it.
func (w *world) start(on net.Listener) {
	w.t.Helper()
	o, t := w.options, w.t
	w.listens = on.Addr().String()
	log := slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: o.logLevel}))
	var err error
	w.store, err = store.Open(t.Context(), store.Config{URL: w.database, Grace: 30 * time.Second}, store.Env{Log: log, Patience: oidctest.Patience})
	must(t, err)
	admin, err := vexa.New(vexa.Config{GatewayURL: w.vexa.GatewayURL, AdminURL: w.vexa.AdminURL, AdminToken: vexatest.DefaultAdminToken, Generation: o.generation})
	must(t, err)
	var providers []*oidc.Provider
	directories := map[string]mapping.Directory{}
	okta := oidc.Config{
		Name: "okta", Type: oidc.TypeOkta, Issuer: w.okta.Issuer(), ClientID: "0oa1bridge", ClientSecret: "okta-client-secret-canary",
		Scopes: []string{"groups"}, TrustedDomains: []string{"acme.example"}, Timeout: time.Minute,
		API: oidc.API{Audiences: o.audiences},
	}
	if o.also != nil {
		o.more = append(o.more, o.also(okta)...)
	}
	for _, c := range append([]oidc.Config{okta}, o.more...) {
		c.RedirectURL = w.public + "/sso/callback/" + c.Name
		provider, err := oidc.New(c, oidc.Env{Now: w.clock.Now, Log: log})
		must(t, err)
		providers = append(providers, provider)
		directories[c.Name] = provider
	}
	w.accounts = mapping.NewAccounts(
		mapping.Config{Instance: "test", Renew: o.config.Session.Renew, Idle: o.config.Session.Idle, MaxOffline: o.config.Tokens.MaxOffline, MaxTokenLifetime: o.config.Tokens.MaxLifetime},
		mapping.Deps{Store: w.store, Vexa: admin, Ring: w.ring, Rules: w.rules, Directories: directories, Log: log, Now: w.clock.Now},
	)

	if o.gateway == "" {
		o.gateway = w.vexa.GatewayURL
	}
	gateway, err := url.Parse(o.gateway)
	must(t, err)
	o.config.PublicURL = w.public
	table := vexa.Routes(o.generation)
	w.proxy, err = proxy.New(o.config, proxy.Deps{
		Gateway: gateway, Routes: func() *vexa.Table { return table }, Providers: providers, Accounts: w.accounts, Rules: w.rules, Owners: admin,
		Sessions: w.store, Store: w, Ring: w.ring, Metrics: w.metrics, Log: log, Now: w.clock.Now,
	})
	must(t, err)
	titles := map[string]string{}
	for _, provider := range providers {
		titles[provider.Name()] = provider.Title()
	}
	tokens.New(tokens.Deps{Accounts: w.accounts, Ender: w.proxy, Titles: titles, MaxLifetime: o.config.Tokens.MaxLifetime}).Register(w.proxy)
	if o.pages != nil {
		o.pages(w.proxy)
	}
	w.serve(on, providers)
}

// serve runs the bridge and what belongs to it until the test is over.
func (w *world) serve(on net.Listener, providers []*oidc.Provider) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = w.accounts.Run(ctx) })
	running.Go(func() { _ = w.proxy.Run(ctx) })
	w.store.Watch(ctx, func(r mapping.Revocation) {
		w.accounts.Apply(r)
		w.proxy.Apply(r)
	})
	server := &http.Server{Handler: w.proxy, DisableGeneralOptionsHandler: true, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	running.Go(func() { _ = server.Serve(on) })
	w.stop = func() {
		w.proxy.CutStreams()
		server.Close()
		cancel()
		running.Wait()
	}
	w.t.Cleanup(func() {
		w.stop()
		for _, provider := range providers {
			provider.Close()
		}
		w.store.Close()
	})
}

// browser is a client with cookies that follows no redirects by itself.
type browser struct {
	*http.Client
	w *world
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	return &browser{w.client(jar), w}
}

// client reaches this replica at the public URL, as through a load balancer.
func (w *world) client(jar http.CookieJar) *http.Client {
	way := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.listens)
	}}
	w.t.Cleanup(way.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: way, Timeout: oidctest.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// at is the same browser, led to another replica.
func (b *browser) at(w *world) *browser { return &browser{w.client(b.Jar), w} }

// signIn signs a person in and returns their browser.
func (w *world) signIn(who string) *browser {
	w.t.Helper()
	b := w.browser()
	res := b.signIn(who, "/sso/login")
	if res.status != http.StatusSeeOther || b.cookie() == "" {
		w.t.Fatalf("signing %s in: %d %s", who, res.status, res.body)
	}
	return b
}

// signIn walks a sign-in from a login address to the answer of the callback.
func (b *browser) signIn(who, login string) answer {
	b.w.t.Helper()
	res := b.get(login)
	location := res.header.Get("Location")
	if res.status != http.StatusSeeOther {
		b.w.t.Fatalf("GET %s: %d %s", login, res.status, res.body)
	}
	callback, err := b.w.okta.SignIn(b.w.t.Context(), location, who)
	must(b.w.t, err)
	return b.get(strings.TrimPrefix(callback.URL, b.w.public))
}

// cookie is the browser's session cookie, name and value.
func (b *browser) cookie() string {
	u, _ := url.Parse(b.w.public)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "vexa_sso" {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

type answer struct {
	status int
	header http.Header
	body   string
}

// code is the code of a JSON refusal.
func (a answer) code() string {
	var said struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal([]byte(a.body), &said)
	return said.Code
}

func (b *browser) get(path string, header ...string) answer {
	return b.send("GET", path, "", header...)
}

// send sends a request; header is a list of names and values.
func (b *browser) send(method, path, body string, header ...string) answer {
	b.w.t.Helper()
	req, err := http.NewRequestWithContext(b.w.t.Context(), method, b.w.public+path, strings.NewReader(body))
	must(b.w.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := b.Do(req)
	must(b.w.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(b.w.t, err)
	return answer{res.StatusCode, res.Header, string(text)}
}

// raw sends bytes as they are and returns the first answer to them.
func (w *world) raw(request string) answer {
	w.t.Helper()
	return raw(w.t, w.host, request)
}

func raw(t testing.TB, host, request string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(oidctest.Patience)))
	_, err = io.WriteString(conn, request)
	must(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text)}
}

// waitFor waits until something that happens in the background has.
func (w *world) waitFor(what string, happened func() bool) {
	w.t.Helper()
	oidctest.WaitFor(w.t, what, happened)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
