package authserver_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store"
	"vexa-sso/mapping/store/storetest"
	"vexa-sso/mapping/vexa"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy"
	"vexa-sso/proxy/authserver"
)

const (
	ada = "ada@acme.example" // bot, tx
	tim = "tim@acme.example" // tx

	loopback = "http://127.0.0.1:54321/callback" // where nothing listens: tests read where they are sent
)

// world is a bridge with its authorization server, between an Okta and a Vexa. Further replicas share its store, and its address:
// a client is led to one of them, as by a load balancer.
type world struct {
	t        testing.TB
	okta     *oidctest.Okta
	vexa     *vexatest.Server
	store    *store.Store
	accounts *mapping.Accounts
	public   string
	listens  string
	logs     *oidctest.LogBook
	clock    *oidctest.Clock
	ring     *keyring.Ring
	database string
	clients  authserver.Builtin
	server   *authserver.Server
}

// newWorld makes a world on a database; an empty one is a file of its own.
func newWorld(t testing.TB, database string) *world {
	t.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &world{t: t, public: "http://" + on.Addr().String(), logs: &oidctest.LogBook{}, clock: oidctest.NewClock(time.Now()), database: database, clients: authserver.BuiltinClients()}
	w.clients["web"] = authserver.Client{ID: "web", Name: "Some web app", RedirectURIs: []string{"https://app.example/cb?tenant=1", "http://localhost/cb"}}
	if database == "" {
		w.database = "sqlite:" + filepath.Join(t.TempDir(), "bridge.db")
	}
	w.okta = oidctest.StartOkta(t, oidctest.OktaOptions{Now: w.clock.Now})
	w.okta.AddCast()
	w.okta.AddClient(oidctest.Client{ID: "0oa1bridge", Secrets: []string{"okta-client-secret-canary"}, RedirectURIs: []string{w.public + "/sso/callback/okta"}})
	w.vexa = vexatest.Start(t, vexatest.Generation(vexatest.Generation012), vexatest.Clock(w.clock.Now))
	ring, err := keyring.Generate()
	must(t, err)
	w.ring, err = keyring.Load(ring)
	must(t, err)
	w.start(on)
	return w
}

// replica starts another process on the same store.
func (w *world) replica() *world {
	w.t.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	r := *w
	r.start(on)
	return &r
}

func (w *world) start(on net.Listener) {
	w.t.Helper()
	t := w.t
	w.listens = on.Addr().String()
	log := slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	w.store, err = store.Open(t.Context(), store.Config{URL: w.database, Grace: 30 * time.Second}, store.Env{Log: log, Patience: oidctest.Patience})
	must(t, err)
	admin, err := vexa.New(vexa.Config{GatewayURL: w.vexa.GatewayURL, AdminURL: w.vexa.AdminURL, AdminToken: vexatest.DefaultAdminToken, Generation: vexatest.Generation012})
	must(t, err)
	okta, err := oidc.New(oidc.Config{
		Name: "okta", Type: oidc.TypeOkta, Issuer: w.okta.Issuer(), ClientID: "0oa1bridge", ClientSecret: "okta-client-secret-canary",
		Scopes: []string{"groups"}, TrustedDomains: []string{"acme.example"}, RedirectURL: w.public + "/sso/callback/okta", Timeout: time.Minute,
	}, oidc.Env{Now: w.clock.Now, Log: log})
	must(t, err)
	compiled, problems := rule.Compile([]rule.Rule{
		{Name: "staff", Match: rule.Match{Groups: []string{"vexa-users"}}, Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}}},
		{Name: "viewers", Match: rule.Match{Groups: []string{"vexa-viewers"}}, Grant: &rule.GrantSpec{Scopes: []string{"tx"}}},
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	rules := &rule.Live{}
	rules.Replace(compiled)
	w.accounts = mapping.NewAccounts(mapping.Config{Instance: "test"}, mapping.Deps{
		Store: w.store, Vexa: admin, Ring: w.ring, Rules: rules, Directories: map[string]mapping.Directory{"okta": okta}, Log: log, Now: w.clock.Now,
	})
	gateway, err := url.Parse(w.vexa.GatewayURL)
	must(t, err)
	table := vexa.Routes(vexatest.Generation012)
	edge, err := proxy.New(proxy.Config{PublicURL: w.public}, proxy.Deps{
		Gateway: gateway, Routes: func() *vexa.Table { return table }, Providers: []*oidc.Provider{okta}, Accounts: w.accounts, Rules: rules,
		Sessions: w.store, Store: w.store, Ring: w.ring, Log: log, Now: w.clock.Now,
	})
	must(t, err)
	w.server, err = authserver.New(authserver.Config{PublicURL: w.public}, authserver.Deps{
		Accounts: w.accounts, Ender: edge, Clients: w.clients, Store: w.store, Ring: w.ring, Titles: map[string]string{"okta": "Acme"}, Log: log, Now: w.clock.Now,
	})
	must(t, err)
	w.server.Register(edge)

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{w.accounts.Run, edge.Run, w.server.Run} {
		running.Go(func() { _ = run(ctx) })
	}
	w.store.Watch(ctx, func(r mapping.Revocation) {
		w.accounts.Apply(r)
		edge.Apply(r)
	})
	web := &http.Server{Handler: edge, DisableGeneralOptionsHandler: true, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	running.Go(func() { _ = web.Serve(on) })
	opened := w.store
	t.Cleanup(func() {
		edge.CutStreams()
		web.Close()
		cancel()
		running.Wait()
		okta.Close()
		opened.Close()
	})
}

// onEachEngine runs a test with the embedded store, and with PostgreSQL where there is a server for tests.
func onEachEngine(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, ""))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, storetest.Postgres(t)))
	})
}

