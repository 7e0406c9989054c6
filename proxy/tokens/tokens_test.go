package tokens_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

const aWeek = 7 * 24 * 60 * 60 // seconds

var aTokenValue = regexp.MustCompile(`vsso_[0-9A-Za-z]{49}`)

// S2: the value of a token is shown once, in the answer to the form, and stands in no
// address, no cookie and no log.
func TestTokenIsShownOnce(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	if home := b.Get("/sso/", proxytest.Navigation...); !strings.Contains(home.Body, `href="/sso/tokens"`) {
		t.Error("the start page doesn't lead to the tokens")
	}
	form := b.TokenForm("n8n on build-3", aWeek, "tx")
	made := b.SendForm("/sso/tokens", form)
	values := aTokenValue.FindAllString(made.Body, -1)
	if made.Status != http.StatusCreated || len(values) != 1 || !w.Alive(values[0]) {
		t.Fatalf("%d with values %q: %s", made.Status, values, made.Body)
	}
	if made.Header.Get("Cache-Control") != "no-store" || made.Header.Get("Location") != "" ||
		made.Header.Get("Set-Cookie") != "" {
		t.Errorf("headers %v", made.Header)
	}
	if !strings.Contains(html.UnescapeString(made.Body),
		`curl -H "X-API-Key: $VEXA_API_KEY" `+w.Public+`/meetings`) {
		t.Errorf("nothing to try it with: %s", made.Body)
	}

	// Reloading sends the form again: no other token, and no value.
	again := b.SendForm("/sso/tokens", form)
	if again.Status != http.StatusSeeOther || again.Header.Get("Location") != "/sso/tokens?sent" {
		t.Errorf("sent again: %d to %q", again.Status, again.Header.Get("Location"))
	}
	listed := b.Get("/sso/tokens?sent", proxytest.Navigation...)
	for _, want := range []string{"That form was sent already", "n8n on build-3", "Never"} {
		if !strings.Contains(listed.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if home := b.Get("/sso/", proxytest.Navigation...); !strings.Contains(home.Body, "1 personal token") {
		t.Error("the start page doesn't say that there is a token")
	}
	tokens := w.TokensOf(oidctest.Ada)
	if len(tokens) != 1 || tokens[0].Name != "n8n on build-3" || tokens[0].Scopes != "tx" ||
		tokens[0].ExpiresAt.Sub(tokens[0].CreatedAt) != aWeek*time.Second {
		t.Errorf("tokens %+v", tokens)
	}
	for where, text := range map[string]string{
		"page": listed.Body, "API": b.Get("/sso/tokens").Body, "log": w.Logs.String(),
		"second answer": again.Body + proxytest.HeaderText(again.Header),
	} {
		if aTokenValue.MatchString(text) {
			t.Errorf("the %s has the value", where)
		}
	}
}

// A double click sends a form twice at the same time: there is one token, and whichever answer the
// browser keeps, it is no other.
func TestTokenFormSentTwiceAtOnce(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	form := b.TokenForm("once", aWeek, "tx")
	var mu sync.Mutex
	shown := map[string]int{}
	var sending sync.WaitGroup
	for range 8 {
		sending.Go(func() {
			res := b.SendForm("/sso/tokens", form)
			mu.Lock()
			defer mu.Unlock()
			shown[aTokenValue.FindString(res.Body)]++
			if res.Status != http.StatusCreated && res.Status != http.StatusSeeOther &&
				res.Status != http.StatusUnprocessableEntity {
				t.Errorf("%d %s", res.Status, res.Body)
			}
		})
	}
	sending.Wait()
	delete(shown, "")
	if tokens := w.TokensOf(oidctest.Ada); len(tokens) != 1 || len(shown) != 1 {
		t.Errorf("%d tokens, %d values", len(tokens), len(shown))
	}
}

// S7: making a token needs a sign-in that is less than five minutes old. What was typed
// is there again afterwards.
func TestTokenNeedsFreshSignIn(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	form := b.TokenForm("n8n & more", aWeek, "tx")
	w.Clock.Advance(5 * time.Minute)

	if res := b.Get("/sso/tokens", proxytest.Navigation...); !strings.Contains(
		res.Body, "Sign in again and continue",
	) {
		t.Error("the form doesn't say that it needs another sign-in")
	}
	body := fmt.Sprintf(`{"name":"x","scopes":["tx"],"expires_in":%d}`, aWeek)
	if res := b.SendJSON("POST", "/sso/tokens", body); res.Status != http.StatusUnauthorized ||
		res.Code() != "login_required" || !strings.Contains(res.Body, "/sso/login?fresh=1") {
		t.Errorf("by API: %d %s", res.Status, res.Body)
	}
	// What is wrong with the form is said first: nobody signs in in vain.
	if res := b.SendForm("/sso/tokens", url.Values{"once": form["once"], "name": {""}}); res.Status !=
		http.StatusUnprocessableEntity {
		t.Errorf("an empty form: %d", res.Status)
	}
	res := b.SendForm("/sso/tokens", form)
	leads := regexp.MustCompile(`<meta http-equiv="refresh" content="0; url=([^"]+)">`).
		FindStringSubmatch(res.Body)
	if res.Status != http.StatusOK || leads == nil {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	if len(w.TokensOf(oidctest.Ada)) != 0 {
		t.Fatal("a token was made")
	}
	back := b.SignIn(oidctest.Ada, html.UnescapeString(leads[1]))
	if back.Status != http.StatusSeeOther || !strings.HasPrefix(back.Header.Get("Location"), "/sso/tokens?") {
		t.Fatalf("after signing in: %d to %q", back.Status, back.Header.Get("Location"))
	}
	page := b.Get(back.Header.Get("Location"), proxytest.Navigation...)
	for _, want := range []string{
		`value="n8n &amp; more"`, `value="tx" checked`, `value="604800" required checked`, "Make token",
	} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the form lacks %q: %s", want, page.Body)
		}
	}
	form.Set("once", proxytest.OnceField.FindStringSubmatch(page.Body)[1])
	if res := b.SendForm("/sso/tokens", form); res.Status != http.StatusCreated {
		t.Errorf("afresh: %d %s", res.Status, res.Body)
	}
}

// S7: another site neither makes nor revokes tokens with a person's cookie.
func TestTokensAndOtherSites(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	token := w.MakeToken(oidctest.Ada, "tx")
	form := b.TokenForm("theirs", aWeek, "tx").Encode()
	for _, header := range [][]string{
		nil,
		{"Origin", "https://evil.example"},
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
	} {
		header = append(header, "Content-Type", "application/x-www-form-urlencoded")
		for _, c := range [][3]string{
			{"POST", "/sso/tokens", form},
			{"POST", "/sso/tokens/" + token.ID + "/revoke", ""},
			{"DELETE", "/sso/tokens/" + token.ID, ""},
		} {
			if res := b.Send(c[0], c[1], c[2], header...); res.Status != http.StatusForbidden ||
				res.Code() != "cross_site" {
				t.Errorf("%s %s with %v: %d %s", c[0], c[1], header, res.Status, res.Body)
			}
		}
	}
	if tokens := w.TokensOf(oidctest.Ada); len(tokens) != 1 || tokens[0].ID != token.ID {
		t.Errorf("tokens %+v", tokens)
	}
}

// S12: what a token may be has bounds, and what is wrong is said beside its field, with what was typed kept.
func TestTokenFaults(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Tim) // who has tx alone
	w.MakeToken(oidctest.Tim, "tx")
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
		{
			"a secret for a name", "vsso_" + strings.Repeat("a", 49),
			[]string{"tx"},
			aWeek, "name-problem", "looks like the value of a token",
		}, // S2
		{"a name that is taken", "n8n", []string{"tx"}, aWeek, "name-problem", "of that name already"},
		{"no scope", "x", nil, aWeek, "scopes-problem", "Choose at least one."},
		{
			"a foreign scope", "x",
			[]string{"bot", "tx"},
			aWeek, "scopes-problem", "You don’t have bot yourself. Choose from tx.",
		},
		{"no such scope", "x", []string{"a,b"}, aWeek, "scopes-problem", "You don’t have a, b yourself."},
		{
			"too long", "x",
			[]string{"tx"},
			90*24*60*60 + 1, "lifetime-problem", "expires_in must be from 60 to 7776000 seconds.",
		},
		{"no time", "x", []string{"tx"}, 0, "lifetime-problem", "expires_in"},
		{"before now", "x", []string{"tx"}, -aWeek, "lifetime-problem", "expires_in"},
		{"for ever", "x", []string{"tx"}, 1<<63 - 1, "lifetime-problem", "expires_in"},
	} {
		res := b.SendForm("/sso/tokens", b.TokenForm(c.name, c.seconds, c.scopes...))
		said := html.UnescapeString(res.Body)
		why := c.why
		if c.field == "lifetime-problem" {
			why = "Choose one of these."
		}
		if res.Status != http.StatusUnprocessableEntity ||
			!regexp.MustCompile(`id="`+c.field+`">[^<]*`+regexp.QuoteMeta(why)).MatchString(said) {
			t.Errorf("%s: %d %s", c.what, res.Status, res.Body)
		}
		if !strings.Contains(said, `value="`+strings.TrimSpace(c.name)+`"`) ||
			strings.Contains(res.Body, `value="tx" checked`) != slices.Contains(c.scopes, "tx") {
			t.Errorf("%s: what was typed is lost: %s", c.what, res.Body)
		}
		body, err := json.Marshal(map[string]any{"name": c.name, "scopes": c.scopes, "expires_in": c.seconds})
		proxytest.Must(t, err)
		if res := b.SendJSON(
			"POST", "/sso/tokens", string(body),
		); res.Status != http.StatusUnprocessableEntity || res.Code() != "token_not_made" ||
			!strings.Contains(res.Body, c.why) {
			t.Errorf("%s by API: %d %s", c.what, res.Status, res.Body)
		}
	}
	if len(w.TokensOf(oidctest.Tim)) != 1 {
		t.Error("one of them was made")
	}
	if res := b.SendForm("/sso/tokens",
		b.TokenForm(name, 90*24*60*60, "tx")); res.Status != http.StatusCreated {
		t.Errorf("as long as may be: %d %s", res.Status, res.Body)
	}
	form := b.TokenForm("y", aWeek, "tx")
	for _, once := range []string{"", strings.Repeat("x", 65)} {
		form.Set("once", once)
		if res := b.SendForm("/sso/tokens", form); res.Status != http.StatusBadRequest {
			t.Errorf("a form that is not that of the page: %d", res.Status)
		}
	}
}

