package bridge_test

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping/store/storetest"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/upstream"
)

// bound is how long any answer may take, whatever is down: the longest road is that of somebody new while the
// Admin API hangs, whose calls are given up after 5 s each.
const bound = 13 * time.Second

// timed asks, and holds the answer to the bound.
func (b *browser) timed(method, path, body string, header ...string) answer {
	b.w.t.Helper()
	began := oidctest.StartStopwatch(b.w.t)
	res := b.send(method, path, body, header...)
	if took := began.Took(); took > bound {
		b.w.t.Errorf("%s %s took %s: %v", method, path, took, res)
	}
	return res
}

// turnedAway holds an answer to be a refusal for now: that status and code, when to come back, and no cookie
// touched. A person gets it as a page.
func turnedAway(t *testing.T, what string, res answer, status int, code string) {
	t.Helper()
	seconds, err := strconv.Atoi(res.header.Get("Retry-After"))
	isPage := strings.HasPrefix(res.header.Get("Content-Type"), "text/html")
	named := res.code() == code || isPage && strings.Contains(res.body, code)
	if res.status != status || !named || err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("%s: want %d %s and a Retry-After, got %v", what, status, code, res)
	}
	for _, cookie := range res.header["Set-Cookie"] {
		if strings.HasPrefix(cookie, "vexa_sso=") {
			t.Errorf("%s touches the session cookie: %s", what, cookie)
		}
	}
}

// good holds somebody who is signed in and has a key to be served, by the bridge and by Vexa.
func good(t *testing.T, when string, b *browser) {
	t.Helper()
	for _, path := range []string{"/sso/whoami", "/sso/", "/meetings"} {
		if res := b.timed("GET", path, ""); res.status != http.StatusOK {
			t.Errorf("%s, %s: %v", when, path, res)
		}
	}
}

// talks holds a socket to be open, all the way to Vexa and back.
func talks(t *testing.T, when string, socket *websocket.Conn) {
	t.Helper()
	ctx, began := oidctest.Within(t), oidctest.StartStopwatch(t)
	if err := socket.Write(ctx, websocket.MessageText, []byte(`{"action":"ping"}`)); err != nil {
		t.Errorf("%s, the socket: %v", when, err)
	}
	if _, said, err := socket.Read(ctx); err != nil || !strings.Contains(string(said), "pong") {
		t.Errorf("%s, the socket says %s, %v", when, said, err)
	}
	if took := began.Took(); took > bound {
		t.Errorf("%s, the socket took %s", when, took)
	}
}

