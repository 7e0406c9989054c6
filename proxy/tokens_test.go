package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc/oidctest"
)

const aWeek = 7 * 24 * 60 * 60 // seconds

var (
	aTokenValue = regexp.MustCompile(`vsso_[0-9A-Za-z]{49}`)
	onceField   = regexp.MustCompile(`name="once" value="([^"]+)"`)
)

// sendForm sends a form as a browser does that has the page open.
func (b *browser) sendForm(path string, form url.Values) answer {
	b.w.t.Helper()
	return b.send("POST", path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html",
		"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", b.w.public)
}

// tokenForm is the form on the page, as the page gives it, filled in.
func (b *browser) tokenForm(name string, seconds int64, scopes ...string) url.Values {
	b.w.t.Helper()
	res := b.get("/sso/tokens", navigation...)
	once := onceField.FindStringSubmatch(res.body)
	if res.status != http.StatusOK || once == nil {
		b.w.t.Fatalf("the page: %d %s", res.status, res.body)
	}
	return url.Values{"once": {once[1]}, "name": {name}, "scope": scopes, "expires_in": {strconv.FormatInt(seconds, 10)}}
}

// sendJSON asks the API as a script on a page of ours does.
func (b *browser) sendJSON(method, path, body string) answer {
	b.w.t.Helper()
	return b.send(method, path, body, "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors")
}

func (w *world) tokensOf(email string) []mapping.Token {
	w.t.Helper()
	tokens, err := w.accounts.TokensOf(w.t.Context(), accountOf(w.t, w, email))
	must(w.t, err)
	return tokens
}

// alive says whether a value stands for a token.
func (w *world) alive(value string) bool {
	hash, ok := mapping.ParseTokenValue(mapping.AccessValue, value)
	if !ok {
		return false
	}
	_, _, err := w.accounts.TokenByValue(w.t.Context(), hash)
	return err == nil
}

// S2: the value of a token is shown once, in the answer to the form, and stands in no address, no cookie and no log.
func TestTokenIsShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	if home := b.get("/sso/", navigation...); !strings.Contains(home.body, `href="/sso/tokens"`) {
		t.Error("the start page doesn't lead to the tokens")
	}
	form := b.tokenForm("n8n on build-3", aWeek, "tx")
	made := b.sendForm("/sso/tokens", form)
	values := aTokenValue.FindAllString(made.body, -1)
	if made.status != http.StatusCreated || len(values) != 1 || !w.alive(values[0]) {
		t.Fatalf("%d with values %q: %s", made.status, values, made.body)
	}
	if made.header.Get("Cache-Control") != "no-store" || made.header.Get("Location") != "" || made.header.Get("Set-Cookie") != "" {
		t.Errorf("headers %v", made.header)
	}
	if !strings.Contains(html.UnescapeString(made.body), `curl -H "X-API-Key: $VEXA_API_KEY" `+w.public+`/meetings`) {
		t.Errorf("nothing to try it with: %s", made.body)
	}

	// Reloading sends the form again: no other token, and no value.
	again := b.sendForm("/sso/tokens", form)
	if again.status != http.StatusSeeOther || again.header.Get("Location") != "/sso/tokens?sent" {
		t.Errorf("sent again: %d to %q", again.status, again.header.Get("Location"))
	}
	listed := b.get("/sso/tokens?sent", navigation...)
	for _, want := range []string{"That form was sent already", "n8n on build-3", "Never"} {
		if !strings.Contains(listed.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if home := b.get("/sso/", navigation...); !strings.Contains(home.body, "1 personal token") {
		t.Error("the start page doesn't say that there is a token")
	}
	tokens := w.tokensOf(oidctest.Ada)
	if len(tokens) != 1 || tokens[0].Name != "n8n on build-3" || tokens[0].Scopes != "tx" || tokens[0].ExpiresAt.Sub(tokens[0].CreatedAt) != aWeek*time.Second {
		t.Errorf("tokens %+v", tokens)
	}
	for where, text := range map[string]string{"page": listed.body, "API": b.get("/sso/tokens").body, "log": w.logs.String(), "second answer": again.body + headerText(again.header)} {
		if aTokenValue.MatchString(text) {
			t.Errorf("the %s has the value", where)
		}
	}
}

// A double click sends a form twice at the same time: there is one token, and whichever answer the browser keeps, it is no other.
func TestTokenFormSentTwiceAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	form := b.tokenForm("once", aWeek, "tx")
	var mu sync.Mutex
	shown := map[string]int{}
	var sending sync.WaitGroup
	for range 8 {
		sending.Go(func() {
			res := b.sendForm("/sso/tokens", form)
			mu.Lock()
			defer mu.Unlock()
			shown[aTokenValue.FindString(res.body)]++
			if res.status != http.StatusCreated && res.status != http.StatusSeeOther && res.status != http.StatusUnprocessableEntity {
				t.Errorf("%d %s", res.status, res.body)
			}
		})
	}
	sending.Wait()
	delete(shown, "")
	if tokens := w.tokensOf(oidctest.Ada); len(tokens) != 1 || len(shown) != 1 {
		t.Errorf("%d tokens, %d values", len(tokens), len(shown))
	}
}

