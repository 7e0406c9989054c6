package vexa_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping/vexa"
)

const adminToken = "canary-admin-token"

// wire answers as scripted: by "METHOD path?query", each line of a script once, the last one for
// ever. A line is "status body"; "hang" answers only when the client has gone; "drop" closes the
// connection without a word.
type wire struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	scripts map[string][]string
	seen    []string
	headers []http.Header
	bodies  []string
}

func newWire(t *testing.T, scripts map[string][]string) *wire {
	t.Helper()
	w := &wire{t: t, scripts: maps.Clone(scripts)}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	at := r.Method + " " + r.URL.RequestURI()
	w.mu.Lock()
	w.seen = append(w.seen, at)
	w.headers = append(w.headers, r.Header.Clone())
	w.bodies = append(w.bodies, string(body))
	script := w.scripts[at]
	if len(script) > 1 {
		w.scripts[at] = script[1:]
	}
	w.mu.Unlock()
	line := `404 {"detail":"Not Found"}`
	if len(script) > 0 {
		line = script[0]
	}
	switch line {
	case "hang":
		<-r.Context().Done()
		return
	case "drop":
		panic(http.ErrAbortHandler)
	}
	status, text, _ := strings.Cut(line, " ")
	var code int
	fmt.Sscan(status, &code)
	if code/100 == 3 {
		rw.Header().Set("Location", text)
	}
	if code == http.StatusTooManyRequests {
		rw.Header().Set("Retry-After", "7")
	}
	rw.WriteHeader(code)
	if code != http.StatusNoContent {
		io.WriteString(rw, text)
	}
}

func (w *wire) calls() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

// sent returns the headers and bodies of the calls so far.
func (w *wire) sent() ([]http.Header, []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.headers), slices.Clone(w.bodies)
}

func (w *wire) client(settings ...func(*vexa.Config)) *vexa.Client {
	w.t.Helper()
	cfg := vexa.Config{GatewayURL: w.URL + "/gateway", AdminURL: w.URL, AdminToken: adminToken}
	for _, set := range settings {
		set(&cfg)
	}
	c, err := vexa.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

const notFound = `404 {"detail":"Not Found"}`

// The first two calls of each generation, as they were recorded.
var (
	is012 = map[string][]string{
		"GET /admin/users?limit=1":                       {`405 {"detail":"Method Not Allowed"}`},
		"GET /admin/users/email/nobody@vexa-sso.invalid": {`404 {"detail":"User not found"}`},
	}
	is010 = map[string][]string{
		"GET /admin/users?limit=1":                       {`200 []`},
		"GET /admin/users/email/nobody@vexa-sso.invalid": {`404 {"detail":"User not found"}`},
	}
)

func with(base map[string][]string, more map[string][]string) map[string][]string {
	all := map[string][]string{}
	maps.Copy(all, base)
	maps.Copy(all, more)
	return all
}

func TestFindUserSendsOneForm(t *testing.T) {
	t.Parallel()
	// E6, V6: one spelling, escaped.
	w := newWire(t, map[string][]string{
		"GET /admin/users/email/al+tag%25@example.com": {
			`200 {"id":19,"email":"al+tag%@example.com","name":null,"max_concurrent_bots":3,"data":{}}`,
		},
		"GET /admin/users/email/new@example.com": {`404 {"detail":"User not found"}`},
	})
	c := w.client()
	user, err := c.FindUser(t.Context(), "  Al+Tag%@Example.COM ")
	if err != nil || user != (vexa.User{ID: 19, Email: "al+tag%@example.com", MaxConcurrentBots: 3}) {
		t.Errorf("%+v, %v", user, err)
	}
	if _, err := c.FindUser(t.Context(), "new@example.com"); !errors.Is(err, vexa.ErrUserNotFound) {
		t.Errorf("unknown: %v", err)
	}
	before := len(w.calls())
	for _, bad := range []string{
		"", "x", "@x", "x@", "a/b@example.com", "a\x00b@example.com", "a b@example.com", "..",
		strings.Repeat("a", 250) + "@x.example",
	} {
		if _, err := c.FindUser(t.Context(), bad); !errors.Is(err, vexa.ErrEmail) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if len(w.calls()) != before {
		t.Error("an unusable address was sent to Vexa")
	}
}

func TestCreateUserSaysWhoMadeIt(t *testing.T) {
	t.Parallel()
	const user = `{"id":7,"email":"a@example.com","name":"A","max_concurrent_bots":3,"data":{}}`
	tests := []struct {
		name      string
		script    []string
		made      vexa.Made
		err       error
		uncertain bool
		calls     int
	}{
		{"new", []string{"201 " + user}, vexa.ByUs, nil, false, 1},
		{"existing", []string{"200 " + user}, vexa.Existed, nil, false, 1},
		{
			"a 500 before it was stored",
			[]string{"500 Internal Server Error", "201 " + user},
			vexa.ByUs, nil, false, 2,
		},
		{
			"a 500 after it was stored",
			[]string{"500 Internal Server Error", "200 " + user},
			vexa.Unclear, nil, false, 2,
		},
		{"a lost answer", []string{"drop", "200 " + user}, vexa.Unclear, nil, false, 2},
		{"down", []string{"500 Internal Server Error"}, 0, vexa.ErrUnavailable, true, 2},
		{"wrong token", []string{
			`403 {"detail":"Invalid or missing admin token."}`,
		}, 0, vexa.ErrAdminToken, false, 1},
		{
			"an address that it refuses",
			[]string{`422 {"detail":[{"input":"a@example.com"}]}`},
			0, vexa.ErrRefused, false, 1,
		},
		{"a redirect", []string{"307 http://evil.example/"}, 0, vexa.ErrNotAdminAPI, false, 1},
		{"a web page", []string{"200 <html>"}, 0, vexa.ErrNotAdminAPI, true, 1},
		{"JSON of another kind", []string{"200 {}"}, 0, vexa.ErrNotAdminAPI, true, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, map[string][]string{"POST /admin/users": tt.script})
			bots := 2
			got, made, err := w.client().CreateUser(t.Context(), "A@example.com", "A", &bots)
			if made != tt.made || !errors.Is(err, tt.err) || vexa.Uncertain(err) != tt.uncertain {
				t.Errorf("made %v, %v, uncertain %v", made, err, vexa.Uncertain(err))
			}
			if tt.err == nil && got.ID != 7 {
				t.Errorf("%+v", got)
			}
			if n := len(w.calls()); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
			if _, bodies := w.sent(); bodies[0] !=
				`{"email":"a@example.com","name":"A","max_concurrent_bots":2}` {
				t.Errorf("sent %s", bodies[0])
			}
		})
	}
}