// S10: provider. Who is signed in is served, sign-in says that it can't be done now and when to try again,
// and works when the provider is back. While its discovery document is known, browsers are still sent there:
// it may be back before they arrive.
func TestProviderIsAway(t *testing.T) {
	t.Parallel()
	broken := func(e oidctest.Endpoint) func(*world) {
		return func(w *world) { w.okta.Break(e, oidctest.Down()) }
	}
	hung := func(e oidctest.Endpoint) func(*world) { return func(w *world) { w.okta.Hang(e) } }
	status := func(e oidctest.Endpoint, code int) func(*world) {
		return func(w *world) { w.okta.Break(e, oidctest.Status(code)) }
	}
	for _, test := range []struct {
		name     string
		atStart  bool
		endpoint oidctest.Endpoint
		fail     func(*world)
	}{
		{"down at start", true, oidctest.EndpointAny, broken(oidctest.EndpointAny)},
		{"hung at start", true, oidctest.EndpointAny, hung(oidctest.EndpointAny)},
		{"500 at start", true, oidctest.EndpointAny, status(oidctest.EndpointAny, 500)},
		{"token endpoint down", false, oidctest.EndpointToken, broken(oidctest.EndpointToken)},
		{"token endpoint hung", false, oidctest.EndpointToken, hung(oidctest.EndpointToken)},
		{"token endpoint 503", false, oidctest.EndpointToken, status(oidctest.EndpointToken, 503)},
		{"keys down", false, oidctest.EndpointKeys, broken(oidctest.EndpointKeys)},
		{"keys hung", false, oidctest.EndpointKeys, hung(oidctest.EndpointKeys)},
		{"userinfo down", false, oidctest.EndpointUserInfo, broken(oidctest.EndpointUserInfo)},
		{"userinfo hung", false, oidctest.EndpointUserInfo, hung(oidctest.EndpointUserInfo)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, keys := range []*oidctest.Keyring{w.okta.Keys(w.okta.Issuer()), w.entra.Keys()} {
				_, err := keys.Active() // to be made takes time that is not the provider's to lose
				must(t, err)
			}
			r := w.serve()
			signedIn := r.signIn("okta", tim)
			good(t, "before", signedIn)
			must(t, r.stop())
			// which a provider that is well may need longer than, on a busy machine
			w.settings["okta-timeout"] = "1s"
			w.configure()
			if test.atStart {
				test.fail(w)
			}
			r = w.serve()
			signedIn = signedIn.moved(r)
			if !test.atStart {
				r.waitFor("the discovery document to be read", func() bool {
					return !strings.Contains(r.operator("/readyz").body, "degraded")
				})
				test.fail(w)
			}
			good(t, "meanwhile", signedIn)
			socket := signedIn.mustSocket()
			for _, header := range [][]string{nil, page} {
				newcomer := r.browser()
				res := newcomer.timed("GET", "/sso/login?provider=okta", "", header...)
				if !test.atStart {
					if res.status != http.StatusSeeOther {
						t.Fatalf("the way to the provider: %v", res)
					}
					res = newcomer.timed("GET", w.atProvider("okta", res.header.Get("Location"), ada),
						"", header...)
				}
				turnedAway(t, "signing in", res, http.StatusServiceUnavailable, "provider_unavailable")
				if isPage := strings.HasPrefix(res.header.Get("Content-Type"),
					"text/html"); isPage != (header != nil) {
					t.Errorf("page and JSON are mixed up: %v", res)
				}
				if newcomer.cookie() != "" {
					t.Error("signed in without the provider")
				}
			}
			if res := r.browser().signIn("entra", ada); res.status != http.StatusSeeOther {
				t.Errorf("the other provider suffers: %v", res)
			}
			ready := r.operator("/readyz")
			if degraded := strings.Contains(ready.body, "degraded"); ready.status != http.StatusOK ||
				degraded != test.atStart {
				t.Errorf("readyz: %v", ready)
			}
			if up := r.metric(`vexa_sso_provider_up{provider="okta"}`); up == 1 == test.atStart {
				t.Errorf("provider_up is %v", up)
			}
			good(t, "after others were turned away", signedIn)
			talks(t, "after others were turned away", socket)

			w.okta.Mend(test.endpoint)
			r.waitFor("signing in to work again", func() bool {
				return r.browser().signIn("okta", ada).status == http.StatusSeeOther
			})
			good(t, "afterwards", signedIn)
		})
	}
}