// S7: making a token needs a sign-in that is less than five minutes old. What was typed is there again afterwards.
func TestTokenNeedsFreshSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	form := b.tokenForm("n8n & more", aWeek, "tx")
	w.clock.Advance(5 * time.Minute)

	if res := b.get("/sso/tokens", navigation...); !strings.Contains(res.body, "Sign in again and continue") {
		t.Error("the form doesn't say that it needs another sign-in")
	}
	body := fmt.Sprintf(`{"name":"x","scopes":["tx"],"expires_in":%d}`, aWeek)
	if res := b.sendJSON("POST", "/sso/tokens", body); res.status != http.StatusUnauthorized || res.code() != "login_required" || !strings.Contains(res.body, "/sso/login?fresh=1") {
		t.Errorf("by API: %d %s", res.status, res.body)
	}
	// What is wrong with the form is said first: nobody signs in in vain.
	if res := b.sendForm("/sso/tokens", url.Values{"once": form["once"], "name": {""}}); res.status != http.StatusUnprocessableEntity {
		t.Errorf("an empty form: %d", res.status)
	}
	res := b.sendForm("/sso/tokens", form)
	leads := regexp.MustCompile(`<meta http-equiv="refresh" content="0; url=([^"]+)">`).FindStringSubmatch(res.body)
	if res.status != http.StatusOK || leads == nil {
		t.Fatalf("%d %s", res.status, res.body)
	}
	if len(w.tokensOf(oidctest.Ada)) != 0 {
		t.Fatal("a token was made")
	}
	back := b.signIn(oidctest.Ada, html.UnescapeString(leads[1]))
	if back.status != http.StatusSeeOther || !strings.HasPrefix(back.header.Get("Location"), "/sso/tokens?") {
		t.Fatalf("after signing in: %d to %q", back.status, back.header.Get("Location"))
	}
	page := b.get(back.header.Get("Location"), navigation...)
	for _, want := range []string{`value="n8n &amp; more"`, `value="tx" checked`, `value="604800" required checked`, "Make token"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the form lacks %q: %s", want, page.body)
		}
	}
	form.Set("once", onceField.FindStringSubmatch(page.body)[1])
	if res := b.sendForm("/sso/tokens", form); res.status != http.StatusCreated {
		t.Errorf("afresh: %d %s", res.status, res.body)
	}
}

// S7: another site neither makes nor revokes tokens with a person's cookie.
func TestTokensAndOtherSites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	token := w.makeToken(oidctest.Ada, "tx")
	form := b.tokenForm("theirs", aWeek, "tx").Encode()
	for _, header := range [][]string{nil, {"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
		header = append(header, "Content-Type", "application/x-www-form-urlencoded")
		for _, c := range [][3]string{
			{"POST", "/sso/tokens", form}, {"POST", "/sso/tokens/" + token.ID + "/revoke", ""}, {"DELETE", "/sso/tokens/" + token.ID, ""},
		} {
			if res := b.send(c[0], c[1], c[2], header...); res.status != http.StatusForbidden || res.code() != "cross_site" {
				t.Errorf("%s %s with %v: %d %s", c[0], c[1], header, res.status, res.body)
			}
		}
	}
	if tokens := w.tokensOf(oidctest.Ada); len(tokens) != 1 || tokens[0].ID != token.ID {
		t.Errorf("tokens %+v", tokens)
	}
}

