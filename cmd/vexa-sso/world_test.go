package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/config"
	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
)

const (
	soon  = 2 * oidctest.Promised // for what must be so within a second (S5), and the look that finds it so
	later = oidctest.Patience     // for what Vexa is told when it can be
)

// world is what a script types its commands beside: a running bridge, an Okta and a Vexa.
type world struct {
	vexa    *vexatest.Server
	public  string // URL of the bridge
	address *url.URL
	people  map[string]*browser
	tokens  []string // their values

	stop func() // the bridge

	followed  *oidctest.LogBook // what was said by what is followed
	interrupt func()            // it

	strangerAsked atomic.Int32 // how often somebody was asked whom an impostor named
}

// browser is where somebody is signed in.
type browser struct {
	*http.Client
	account string
	stream  *bufio.Reader
}

const worldConfig = `instance: prod
public_url: {public}
listen: {listen}
metrics: { listen: 127.0.0.1:0 }
vexa: { gateway_url: "{gateway}", admin_url: "{admin}", admin_token: canary-admin }
providers:
  - name: okta
    type: okta
    issuer: {idp}/okta/oauth2/default
    client_id: 0oaclitest0000000001
    client_secret: canary-client
    scopes: [groups]
    trusted_domains: [acme.example]
rules_file: rules.yaml
store: { url: "sqlite:{dir}/vexa-sso.db" }
keyring_file: ring.json
`

const worldRules = `- name: staff
  match: { providers: [okta], groups: [vexa-users] }
  grant: { scopes: [bot, tx], max_concurrent_bots: 2 }
- name: viewers
  match: { groups: [vexa-viewers] }
  grant: { scopes: [tx] }
- name: trial
  match: { groups: [choir] }
  grant: { scopes: [tx] }
  shadow: true
- name: partners
  match: { domains: [partner.example] }
  deny: Partners may not use Vexa.
`

type worldKey struct{}

// worldOf returns the world of a script, which `serve` has made.
func worldOf(ts *testscript.TestScript) *world {
	w, _ := ts.Value(worldKey{}).(**world)
	if *w == nil {
		ts.Fatalf("write serve first")
	}
	return *w
}

// serve starts an Okta, a Vexa and a bridge between them, and leaves vexa-sso.yaml and rules.yaml: serve.
// Later calls start the bridge again.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	place := ts.Value(worldKey{}).(**world)
	if *place == nil {
		*place = newWorld(ts)
	}
	(*place).start(ts)
}

// halt stops the bridge: halt.
func halt(ts *testscript.TestScript, neg bool, args []string) { worldOf(ts).stop() }

func newWorld(ts *testscript.TestScript) *world {
	w := &world{people: map[string]*browser{}, stop: func() {}}
	listen := func(address string) net.Listener {
		on, err := net.Listen("tcp", address)
		ts.Check(err)
		return on
	}
	reserved := listen("127.0.0.1:0")
	w.public = "http://" + reserved.Addr().String()
	reserved.Close()
	var err error
	w.address, err = url.Parse(w.public)
	ts.Check(err)

	w.vexa = vexatest.New(vexatest.Config{AdminToken: "canary-admin"})
	ts.Check(w.vexa.Listen("127.0.0.1:0", "127.0.0.1:0"))
	ts.Defer(func() { w.vexa.Close() })

	idp := listen("localhost:0")
	_, port, _ := net.SplitHostPort(idp.Addr().String())
	base := "http://localhost:" + port
	okta, err := oidctest.NewOkta(oidctest.OktaOptions{BaseURL: base + "/okta", AutoSignIn: true})
	ts.Check(err)
	okta.AddCast()
	okta.AddClient(oidctest.Client{
		ID: "0oaclitest0000000001", Name: "Vexa", Secrets: []string{"canary-client"}, RequirePKCE: true,
		RedirectURIs:   []string{w.public + "/sso/callback/okta"},
		PostLogoutURIs: []string{w.public + "/sso/signed-out"},
	})
	mux := http.NewServeMux()
	mux.Handle("/okta/", okta)
	provider := &http.Server{Handler: mux}
	go provider.Serve(idp)
	ts.Defer(func() { provider.Close() })
	ts.Setenv("OKTA", base+"/okta")
	ts.Setenv("BRIDGE", w.public)

	ring, err := keyring.Generate()
	ts.Check(err)
	dir := ts.MkAbs(".")
	text := strings.NewReplacer("{public}", w.public, "{listen}", reserved.Addr().String(),
		"{gateway}", w.vexa.GatewayURL, "{admin}", w.vexa.AdminURL, "{idp}", base, "{dir}", dir).
		Replace(worldConfig)
	for name, content := range map[string]string{
		"vexa-sso.yaml": text, "rules.yaml": worldRules, "ring.json": string(ring),
	} {
		ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	return w
}

// start starts the bridge of the script's configuration.
func (w *world) start(ts *testscript.TestScript) {
	cfg, err := config.Load(ts.MkAbs("vexa-sso.yaml"), nil)
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	log := new(oidctest.LogBook)
	go func() {
		done <- bridge.Run(ctx, cfg,
			bridge.Options{
				Reload: func() (*config.Config, error) { return config.Load(ts.MkAbs("vexa-sso.yaml"), nil) },
				Log:    log, Ready: func(net.Addr, net.Addr) { close(ready) },
			})
	}()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			ts.Logf("the bridge ended with %v", err)
		}
	})
	ts.Defer(w.stop)
	select {
	case <-ready:
	case err := <-done:
		ts.Fatalf("the bridge does not start: %v\n%s", err, log)
	case <-time.After(oidctest.Patience):
		ts.Fatalf("the bridge never was ready:\n%s", log)
	}
}