// V8: the query form, always with scopes, a name and an expiry.
func TestMint(t *testing.T) {
	t.Parallel()
	const at = "POST /admin/users/7/tokens?expires_in=3600&name=vsso%3Aprod%3Aa%3Ab&scopes=bot%2Ctx"
	tests := []struct {
		name      string
		script    string
		scopes    []string
		err       error
		uncertain bool
	}{
		{
			"0.12", `201 {"id":3,"token":"vxa_bot_canary","user_id":7,"scopes":["bot","tx"]}`,
			[]string{"bot", "tx"},
			nil, false,
		},
		{"0.10", `201 {"user_id":7,"id":3,"token":"vxa_bot_canary","scopes":["bot"],"name":null,"created_at":"2026-11-23T00:33:41.080355","last_used_at":null,"expires_at":null}`, []string{"bot"}, nil, false},
		{"no such user", `404 {"detail":"User not found"}`, nil, vexa.ErrUserNotFound, false},
		{"not an Admin API", notFound, nil, vexa.ErrNotAdminAPI, false},
		{"500", "500 Internal Server Error", nil, vexa.ErrUnavailable, true},
		{"lost", "drop", nil, vexa.ErrUnavailable, true},
		{
			"somebody else's", `201 {"id":3,"token":"vxa_bot_canary","user_id":8,"scopes":["bot","tx"]}`, nil,
			vexa.ErrNotAdminAPI, true,
		},
		{"cut short", `201 {"id":3,"token":"vxa_bot_canary`, nil, vexa.ErrNotAdminAPI, true},
		{
			"too many", `429 {"detail": "Rate limit exceeded", "retry_after": 1}`, nil,
			vexa.ErrUnavailable, false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, map[string][]string{at: {tt.script}})
			got, err := w.client().Mint(t.Context(), 7, []string{"bot", "tx"}, "vsso:prod:a:b", time.Hour)
			if !errors.Is(err, tt.err) || vexa.Uncertain(err) != tt.uncertain {
				t.Fatalf("%v, uncertain %v", err, vexa.Uncertain(err))
			}
			if err != nil && strings.Contains(err.Error(), "canary") { // S2
				t.Errorf("the error tells a secret: %v", err)
			}
			if err == nil &&
				(got.Secret != "vxa_bot_canary" || got.ID != 3 || !slices.Equal(got.Scopes, tt.scopes)) {
				t.Errorf("%+v", got)
			}
			if _, bodies := w.sent(); len(bodies) != 1 || bodies[0] != "" {
				t.Errorf("bodies %q", bodies)
			}
		})
	}
	c := newWire(t, nil).client()
	for _, lifetime := range []time.Duration{0, -time.Hour} {
		if _, err := c.Mint(t.Context(), 7, []string{"bot"},
			"n", lifetime); !errors.Is(err, vexa.ErrRefused) {
			t.Errorf("a lifetime of %v, which Vexa takes as for ever: %v", lifetime, err)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	want := []vexa.Token{
		{ID: 1, UserID: 7, Scopes: []string{"bot"}},
		{ID: 4, UserID: 7, Scopes: []string{"tx", "bot"}, Name: "cli", ExpiresAt: time.Date(2026, 11, 23, 1,
			33, 19, 346041000, time.UTC)},
	}
	const list012 = `200 [{"id":1,"user_id":7,"scopes":["bot"],"name":null,"created_at":"2026-11-23T00:33:19.265150","last_used_at":null,"expires_at":null},` + `{"id":4,"user_id":7,"scopes":["tx","bot"],"name":"cli","created_at":"2026-11-23T00:33:19.346049","last_used_at":null,"expires_at":"2026-11-23T01:33:19.346041"}]`
	const user010 = `200 {"email":"a@example.com","id":7,"api_tokens":[{"user_id":7,"id":1,"token":"vxa_bot_canary","scopes":["bot"],"name":null,"expires_at":null},` + `{"user_id":7,"id":4,"token":"vxa_tx_canary","scopes":["tx","bot"],"name":"cli","expires_at":"2026-11-23T01:33:19.346041"}]}`
	const user012 = `200 {"id":7,"email":"a@example.com","name":"A","max_concurrent_bots":3,"data":{}}`
	same := func(t *testing.T, got []vexa.Token, err error) {
		t.Helper()
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, %v", got, err)
		}
	}
	t.Run("0.12", func(t *testing.T) {
		t.Parallel()
		got, err := newWire(t, with(is012, map[string][]string{"GET /admin/users/7/tokens": {list012}})).
			client().Tokens(t.Context(), 7)
		same(t, got, err)
	})
	t.Run("0.10", func(t *testing.T) {
		t.Parallel()
		got, err := newWire(t, with(is010, map[string][]string{"GET /admin/users/7": {user010}})).client().
			Tokens(t.Context(), 7)
		same(t, got, err)
		if strings.Contains(fmt.Sprintf("%+v", got), "canary") { // S2
			t.Error("a secret survived the list")
		}
	})
	const nobody = "GET /admin/users/email/nobody@vexa-sso.invalid"
	t.Run("upgraded under us", func(t *testing.T) {
		t.Parallel()
		// What 0.12 says to 0.10's question has no tokens; that must not read as "none".
		w := newWire(t, map[string][]string{
			"GET /admin/users?limit=1": {
				"200 []", `405 {"detail":"Method Not Allowed"}`,
			},
			nobody:                      is012[nobody],
			"GET /admin/users/7":        {user012},
			"GET /admin/users/7/tokens": {list012},
		})
		got, err := w.client().Tokens(t.Context(), 7)
		same(t, got, err)
	})
	t.Run("rolled back under us", func(t *testing.T) {
		t.Parallel()
		w := newWire(t, map[string][]string{
			"GET /admin/users?limit=1": {
				`405 {"detail":"Method Not Allowed"}`, "200 []",
			},
			nobody:                      is012[nobody],
			"GET /admin/users/7":        {user010},
			"GET /admin/users/7/tokens": {`405 {"detail":"Method Not Allowed"}`},
		})
		got, err := w.client().Tokens(t.Context(), 7)
		same(t, got, err)
	})
	for name, script := range map[string]string{
		"null": "200 null", "page": "200 <html>", "elsewhere": notFound,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, with(is012, map[string][]string{"GET /admin/users/7/tokens": {script}}))
			if got, err := w.client().Tokens(t.Context(), 7); !errors.Is(err, vexa.ErrNotAdminAPI) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// S5: only what is known to be an Admin API confirms a deletion.
func TestDeleteToken(t *testing.T) {
	t.Parallel()
	const at = "DELETE /admin/tokens/3"
	tests := []struct {
		name   string
		base   map[string][]string
		script string
		err    error
	}{
		{"deleted", is012, "204 ", nil},
		{"gone already", is012, `404 {"detail":"Token not found"}`, nil},
		{"gone already, 0.10", is010, `404 {"detail":"Token not found"}`, nil},
		{"another 404", is012, notFound, vexa.ErrNotAdminAPI},
		{"the gateway in its place", nil, `404 {"detail":"Token not found"}`, vexa.ErrNotAdminAPI},
		{
			"a server that says 405 to everything",
			map[string][]string{"GET /admin/users?limit=1": {"405 no"}},
			"204 ", vexa.ErrNotAdminAPI,
		},
		{"500", is012, "500 Internal Server Error", vexa.ErrUnavailable},
		{"lost", is012, "drop", vexa.ErrUnavailable},
		{"wrong token", is012, `403 {"detail":"Invalid or missing admin token."}`, vexa.ErrAdminToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := newWire(t, with(tt.base, map[string][]string{at: {tt.script}})).client().
				DeleteToken(t.Context(), 3)
			if (tt.err == nil) != (err == nil) || !errors.Is(err, tt.err) {
				t.Errorf("%v, want %v", err, tt.err)
			}
		})
	}
}