// S10: Admin API, as far as the bridge reaches it. Who has a key is served with it, who has none is told to
// come back, and gets one when it is back. Signing in itself needs no Vexa.
func TestAdminAPIIsAway(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		generation, name, when string
		effect                 vexatest.Effect
	}{
		{vexatest.Generation012, "down", "at start", vexatest.CutBefore},
		{vexatest.Generation010, "down", "at start", vexatest.CutBefore},
		{vexatest.Generation012, "down", "in use", vexatest.CutBefore},
		{vexatest.Generation010, "down", "in use", vexatest.CutBefore},
		{vexatest.Generation012, "500", "in use", vexatest.FailBefore},
		{vexatest.Generation010, "hung", "at start", vexatest.HoldBefore}, // 5 s for each call
		{vexatest.Generation012, "hung", "in use", vexatest.HoldBefore},
	} {
		t.Run(test.generation+" "+test.name+" "+test.when, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, generation(test.generation))
			r := w.serve()
			signedIn := r.signIn("okta", tim)
			good(t, "before", signedIn)
			r.waitFor("the Admin API to count as up", func() bool {
				return r.metric("vexa_sso_vexa_admin_up") == 1
			})
			keys := w.keys()
			if test.when == "at start" {
				must(t, r.stop())
			}
			// Only what the bridge asks: the gateway's own way to the Admin API is another.
			away := w.vexa.Inject(vexatest.Fault{
				Path: "/admin", Times: -1, Effect: test.effect, Until: make(chan struct{}),
			})
			if test.when == "at start" {
				r = w.serve()
				signedIn = signedIn.moved(r)
			}
			good(t, "meanwhile", signedIn)
			socket := signedIn.mustSocket()
			newcomer := r.signIn("okta", ada)
			var asking sync.WaitGroup
			for what, header := range map[string][]string{"a program": nil, "a person": page} {
				asking.Go(func() {
					turnedAway(t, what+" without a key", newcomer.timed("GET", "/meetings", "", header...),
						http.StatusServiceUnavailable, "vexa_admin_unavailable")
				})
			}
			asking.Go(func() {
				if _, res, err := newcomer.socket(); err == nil || res == nil ||
					res.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("a socket without a key: %v, %v", res, err)
				}
			})
			good(t, "while others wait", signedIn)
			asking.Wait()
			good(t, "after others were turned away", signedIn)
			talks(t, "after others were turned away", socket)
			began := oidctest.StartStopwatch(t)
			ready, up := r.operator("/readyz"), r.metric("vexa_sso_vexa_admin_up")
			if took := began.Took(); ready.status != http.StatusOK || took > time.Second {
				t.Errorf("readyz after %s: %v", took, ready)
			}
			if test.when == "at start" && (up != 0 || !strings.Contains(ready.body, "degraded")) {
				t.Errorf("vexa_admin_up is %v, readyz %v", up, ready)
			}

			away.Heal()
			r.waitFor("the newcomer to be served", func() bool {
				return newcomer.get("/meetings").status == http.StatusOK
			})
			good(t, "afterwards", signedIn)
			if now := w.keys(); len(now) != 2 || !slices.Contains(now, keys[0]) {
				t.Errorf("keys were %q, are %q", keys, now)
			}
			if u := w.vexa.Users(); len(u) != 2 {
				t.Errorf("users: %v", u)
			}
		})
	}
}

// S10, V11: the Admin API down for everybody, the gateway included. 0.12 says so; 0.10 says 401 for a good
// key that it has not seen for a minute. No key is dropped for that, and no session.
func TestVexaCannotCheckKeys(t *testing.T) {
	t.Parallel()
	for _, g := range []string{vexatest.Generation012, vexatest.Generation010} {
		t.Run(g, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, generation(g))
			r := w.serve()
			signedIn := r.signIn("okta", ada)
			good(t, "before", signedIn)
			keys, calls := w.keys(), w.vexa.Calls()

			w.vexa.Set(vexatest.AdminAPI, vexatest.Down)
			w.vexa.ForgetValidations()
			for range 3 {
				res := signedIn.timed("GET", "/meetings", "")
				if g == vexatest.Generation010 {
					turnedAway(t, "a key that can't be checked", res, http.StatusServiceUnavailable,
						"vexa_key_refused")
				} else if res.status != http.StatusServiceUnavailable ||
					res.header.Get("Retry-After") == "" || len(res.header["Set-Cookie"]) > 0 {
					t.Errorf("Vexa's own answer: %v", res)
				}
			}
			if res := signedIn.get("/sso/whoami"); res.status != http.StatusOK {
				t.Errorf("whoami: %v", res)
			}
			w.vexa.Set(vexatest.AdminAPI, vexatest.Up)
			good(t, "afterwards", signedIn)
			now := w.vexa.Calls()
			if got := w.keys(); len(got) != 1 || got[0] != keys[0] || now.Mint != calls.Mint ||
				now.Delete != calls.Delete {
				t.Errorf("keys were %q, are %q; calls were %+v, are %+v", keys, got, calls, now)
			}
		})
	}
}

