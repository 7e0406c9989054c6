package bridge_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
)

// secrets is what must not be seen, each by a name that says what it is.
type secrets struct {
	mu    sync.Mutex
	known map[string]string // by the secret
}

func (s *secrets) add(name, secret string) {
	if len(secret) < 8 {
		return // not secret, or not there
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]string{}
	}
	s.known[secret] = name
}

func (s *secrets) count(name string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, is := range s.known {
		if is == name {
			n++
		}
	}
	return n
}

// one is any secret of that name.
func (s *secrets) one(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for secret, is := range s.known {
		if is == name {
			return secret
		}
	}
	return ""
}

// in lists the secrets that text tells, as they are or in one of the usual encodings. Those of the
// names in except may be there.
func (s *secrets) in(text []byte, except ...string) (told []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for secret, name := range s.known {
		if slices.Contains(except, name) {
			continue
		}
		for how, form := range map[string]string{
			"as it is": secret, "base64": base64.RawStdEncoding.EncodeToString([]byte(secret)),
			"base64url": base64.RawURLEncoding.EncodeToString([]byte(secret)),
			"hex":       hex.EncodeToString([]byte(secret)), "escaped": url.QueryEscape(secret),
		} {
			if bytes.Contains(text, []byte(form)) {
				told = append(told, name+" "+how)
				break
			}
		}
	}
	for what, mark := range secretMarks {
		if !slices.Contains(except, what) && mark.Match(text) {
			told = append(told, what)
		}
	}
	slices.Sort(told)
	return told
}

// secretMarks are how secrets look that the test does not know. Four characters come by chance in cookies.
var secretMarks = map[string]*regexp.Regexp{
	"a Vexa key": regexp.MustCompile(`vxa_[a-z]{2,8}_`), "a private key": regexp.MustCompile(`PRIVATE KEY`),
}

// F3, F4: the test below can only be believed if what it looks with sees.
func TestSecretsAreSeen(t *testing.T) {
	t.Parallel()
	var s secrets
	s.add("token", "top+secret/value")
	for _, text := range []string{
		"x top+secret/value y", "dG9wK3NlY3JldC92YWx1ZQ", "746f702b7365637265742f76616c7565",
		"a=top%2Bsecret%2Fvalue&b", "vxa_bot_x", "-----BEGIN PRIVATE KEY-----",
	} {
		if len(s.in([]byte(text))) == 0 {
			t.Errorf("not seen: %s", text)
		}
	}
	for _, text := range []string{"", "top secret value", "vxa"} {
		if told := s.in([]byte(text)); len(told) > 0 {
			t.Errorf("seen in %q: %v", text, told)
		}
	}
	if told := s.in([]byte("top+secret/value"), "token"); len(told) > 0 {
		t.Errorf("seen although excepted: %v", told)
	}
}

// told is everything that a bridge has told anybody, by where.
type told struct {
	mu    sync.Mutex
	texts map[string][]byte
}

func (t *told) hear(where string, text []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.texts == nil {
		t.texts = map[string][]byte{}
	}
	t.texts[where] = append(append(t.texts[where], text...), '\n')
}

// answer hears an answer: its status and body with its header as one text, and the
// cookies that it sets as another.
func (t *told) answer(a answer) {
	cookies := strings.Join(a.header["Set-Cookie"], "\n")
	rest := a.header.Clone()
	rest.Del("Set-Cookie")
	var text bytes.Buffer
	_ = rest.Write(&text)
	text.WriteString(a.body)
	t.hear("answers", text.Bytes())
	t.hear("cookies", []byte(cookies))
}

// watchTokens has every answer of a token endpoint read along, and whatever proves
// something in the questions.
func (s *secrets) watchTokens(d *oidctest.Double) {
	d.Break(oidctest.EndpointToken, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, password, _ := r.BasicAuth()
			s.add("client secret", password)
			recorded := httptest.NewRecorder()
			next.ServeHTTP(recorded, r)
			s.readTokens(recorded.Body.Bytes())
			for _, name := range []string{"code", "code_verifier", "refresh_token", "client_secret"} {
				s.add(name, r.PostForm.Get(name))
			}
			for name, values := range recorded.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(recorded.Code)
			_, _ = w.Write(recorded.Body.Bytes())
		})
	})
}

func (s *secrets) readTokens(body []byte) {
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
	}
	_ = json.Unmarshal(body, &tokens)
	s.add("access token", tokens.Access)
	s.add("refresh token", tokens.Refresh)
	s.add("ID token", tokens.ID)
}