// signIn signs somebody of the cast in, in a browser of their name, whose account is then in the variable of
// that name: signin ada [status].
func signIn(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: signin <name> [status]")
	}
	w, name, want := worldOf(ts), args[0], "200"
	if len(args) > 1 {
		want = args[1]
	}
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	b := &browser{Client: &http.Client{Jar: jar, Timeout: oidctest.Patience}}
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := b.Get(w.public + "/sso/login?provider=okta&login_hint=" + name + "@acme.example")
	ts.Check(err)
	res.Body.Close()
	b.CheckRedirect = nil
	res, err = b.Get(res.Header.Get("Location") + "&demo_auto=1")
	ts.Check(err)
	res.Body.Close()
	if got := strconv.Itoa(res.StatusCode); got != want {
		ts.Fatalf("signing in as %s: %s", name, got)
	}
	w.people[name] = b
	if status, body := b.get(ts, w.public+"/sso/whoami"); status == http.StatusOK {
		var me struct{ Account string }
		ts.Check(json.Unmarshal([]byte(body), &me))
		b.account = me.Account
		ts.Setenv(name, me.Account)
	}
}

func (b *browser) get(ts *testscript.TestScript, url string) (int, string) {
	res, err := b.Get(url)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	return res.StatusCode, string(body)
}

// untilTheEnd lets a stopwatch run until its script has ended.
type untilTheEnd struct{ *testscript.TestScript }

func (u untilTheEnd) Cleanup(f func()) { u.Defer(f) }

// eventually fails the script unless look returns what is wanted, in time, less what the machine withholds.
func eventually(ts *testscript.TestScript, within time.Duration, what, want string, look func() string) {
	began, got := oidctest.StartStopwatch(untilTheEnd{ts}), ""
	oidctest.Await(func() bool {
		got = look()
		return got == want || began.Took() > within
	})
	if got != want {
		ts.Fatalf("%s is %s, and is not %s within %s", what, got, want, within)
	}
}

// due is within how long an answer must have that status: an end of access is promised soon, all
// else takes what it takes.
func due(status string) time.Duration {
	if status == "401" || status == "403" {
		return soon
	}
	return oidctest.Patience
}

// request waits until a browser gets an answer with that status: request ada /meetings 200.
func request(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: request <name> <path> <status>")
	}
	w := worldOf(ts)
	b := w.people[args[0]]
	eventually(ts, due(args[2]), args[1], args[2], func() string {
		status, _ := b.get(ts, w.public+args[1])
		return strconv.Itoa(status)
	})
}

// issue makes a personal token, whose value is then in the variable: issue ada TOKEN backup bot,tx.
func issue(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: issue <name> <variable> <what for> <scopes>")
	}
	w := worldOf(ts)
	cfg, err := config.Load(ts.MkAbs("vexa-sso.yaml"), nil)
	ts.Check(err)
	a, err := bridge.OpenAdmin(context.Background(), cfg)
	ts.Check(err)
	defer a.Close()
	account := w.people[args[0]].account
	n := mapping.NewToken{
		Kind: mapping.TokenPersonal, Name: args[2],
		Scopes: rule.NewScopes(strings.Split(args[3], ",")...), Address: "192.0.2.7",
	}
	_, value, err := a.Accounts.CreateToken(context.Background(), account, n, account)
	ts.Check(err)
	w.tokens = append(w.tokens, value)
	ts.Setenv(args[1], value)
}

// show waits until a program that shows a token gets an answer with that status: show $TOKEN /meetings 200.
func show(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: show <token> <path> <status>")
	}
	url := worldOf(ts).public + args[1]
	eventually(ts, due(args[2]), args[1], args[2], func() string {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		ts.Check(err)
		req.Header.Set("X-API-Key", args[0])
		res, err := http.DefaultClient.Do(req)
		ts.Check(err)
		res.Body.Close()
		return strconv.Itoa(res.StatusCode)
	})
}

// stream opens an event stream, or waits for its end: stream ada open, stream ada cut.
func stream(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: stream <name> open|cut")
	}
	w := worldOf(ts)
	b := w.people[args[0]]
	if args[1] == "open" {
		res, err := (&http.Client{Jar: b.Jar}).Get(w.public + "/mcp") // which stays open, and says nothing
		ts.Check(err)
		if res.StatusCode != http.StatusOK {
			ts.Fatalf("the stream does not open: %d", res.StatusCode)
		}
		b.stream = bufio.NewReader(res.Body)
		ts.Defer(func() { res.Body.Close() })
		return
	}
	var ended atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, b.stream)
		ended.Store(true)
	}()
	eventually(ts, soon, "that the stream is cut", "true", func() string {
		return strconv.FormatBool(ended.Load())
	})
}