func TestGeneration(t *testing.T) {
	t.Parallel()
	const down = "500 Internal Server Error"
	tests := []struct {
		name   string
		script map[string][]string
		want   string
		err    error
	}{
		{"0.12", is012, vexa.Gen012, nil},
		{"0.10", is010, vexa.Gen010, nil},
		{"admin down, gateway 0.12", map[string][]string{
			"GET /admin/users?limit=1": {down},
			"GET /gateway/health":      {`200 {"status":"ok","service":"gateway"}`},
		}, vexa.Gen012, nil},
		{"admin down, gateway 0.10", map[string][]string{
			"GET /admin/users?limit=1": {down},
			"GET /gateway/":            {`200 {"message":"Welcome to the Vexa API Gateway"}`},
		}, vexa.Gen010, nil},
		{"nothing of Vexa's", map[string][]string{"GET /gateway/": {"200 hello"}}, "", vexa.ErrUnavailable},
		{"wrong token", map[string][]string{"GET /admin/users?limit=1": {
			`403 {"detail":"Missing API key"}`,
		}}, "", vexa.ErrAdminToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, tt.script)
			c := w.client()
			got, err := c.Generation(t.Context())
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Fatalf("%q, %v", got, err)
			}
			if err != nil {
				return
			}
			asked := len(w.calls())
			w.Close() // S10: once known, it is known whatever is down
			if again, err := c.Generation(t.Context()); again != tt.want || err != nil ||
				len(w.calls()) != asked {
				t.Errorf("again: %q, %v, %d more calls", again, err, len(w.calls())-asked)
			}
		})
	}
}