// hasty leads to the gateway as the usual transport does, and while that is away does not wait a
// minute for an answer to begin.
type hasty struct {
	usual, quick *http.Transport
	away         atomic.Bool
}

func newHasty() *hasty {
	h := &hasty{usual: upstream.NewTransport(), quick: upstream.NewTransport()}
	h.quick.ResponseHeaderTimeout = time.Second
	return h
}

func (h *hasty) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.away.Load() {
		return h.quick.RoundTrip(r)
	}
	return h.usual.RoundTrip(r)
}

func (h *hasty) option(o *bridge.Options) { o.Transport = h }

// S10: gateway. 502 or 504 within the bound, the session stays, and all is good when it is back. Requests,
// sockets and streams alike.
func TestGatewayIsAway(t *testing.T) {
	t.Parallel()
	for _, g := range []string{vexatest.Generation012, vexatest.Generation010} {
		for _, test := range []struct {
			name   string
			to     vexatest.Condition
			status int
			code   string
		}{
			{"down", vexatest.Down, http.StatusBadGateway, "vexa_unavailable"},
			{"hung", vexatest.Hung, http.StatusGatewayTimeout, "vexa_timeout"},
		} {
			for _, when := range []string{"at start", "in use"} {
				t.Run(g+" "+test.name+" "+when, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, generation(g))
					way := newHasty()
					r := w.serve(way.option)
					signedIn := r.signIn("okta", ada)
					good(t, "before", signedIn)
					cookie, keys := signedIn.cookie(), w.keys()
					if when == "at start" {
						must(t, r.stop())
						w.vexa.Set(vexatest.Gateway, test.to)
						r = w.serve(way.option)
						signedIn = signedIn.moved(r)
					} else {
						w.vexa.Set(vexatest.Gateway, test.to)
					}
					way.away.Store(true)
					newcomer := r.signIn("okta", tim)
					var asking sync.WaitGroup
					for what, ask := range map[string]func() answer{
						"GET":    func() answer { return signedIn.timed("GET", "/meetings", "") },
						"a page": func() answer { return signedIn.timed("GET", "/meetings", "", page...) },
						"POST": func() answer {
							return signedIn.timed("POST", "/bots", `{}`, "Origin", public,
								"Content-Type", "application/json")
						},
						"a stream": func() answer {
							return signedIn.timed("GET", "/mcp", "", "Accept", "text/event-stream")
						},
						"somebody new": func() answer { return newcomer.timed("GET", "/meetings", "") },
					} {
						asking.Go(func() { turnedAway(t, what, ask(), test.status, test.code) })
					}
					asking.Go(func() {
						if _, res, err := signedIn.socket(); err == nil || res == nil ||
							res.StatusCode != test.status {
							t.Errorf("a socket: %v, %v", res, err)
						}
					})
					asking.Wait()
					if res := signedIn.get("/sso/whoami"); res.status != http.StatusOK {
						t.Errorf("whoami: %v", res)
					}

					w.vexa.Set(vexatest.Gateway, vexatest.Up)
					way.away.Store(false)
					good(t, "afterwards", signedIn)
					good(t, "afterwards", newcomer)
					if now := w.keys(); signedIn.cookie() != cookie || len(now) != 2 ||
						!slices.Contains(now, keys[0]) {
						t.Errorf("the cookie was %s, is %s; keys were %q, are %q",
							cookie, signedIn.cookie(), keys, now)
					}
				})
			}
		}
	}
}