// parrot is a token endpoint that repeats in its refusal all that it was shown, and a token of its own.
func parrot(status int) oidctest.Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			_, password, _ := r.BasicAuth()
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]string{
				"error": "invalid_client",
				"error_description": "AADSTS7000215: wrong secret " + password + " " +
					r.PostForm.Get("client_secret") + " with " + r.PostForm.Get("code") + " " +
					r.PostForm.Get("code_verifier"),
				"access_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.parroted-signature",
			})
		})
	}
}

// S2, F1, F3, F4: whatever happens, no secret is told: not in an answer, on the log, in a metric or an error,
// nor unsealed in the store.
func TestNoSecretIsTold(t *testing.T) {
	t.Parallel()
	for _, g := range []string{vexatest.Generation012, vexatest.Generation010} {
		t.Run(g, func(t *testing.T) {
			t.Parallel()
			h := newHarvest(t, g)
			h.life()
			h.refusals()
			h.providerTrouble()
			h.vexaTrouble()
			h.reloads()
			h.signOut()
			h.told.hear("metrics", []byte(h.r.operator("/metrics").body))
			h.dumpStore("while it runs")
			must(t, h.r.stop())
			h.dumpStore("afterwards")
			h.verdict()
		})
	}
}

// harvest is one bridge that is made to do everything, and all that it told meanwhile.
type harvest struct {
	t       *testing.T
	w       *world
	r       *replica
	reload  chan os.Signal
	secrets *secrets
	told    *told
	ring    *keyring.Ring
	people  map[string]*browser
}

func newHarvest(t *testing.T, g string) *harvest {
	h := &harvest{
		t: t, w: newWorld(t, generation(g)), reload: make(chan os.Signal, 1), secrets: &secrets{},
		told: &told{}, people: map[string]*browser{},
	}
	for _, name := range []string{"admin-token", "okta-secret", "entra-secret"} {
		h.secrets.add(name, h.w.settings[name])
	}
	ring, err := os.ReadFile(filepath.Join(h.w.dir, "keyring.json"))
	must(t, err)
	var keys struct {
		Key []struct{ KeyData struct{ Value string } }
	}
	must(t, json.Unmarshal(ring, &keys))
	for _, key := range keys.Key {
		h.secrets.add("key ring", key.KeyData.Value)
	}
	h.ring, err = keyring.Load(ring)
	must(t, err)
	h.secrets.watchTokens(h.w.okta.Double)
	h.secrets.watchTokens(h.w.entra.Double)
	h.r = h.w.serve(func(o *bridge.Options) { o.Reloads = h.reload })
	return h
}

// browser is somebody whose answers are all heard.
func (h *harvest) browser() *browser {
	b := h.r.browser()
	b.heard = h.told.answer
	return b
}

// signIn signs somebody in and learns what their browser and Vexa now hold.
func (h *harvest) signIn(provider, who string) *browser {
	h.t.Helper()
	b := h.browser()
	if res := b.signIn(provider, who, page...); res.status != http.StatusSeeOther || b.cookie() == "" {
		h.t.Fatalf("signing %s in: %v", who, res)
	}
	_, value, _ := strings.Cut(b.cookie(), "=")
	h.secrets.add("cookie", value)
	var id string
	must(h.t, h.ring.Codec(keyring.SessionCookie, 24*time.Hour, time.Now).Decode("vexa_sso", value, &id))
	h.secrets.add("session id", id)
	return b
}

func (h *harvest) learnKeys() {
	for _, token := range h.w.vexa.Tokens() {
		h.secrets.add("vexa key", token.Secret)
	}
}

func (h *harvest) want(status int, res answer) {
	h.t.Helper()
	if res.status != status {
		h.t.Errorf("want %d, got %v", status, res)
	}
}

