package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/config"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
)

const (
	ada = "ada@acme.example"
	tim = "tim@acme.example"

	// host is what people type. The bridge listens wherever there is room; browsers are led there.
	host   = "127.0.0.1:4180"
	public = "http://" + host
)

// document is what an admin would write, with the rules in a file of their own.
const document = `
instance: test
public_url: {public}
listen: 127.0.0.1:0
metrics: { listen: 127.0.0.1:0 }
log: { level: debug }
vexa:
  gateway_url: {gateway}
  admin_url: {admin}
  admin_token: '{admin-token}'
providers:
  - name: okta
    type: okta
    issuer: {okta}
    client_id: 0oabridge
    client_secret: '{okta-secret}'
    scopes: [groups]
    trusted_domains: [acme.example]
    timeout: {okta-timeout}
  - name: entra
    type: entra
    tenant: 7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3
    cloud: {entra}
    client_id: 2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91
    client_secret: '{entra-secret}'
    trusted_domains: [acme.example]
    timeout: 1m
rules_file: {dir}/rules.yaml
store: { url: '{store}', grace: {grace} }
keyring_file: {dir}/keyring.json
`

const rules = `
- name: staff
  match: { providers: [okta], groups: [vexa-users] }
  grant: { scopes: [bot, tx], max_concurrent_bots: 2 }
- name: viewers
  match: { providers: [okta], groups: [vexa-viewers] }
  grant: { scopes: [tx] }
- name: staff-entra
  match: { providers: [entra], groups: [0b6f6e2a-9a0f-4d54-8f0e-1f2a3b4c5d6e] }
  grant: { scopes: [bot, tx], max_concurrent_bots: 2, vexa_email: '= identity.email.replace("@", "+entra@")' }
`

// Most of these tests wait for somebody most of the time, so more of them run at a time
// than there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		_ = flag.Set("test.parallel", "8")
	}
	os.Exit(m.Run())
}

// world is what stands around the bridges of a test: providers on localhost, a Vexa, and a folder
// with configuration, key ring and store. The bridges are on 127.0.0.1, so that they and the
// providers are cross-site as in life.
type world struct {
	t     *testing.T
	dir   string
	okta  *oidctest.Okta
	entra *oidctest.Entra
	vexa  *vexatest.Server

	document string // the template; what is in braces comes from settings
	settings map[string]string
	patience time.Duration // with the store
}

func newWorld(t *testing.T, options ...func(*world)) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), document: document, patience: oidctest.Patience, settings: map[string]string{
			"public": public, "okta-timeout": "1m", "grace": "30s", "generation": vexatest.Generation012,
			"admin-token": "admin-token-canary-5d1f", "okta-secret": "okta-secret-canary-77ab",
			"entra-secret": "entra-secret-canary-c0de",
		},
	}
	w.settings["dir"], w.settings["store"] = w.dir, "sqlite:"+w.store()
	for _, option := range options {
		option(w)
	}
	w.okta = oidctest.StartOkta(t, oidctest.OktaOptions{SID: true})
	w.okta.AddCast()
	w.okta.AddClient(oidctest.Client{
		ID: "0oabridge", Secrets: []string{w.settings["okta-secret"]}, RequirePKCE: true,
		RedirectURIs:   []string{w.settings["public"] + "/sso/callback/okta"},
		PostLogoutURIs: []string{w.settings["public"] + "/sso/signed-out"},
	})
	w.entra = oidctest.StartEntra(t, oidctest.EntraOptions{})
	w.entra.AddCast()
	w.entra.AddClient(oidctest.Client{
		ID: "2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91", Secrets: []string{w.settings["entra-secret"]},
		Tenant: oidctest.TenantA, RedirectURIs: []string{
			w.settings["public"] + "/sso/callback/entra", w.settings["public"] + "/sso/signed-out",
		},
	})
	w.vexa = vexatest.Start(t, func(c *vexatest.Config) {
		c.Generation, c.AdminToken = w.settings["generation"], w.settings["admin-token"]
	})
	w.settings["gateway"], w.settings["admin"] = w.vexa.GatewayURL, w.vexa.AdminURL
	w.settings["okta"], w.settings["entra"] = w.okta.Issuer(), w.entra.BaseURL()

	ring, err := keyring.Generate()
	must(t, err)
	w.write("keyring.json", string(ring))
	w.write("rules.yaml", rules)
	w.configure()
	return w
}

// with changes what stands in braces in the document, before anything starts.
func with(name, value string) func(*world) { return func(w *world) { w.settings[name] = value } }

// quick gives up on the store as soon as life does.
func quick(w *world) { w.patience = 0 }

func generation(g string) func(*world) { return with("generation", g) }

func (w *world) store() string { return filepath.Join(w.dir, "vexa-sso.db") }