// browser keeps cookies and follows no redirects by itself.
type browser struct {
	*http.Client
	w *world
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	return &browser{w.client(jar), w}
}

// at is the same browser, led to another replica.
func (b *browser) at(w *world) *browser { return &browser{w.client(b.Jar), w} }

// client reaches this replica at the public URL.
func (w *world) client(jar http.CookieJar) *http.Client {
	way := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.listens)
	}}
	w.t.Cleanup(way.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: way, Timeout: oidctest.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type answer struct {
	status int
	header http.Header
	body   string
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

// open opens a page as a person does.
func (b *browser) open(path string) answer {
	b.w.t.Helper()
	return b.send("GET", path, "", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
}

// submit sends a form of ours as a person does.
func (b *browser) submit(path string, form url.Values) answer {
	b.w.t.Helper()
	return b.send("POST", path, form.Encode(), "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin",
		"Content-Type", "application/x-www-form-urlencoded")
}

// openAs opens a page as a person who signs in where they are asked to, and returns the page.
func (b *browser) openAs(who, path string) answer {
	b.w.t.Helper()
	a := b.open(path)
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/sso/login") {
		return a
	}
	return b.login(who, a.header.Get("Location"))
}

// login walks a sign-in from its address to the page that it was for.
func (b *browser) login(who, path string) answer {
	b.w.t.Helper()
	a := b.open(path)
	if a.status != http.StatusSeeOther {
		b.w.t.Fatalf("the way to the provider: %d %s", a.status, a.body)
	}
	callback, err := b.w.okta.SignIn(b.w.t.Context(), a.header.Get("Location"), who)
	must(b.w.t, err)
	a = b.open(strings.TrimPrefix(callback.URL, b.w.public))
	if a.status != http.StatusSeeOther {
		b.w.t.Fatalf("the way back from the provider: %d %s", a.status, a.body)
	}
	return b.open(a.header.Get("Location"))
}

var (
	hiddenTicket = regexp.MustCompile(`name="ticket" value="([^"]+)"`)
	wayOn        = regexp.MustCompile(`href="(https?://[^"]+)"`)
)

// ticket is the one on a page that asks.
func (a answer) ticket(t testing.TB) string {
	t.Helper()
	found := hiddenTicket.FindStringSubmatch(a.body)
	if a.status != http.StatusOK || found == nil {
		t.Fatalf("no page that asks: %d %v %s", a.status, a.header, a.body)
	}
	return html.UnescapeString(found[1])
}

// leads is where a page leads on to, or where a redirect does.
func (a answer) leads(t testing.TB) *url.URL {
	t.Helper()
	location := a.header.Get("Location")
	if a.status == http.StatusOK {
		if found := wayOn.FindStringSubmatch(a.body); found != nil {
			location = html.UnescapeString(found[1])
		}
	}
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		t.Fatalf("leads nowhere: %d %v %s", a.status, a.header, a.body)
	}
	return u
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var said map[string]any
	if err := json.Unmarshal([]byte(a.body), &said); err != nil {
		t.Fatalf("not JSON: %d %q", a.status, a.body)
	}
	return said
}

// refusal is status and error of what a program was told.
func (a answer) refusal(t testing.TB) (int, string) {
	t.Helper()
	code, _ := a.json(t)["error"].(string)
	return a.status, code
}

const verifier = "a-verifier-that-is-long-enough-for-rfc-7636-and-then-some"

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// request is an authorization request in order, with the changes: pairs of names and values; an empty value takes the parameter off.
func request(changes ...string) string {
	q := url.Values{
		"client_id": {authserver.CommandLine}, "redirect_uri": {loopback}, "response_type": {"code"}, "state": {"st/&=ate"},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if q.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			q.Del(changes[i])
		}
	}
	return "/sso/oauth/authorize?" + q.Encode()
}

// codeFor has a person agree to a request, and returns the code that the program is sent.
func (b *browser) codeFor(who, request string) string {
	b.w.t.Helper()
	ticket := b.openAs(who, request).ticket(b.w.t)
	back := b.submit("/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {"allow"}}).leads(b.w.t)
	code := back.Query().Get("code")
	if code == "" {
		b.w.t.Fatalf("no code: %s", back)
	}
	return code
}

// post sends what a program does.
func (w *world) post(path string, form url.Values, header ...string) answer {
	w.t.Helper()
	b := &browser{w.client(nil), w}
	return b.send("POST", path, form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

// exchange is a token request in order for a code, with the changes as of request.
func exchange(code string, changes ...string) url.Values {
	q := url.Values{"grant_type": {"authorization_code"}, "client_id": {authserver.CommandLine}, "redirect_uri": {loopback}, "code": {code}, "code_verifier": {verifier}}
	for i := 0; i+1 < len(changes); i += 2 {
		if q.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			q.Del(changes[i])
		}
	}
	return q
}

// works says whether Vexa answers to an access token.
func (w *world) works(access string) bool {
	w.t.Helper()
	b := &browser{w.client(nil), w}
	return b.send("GET", "/meetings", "", "Authorization", "Bearer "+access).status == http.StatusOK
}

// events are the audit events of a kind, the latest first.
func (w *world) events(kind string) []mapping.Event {
	w.t.Helper()
	events, err := w.store.Events(w.t.Context(), store.EventFilter{Event: kind, Limit: 100})
	must(w.t, err)
	return events
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
