package page

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// mainText is what a page says, and all that it is made of.
func mainText(t *testing.T, h http.HandlerFunc) (string, []*html.Node) {
	t.Helper()
	all := elements(t, get(t, h).Body.String())
	for _, n := range all {
		if n.Data == "main" {
			return text(n), all
		}
	}
	t.Fatal("no main")
	return "", nil
}

func says(t *testing.T, body string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in\n%s", want, body)
		}
	}
}

// posted is what a form of the page posts: its hidden fields and the values of its buttons, by name.
func posted(t *testing.T, all []*html.Node, action string) map[string][]string {
	t.Helper()
	fields := map[string][]string{}
	for _, f := range all {
		if f.Data != "form" || attr(f, "method") != "post" || attr(f, "action") != action {
			continue
		}
		for n := range f.Descendants() {
			if n.Type == html.ElementNode && attr(n, "name") != "" {
				fields[attr(n, "name")] = append(fields[attr(n, "name")], attr(n, "value"))
			}
		}
		return fields
	}
	t.Fatalf("no form posts to %s", action)
	return nil
}

func TestTokensSay(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	body, all := mainText(t, func(w http.ResponseWriter, r *http.Request) {
		testPages().Tokens(w, r, Tokens{
			Personal: []Token{
				{
					ID: "a", Name: "n8n", Scopes: []string{"tx"}, Idle: []string{"bot"},
					Created: testNow.Add(-20 * day), Expires: testNow.Add(3 * day),
					Used: testNow.Add(-3 * time.Hour), UsedFrom: "10.2.3.4",
				},
				{ID: "b", Name: "spare", Created: testNow.Add(-day), Expires: testNow.Add(-time.Hour)},
			},
			Tools: []Token{{
				ID: "c/d", Name: "Vexa command line", Scopes: []string{"bot"}, Created: testNow,
				Expires: testNow.Add(90 * day),
			}},
			Form: &TokenForm{
				Once: "once-1", Scopes: []ScopeChoice{{"bot", false}, {"tx", true}},
				Lifetimes: []LifetimeChoice{{7 * day, false}, {30 * day, true}},
			},
		})
	})
	says(t, body,
		"n8n May Read transcripts and meetings tx Without effect, because you may not do it yourself at the moment: bot Made 3 November 2026, 11:24 UTC 20 days ago",
		"Expires 26 November 2026, 11:24 UTC in 3 days",
		"Last used 23 November 2026, 08:24 UTC 3 h ago, from 10.2.3.4",
		"spare May Nothing at the moment", "Expired 23 November 2026, 10:24 UTC 1 h ago", "Last used Never",
		"Vexa command line May Send bots into meetings bot Signed in 23 November 2026, 11:24 UTC just now",
		"in 90 days", "30 days until 23 December 2026, 11:24 UTC", "Make token")
	for _, action := range []string{
		"/sso/tokens/a/revoke", "/sso/tokens/b/revoke", "/sso/tokens/c%2Fd/revoke",
	} {
		posted(t, all, action)
	}
	form := posted(t, all, TokensPath)
	if form["once"][0] != "once-1" || !slices.Equal(form["scope"], []string{"bot", "tx"}) ||
		!slices.Equal(form["expires_in"], []string{"604800", "2592000"}) {
		t.Errorf("the form has %v", form)
	}
	var checked []string
	for _, n := range all {
		if n.Data == "input" &&
			slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "checked" }) {
			checked = append(checked, attr(n, "value"))
		}
	}
	if !slices.Equal(checked, []string{"tx", "2592000"}) {
		t.Errorf("chosen are %q", checked)
	}
	if n := strings.Count(get(t, func(w http.ResponseWriter, r *http.Request) {
		testPages().Tokens(w, r, Tokens{Personal: []Token{
			{Created: testNow.Add(-20 * day), Expires: testNow.Add(3 * day)},
			{Created: testNow, Expires: testNow.Add(5 * day)},
		}})
	}).Body.String(), `class="note soon"`); n != 1 {
		t.Errorf("%d tokens are said to end soon", n)
	}
}

// A form with a problem is 422, says so first, and names each problem beside its field.
func TestTokenFormProblems(t *testing.T) {
	t.Parallel()
	for where, f := range map[string]*TokenForm{
		"name-problem":     {NameProblem: "that is wrong"},
		"scopes-problem":   {ScopesProblem: "that is wrong", Scopes: []ScopeChoice{{"tx", false}}},
		"lifetime-problem": {LifetimeProblem: "that is wrong"}, "": {Problem: "that is wrong"},
	} {
		w := get(t, func(w http.ResponseWriter, r *http.Request) {
			testPages().Tokens(w, r, Tokens{Form: f})
		})
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "<title>Error: ") {
			t.Errorf("%s: %d", where, w.Code)
		}
		var described bool
		for _, n := range elements(t, w.Body.String()) {
			if where != "" && attr(n, "id") == where && text(n) != "that is wrong" {
				t.Errorf("%s says %q", where, text(n))
			}
			described = described || where == "" && attr(n, "role") == "alert" ||
				where != "" && slices.Contains(strings.Fields(attr(n, "aria-describedby")), where)
		}
		if !described {
			t.Errorf("%s: nothing points at the problem", where)
		}
	}
}