// makeToken makes a token of a person as the page would.
func (w *world) makeToken(email string, scopes ...string) mapping.Token {
	w.t.Helper()
	token, _, err := w.accounts.CreateToken(w.t.Context(), accountOf(w.t, w, email), mapping.NewToken{
		Kind: mapping.TokenPersonal, Name: "n8n", Scopes: rule.NewScopes(scopes...), Lifetime: time.Hour,
	}, "test")
	must(w.t, err)
	return token
}

// S12: what a token may be has bounds, and what is wrong is said beside its field, with what was typed kept.
func TestTokenFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Tim) // who has tx alone
	w.makeToken(oidctest.Tim, "tx")
	name := strings.Repeat("ü", 100)
	for _, c := range []struct {
		what, name string
		scopes     []string
		seconds    int64
		field, why string
	}{
		{"no name", " ", []string{"tx"}, aWeek, "name-problem", "Give the token a name."},
		{"a long name", name + "x", []string{"tx"}, aWeek, "name-problem", "at most 100 characters"},
		{"two lines", "a\nb", []string{"tx"}, aWeek, "name-problem", "on one line"},
		{"a name that changes direction", "a\u202eb", []string{"tx"}, aWeek, "name-problem", "on one line"},
		{"a secret for a name", "vsso_" + strings.Repeat("a", 49), []string{"tx"}, aWeek, "name-problem", "looks like the value of a token"}, // S2
		{"a name that is taken", "n8n", []string{"tx"}, aWeek, "name-problem", "of that name already"},
		{"no scope", "x", nil, aWeek, "scopes-problem", "Choose at least one."},
		{"a foreign scope", "x", []string{"bot", "tx"}, aWeek, "scopes-problem", "You don’t have bot yourself. Choose from tx."},
		{"no such scope", "x", []string{"a,b"}, aWeek, "scopes-problem", "You don’t have a, b yourself."},
		{"too long", "x", []string{"tx"}, 90*24*60*60 + 1, "lifetime-problem", "expires_in must be from 60 to 7776000 seconds."},
		{"no time", "x", []string{"tx"}, 0, "lifetime-problem", "expires_in"},
		{"before now", "x", []string{"tx"}, -aWeek, "lifetime-problem", "expires_in"},
		{"for ever", "x", []string{"tx"}, 1<<63 - 1, "lifetime-problem", "expires_in"},
	} {
		res := b.sendForm("/sso/tokens", b.tokenForm(c.name, c.seconds, c.scopes...))
		said := html.UnescapeString(res.body)
		why := c.why
		if c.field == "lifetime-problem" {
			why = "Choose one of these."
		}
		if res.status != http.StatusUnprocessableEntity || !regexp.MustCompile(`id="`+c.field+`">[^<]*`+regexp.QuoteMeta(why)).MatchString(said) {
			t.Errorf("%s: %d %s", c.what, res.status, res.body)
		}
		if !strings.Contains(said, `value="`+strings.TrimSpace(c.name)+`"`) || strings.Contains(res.body, `value="tx" checked`) != slices.Contains(c.scopes, "tx") {
			t.Errorf("%s: what was typed is lost: %s", c.what, res.body)
		}
		body, err := json.Marshal(map[string]any{"name": c.name, "scopes": c.scopes, "expires_in": c.seconds})
		must(t, err)
		if res := b.sendJSON("POST", "/sso/tokens", string(body)); res.status != http.StatusUnprocessableEntity || res.code() != "token_not_made" || !strings.Contains(res.body, c.why) {
			t.Errorf("%s by API: %d %s", c.what, res.status, res.body)
		}
	}
	if len(w.tokensOf(oidctest.Tim)) != 1 {
		t.Error("one of them was made")
	}
	if res := b.sendForm("/sso/tokens", b.tokenForm(name, 90*24*60*60, "tx")); res.status != http.StatusCreated {
		t.Errorf("as long as may be: %d %s", res.status, res.body)
	}
	form := b.tokenForm("y", aWeek, "tx")
	for _, once := range []string{"", strings.Repeat("x", 65)} {
		form.Set("once", once)
		if res := b.sendForm("/sso/tokens", form); res.status != http.StatusBadRequest {
			t.Errorf("a form that is not that of the page: %d", res.status)
		}
	}
}