// S12: an account has so many tokens and no more.
func TestTooManyTokens(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	for range 100 {
		w.MakeToken(oidctest.Ada, "tx")
	}
	const why = "There are 100 tokens already. Revoke those that are not needed any more."
	if res := b.SendForm(
		"/sso/tokens", b.TokenForm("one more", aWeek, "tx"),
	); res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, why) {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	body := fmt.Sprintf(`{"name":"one more","scopes":["tx"],"expires_in":%d}`, aWeek)
	if res := b.SendJSON("POST", "/sso/tokens", body); res.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(res.Body, why) {
		t.Errorf("by API: %d %s", res.Status, res.Body)
	}
}

func TestTokensByAPI(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	ada, tim := w.SignIn(oidctest.Ada), w.SignIn(oidctest.Tim)
	res := ada.SendJSON("POST", "/sso/tokens",
		fmt.Sprintf(`{"name":" ci ","scopes":["tx","bot","tx"],"expires_in":%d}`, aWeek))
	var made struct {
		ID, Kind, Name, Token string
		Scopes                []string
		ExpiresAt             time.Time `json:"expires_at"`
	}
	proxytest.Must(t, json.Unmarshal([]byte(res.Body), &made))
	if res.Status != http.StatusCreated || res.Header.Get("Cache-Control") != "no-store" ||
		made.Name != "ci" || made.Kind != "personal" || !slices.Equal(made.Scopes, []string{"bot", "tx"}) ||
		!made.ExpiresAt.Equal(w.TokensOf(oidctest.Ada)[0].ExpiresAt.Truncate(time.Second)) ||
		!w.Alive(made.Token) {
		t.Fatalf("%d %v %s", res.Status, res.Header, res.Body)
	}
	list := func(b *proxytest.Browser) string {
		res := b.Get("/sso/tokens", "Accept", "application/json")
		if res.Status != http.StatusOK || res.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
		return res.Body
	}
	if got := list(ada); !strings.Contains(got, `"id":"`+made.ID+`"`) ||
		!strings.Contains(got, `"last_used_at":null`) || !strings.Contains(got, `"max_lifetime":7776000`) ||
		aTokenValue.MatchString(got) {
		t.Error(got)
	}
	if got := list(tim); !strings.Contains(got, `"tokens":[]`) {
		t.Errorf("somebody else sees %s", got)
	}

	// Nobody revokes what is somebody else's.
	if res := tim.SendJSON("DELETE", "/sso/tokens/"+made.ID, ""); res.Status != http.StatusNotFound ||
		!w.Alive(made.Token) {
		t.Errorf("somebody else: %d %s", res.Status, res.Body)
	}
	if res := tim.SendForm("/sso/tokens/"+made.ID+"/revoke", nil); !w.Alive(made.Token) {
		t.Errorf("somebody else by form: %d %s", res.Status, res.Body)
	}
	if res := ada.SendJSON("DELETE", "/sso/tokens/"+made.ID, ""); res.Status != http.StatusNoContent ||
		res.Body != "" || w.Alive(made.Token) {
		t.Errorf("revoked: %d %s", res.Status, res.Body)
	}
	if res := ada.SendJSON("DELETE", "/sso/tokens/"+made.ID, ""); res.Status != http.StatusNotFound ||
		res.Code() != "not_found" {
		t.Errorf("revoked again: %d %s", res.Status, res.Body)
	}
}