// S2: the value stands on the page once.
func TestNewTokenSays(t *testing.T) {
	t.Parallel()
	const value = "vsso_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGabcdef"
	h := func(w http.ResponseWriter, r *http.Request) {
		testPages().NewToken(w, r, NewToken{
			Name: "n8n", Value: value, Scopes: []string{"tx"}, Expires: testNow.AddDate(0, 0, 30),
			Base: "https://vexa.acme.example", Example: "/meetings",
		})
	}
	w := get(t, h)
	if w.Code != http.StatusCreated || strings.Count(w.Body.String(), value) != 1 ||
		w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v with the value %d times", w.Code, w.Header(), strings.Count(w.Body.String(), value))
	}
	body, all := mainText(t, h)
	says(t, body, "n8n", "the only time that it is shown",
		"Read transcripts and meetings tx", "23 December 2026, 11:24 UTC in 30 days",
		`curl -H "X-API-Key: $VEXA_API_KEY" https://vexa.acme.example/meetings`, "Authorization: Bearer")
	for _, n := range all {
		if n.Data == "textarea" && text(n) == value && attr(n, "autocomplete") == "off" &&
			attr(n, "spellcheck") == "false" {
			return
		}
	}
	t.Error("the value is in no field that can be selected, or in one that a browser remembers or sends to a spelling service")
}

// G1: consent says which tool, for whom, for what and where the answer goes, and is
// given or refused by a button.
func TestConsentSays(t *testing.T) {
	t.Parallel()
	consent := Consent{
		Tool: "Vexa command line", Client: "vexa-sso-cli", RedirectHost: "127.0.0.1",
		Person: "ada@acme.example", Provider: "Okta",
		Scopes: []ScopeLine{{Name: "tx"}, {"bot", "Do as it likes"}}, Lifetime: 90 * 24 * time.Hour,
		Fields: []Field{{"request", "r-1"}, {"nonce", "n-1"}}, Action: "/sso/oauth/consent",
	}
	body, all := mainText(t, func(w http.ResponseWriter, r *http.Request) {
		testPages().Consent(w, r, consent)
	})
	says(t, body, "Allow Vexa command line to use Vexa as you?",
		"vexa-sso-cli", "ada@acme.example signed in through Okta", "this computer 127.0.0.1",
		"Read transcripts and meetings", "Do as it likes", "For 90 days at most")
	form := posted(t, all, "/sso/oauth/consent")
	if !slices.Equal(form["decision"], []string{"allow", "deny"}) || form["request"][0] != "r-1" ||
		form["nonce"][0] != "n-1" {
		t.Errorf("the form has %v", form)
	}
	consent.RedirectHost = "tool.example"
	body, _ = mainText(t, func(w http.ResponseWriter, r *http.Request) { testPages().Consent(w, r, consent) })
	if says(t, body, "tool.example"); strings.Contains(body, "this computer") {
		t.Error("another host is called this computer")
	}
}

// RFC 8628 section 5.4: whoever was sent a code by somebody else can see that it is not theirs.
func TestDeviceConfirmSays(t *testing.T) {
	t.Parallel()
	body, all := mainText(t, func(w http.ResponseWriter, r *http.Request) {
		testPages().DeviceConfirm(w, r, DeviceConfirm{
			Code: "BCDF-GHJK", Tool: "Vexa command line", Client: "vexa-sso-cli", Address: "203.0.113.9",
			Asked:  testNow.Add(-2 * time.Minute),
			Person: "ada@acme.example", Provider: "Okta", Scopes: []ScopeLine{{Name: "tx"}},
			Fields: []Field{{"user_code", "BCDF-GHJK"}},
		})
	})
	says(t, body, "BCDF-GHJK", "It asked from 203.0.113.9", "23 November 2026, 11:22 UTC 2 min ago",
		"ada@acme.example", "Did somebody send you here?", "Read transcripts")
	if form := posted(t, all, "/sso/device"); !slices.Equal(form["decision"], []string{"allow", "deny"}) ||
		form["user_code"][0] != "BCDF-GHJK" {
		t.Errorf("the form has %v", form)
	}
}

func TestDeviceAsksAgain(t *testing.T) {
	t.Parallel()
	for problem, want := range map[string]int{
		"": http.StatusOK, "No tool waits for this code.": http.StatusUnprocessableEntity,
	} {
		w := get(t, func(w http.ResponseWriter, r *http.Request) {
			testPages().Device(w, r, Device{Code: "BCDF", Problem: problem})
		})
		if w.Code != want || !strings.Contains(w.Body.String(), `value="BCDF"`) ||
			!strings.Contains(w.Body.String(), problem) {
			t.Errorf("%q: %d %s", problem, w.Code, w.Body)
		}
	}
}

func TestDeviceDoneSaysWhatCameOfIt(t *testing.T) {
	t.Parallel()
	for allowed, want := range map[bool]string{
		true: "goes on by itself", false: "can do nothing in your name",
	} {
		body, _ := mainText(t, func(w http.ResponseWriter, r *http.Request) {
			testPages().DeviceDone(w, r, DeviceDone{Tool: "The tool", Allowed: allowed})
		})
		says(t, body, "The tool "+want)
	}
}

// Browsers hold a form's redirects to its page's policy; consent names where they may lead.
func TestConsentOriginsReachThePolicy(t *testing.T) {
	t.Parallel()
	policy := get(t, func(w http.ResponseWriter, r *http.Request) {
		testPages().Consent(w, r,
			Consent{Origins: []string{"http://127.0.0.1:49152", "https://evil.example; script-src *"}})
	}).Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "form-action 'self' http://127.0.0.1:49152; frame-ancestors") {
		t.Error(policy)
	}
}