// life is what people do all day.
func (h *harvest) life() {
	stranger := h.browser()
	for path, status := range map[string]int{
		"/sso/login": 200, "/sso/signed-out": 200, "/sso/nothing": 404, "/sso/healthz": 200,
		"/sso/readyz": 200, "/": 303, "/sso/": 303,
	} {
		h.want(status, stranger.get(path, page...))
	}
	for name, who := range map[string][2]string{
		"ada": {"okta", ada}, "tim": {"okta", tim}, "ada at entra": {"entra", ada},
	} {
		b := h.signIn(who[0], who[1])
		h.people[name] = b
		for path, status := range map[string]int{
			"/sso/": 200, "/sso/whoami": 200, "/meetings": 200, "/auth/me": 200, "/sso/login": 200,
			"/nothing/there": 404,
		} {
			res := b.get(path, page...)
			if path == "/nothing/there" && h.w.settings["generation"] == vexatest.Generation010 {
				status = 403
			}
			h.want(status, res)
		}
		h.learnKeys()
	}
	b := h.people["ada"]
	h.want(201, b.send("POST", "/bots", `{"platform":"google_meet","native_meeting_id":"abc"}`,
		"Origin", public, "Content-Type", "application/json"))
	socket, stream := b.mustSocket(), b.events()
	ctx := oidctest.Within(h.t)
	must(h.t, socket.Write(ctx, websocket.MessageText, []byte(`{"action":"ping"}`)))
	_, pong, err := socket.Read(ctx)
	must(h.t, err)
	h.told.hear("frames", pong)
	must(h.t, h.w.vexa.WaitStreams(ctx, "/mcp", 1))
	h.w.vexa.Emit("/mcp", "message", "something")
	heard := make([]byte, 4096)
	n, err := stream.Body.Read(heard)
	must(h.t, err)
	h.told.hear("frames", heard[:n])
	socket.CloseNow()
	stream.Body.Close()
}

// refusals are all the ways of being turned away.
func (h *harvest) refusals() {
	b := h.people["tim"]
	_, cookie, _ := strings.Cut(b.cookie(), "=")
	key := h.w.vexa.Tokens()[0].Secret
	h.want(401, b.get("/meetings", "Authorization", "Bearer "+cookie))
	h.want(401, b.get("/meetings", "Authorization", "Bearer "+key))
	h.want(401, b.get("/meetings", "X-API-Key", key))
	h.want(401, b.get("/meetings", "X-API-Key", key, "Authorization", key))
	h.want(200, b.get("/meetings?api_key="+key))
	h.want(401, h.browser().get("/meetings", "Cookie", "vexa_sso="+cookie[:len(cookie)-3]))
	h.want(403, b.send("POST", "/bots", "{}", "Origin", public, "Content-Type", "application/json"))
	h.want(403,
		b.send("POST", "/bots", "{}", "Origin", "https://evil.example", "Content-Type", "application/json"))
	h.want(403, b.get("/admin/users", page...))
	h.want(400, b.get("/meetings/..%2f..%2fadmin", page...))
	for who, status := range map[string]int{oidctest.Mallory: 403, oidctest.Guest: 403} {
		h.want(status, h.browser().signIn("okta", who, page...))
		h.want(status, h.browser().signIn("entra", who))
	}
	again := h.browser()
	login := again.get("/sso/login?provider=okta&return_to=/meetings")
	back := h.w.atProvider("okta", login.header.Get("Location"), ada)
	h.want(400, h.browser().get(back)) // another browser's answer
	h.want(303, again.get(back))
	_, value, _ := strings.Cut(again.cookie(), "=")
	h.secrets.add("cookie", value)
	h.want(303, again.get(back)) // a second time: nothing is lost
	h.want(400, h.browser().get(back+"&state=another", page...))
	login = again.get("/sso/login?provider=okta")
	at, err := url.Parse(login.header.Get("Location"))
	must(h.t, err)
	h.want(403, again.get("/sso/callback/okta?error=access_denied&error_description="+
		url.QueryEscape("no "+h.secrets.one("ID token"))+"&state="+at.Query().Get("state")))
}

// providerTrouble is a provider that fails, and tells on us while it does.
func (h *harvest) providerTrouble() {
	for _, provider := range []string{"okta", "entra"} {
		double := h.w.okta.Double
		if provider == "entra" {
			double = h.w.entra.Double
		}
		for _, fault := range []oidctest.Fault{
			parrot(400), parrot(401), parrot(500), oidctest.MalformedJSON(), oidctest.Down(),
			oidctest.HugeBody(4 << 20), oidctest.TooManyRequests(3),
		} {
			double.Break(oidctest.EndpointToken, fault)
			if res := h.browser().signIn(provider, ada, page...); res.status < 400 {
				h.t.Errorf("signed in with a broken token endpoint: %v", res)
			}
		}
		for _, token := range double.TokenRequests() {
			for _, name := range []string{"code", "code_verifier", "client_secret"} {
				h.secrets.add(name, token.Form.Get(name))
			}
		}
		h.secrets.watchTokens(double)
	}
	h.w.okta.Break(oidctest.EndpointUserInfo,
		oidctest.Answer(401, "application/json", `{"error":"invalid_token"}`))
	if res := h.browser().signIn("okta", ada); res.status < 400 {
		h.t.Errorf("signed in without userinfo: %v", res)
	}
	h.w.okta.Mend(oidctest.EndpointUserInfo)
	h.told.hear("operators", []byte(h.r.operator("/readyz").body))
}