// A token tells of itself and ends itself. It tells nothing of its owner's others, leaves them
// alone, and makes none (S7).
func TestTokenAtTheTokens(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	other := w.MakeToken(oidctest.Ada, "tx")
	res := b.SendJSON("POST", "/sso/tokens",
		fmt.Sprintf(`{"name":"ci","scopes":["tx"],"expires_in":%d}`, aWeek))
	var made struct{ ID, Token string }
	proxytest.Must(t, json.Unmarshal([]byte(res.Body), &made))

	program := func(method, path, body string, header ...string) proxytest.Answer {
		// The cookie comes along and counts for nothing.
		return b.Send(method, path, body,
			append(header, "X-API-Key", made.Token, "Sec-Fetch-Site", "same-origin")...)
	}
	if res := program("GET", "/sso/tokens", ""); res.Status != http.StatusOK ||
		!strings.Contains(res.Body, made.ID) || strings.Contains(res.Body, other.ID) {
		t.Errorf("what a token sees: %d %s", res.Status, res.Body)
	}
	if res := b.Get("/sso/tokens"); !regexp.MustCompile(
		`"last_used_at":"[^"]+","last_used_from":"127\.0\.0\.1"`,
	).MatchString(res.Body) || strings.Count(res.Body, `"last_used_at":null`) != 1 {
		t.Errorf("the use of one of two tokens: %s", res.Body)
	}
	if res := program("GET", "/sso/tokens",
		"", proxytest.Navigation...); res.Status != http.StatusUnauthorized {
		t.Errorf("the page: %d %s", res.Status, res.Body)
	}
	good := `{"name":"x","scopes":["tx"],"expires_in":3600}`
	if res := program("POST", "/sso/tokens", good,
		"Content-Type", "application/json"); res.Status != http.StatusUnauthorized {
		t.Errorf("a token makes a token: %d %s", res.Status, res.Body)
	}
	if res := program("POST", "/sso/tokens/"+other.ID+"/revoke", ""); res.Status != http.StatusUnauthorized {
		t.Errorf("a token at the page's form: %d %s", res.Status, res.Body)
	}
	if res := program("DELETE", "/sso/tokens/"+other.ID, ""); res.Status != http.StatusNotFound {
		t.Errorf("a token ends another: %d %s", res.Status, res.Body)
	}
	if n := len(w.TokensOf(oidctest.Ada)); n != 2 {
		t.Fatalf("%d tokens", n)
	}
	if res := program("DELETE", "/sso/tokens/"+made.ID, ""); res.Status != http.StatusNoContent ||
		w.Alive(made.Token) {
		t.Errorf("a token ends itself: %d %s", res.Status, res.Body)
	}
	if res := program("GET", "/sso/tokens", ""); res.Status != http.StatusUnauthorized ||
		res.Code() != "token_ended" {
		t.Errorf("afterwards: %d %s", res.Status, res.Body)
	}
}

func TestTokenRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
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
		{
			"POST", "/sso/tokens", "application/json",
			`{"name":"x","scopes":["tx"],"expires_in":3600,"admin":true}`, http.StatusBadRequest,
		},
		{
			"POST", "/sso/tokens", "application/json", `{"name":"x","scopes":["tx"],"expires_in":1e30}`,
			http.StatusBadRequest,
		},
		{
			"POST", "/sso/tokens", "application/json", `{"name":"` + strings.Repeat("x", 20<<10) + `"}`,
			http.StatusBadRequest,
		}, // S12
		{
			"POST", "/sso/tokens", "application/x-www-form-urlencoded", "name=" + strings.Repeat("x", 20<<10),
			http.StatusBadRequest,
		},
		{"PUT", "/sso/tokens", "application/json", good, http.StatusMethodNotAllowed},
		{"GET", "/sso/tokens/x", "", "", http.StatusMethodNotAllowed},
		{"GET", "/sso/tokens/x/revoke", "", "", http.StatusMethodNotAllowed},
	} {
		res := b.Send(c.method, c.path, c.body, "Content-Type", c.kind, "Sec-Fetch-Site", "same-origin")
		if res.Status != c.status {
			t.Errorf("%s %s %s %.40q: %d %s", c.method, c.path, c.kind, c.body, res.Status, res.Body)
		}
	}
	if len(w.TokensOf(oidctest.Ada)) != 0 {
		t.Error("a token was made")
	}
	for _, c := range [][2]string{
		{"GET", "/sso/tokens"},
		{"POST", "/sso/tokens"},
		{"DELETE", "/sso/tokens/x"},
		{"POST", "/sso/tokens/x/revoke"},
	} {
		if res := w.Browser().Send(c[0], c[1], ""); res.Status != http.StatusUnauthorized ||
			res.Code() != "unauthenticated" {
			t.Errorf("nobody, %s %s: %d %s", c[0], c[1], res.Status, res.Body)
		}
	}
	if res := w.Browser().Get("/sso/tokens?name=x", proxytest.Navigation...); res.Header.Get("Location") !=
		"/sso/login?return_to=%2Fsso%2Ftokens%3Fname%3Dx" {
		t.Errorf("nobody opens the page: %d to %q", res.Status, res.Header.Get("Location"))
	}
}