// atVexa asks or tells the simulated Vexa:
//
//	vexa user add team@acme.example         a user that others made
//	vexa user reset                         set up anew
//	vexa token add ada@acme.example name    a token that others minted
//	vexa tokens ada@acme.example 1          waits until the user has so many tokens
//	vexa bots ada@acme.example 2            waits until they may run so many bots
//	vexa run ada@acme.example               has a bot running
//	vexa running ada@acme.example 0         waits until so many bots run
//	vexa admin down|up                      the Admin API
func atVexa(ts *testscript.TestScript, neg bool, args []string) {
	v := worldOf(ts).vexa
	user := func() vexatest.User {
		u, ok := v.User(args[1])
		if !ok {
			ts.Fatalf("Vexa has no user %s", args[1])
		}
		return u
	}
	switch command := strings.Join(args[:min(len(args), 2)], " "); {
	case command == "user add":
		v.AddUser(args[2], "")
	case command == "user reset":
		v.Reinstall()
	case command == "token add":
		args = args[1:]
		v.AddToken(user().ID, args[2], 0, "bot", "tx")
	case args[0] == "tokens":
		eventually(ts, later, "the number of tokens", args[2], func() string {
			return strconv.Itoa(len(v.Tokens(user().ID)))
		})
	case args[0] == "bots":
		eventually(ts, later, "max_concurrent_bots", args[2], func() string {
			return fmt.Sprint(user().MaxConcurrentBots)
		})
	case args[0] == "run":
		observe(ts, v, user(), http.MethodPost, "/bots",
			`{"platform":"google_meet","native_meeting_id":"abc-defg-hij"}`)
	case args[0] == "running":
		eventually(ts, later, "the number of bots", args[2], func() string {
			var status struct{ Count int }
			ts.Check(json.Unmarshal([]byte(observe(ts, v, user(), http.MethodGet, "/bots/status", "")),
				&status))
			return strconv.Itoa(status.Count)
		})
	case command == "admin down":
		v.Set(vexatest.AdminAPI, vexatest.Down)
	case command == "admin up":
		v.Set(vexatest.AdminAPI, vexatest.Up)
	default:
		ts.Fatalf("vexa cannot %q", args)
	}
}

// observe calls the gateway with a key that lives for this call alone.
func observe(
	ts *testscript.TestScript, v *vexatest.Server, u vexatest.User, method, path, body string,
) string {
	key := v.AddToken(u.ID, "observer", 0, "bot", "tx")
	defer v.RevokeToken(key.ID)
	req, err := http.NewRequest(method, v.GatewayURL+path, strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("X-API-Key", key.Secret)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	ts.Check(err)
	if res.StatusCode >= 300 {
		ts.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	return string(text)
}

// noSecrets looks through what the last command printed for anything secret (S2): nosecrets.
func noSecrets(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	secrets := append([]string{"canary", "vxa_"}, w.tokens...)
	for _, token := range w.vexa.Tokens() {
		secrets = append(secrets, token.Secret)
	}
	for _, b := range w.people {
		for _, cookie := range b.Jar.Cookies(w.address) {
			if len(cookie.Value) > 20 { // others only mark
				secrets = append(secrets, cookie.Value)
			}
		}
	}
	for _, stream := range []string{"stdout", "stderr"} {
		text := ts.ReadFile(stream)
		for _, s := range secrets {
			if strings.Contains(text, s) {
				ts.Fatalf("%s shows the secret %s:\n%s", stream, s, text)
			}
		}
	}
}

// capture puts a member of the JSON object that was printed, or of the first in a list, into a
// variable: capture KEY id.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: capture <variable> <JSON key>")
	}
	var all any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &all))
	if list, ok := all.([]any); ok {
		if len(list) == 0 {
			ts.Fatalf("the list is empty")
		}
		all = list[0]
	}
	object, _ := all.(map[string]any)
	value, ok := object[args[1]]
	if !ok {
		ts.Fatalf("there is no %s in the output", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}

// replicasHave waits until the running bridge says, in its store, that it has the keys of a file, in that
// order: replicas-have ring.json.
func replicasHave(ts *testscript.TestScript, neg bool, args []string) {
	ring, err := keyring.LoadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	cfg, err := config.Load(ts.MkAbs("vexa-sso.yaml"), nil)
	ts.Check(err)
	eventually(ts, oidctest.Patience, "the key ring of the replica", fmt.Sprint(ring.IDs()), func() string {
		live, err := liveReplicas(context.Background(), cfg)
		ts.Check(err)
		if len(live) != 1 {
			return fmt.Sprint(live)
		}
		return fmt.Sprint(live[0].Keys)
	})
}