// S12: an account has so many tokens and no more.
func TestTooManyTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	for range 100 {
		w.makeToken(oidctest.Ada, "tx")
	}
	const why = "There are 100 tokens already. Revoke those that are not needed any more."
	if res := b.sendForm("/sso/tokens", b.tokenForm("one more", aWeek, "tx")); res.status != http.StatusUnprocessableEntity || !strings.Contains(res.body, why) {
		t.Errorf("%d %s", res.status, res.body)
	}
	body := fmt.Sprintf(`{"name":"one more","scopes":["tx"],"expires_in":%d}`, aWeek)
	if res := b.sendJSON("POST", "/sso/tokens", body); res.status != http.StatusUnprocessableEntity || !strings.Contains(res.body, why) {
		t.Errorf("by API: %d %s", res.status, res.body)
	}
}

func TestTokensByAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, tim := w.signIn(oidctest.Ada), w.signIn(oidctest.Tim)
	res := ada.sendJSON("POST", "/sso/tokens", fmt.Sprintf(`{"name":" ci ","scopes":["tx","bot","tx"],"expires_in":%d}`, aWeek))
	var made struct {
		ID, Kind, Name, Token string
		Scopes                []string
		ExpiresAt             time.Time `json:"expires_at"`
	}
	must(t, json.Unmarshal([]byte(res.body), &made))
	if res.status != http.StatusCreated || res.header.Get("Cache-Control") != "no-store" || made.Name != "ci" || made.Kind != "personal" ||
		!slices.Equal(made.Scopes, []string{"bot", "tx"}) || !made.ExpiresAt.Equal(w.tokensOf(oidctest.Ada)[0].ExpiresAt.Truncate(time.Second)) || !w.alive(made.Token) {
		t.Fatalf("%d %v %s", res.status, res.header, res.body)
	}
	list := func(b *browser) string {
		res := b.get("/sso/tokens", "Accept", "application/json")
		if res.status != http.StatusOK || res.header.Get("Content-Type") != "application/json" {
			t.Fatalf("%d %s", res.status, res.body)
		}
		return res.body
	}
	if got := list(ada); !strings.Contains(got, `"id":"`+made.ID+`"`) || !strings.Contains(got, `"last_used_at":null`) || !strings.Contains(got, `"max_lifetime":7776000`) || aTokenValue.MatchString(got) {
		t.Error(got)
	}
	if got := list(tim); !strings.Contains(got, `"tokens":[]`) {
		t.Errorf("somebody else sees %s", got)
	}

	// Nobody revokes what is somebody else's.
	if res := tim.sendJSON("DELETE", "/sso/tokens/"+made.ID, ""); res.status != http.StatusNotFound || !w.alive(made.Token) {
		t.Errorf("somebody else: %d %s", res.status, res.body)
	}
	if res := tim.sendForm("/sso/tokens/"+made.ID+"/revoke", nil); !w.alive(made.Token) {
		t.Errorf("somebody else by form: %d %s", res.status, res.body)
	}
	if res := ada.sendJSON("DELETE", "/sso/tokens/"+made.ID, ""); res.status != http.StatusNoContent || res.body != "" || w.alive(made.Token) {
		t.Errorf("revoked: %d %s", res.status, res.body)
	}
	if res := ada.sendJSON("DELETE", "/sso/tokens/"+made.ID, ""); res.status != http.StatusNotFound || res.code() != "not_found" {
		t.Errorf("revoked again: %d %s", res.status, res.body)
	}
}