func (w *world) write(name, text string) {
	w.t.Helper()
	must(w.t, os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
}

// configure writes the configuration as the settings have it now.
func (w *world) configure() {
	w.t.Helper()
	pairs := []string{}
	for name, value := range w.settings {
		pairs = append(pairs, "{"+name+"}", value)
	}
	w.write("vexa-sso.yaml", strings.NewReplacer(pairs...).Replace(w.document))
}

func (w *world) load() (*config.Config, error) {
	return config.Load(filepath.Join(w.dir, "vexa-sso.yaml"), nil)
}

// replica is one running bridge.
type replica struct {
	w       *world
	log     *oidctest.LogBook
	address string // of the listener that everybody reaches
	metrics string // of the one for operators

	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run, once ended
}

// start runs a bridge until the test is over, or stop, and returns once it listens.
func (w *world) start(options ...func(*bridge.Options)) *replica {
	w.t.Helper()
	r := w.launch(options...)
	r.waitFor("it to listen", func() bool { return r.heard("listening") != nil })
	said := r.heard("listening")
	r.address, r.metrics = said["listen"].(string), said["metrics"].(string)
	return r
}

// serve is start, and waits until requests are served.
func (w *world) serve(options ...func(*bridge.Options)) *replica {
	w.t.Helper()
	r := w.start(options...)
	r.waitFor("it to serve", func() bool { return r.heard("serving") != nil })
	return r
}

func (w *world) launch(options ...func(*bridge.Options)) *replica {
	w.t.Helper()
	cfg, err := w.load()
	must(w.t, err)
	r := &replica{w: w, log: &oidctest.LogBook{}, ended: make(chan struct{})}
	o := bridge.Options{Reload: w.load, Log: r.log, StorePatience: w.patience}
	for _, option := range options {
		option(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		r.err = bridge.Run(ctx, cfg, o)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-r.ended
	})
	return r
}

// stop ends a bridge as SIGTERM does, and returns what Run did.
func (r *replica) stop() error {
	r.cancel()
	<-r.ended
	return r.err
}

// failed waits until a bridge has ended by itself, and returns why.
func (r *replica) failed() error {
	r.w.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(oidctest.Patience):
		r.w.t.Errorf("it goes on")
		r.cancel()
		<-r.ended
	}
	return r.err
}

// waitFor waits until something has happened, as long as the bridge runs.
func (r *replica) waitFor(what string, happened func() bool) {
	r.w.t.Helper()
	waitFor(r.w.t, what, func() bool {
		select {
		case <-r.ended:
			r.w.t.Fatalf("waiting for %s: the bridge ended with: %v\n%s", what, r.err, r.log)
		default:
		}
		return happened()
	})
}

// heard returns the latest line of the log with that message, nil where there is none.
func (r *replica) heard(message string) map[string]any {
	for line := range strings.Lines(r.log.String()) {
		said := map[string]any{}
		if strings.Contains(line, `"msg":"`+message+`"`) && json.Unmarshal([]byte(line), &said) == nil {
			return said
		}
	}
	return nil
}

// metric returns the value of a metric, named with its labels as it is exposed; 0 where it is not.
func (r *replica) metric(name string) float64 {
	r.w.t.Helper()
	for line := range strings.Lines(r.operator("/metrics").body) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			var value float64
			_, err := fmt.Sscan(rest, &value)
			must(r.w.t, err)
			return value
		}
	}
	return 0
}

// operator asks the listener for operators.
func (r *replica) operator(path string) answer {
	r.w.t.Helper()
	client := &http.Client{Timeout: oidctest.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + r.metrics + path)
	must(r.w.t, err)
	return read(r.w.t, res)
}

// browser is a person's: it keeps cookies, follows no redirects by itself and reaches the
// bridge that it is led to.
type browser struct {
	*http.Client
	w  *world
	at *replica

	heard func(answer) // is told of every answer; optional
}

func (r *replica) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(r.w.t, err)
	return r.browserWith(jar)
}

func (r *replica) browserWith(jar http.CookieJar) *browser {
	b := &browser{w: r.w, at: r}
	b.Client = &http.Client{
		Jar: jar, Timeout: oidctest.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true, DialContext: b.dial},
	}
	return b
}

func (b *browser) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address == host {
		address = b.at.address
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// moved is the same browser, led to another bridge.
func (b *browser) moved(to *replica) *browser {
	m := to.browserWith(b.Jar)
	m.heard = b.heard
	return m
}

type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

// code is the code of a JSON refusal.
func (a answer) code() string {
	var said struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal([]byte(a.body), &said)
	return said.Code
}

func (a answer) String() string { return fmt.Sprintf("%d %v %.500s", a.status, a.header, a.body) }

func read(t testing.TB, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return answer{status: res.StatusCode, header: res.Header, body: string(text)}
}

// page is how a browser asks for one.
var page = []string{
	"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
	"Sec-Fetch-Site", "none",
}

// form is how a browser sends one of ours.
var form = []string{
	"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
	"Sec-Fetch-Site", "same-origin", "Origin", public, "Content-Type", "application/x-www-form-urlencoded",
}

func (b *browser) get(path string, header ...string) answer {
	b.w.t.Helper()
	return b.send("GET", path, "", header...)
}

// send sends a request, and goes on to the page of a refusal; header is a list of names and values.
func (b *browser) send(method, path, body string, header ...string) answer {
	b.w.t.Helper()
	a, err := b.try(method, path, body, header...)
	must(b.w.t, err)
	if refused := a.header.Get("Location"); strings.HasPrefix(refused, "/sso/refused/") {
		return b.get(refused, header...)
	}
	return a
}

// try is send for where there may be no answer.
func (b *browser) try(method, path, body string, header ...string) (answer, error) {
	res, err := b.open(b.w.t.Context(), method, path, body, header...)
	if err != nil {
		return answer{}, err
	}
	began := time.Now()
	a := read(b.w.t, res)
	a.took = time.Since(began)
	if b.heard != nil {
		b.heard(a)
	}
	return a, nil
}

// open sends a request and leaves its answer open.
func (b *browser) open(
	ctx context.Context, method, path, body string, header ...string,
) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.w.settings["public"]+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return b.Do(req)
}

