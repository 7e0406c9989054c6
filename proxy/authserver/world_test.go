package authserver_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/mapping/store"
	"vexa-sso/mapping/store/storetest"
	"vexa-sso/proxy/authserver"
	"vexa-sso/proxy/proxytest"
)

const (
	ada = "ada@acme.example" // bot, tx
	tim = "tim@acme.example" // tx

	loopback = "http://127.0.0.1:54321/callback" // where nothing listens: tests read where they are sent
)

// world is a bridge with its authorization server. Further replicas share its store, and its address: a
// client is led to one of them, as by a load balancer.
type world struct {
	*proxytest.World
	clients authserver.Builtin
	server  *authserver.Server
}

// newWorld makes a world on a database; an empty one is a file of its own.
func newWorld(t testing.TB, database string) *world {
	t.Helper()
	w := &world{clients: authserver.BuiltinClients()}
	w.clients["web"] = authserver.Client{
		ID: "web", Name: "Some web app",
		RedirectURIs: []string{"https://app.example/cb?tenant=1", "http://localhost/cb"},
	}
	w.World = proxytest.Start(t, func(o *proxytest.Options) {
		o.Database = database
		o.Rooms = func(at *proxytest.World) func(context.Context) error {
			server, err := authserver.New(authserver.Config{PublicURL: at.Public}, authserver.Deps{
				Accounts: at.Accounts, Ender: at.Proxy, Clients: w.clients, Store: at.Store, Ring: at.Ring,
				Titles: map[string]string{"okta": "Acme"}, Log: at.Log, Now: at.Clock.Now,
			})
			proxytest.Must(t, err)
			server.Register(at.Proxy)
			w.server = server
			return func(ctx context.Context) error { <-ctx.Done(); return nil }
		}
	})
	w.Clock.Stop() // what is bounded a second is bounded however long the test takes
	return w
}

// replica starts another process on the same store.
func (w *world) replica() *world {
	w.T.Helper()
	first := w.server
	r := &world{World: w.Replica(), clients: w.clients}
	r.server, w.server = w.server, first
	return r
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

// browser is a person's.
type browser struct {
	*proxytest.Browser
	w *world
}

func (w *world) browser() *browser { return &browser{w.Browser(), w} }

// at is the same browser, led to another replica.
func (b *browser) at(w *world) *browser { return &browser{b.At(w.World), w} }

type answer struct{ proxytest.Answer }

// send sends a request; header is a list of names and values.
func (b *browser) send(method, path, body string, header ...string) answer {
	b.w.T.Helper()
	return answer{b.Send(method, path, body, header...)}
}

// open opens a page as a person does.
func (b *browser) open(path string) answer {
	b.w.T.Helper()
	return b.send("GET", path, "", "Accept", "text/html", "Sec-Fetch-Mode", "navigate",
		"Sec-Fetch-Dest", "document")
}

// submit sends a form of ours as a person does.
func (b *browser) submit(path string, form url.Values) answer {
	b.w.T.Helper()
	return b.send("POST", path, form.Encode(), "Accept", "text/html", "Sec-Fetch-Mode", "navigate",
		"Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin",
		"Content-Type", "application/x-www-form-urlencoded")
}

// openAs opens a page as a person who signs in where they are asked to, and returns the page.
func (b *browser) openAs(who, path string) answer {
	b.w.T.Helper()
	a := b.open(path)
	if a.Status != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/sso/login") {
		return a
	}
	return b.login(who, a.Header.Get("Location"))
}

// login walks a sign-in from its address to the page that it was for.
func (b *browser) login(who, path string) answer {
	b.w.T.Helper()
	a := b.open(path)
	if a.Status != http.StatusSeeOther {
		b.w.T.Fatalf("the way to the provider: %d %s", a.Status, a.Body)
	}
	callback, err := b.w.Okta.SignIn(b.w.T.Context(), a.Header.Get("Location"), who)
	proxytest.Must(b.w.T, err)
	a = b.open(strings.TrimPrefix(callback.URL, b.w.Public))
	if a.Status != http.StatusSeeOther {
		b.w.T.Fatalf("the way back from the provider: %d %s", a.Status, a.Body)
	}
	return b.open(a.Header.Get("Location"))
}

var (
	hiddenTicket = regexp.MustCompile(`name="ticket" value="([^"]+)"`)
	wayOn        = regexp.MustCompile(`href="(https?://[^"]+)"`)
)

// ticket is the one on a page that asks.
func (a answer) ticket(t testing.TB) string {
	t.Helper()
	found := hiddenTicket.FindStringSubmatch(a.Body)
	if a.Status != http.StatusOK || found == nil {
		t.Fatalf("no page that asks: %d %v %s", a.Status, a.Header, a.Body)
	}
	return html.UnescapeString(found[1])
}

// leads is where a page leads on to, or where a redirect does.
func (a answer) leads(t testing.TB) *url.URL {
	t.Helper()
	location := a.Header.Get("Location")
	if a.Status == http.StatusOK {
		if found := wayOn.FindStringSubmatch(a.Body); found != nil {
			location = html.UnescapeString(found[1])
		}
	}
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		t.Fatalf("leads nowhere: %d %v %s", a.Status, a.Header, a.Body)
	}
	return u
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var said map[string]any
	if err := json.Unmarshal([]byte(a.Body), &said); err != nil {
		t.Fatalf("not JSON: %d %q", a.Status, a.Body)
	}
	return said
}

// refusal is status and error of what a program was told.
func (a answer) refusal(t testing.TB) (int, string) {
	t.Helper()
	code, _ := a.json(t)["error"].(string)
	return a.Status, code
}

const verifier = "a-verifier-that-is-long-enough-for-rfc-7636-and-then-some"

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// request is an authorization request in order, with the changes: pairs of names and values; an empty
// value takes the parameter off.
func request(changes ...string) string {
	q := url.Values{
		"client_id": {authserver.CommandLine}, "redirect_uri": {loopback},
		"response_type": {"code"}, "state": {"st/&=ate"},
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
	b.w.T.Helper()
	ticket := b.openAs(who, request).ticket(b.w.T)
	back := b.submit("/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {"allow"}}).leads(b.w.T)
	code := back.Query().Get("code")
	if code == "" {
		b.w.T.Fatalf("no code: %s", back)
	}
	return code
}

// program is a client without cookies.
func (w *world) program() *browser { return &browser{w.Program(), w} }

// post sends what a program does.
func (w *world) post(path string, form url.Values, header ...string) answer {
	w.T.Helper()
	b := w.program()
	return b.send("POST", path, form.Encode(),
		append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

// exchange is a token request in order for a code, with the changes as of request.
func exchange(code string, changes ...string) url.Values {
	q := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {authserver.CommandLine},
		"redirect_uri": {loopback}, "code": {code}, "code_verifier": {verifier},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if q.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			q.Del(changes[i])
		}
	}
	return q
}

// works says whether Vexa answers to an access token.
func (w *world) works(access string) bool {
	w.T.Helper()
	b := w.program()
	return b.Send("GET", "/meetings", "", "Authorization", "Bearer "+access).Status == http.StatusOK
}

// events are the audit events of a kind, the latest first.
func (w *world) events(kind string) []mapping.Event {
	w.T.Helper()
	events, err := w.Store.Events(w.T.Context(), store.EventFilter{Event: kind, Limit: 100})
	proxytest.Must(w.T, err)
	return events
}