// B11: only headers of our own; S2: never the token in an error.
func TestCallsCarryOnlyOurHeaders(t *testing.T) {
	t.Parallel()
	w := newWire(t, with(is012, map[string][]string{"GET /gateway/auth/me": {
		`200 {"user_id":7,"email":"a@example.com","scopes":["bot"],"max_concurrent":3}`,
	}}))
	c := w.client()
	c.FindUser(t.Context(), "a@example.com")
	if owner, err := c.Whoami(t.Context(), "vxa_bot_canary", ""); err != nil || owner.UserID != 7 {
		t.Fatalf("%+v, %v", owner, err)
	}
	headers, _ := w.sent()
	for i, at := range w.calls() {
		h := headers[i]
		secret, key := "X-Admin-Api-Key", adminToken
		if strings.HasPrefix(at, "GET /gateway") {
			secret, key = "X-Api-Key", "vxa_bot_canary"
		}
		if h.Get(secret) != key {
			t.Errorf("%s: without %s", at, secret)
		}
		for _, ours := range []string{secret, "Accept", "Accept-Encoding", "User-Agent"} {
			h.Del(ours)
		}
		if len(h) != 0 {
			t.Errorf("%s: also carries %v", at, h)
		}
	}
	if _, err := w.client().Whoami(t.Context(), "vxa_bot_canary", ""); err != nil {
		t.Error(err)
	}
}