// S5, S10: store. For its grace, what is in memory is served; then 503 and nothing else, streams included,
// and nobody loses a cookie. When it is back, so is everything.
func TestStoreIsAway(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, generation string
		store            func(*testing.T) storeThatLeaves
	}{
		{"file, 0.12", vexatest.Generation012, fileThatLeaves},
		{"file, 0.10", vexatest.Generation010, fileThatLeaves},
		{"server refuses", vexatest.Generation012, serverThatLeaves((*storetest.Wire).Cut)},
		{"server hangs", vexatest.Generation012, serverThatLeaves((*storetest.Wire).Freeze)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			store := test.store(t)
			w := newWorld(t, generation(test.generation), with("grace", "4s"), store.option, quick)
			r := w.serve()
			signedIn, cold := r.signIn("okta", ada), r.browser()
			if res := cold.signIn("okta", tim); res.status != http.StatusSeeOther {
				t.Fatal(res)
			}
			machine := oidctest.StartStopwatch(t) // the last contact may be older by what it withholds
			good(t, "before", signedIn)
			cookie := signedIn.cookie()
			socket, stream := signedIn.mustSocket(), signedIn.events()
			must(t, w.vexa.WaitStreams(t.Context(), "", 2))
			callback := r.browser()
			login := callback.get("/sso/login?provider=okta")

			lost := time.Now()
			store.leave(w)
			// of the four seconds: the last contact was a little before, with a server up to a second
			const least = 2500 * time.Millisecond
			within := func() bool { return time.Since(lost)+machine.Withheld() < least }
			for within() {
				if res := signedIn.timed("GET", "/meetings", ""); res.status != http.StatusOK && within() {
					t.Errorf("within the grace: %v", res)
				}
			}
			if res := cold.timed("GET", "/meetings", ""); time.Since(lost) < least+time.Second {
				turnedAway(t, "who is not in memory", res, http.StatusServiceUnavailable, "store_unavailable")
			}
			r.waitFor("the grace to end", func() bool {
				return signedIn.get("/meetings").status != http.StatusOK
			})
			if after, kept := time.Since(lost), machine.Withheld(); after+kept < least ||
				after-kept > 10*time.Second {
				t.Errorf("a grace of 4s ended after %s", after)
			}
			const status, code = http.StatusServiceUnavailable, "store_unavailable"
			for _, path := range []string{"/meetings", "/sso/", "/sso/whoami", "/mcp"} {
				turnedAway(t, path, signedIn.timed("GET", path, ""), status, code)
				turnedAway(t, path+" as a page", signedIn.timed("GET", path, "", page...), status, code)
			}
			turnedAway(t, "signing out", signedIn.timed("POST", "/sso/logout", "", form...), status, code)
			turnedAway(t, "signing out, not in memory",
				cold.timed("POST", "/sso/logout", "", form...), status, code)
			turnedAway(t, "the end of a sign-in",
				callback.timed("GET", w.atProvider("okta", login.header.Get("Location"), ada), ""),
				status, code)
			if closed := closing(t, socket); closed != 4503 {
				t.Errorf("the socket was closed with %d", closed)
			}
			ends(t, stream)
			if res := r.operator("/healthz"); res.status != http.StatusOK {
				t.Errorf("healthz: %v", res)
			}
			if res := r.operator("/readyz"); res.status != status || !strings.Contains(res.body, "store") {
				t.Errorf("readyz: %v", res)
			}
			if up := r.metric("vexa_sso_store_up"); up != 0 {
				t.Errorf("store_up is %v", up)
			}

			store.comeBack(w)
			r.waitFor("the store to be back", func() bool {
				return signedIn.get("/meetings").status == http.StatusOK
			})
			good(t, "afterwards", signedIn)
			r.waitFor("a key for who had none", func() bool {
				return cold.get("/meetings").status == http.StatusOK
			})
			good(t, "afterwards", cold)
			if signedIn.cookie() != cookie {
				t.Error("the cookie is another")
			}
			signedIn.mustSocket()
			if res := r.operator("/readyz"); res.status != http.StatusOK {
				t.Errorf("readyz: %v", res)
			}
		})
	}
}