// A token tells of itself and ends itself. It tells nothing of its owner's others, leaves them alone, and makes none (S7).
func TestTokenAtTheTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	other := w.makeToken(oidctest.Ada, "tx")
	res := b.sendJSON("POST", "/sso/tokens", fmt.Sprintf(`{"name":"ci","scopes":["tx"],"expires_in":%d}`, aWeek))
	var made struct{ ID, Token string }
	must(t, json.Unmarshal([]byte(res.body), &made))

	program := func(method, path, body string, header ...string) answer {
		// The cookie comes along and counts for nothing.
		return b.send(method, path, body, append(header, "X-API-Key", made.Token, "Sec-Fetch-Site", "same-origin")...)
	}
	if res := program("GET", "/sso/tokens", ""); res.status != http.StatusOK || !strings.Contains(res.body, made.ID) || strings.Contains(res.body, other.ID) {
		t.Errorf("what a token sees: %d %s", res.status, res.body)
	}
	if res := b.get("/sso/tokens"); !regexp.MustCompile(`"last_used_at":"[^"]+","last_used_from":"127\.0\.0\.1"`).MatchString(res.body) || strings.Count(res.body, `"last_used_at":null`) != 1 {
		t.Errorf("the use of one of two tokens: %s", res.body)
	}
	if res := program("GET", "/sso/tokens", "", navigation...); res.status != http.StatusUnauthorized {
		t.Errorf("the page: %d %s", res.status, res.body)
	}
	good := `{"name":"x","scopes":["tx"],"expires_in":3600}`
	if res := program("POST", "/sso/tokens", good, "Content-Type", "application/json"); res.status != http.StatusUnauthorized {
		t.Errorf("a token makes a token: %d %s", res.status, res.body)
	}
	if res := program("POST", "/sso/tokens/"+other.ID+"/revoke", ""); res.status != http.StatusUnauthorized {
		t.Errorf("a token at the page's form: %d %s", res.status, res.body)
	}
	if res := program("DELETE", "/sso/tokens/"+other.ID, ""); res.status != http.StatusNotFound {
		t.Errorf("a token ends another: %d %s", res.status, res.body)
	}
	if n := len(w.tokensOf(oidctest.Ada)); n != 2 {
		t.Fatalf("%d tokens", n)
	}
	if res := program("DELETE", "/sso/tokens/"+made.ID, ""); res.status != http.StatusNoContent || w.alive(made.Token) {
		t.Errorf("a token ends itself: %d %s", res.status, res.body)
	}
	if res := program("GET", "/sso/tokens", ""); res.status != http.StatusUnauthorized || res.code() != "token_invalid" {
		t.Errorf("afterwards: %d %s", res.status, res.body)
	}
}

func TestTokenRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	good := `{"name":"x","scopes":["tx"],"expires_in":3600}`
	for _, c := range []struct {
		method, path, kind, body string
		status                   int
	}{
		{"POST", "/sso/tokens", "text/plain", good, http.StatusUnsupportedMediaType},
		{"POST", "/sso/tokens", "", good, http.StatusUnsupportedMediaType},
		{"POST", "/sso/tokens", "multipart/form-data; boundary=x", good, http.StatusUnsupportedMediaType},
		{"POST", "/sso/tokens", "application/json", "", http.StatusBadRequest},
		{"POST", "/sso/tokens", "application/json", good + good, http.StatusBadRequest},
		{"POST", "/sso/tokens", "application/json", `{"name":"x","scopes":["tx"],"expires_in":3600,"admin":true}`, http.StatusBadRequest},
		{"POST", "/sso/tokens", "application/json", `{"name":"x","scopes":["tx"],"expires_in":1e30}`, http.StatusBadRequest},
		{"POST", "/sso/tokens", "application/json", `{"name":"` + strings.Repeat("x", 20<<10) + `"}`, http.StatusBadRequest}, // S12
		{"POST", "/sso/tokens", "application/x-www-form-urlencoded", "name=" + strings.Repeat("x", 20<<10), http.StatusBadRequest},
		{"PUT", "/sso/tokens", "application/json", good, http.StatusMethodNotAllowed},
		{"GET", "/sso/tokens/x", "", "", http.StatusMethodNotAllowed},
		{"GET", "/sso/tokens/x/revoke", "", "", http.StatusMethodNotAllowed},
	} {
		res := b.send(c.method, c.path, c.body, "Content-Type", c.kind, "Sec-Fetch-Site", "same-origin")
		if res.status != c.status {
			t.Errorf("%s %s %s %.40q: %d %s", c.method, c.path, c.kind, c.body, res.status, res.body)
		}
	}
	if len(w.tokensOf(oidctest.Ada)) != 0 {
		t.Error("a token was made")
	}
	for _, c := range [][2]string{{"GET", "/sso/tokens"}, {"POST", "/sso/tokens"}, {"DELETE", "/sso/tokens/x"}, {"POST", "/sso/tokens/x/revoke"}} {
		if res := w.browser().send(c[0], c[1], ""); res.status != http.StatusUnauthorized || res.code() != "unauthenticated" {
			t.Errorf("nobody, %s %s: %d %s", c[0], c[1], res.status, res.body)
		}
	}
	if res := w.browser().get("/sso/tokens?name=x", navigation...); res.header.Get("Location") != "/sso/login?return_to=%2Fsso%2Ftokens%3Fname%3Dx" {
		t.Errorf("nobody opens the page: %d to %q", res.status, res.header.Get("Location"))
	}
}