// S12: an answer without end is cut off, and a server that hangs does not hold us.
func TestBounds(t *testing.T) {
	t.Parallel()
	w := newWire(t, map[string][]string{
		"GET /admin/users/7": {"200 " + strings.Repeat(" ", 5<<20) + `{"id":7}`},
		"GET /admin/users/8": {"hang"},
	})
	c := w.client()
	if _, err := c.User(t.Context(), 7); !errors.Is(err, vexa.ErrUnavailable) {
		t.Errorf("a huge answer: %v", err)
	}
	vexa.SetTimeout(c, time.Second) // long enough for the call to get there
	if _, err := c.User(t.Context(), 8); !errors.Is(err, vexa.ErrUnavailable) ||
		!errors.Is(err, context.DeadlineExceeded) || !vexa.Uncertain(err) {
		t.Errorf("a server that hangs: %v", err)
	}
	w.Close()
	_, err := c.User(t.Context(), 9)
	if !errors.Is(err, vexa.ErrUnavailable) || vexa.Uncertain(err) {
		t.Errorf("nobody there: %v, uncertain %v", err, vexa.Uncertain(err))
	}
	if strings.Contains(err.Error(), "/admin/users/9") {
		t.Errorf("the error tells the URL: %v", err)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	good := vexa.Config{
		GatewayURL: "http://g:8000", AdminURL: "https://a:8001/", AdminToken: "t", Generation: "auto",
	}
	if _, err := vexa.New(good); err != nil {
		t.Fatal(err)
	}
	for key, spoil := range map[string]func(*vexa.Config){
		"gateway_url": func(c *vexa.Config) { c.GatewayURL = "gateway:8000" },
		"admin_url":   func(c *vexa.Config) { c.AdminURL = "http://a/?x=1" },
		"admin_token": func(c *vexa.Config) { c.AdminToken = "canary " },
		"generation":  func(c *vexa.Config) { c.Generation = "0.11" },
	} {
		cfg := good
		spoil(&cfg)
		_, err := vexa.New(cfg)
		if e, ok := errors.AsType[*vexa.ConfigError](err); !ok || e.Key != key ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// A Vexa may be upgraded or rolled back at any time: each look asks afresh, and believes only what is clear.
func TestLook(t *testing.T) {
	t.Parallel()
	const (
		health = "GET /gateway/health"
		root   = "GET /gateway/"
		admin  = "GET /admin/users?limit=1"
		up012  = `200 {"status":"ok","service":"gateway"}`
		up010  = `200 {"message":"Welcome to the Vexa API Gateway"}`
		other  = `200 {"status":"ok"}` // of a balancer in front, say
		down   = "500 Internal Server Error"
	)
	w := newWire(t, with(is012, map[string][]string{
		health: {up012, notFound, down, other, notFound, up012, down},
		root:   {up010, notFound, up010, down},
		admin:  {`200 []`, down},
	}))
	c := w.client()
	for i, want := range []string{
		vexa.Gen012,
		vexa.Gen010, // rolled back
		vexa.Gen010, // the gateway is down, the Admin API says so
		"",          // neither says
		vexa.Gen010,
		vexa.Gen012, // upgraded
		"",
	} {
		got, err := c.Look(t.Context())
		if got != want || (err == nil) != (want != "") {
			t.Errorf("look %d: %q, %v, want %q", i, got, err, want)
		}
		if want == "" {
			continue
		}
		if known, err := c.Generation(t.Context()); known != want || err != nil {
			t.Errorf("after look %d: %q, %v", i, known, err)
		}
	}
	if known, err := c.Generation(t.Context()); known != vexa.Gen012 || err != nil {
		t.Errorf("what was found is forgotten: %q, %v", known, err)
	}
	fixed := w.client(func(cfg *vexa.Config) { cfg.Generation = vexa.Gen010 })
	asked := len(w.calls())
	if got, err := fixed.Look(t.Context()); got != vexa.Gen010 || err != nil || len(w.calls()) != asked {
		t.Errorf("configured: %q, %v", got, err)
	}
}