// vexaTrouble is a Vexa that fails, loses keys, and tells on itself while it does.
func (h *harvest) vexaTrouble() {
	telling := `{"detail":"wrong: ` + h.w.settings["admin-token"] + `"}`
	var newcomer *browser // who has no Vexa user yet
	for _, fault := range []vexatest.Fault{
		{Path: "/admin", Effect: vexatest.CutBefore},
		{Path: "/admin", Effect: vexatest.FailBefore},
		{Path: "/admin/users/email", Effect: vexatest.FailBefore, Status: 403, Body: telling},
		{Path: "/admin/users/email", Effect: vexatest.FailBefore, Status: 409, Body: telling},
		{Path: "/admin/users/email", Effect: vexatest.FailBefore, Status: 503, Body: telling},
		{Path: "/admin/users", Method: "POST", Effect: vexatest.CutAfter},  // made, and the answer is lost
		{Path: "/admin/users/", Method: "POST", Effect: vexatest.CutAfter}, // minted, and the answer is lost
	} {
		fault.Times = -1
		at := h.w.vexa.Inject(fault)
		if newcomer == nil {
			newcomer = h.signIn("okta", oidctest.Grace)
		}
		h.want(503, newcomer.get("/meetings", page...))
		h.learnKeys()
		at.Heal()
	}
	h.w.okta.AddPerson(oidctest.Person{Email: "hopper@acme.example", Groups: []string{oidctest.GroupUsers}})
	at := h.w.vexa.Inject(vexatest.Fault{
		Path: "/admin/users/email", Times: -1, Effect: vexatest.FailBefore, Status: 422, Body: telling,
	})
	h.want(403, h.signIn("okta", "hopper@acme.example").get("/meetings", page...)) // has to wait
	at.Heal()
	h.r.waitFor("the newcomer to be served", func() bool {
		return newcomer.get("/meetings").status == http.StatusOK
	})
	h.learnKeys()
	for _, token := range h.w.vexa.Tokens() {
		h.w.vexa.RevokeToken(token.ID)
	}
	h.w.vexa.ForgetValidations()
	for _, name := range []string{"ada", "tim"} {
		h.want(200, h.people[name].get("/meetings")) // with a new key
	}
	h.learnKeys()
	h.w.vexa.Set(vexatest.Gateway, vexatest.Down)
	h.want(502, newcomer.get("/meetings", page...))
	h.w.vexa.Set(vexatest.Gateway, vexatest.Up)
}

// reloads are rules and configurations, good and bad, the bad ones where a parser likes to quote.
func (h *harvest) reloads() {
	failed := func() float64 { return h.r.metric("vexa_sso_rules_reload_failed_total") }
	h.w.write("rules.yaml", strings.Replace(rules, "scopes: [tx]", "scopes: [bot, tx]", 1))
	h.r.waitFor("new rules", func() bool { return h.r.metric("vexa_sso_rules_generation") == 2 })
	good := h.w.document
	for _, bad := range []struct{ part, instead string }{
		{"admin_token: '{admin-token}'", "admin_token: '{admin-token}"},
		{"admin_token: '{admin-token}'", "admin_token: [ '{admin-token}' ]"},
		{"admin_token: '{admin-token}'", "admin_token: '{admin-token} '"},
		{"client_secret: '{okta-secret}'", "client_secret: { a: '{okta-secret}' }"},
		{
			"client_secret: '{okta-secret}'",
			"client_secret: '{okta-secret}'\n    client_secrets: ['{okta-secret}', '{entra-secret}']",
		},
		{"client_secret: '{entra-secret}'", "client_secret: '{entra-secret}'\n   x: y"},
		{"client_secret: '{entra-secret}'", "client_secrets: '{entra-secret}'"},
	} {
		before := failed()
		h.w.document = strings.Replace(good, bad.part, bad.instead, 1)
		h.w.configure()
		h.reload <- syscall.SIGHUP
		h.r.waitFor("a bad configuration to be refused: "+bad.instead, func() bool {
			return failed() > before
		})
	}
	h.w.document = good
	h.w.configure()
}