// Who revokes by the page is told so, also when it was revoked meanwhile; a link with a lie about
// a live token says nothing.
func TestRevokeByForm(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	token := w.MakeToken(oidctest.Ada, "tx")
	w.Clock.Advance(time.Hour - time.Minute) // taking away needs no fresh sign-in
	if res := b.Get("/sso/tokens?revoked="+token.ID,
		proxytest.Navigation...); strings.Contains(res.Body, "It is revoked") {
		t.Error("a token that lives is said to be revoked")
	}
	for range 2 {
		res := b.SendForm("/sso/tokens/"+token.ID+"/revoke", nil)
		if res.Status != http.StatusSeeOther ||
			res.Header.Get("Location") != "/sso/tokens?revoked="+token.ID {
			t.Errorf("%d to %q", res.Status, res.Header.Get("Location"))
		}
	}
	if len(w.TokensOf(oidctest.Ada)) != 0 {
		t.Error("the token lives")
	}
	if res := b.Get("/sso/tokens?revoked="+token.ID,
		proxytest.Navigation...); !strings.Contains(res.Body, "It is revoked") {
		t.Error("the page doesn't say so")
	}
}

// Whoever may not use Vexa makes no token and is told why.
func TestTokensOfTheRefused(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	form := b.TokenForm("x", aWeek, "tx")
	rules, problems := rule.Compile([]rule.Rule{{
		Name: "nobody", Match: rule.Match{Groups: []string{"vexa-users"}}, Deny: "Closed for the winter.",
	}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.Rules.Replace(rules)
	for name, res := range map[string]proxytest.Answer{
		"page": b.Get("/sso/tokens", proxytest.Navigation...), "form": b.SendForm("/sso/tokens", form),
	} {
		if res.Status != http.StatusForbidden || !strings.Contains(res.Body, "Closed for the winter.") {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	if res := b.Get("/sso/tokens"); res.Code() != "denied_by_rule" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if home := b.Get("/sso/", proxytest.Navigation...); strings.Contains(home.Body, "/sso/tokens") {
		t.Error("the start page leads there")
	}
	proxytest.Must(t, w.Accounts.Revoke(context.Background(), mapping.Revocation{
		Kind: mapping.RevokeAccount, Account: proxytest.AccountOf(t, w, oidctest.Ada), Reason: "left",
	}, "admin"))
	w.WaitFor("the suspension", func() bool { return b.Get("/sso/tokens").Status != http.StatusForbidden })
	if res := b.Get("/sso/tokens"); res.Status != http.StatusUnauthorized {
		t.Errorf("suspended: %d %s", res.Status, res.Body)
	}
}

// A token's scopes are at most its owner's of now, and the page says what that leaves.
func TestTokenSaysWhatItMayNow(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	w.MakeToken(oidctest.Ada, "bot", "tx")
	const without = "Without effect"
	if res := b.Get("/sso/tokens", proxytest.Navigation...); strings.Contains(res.Body, without) {
		t.Error(res.Body)
	}
	rules, problems := rule.Compile([]rule.Rule{{
		Name: "readers", Match: rule.Match{Groups: []string{"vexa-users"}},
		Grant: &rule.GrantSpec{Scopes: []string{"tx"}},
	}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.Rules.Replace(rules)
	if res := b.Get(
		"/sso/tokens", proxytest.Navigation...,
	); !regexp.MustCompile(without+`[^<]*<code>bot</code>`).MatchString(res.Body) ||
		strings.Contains(res.Body, `value="bot"`) {
		t.Error(res.Body)
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
		w := proxytest.Start(t, func(o *proxytest.Options) { o.Config.Tokens.MaxLifetime = most })
		res := w.SignIn(oidctest.Tim).Get("/sso/tokens", proxytest.Navigation...)
		var got []string
		for _, m := range regexp.MustCompile(`type="radio" value="(\d+)"`).
			FindAllStringSubmatch(res.Body, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, want) || strings.Count(res.Body, "required checked") != 1 {
			t.Errorf("%v: %v", most, got)
		}
		if !strings.Contains(res.Body, `value="tx" checked`) {
			t.Error("a lone scope is not chosen")
		}
	}
}

// S5: a form that was on the way when its session ended makes no token, although this replica
// has not heard of the end.
func TestNoTokenForASessionThatHasEnded(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	form := b.TokenForm("late", 86_400, "bot")
	sessions, err := w.Store.Sessions(t.Context())
	proxytest.Must(t, err)
	proxytest.Must(t, w.Store.Update(t.Context(), func(tx mapping.Tx) error {
		return tx.DeleteSession(sessions[0].ID)
	}))
	if res := b.SendForm("/sso/tokens", form); res.Status != http.StatusUnauthorized {
		t.Errorf("by the form: %d %s", res.Status, res.Body)
	}
	if res := b.SendJSON("POST", "/sso/tokens", `{"name":"late","scopes":["bot"],"expires_in":3600}`); res.
		Code() != "unauthenticated" {
		t.Errorf("by JSON: %d %s", res.Status, res.Body)
	}
	if tokens := w.TokensOf(oidctest.Ada); len(tokens) > 0 {
		t.Errorf("made: %v", tokens)
	}
}