// Who revokes by the page is told so, also when it was revoked meanwhile; a link with a lie about a live token says nothing.
func TestRevokeByForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	token := w.makeToken(oidctest.Ada, "tx")
	w.clock.Advance(time.Hour - time.Minute) // taking away needs no fresh sign-in
	if res := b.get("/sso/tokens?revoked="+token.ID, navigation...); strings.Contains(res.body, "It is revoked") {
		t.Error("a token that lives is said to be revoked")
	}
	for range 2 {
		res := b.sendForm("/sso/tokens/"+token.ID+"/revoke", nil)
		if res.status != http.StatusSeeOther || res.header.Get("Location") != "/sso/tokens?revoked="+token.ID {
			t.Errorf("%d to %q", res.status, res.header.Get("Location"))
		}
	}
	if len(w.tokensOf(oidctest.Ada)) != 0 {
		t.Error("the token lives")
	}
	if res := b.get("/sso/tokens?revoked="+token.ID, navigation...); !strings.Contains(res.body, "It is revoked") {
		t.Error("the page doesn't say so")
	}
}

// Whoever may not use Vexa makes no token and is told why.
func TestTokensOfTheRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	form := b.tokenForm("x", aWeek, "tx")
	rules, problems := rule.Compile([]rule.Rule{{Name: "nobody", Match: rule.Match{Groups: []string{"vexa-users"}}, Deny: "Closed for the winter."}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.rules.Replace(rules)
	for name, res := range map[string]answer{"page": b.get("/sso/tokens", navigation...), "form": b.sendForm("/sso/tokens", form)} {
		if res.status != http.StatusForbidden || !strings.Contains(res.body, "Closed for the winter.") {
			t.Errorf("%s: %d %s", name, res.status, res.body)
		}
	}
	if res := b.get("/sso/tokens"); res.code() != "denied_by_rule" {
		t.Errorf("%d %s", res.status, res.body)
	}
	if home := b.get("/sso/", navigation...); strings.Contains(home.body, "/sso/tokens") {
		t.Error("the start page leads there")
	}
	must(t, w.accounts.Revoke(context.Background(), mapping.Revocation{Kind: mapping.RevokeAccount, Account: accountOf(t, w, oidctest.Ada), Reason: "left"}, "admin"))
	w.waitFor("the suspension", func() bool { return b.get("/sso/tokens").status != http.StatusForbidden })
	if res := b.get("/sso/tokens"); res.status != http.StatusUnauthorized {
		t.Errorf("suspended: %d %s", res.status, res.body)
	}
}

// A token's scopes are at most its owner's of now, and the page says what that leaves.
func TestTokenSaysWhatItMayNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	w.makeToken(oidctest.Ada, "bot", "tx")
	const without = "Without effect"
	if res := b.get("/sso/tokens", navigation...); strings.Contains(res.body, without) {
		t.Error(res.body)
	}
	rules, problems := rule.Compile([]rule.Rule{{Name: "readers", Match: rule.Match{Groups: []string{"vexa-users"}}, Grant: &rule.GrantSpec{Scopes: []string{"tx"}}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.rules.Replace(rules)
	if res := b.get("/sso/tokens", navigation...); !regexp.MustCompile(without+`[^<]*<code>bot</code>`).MatchString(res.body) || strings.Contains(res.body, `value="bot"`) {
		t.Error(res.body)
	}
}

// How long a token may live is chosen from what the policy allows.
func TestTokenLifetimesOfThePolicy(t *testing.T) {
	t.Parallel()
	for most, want := range map[time.Duration][]string{
		12 * time.Hour:       {"43200"},
		7 * 24 * time.Hour:   {"604800"},
		30 * 24 * time.Hour:  {"604800", "2592000"},
		365 * 24 * time.Hour: {"604800", "2592000", "7776000", "31536000"},
	} {
		w := newWorld(t, func(o *worldOptions) { o.config.Tokens.MaxLifetime = most })
		res := w.signIn(oidctest.Tim).get("/sso/tokens", navigation...)
		var got []string
		for _, m := range regexp.MustCompile(`type="radio" value="(\d+)"`).FindAllStringSubmatch(res.body, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, want) || strings.Count(res.body, "required checked") != 1 {
			t.Errorf("%v: %v", most, got)
		}
		if !strings.Contains(res.body, `value="tx" checked`) {
			t.Error("a lone scope is not chosen")
		}
	}
}