// signIn signs a person in and returns their browser.
func (r *replica) signIn(provider, who string) *browser {
	r.w.t.Helper()
	b := r.browser()
	if res := b.signIn(provider, who); res.status != http.StatusSeeOther || b.cookie() == "" {
		r.w.t.Fatalf("signing %s in: %v\n%s", who, res, r.log)
	}
	// On a busy machine the store may be too slow for a first read; from then on the session is in memory.
	r.waitFor("the session to be read", func() bool { return b.get("/sso/whoami").status == http.StatusOK })
	return b
}

// signIn walks a sign-in to the answer of the callback.
func (b *browser) signIn(provider, who string, header ...string) answer {
	b.w.t.Helper()
	res := b.get("/sso/login?provider="+provider, header...)
	if res.status != http.StatusSeeOther {
		return res
	}
	return b.get(b.w.atProvider(provider, res.header.Get("Location"), who), header...)
}

// atProvider presses the person's button and returns where the provider sends them, without the host.
func (w *world) atProvider(provider, location, who string) string {
	w.t.Helper()
	double := w.okta.Double
	if provider == "entra" {
		double = w.entra.Double
	}
	callback, err := double.SignIn(w.t.Context(), location, who)
	must(w.t, err)
	return strings.TrimPrefix(callback.URL, w.settings["public"])
}

// cookie is the browser's session cookie, name and value.
func (b *browser) cookie() string {
	u, _ := url.Parse(b.w.settings["public"])
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "vexa_sso" || c.Name == "__Host-vexa_sso" {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

// socket opens a WebSocket as a page of this site does.
func (b *browser) socket() (*websocket.Conn, *http.Response, error) {
	conn, res, err := websocket.Dial(oidctest.Within(b.w.t), public+"/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: b.Transport},
		HTTPHeader: http.Header{"Cookie": {b.cookie()}, "Origin": {public}},
	})
	if err == nil {
		b.w.t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, res, err
}

func (b *browser) mustSocket() *websocket.Conn {
	b.w.t.Helper()
	conn, _, err := b.socket()
	must(b.w.t, err)
	return conn
}

// events opens an event stream.
func (b *browser) events() *http.Response {
	b.w.t.Helper()
	res, err := b.open(b.w.t.Context(), "GET", "/mcp", "", "Accept", "text/event-stream")
	must(b.w.t, err)
	if res.StatusCode != http.StatusOK {
		b.w.t.Fatalf("the event stream: %v", read(b.w.t, res))
	}
	b.w.t.Cleanup(func() { res.Body.Close() })
	return res
}

// closing reads a socket to its end and returns how it was closed; -1: without a close frame.
func closing(t testing.TB, conn *websocket.Conn) websocket.StatusCode {
	t.Helper()
	ctx := oidctest.Within(t)
	for {
		_, _, err := conn.Read(ctx)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			t.Fatal("the socket stays open")
		default:
			return websocket.CloseStatus(err)
		}
	}
}

// ends waits until an event stream is over.
func ends(t testing.TB, res *http.Response) {
	t.Helper()
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(io.Discard, res.Body)
	}()
	select {
	case <-over:
	case <-time.After(oidctest.Patience):
		t.Error("the event stream stays open")
	}
}

// keys are the secrets of the tokens at Vexa that are ours.
func (w *world) keys() (secrets []string) {
	for _, token := range w.vexa.Tokens() {
		if strings.HasPrefix(token.Name, "vsso:test:") {
			secrets = append(secrets, token.Secret)
		}
	}
	slices.Sort(secrets)
	return secrets
}

// waitFor waits until something that happens in the background has.
func waitFor(t testing.TB, what string, happened func() bool) {
	t.Helper()
	oidctest.WaitFor(t, what, happened)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The world itself: both providers lead to Vexa, in both generations.
func TestWorld(t *testing.T) {
	t.Parallel()
	for _, g := range []string{vexatest.Generation012, vexatest.Generation010} {
		t.Run(g, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, generation(g))
			r := w.serve()
			for _, provider := range []string{"okta", "entra"} {
				b := r.signIn(provider, ada)
				if res := b.get("/meetings"); res.status != http.StatusOK {
					t.Errorf("through %s: %v", provider, res)
				}
			}
			if users := w.vexa.Users(); len(users) != 2 || len(w.keys()) != 2 {
				t.Errorf("%v, %d keys", users, len(w.keys()))
			}
			if err := r.stop(); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}