// S10: a store that takes no writes (another process does not let go of the file) serves who is signed in,
// and tells the others when to come back.
func TestStoreTakesNoWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	r := w.serve()
	signedIn := r.signIn("okta", tim)
	good(t, "before", signedIn)
	callback := r.browser()
	login := callback.get("/sso/login?provider=okta")
	release := w.lockStore()
	good(t, "meanwhile", signedIn)
	back := w.atProvider("okta", login.header.Get("Location"), ada)
	var asking sync.WaitGroup
	for what, ask := range map[string]func() answer{
		"signing in":  func() answer { return callback.timed("GET", back, "") },
		"signing out": func() answer { return signedIn.timed("POST", "/sso/logout", "", form...) },
	} {
		asking.Go(func() { turnedAway(t, what, ask(), http.StatusServiceUnavailable, "store_unavailable") })
	}
	asking.Wait()
	good(t, "after others were turned away", signedIn)
	release()
	r.waitFor("signing in to work again", func() bool {
		return r.browser().signIn("okta", ada).status == http.StatusSeeOther
	})
	good(t, "afterwards", signedIn)
}

// lockStore takes the store's file for writing, as another process would, and returns how to let it go.
func (w *world) lockStore() (release func()) {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.store()+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	must(w.t, err)
	w.t.Cleanup(func() { db.Close() })
	hold, err := db.BeginTx(context.Background(), nil)
	must(w.t, err)
	return func() { must(w.t, hold.Rollback()) }
}

// S10: a store that was never there. The program starts, says so, serves nobody, and
// stops when it is told to.
func TestStoreIsAwayAtStart(t *testing.T) {
	t.Parallel()
	refuses, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	closed := refuses.Addr().String()
	refuses.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts, nobody answers
	must(t, err)
	t.Cleanup(func() { silent.Close() })
	for name, address := range map[string]string{"refuses": closed, "hangs": silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const password = "postgres-password-canary"
			w := newWorld(t,
				with("store", "postgres://vexa:"+password+"@"+address+"/vexa?sslmode=disable"), quick)
			r := w.start(func(o *bridge.Options) {
				o.Ready = func(_, _ net.Addr) { t.Error("it says that it is ready") }
			})
			for _, path := range []string{"/healthz", "/sso/healthz"} {
				ask := r.operator
				if path != "/healthz" {
					ask = func(path string) answer { return r.browser().get(path) }
				}
				if res := ask(path); res.status != http.StatusOK {
					t.Errorf("%s: %v", path, res)
				}
			}
			for _, res := range []answer{r.operator("/readyz"), r.browser().get("/sso/readyz")} {
				if res.status != http.StatusServiceUnavailable || !strings.Contains(res.body, "store") {
					t.Errorf("readyz: %v", res)
				}
			}
			b := r.browser()
			for _, path := range []string{
				"/", "/sso/", "/sso/login", "/sso/login?provider=okta", "/sso/whoami",
				"/sso/callback/okta?state=x&code=y", "/meetings", "/ws", "/mcp", "/admin/users",
				"/health", "/sso/nothing",
			} {
				for _, header := range [][]string{nil, page, {"Cookie", "vexa_sso=something"}} {
					res := b.timed("GET", path, "", header...)
					turnedAway(t, path, res, http.StatusServiceUnavailable, "store_unavailable")
					if len(res.header["Set-Cookie"]) > 0 {
						t.Errorf("%s sets a cookie: %v", path, res)
					}
				}
			}
			turnedAway(t, "POST", b.timed("POST", "/bots", "{}", "Content-Type", "application/json"),
				http.StatusServiceUnavailable, "store_unavailable")
			if up := r.metric("vexa_sso_store_up"); up != 0 {
				t.Errorf("store_up is %v", up)
			}
			if n := w.vexa.GatewayWire().Bytes(); n > 0 &&
				strings.Contains(string(w.vexa.GatewayWire().Requests()[0].Raw), "/meetings") {
				t.Errorf("%d bytes reached the gateway", n)
			}
			began := oidctest.StartStopwatch(t)
			if err := r.stop(); err != nil {
				t.Errorf("it ends with %v", err)
			}
			if took := began.Took(); took > 5*time.Second {
				t.Errorf("it stopped after %s", took)
			}
			if name == "refuses" && r.heard("store cannot be opened; will be retried") == nil {
				t.Errorf("nothing is said about the store:\n%s", r.log)
			}
			if strings.Contains(r.log.String(), password) {
				t.Error("the log tells the store's password")
			}
		})
	}
}