// signOut ends sessions at both providers, the way pages and programs do. The ID token may go to
// its own issuer, as a hint.
func (h *harvest) signOut() {
	for name, header := range map[string][]string{
		"ada": form, "tim": {"Origin", public}, "ada at entra": form,
	} {
		b := h.people[name]
		b.heard = nil
		res := b.send("POST", "/sso/logout", "", header...)
		if name != "ada at entra" {
			hinted := h.takeHint(&res.body) + h.takeHintOf(res.header, "Location")
			if hinted == 0 {
				h.t.Errorf("no ID token goes to its issuer: %v", res)
			}
		}
		h.told.answer(res)
		h.want(401, b.get("/meetings"))
	}
	if h.secrets.count("ID token") < 3 {
		h.t.Error("no ID tokens were issued")
	}
}

// takeHint takes the ID tokens out of a text that go to the end-session endpoint of their issuer, and
// says how many there were.
func (h *harvest) takeHint(text *string) (n int) {
	mark := h.w.okta.Issuer() + "/v1/logout?id_token_hint="
	for {
		before, rest, found := strings.Cut(*text, mark)
		if !found {
			return n
		}
		hint, rest, _ := strings.Cut(rest, "&")
		if told := h.secrets.in([]byte(hint), "ID token"); len(told) > 0 {
			h.t.Errorf("more than an ID token goes to the issuer: %v", told)
		}
		*text = before + rest
		n++
	}
}

func (h *harvest) takeHintOf(header http.Header, name string) int {
	text := header.Get(name)
	n := h.takeHint(&text)
	header.Set(name, text)
	return n
}

// dumpStore hears all that the store holds: every column of every table, and the files as they are.
func (h *harvest) dumpStore(when string) {
	files, err := filepath.Glob(h.w.store() + "*")
	must(h.t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(h.t, err)
		h.told.hear("files "+when, text)
	}
	db, err := sql.Open("sqlite", "file:"+h.w.store()+"?mode=ro")
	must(h.t, err)
	defer db.Close()
	tables := query(h.t, db, `SELECT name FROM sqlite_master WHERE type = 'table'`)
	rows := 0
	for _, table := range tables {
		for _, row := range query(h.t, db, `SELECT * FROM `+string(table[0])) {
			rows++
			for _, value := range row {
				h.told.hear("tables "+when, value)
			}
		}
	}
	if sealed := query(h.t, db, `SELECT sealed FROM keys WHERE sealed IS NOT NULL`); len(tables) < 6 ||
		rows < 20 || len(sealed) == 0 {
		h.t.Errorf("%d tables with %d rows and %d sealed keys: that is not the store",
			len(tables), rows, len(sealed))
	}
}

// query returns all rows, their values as bytes.
func query(t testing.TB, db *sql.DB, text string) (all [][][]byte) {
	t.Helper()
	rows, err := db.Query(text)
	must(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	must(t, err)
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		must(t, rows.Scan(into...))
		values := make([][]byte, len(columns))
		for i, value := range row {
			if blob, ok := value.([]byte); ok {
				values[i] = blob
			} else {
				values[i] = fmt.Append(nil, value)
			}
		}
		all = append(all, values)
	}
	must(t, rows.Err())
	return all
}

// verdict looks for every secret in all that was told.
func (h *harvest) verdict() {
	h.told.hear("log", []byte(h.r.log.String()))
	for name, least := range map[string]int{
		"cookie": 4, "session id": 4, "vexa key": 5, "access token": 3, "refresh token": 3, "ID token": 3,
		"code": 5, "code_verifier": 5, "key ring": 1,
	} {
		if n := h.secrets.count(name); n < least {
			h.t.Errorf("only %d secrets of the kind %s are known: the test does not do what it should",
				n, name)
		}
	}
	for where, text := range h.told.texts {
		var except []string
		if where == "cookies" {
			except = []string{"cookie"}
		}
		for _, secret := range h.secrets.in(text, except...) {
			h.t.Errorf("%s: %s%s", where, secret, h.excerpt(where, text))
		}
	}
	for _, where := range []string{
		"log", "answers", "cookies", "frames", "operators", "metrics", "tables afterwards",
		"files afterwards", "files while it runs",
	} {
		if len(h.told.texts[where]) == 0 {
			h.t.Errorf("nothing was heard of %s", where)
		}
	}
}

// excerpt shows where a text tells a secret.
func (h *harvest) excerpt(where string, text []byte) string {
	if strings.HasPrefix(where, "files") {
		return ""
	}
	for line := range bytes.Lines(text) {
		if len(h.secrets.in(line)) > 0 {
			return fmt.Sprintf(": %.600q", line)
		}
	}
	return ""
}