// S10: everything down at once, at start, and nobody has ever signed in.
func TestEverythingIsAwayAtStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.okta.Break(oidctest.EndpointAny, oidctest.Down())
	w.entra.Break(oidctest.EndpointAny, oidctest.Down())
	w.vexa.Set(vexatest.AdminAPI, vexatest.Down)
	w.vexa.Set(vexatest.Gateway, vexatest.Down)
	r := w.serve()
	b := r.browser()
	for _, provider := range []string{"okta", "entra"} {
		turnedAway(t, provider, b.timed("GET", "/sso/login?provider="+provider, ""),
			http.StatusServiceUnavailable, "provider_unavailable")
	}
	if res := b.timed("GET", "/meetings", ""); res.status != http.StatusUnauthorized ||
		res.code() != "unauthenticated" {
		t.Errorf("a stranger: %v", res)
	}
	if res := b.timed("GET", "/sso/login", "", page...); res.status != http.StatusOK ||
		!strings.Contains(res.body, "provider=okta") {
		t.Errorf("the choice of providers: %v", res)
	}
	ready := r.operator("/readyz")
	for _, name := range []string{"provider:okta", "provider:entra", "vexa_admin"} {
		if ready.status != http.StatusOK || !strings.Contains(ready.body, "degraded") ||
			strings.Contains(ready.body, `"`+name+`":"ok"`) ||
			strings.Contains(ready.body, `"`+name+`":"unavailable"`) {
			t.Errorf("readyz: %v", ready)
		}
		// and no reason, which names hosts
		if public := b.get("/sso/readyz"); !strings.Contains(public.body, `"`+name+`":"unavailable"`) {
			t.Errorf("readyz to anybody: %v", public)
		}
	}
	w.okta.Mend(oidctest.EndpointAny)
	w.vexa.Heal()
	r.waitFor("signing in to work", func() bool {
		return r.browser().signIn("okta", ada).status == http.StatusSeeOther
	})
	good(t, "afterwards", r.signIn("okta", ada))
}

// S10: a provider that hangs, and was not heard of since the start, holds nobody up who does not sign in with
// it: neither a person's own page, nor their way out, nor a probe, which is given a second.
func TestHungProviderHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.serve()
	hers, his := r.signIn("okta", ada), r.signIn("okta", tim)
	must(t, r.stop())
	w.okta.Hang(oidctest.EndpointAny)
	r = w.serve()
	hers, his = hers.moved(r), his.moved(r)
	for what, ask := range map[string]func() answer{
		"readyz":       func() answer { return r.operator("/readyz") },
		"her page":     func() answer { return hers.get("/sso/", page...) },
		"a program's":  func() answer { return hers.get("/meetings") },
		"the choice":   func() answer { return r.browser().get("/sso/login", page...) },
		"his way out":  func() answer { return his.send("POST", "/sso/logout", "", form...) },
		"another page": func() answer { return r.browser().get("/sso/signed-out?provider=okta", page...) },
	} {
		began := oidctest.StartStopwatch(t)
		res := ask()
		if took := began.Took(); took > time.Second || res.status >= 400 {
			t.Errorf("%s took %s: %v", what, took, res)
		}
	}
	if res := his.get("/meetings"); res.status != http.StatusUnauthorized {
		t.Errorf("signed out: %v", res)
	}
}
