package page

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

var testNow = time.Date(2026, 11, 23, 11, 24, 0, 0, time.UTC)

func testPages() *Pages {
	return New(Config{Site: "vexa.acme.example", Now: func() time.Time { return testNow }, Scope: scopeWords})
}

// everyPage renders each page with s wherever a text may stand, and href wherever a link may.
func everyPage(s, href string) map[string]http.HandlerFunc {
	scope := func(name string) (string, string) {
		if name == s {
			return s, s
		}
		return scopeWords(name)
	}
	p := New(Config{Site: s, Now: func() time.Time { return testNow }, Scope: scope})
	two := 2
	links := []Link{{Label: s, Href: href, Note: s}, {Label: "fine", Href: "/sso/login"}}
	return map[string]http.HandlerFunc{
		"choose": func(w http.ResponseWriter, r *http.Request) {
			p.Choose(w, r, Choose{
				Providers: []Provider{{Name: s, Title: s, Type: "okta", Note: s}, {
					Name: "entra", Title: s, Type: "entra",
				}, {Name: "x", Type: s}, {Name: "untitled"}},
				ReturnTo: href, AskEmail: true, Email: s, EmailProblem: s,
			})
		},
		"choose by email": func(w http.ResponseWriter, r *http.Request) {
			p.Choose(w, r, Choose{AskEmail: true})
		},
		"choose nothing": func(w http.ResponseWriter, r *http.Request) { p.Choose(w, r, Choose{}) },
		"home": func(w http.ResponseWriter, r *http.Request) {
			p.Home(w, r, Home{
				Name: s, Email: s, Account: s, Subject: s, Provider: s, Since: testNow,
				Until: testNow, Idle: time.Hour,
				Notices: []Notice{{Warning, s, s}, {Refusal, s, s}, {Level(s), s, s}},
				Scopes:  []string{"bot", "tx", "browser", s}, MaxBots: &two, Denied: []string{s}, Admin: true,
				Rules: []Rule{
					{Name: s, Matched: true, Why: s}, {Name: s, Matched: true, Deny: true}, {Name: s, Why: s},
				},
				Links: links,
			})
		},
		"home of nobody": func(w http.ResponseWriter, r *http.Request) { p.Home(w, r, Home{}) },
		"signed out":     func(w http.ResponseWriter, r *http.Request) { p.SignedOut(w, r, SignedOut{}) },
		"signed out still": func(w http.ResponseWriter, r *http.Request) {
			p.SignedOut(w, r, SignedOut{href, s, href})
		},
		"problem": func(w http.ResponseWriter, r *http.Request) {
			p.Problem(w, r, Problem{
				Status: 403, Title: s, Sentence: s, Reason: s, Next: s, Code: s, TraceID: s,
				Actions: links, Facts: []Fact{{s, s}},
			})
		},
		"problem without words": func(w http.ResponseWriter, r *http.Request) { p.Problem(w, r, Problem{}) },
		"tokens": func(w http.ResponseWriter, r *http.Request) {
			p.Tokens(w, r, Tokens{
				Notices: []Notice{{Info, s, s}},
				Personal: []Token{{
					ID: s, Name: s, Scopes: []string{"bot", s}, Idle: []string{"tx", s},
					Created: testNow.AddDate(0, -1, 0), Expires: testNow.AddDate(0, 0, 3),
					Used: testNow, UsedFrom: s,
				}, {ID: "2", Name: "x"}},
				Tools: []Token{{
					ID: s, Name: s, Scopes: []string{"tx"}, Created: testNow,
					Expires: testNow.AddDate(0, 0, 90),
				}},
				Form: form(s, s),
			})
		},
		"tokens none": func(w http.ResponseWriter, r *http.Request) {
			p.Tokens(w, r, Tokens{Form: form(s, "")})
		},
		"tokens of nobody": func(w http.ResponseWriter, r *http.Request) { p.Tokens(w, r, Tokens{}) },
		"new token": func(w http.ResponseWriter, r *http.Request) {
			p.NewToken(w, r, NewToken{
				Name: s, Value: s, Scopes: []string{"tx", s},
				Expires: testNow.AddDate(0, 0, 30), Base: s, Example: s,
			})
		},
		"consent": func(w http.ResponseWriter, r *http.Request) {
			p.Consent(w, r, Consent{
				Tool: s, Client: s, RedirectHost: s, Person: s, Provider: s,
				Scopes: []ScopeLine{{Name: "bot"}, {s, s}}, Lifetime: 90 * 24 * time.Hour,
				Fields: []Field{{s, s}}, Action: href, Origins: []string{s},
			})
		},
		"consent to nothing": func(w http.ResponseWriter, r *http.Request) { p.Consent(w, r, Consent{}) },
		"device":             func(w http.ResponseWriter, r *http.Request) { p.Device(w, r, Device{}) },
		"device again": func(w http.ResponseWriter, r *http.Request) {
			p.Device(w, r, Device{Code: s, Problem: s, Fields: []Field{{s, s}}, Action: href, Posts: true})
		},
		"device confirm": func(w http.ResponseWriter, r *http.Request) {
			p.DeviceConfirm(w, r, DeviceConfirm{
				Code: s, Tool: s, Client: s, Address: s, Asked: testNow, Person: s, Provider: s,
				Scopes: []ScopeLine{{Name: "tx"}, {s, s}}, Lifetime: time.Hour,
				Fields: []Field{{s, s}}, Action: href,
			})
		},
		"device confirm of nobody": func(w http.ResponseWriter, r *http.Request) {
			p.DeviceConfirm(w, r, DeviceConfirm{})
		},
		"device done": func(w http.ResponseWriter, r *http.Request) {
			p.DeviceDone(w, r, DeviceDone{s, true})
		},
		"device denied": func(w http.ResponseWriter, r *http.Request) { p.DeviceDone(w, r, DeviceDone{}) },
		"continue": func(w http.ResponseWriter, r *http.Request) {
			if p.Continue(w, r, Continue{To: href, Where: s}) != nil {
				p.Problem(w, r, Problem{Status: http.StatusBadGateway, Sentence: s})
			}
		},
	}
}

// form is a form for a token with s in every field, and problem beside each.
func form(s, problem string) *TokenForm {
	return &TokenForm{
		Once: s, Name: s, NameProblem: problem, MaxName: 60, ScopesProblem: problem, LifetimeProblem: problem,
		Problem: problem, SignInFirst: problem != "", Provider: s,
		Scopes:    []ScopeChoice{{"bot", true}, {s, false}},
		Lifetimes: []LifetimeChoice{{7 * 24 * time.Hour, false}, {30 * 24 * time.Hour, true}},
	}
}

func get(t *testing.T, h http.HandlerFunc) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h(w, httptest.NewRequest(http.MethodGet, "/", nil))
	return w
}

func elements(t *testing.T, body string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// allowedElements are all that a page of ours consists of. An element that came in with a value would not be
// among them, or would not be closed where the structure below expects it.
var allowedElements = strings.Fields(
	`html head meta title link body header main section nav form div span p h1 h2 h3 ul li dl dt dd
	fieldset legend textarea figure figcaption blockquote details summary a button label input code time strong bdi svg path rect circle`,
)

// C11: whatever a value contains, it is text; there is no script, no inline style, no event
// handler and no foreign link.
func TestValuesAreText(t *testing.T) {
	t.Parallel()
	hostile := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`,
		`</title><script>alert(1)</script>`,
		`javascript:alert(1)`, `JaVaScRiPt:alert(1)`, `data:text/html,<script>alert(1)</script>`,
		`//evil.example/`, `/\evil.example`,
		"/\t/evil.example", `https://good.example@evil.example/`, `http://evil.example/`, `vbscript:x`,
		`<!--`, `</main><style>*{}</style>`, `</textarea><script>alert(1)</script>`,
		"\x00\xff\u202e", `{{.Title}}`, `0;url=https://evil.example/`,
	}
	for _, s := range hostile {
		for name, h := range everyPage(s, s) {
			for _, n := range elements(t, get(t, h).Body.String()) {
				checkHarmless(t, fmt.Sprintf("%s with %q", name, s), n)
			}
		}
	}
}

func checkHarmless(t *testing.T, where string, n *html.Node) {
	t.Helper()
	if !slices.Contains(allowedElements, n.Data) {
		t.Errorf("%s: a <%s>", where, n.Data)
	}
	for _, a := range n.Attr {
		switch {
		case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src", a.Key == "srcdoc":
			t.Errorf("%s: <%s %s=%q>", where, n.Data, a.Key, a.Val)
		case a.Key == "href", a.Key == "action", a.Key == "formaction":
			if !strings.HasPrefix(a.Val, "/sso/") && a.Val != "#make" {
				t.Errorf("%s: <%s %s=%q> leads elsewhere", where, n.Data, a.Key, a.Val)
			}
		case a.Key == "http-equiv":
			t.Errorf("%s: <%s %s=%q>", where, n.Data, a.Key, a.Val)
		}
	}
}

func TestHostileTextIsStillReadable(t *testing.T) {
	t.Parallel()
	const reason = `Ask <it@acme.example> & "read" the rules.`
	w := get(t, func(w http.ResponseWriter, r *http.Request) {
		testPages().Problem(w, r, Problem{Status: 403, Title: "No", Reason: reason})
	})
	for _, n := range elements(t, w.Body.String()) {
		if n.Data == "blockquote" {
			if got := text(n); got != reason {
				t.Errorf("the admin's words came out as %q", got)
			}
			return
		}
	}
	t.Error("the admin's words are missing")
}

func TestStructure(t *testing.T) {
	t.Parallel()
	for name, h := range everyPage("Some words", "https://id.acme.example/") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := get(t, h)
			all := elements(t, w.Body.String())
			count := map[string]int{}
			ids := map[string]int{}
			labelled := map[string]bool{}
			for _, n := range all {
				count[n.Data]++
				if id := attr(n, "id"); id != "" {
					ids[id]++
				}
				if n.Data == "label" {
					labelled[attr(n, "for")] = true
				}
			}
			for _, one := range []string{"h1", "main", "title", "header"} {
				if count[one] != 1 {
					t.Errorf("%d <%s>", count[one], one)
				}
			}
			for id, n := range ids {
				if n != 1 {
					t.Errorf("%d elements with the id %q", n, id)
				}
			}
			for _, n := range all {
				checkElement(t, n, ids, labelled)
			}
			if !strings.HasPrefix(w.Body.String(), "<!doctype html>\n<html lang=\"en\">") {
				t.Error("no doctype and language first")
			}
		})
	}
}

func checkElement(t *testing.T, n *html.Node, ids map[string]int, labelled map[string]bool) {
	t.Helper()
	switch n.Data {
	case "title":
		if !strings.HasSuffix(text(n), " · Vexa") {
			t.Errorf("title %q", text(n))
		}
	case "form":
		if m := attr(n, "method"); m != "get" && m != "post" || attr(n, "action") == "" {
			t.Errorf("form with method %q and action %q", m, attr(n, "action"))
		}
	case "input", "textarea":
		if attr(n, "type") != "hidden" && !labelled[attr(n, "id")] {
			t.Errorf("input %q has no label", attr(n, "name"))
		}
	case "svg":
		if attr(n, "aria-hidden") != "true" {
			t.Error("an icon that is read aloud")
		}
	case "a", "button", "h1", "h2", "h3", "summary", "dt", "label", "legend":
		if text(n) == "" {
			t.Errorf("an empty <%s>", n.Data)
		}
	}
	for _, ref := range []string{"aria-labelledby", "aria-describedby", "for"} {
		for _, id := range strings.Fields(attr(n, ref)) {
			if ids[id] == 0 {
				t.Errorf("<%s %s=%q> points at nothing", n.Data, ref, id)
			}
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	for name, h := range everyPage("x", "/") {
		full := get(t, h)
		w := httptest.NewRecorder()
		h(w, httptest.NewRequest(http.MethodHead, "/", nil))
		if w.Body.Len() != 0 {
			t.Errorf("%s: HEAD has a body", name)
		}
		if w.Code != full.Code || w.Header().Get("Content-Length") != full.Header().Get("Content-Length") {
			t.Errorf("%s: HEAD differs from GET", name)
		}
	}
}

func TestChooseLinksKeepWhereToReturn(t *testing.T) {
	t.Parallel()
	w := get(t, func(w http.ResponseWriter, r *http.Request) {
		testPages().Choose(w, r, Choose{
			Providers: []Provider{{Name: "okta", Title: "Okta"}}, ReturnTo: "/bots?a=1&b=2", AskEmail: true,
		})
	})
	const link = "/sso/login?provider=okta&return_to=%2Fbots%3Fa%3D1%26b%3D2"
	var found, hidden bool
	for _, n := range elements(t, w.Body.String()) {
		found = found || attr(n, "href") == link
		hidden = hidden || attr(n, "name") == "return_to" && attr(n, "value") == "/bots?a=1&b=2"
	}
	if !found || !hidden {
		t.Errorf("link %v, hidden field %v in\n%s", found, hidden, w.Body)
	}
}

// S9: nobody is asked to come back to another site.
func TestChooseDropsForeignReturn(t *testing.T) {
	t.Parallel()
	for _, foreign := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example/`, "/\t/evil.example/",
		"javascript:alert(1)",
	} {
		w := get(t, func(w http.ResponseWriter, r *http.Request) {
			testPages().Choose(w, r,
				Choose{Providers: []Provider{{Name: "okta"}}, ReturnTo: foreign, AskEmail: true})
		})
		if strings.Contains(w.Body.String(), "return_to") {
			t.Errorf("the page passes on %q", foreign)
		}
	}
}

func TestHomeSays(t *testing.T) {
	t.Parallel()
	one := 1
	w := get(t, func(w http.ResponseWriter, r *http.Request) {
		testPages().Home(w, r, Home{
			Name: "Ada Lovelace", Email: "ada@acme.example", Account: "acc_1", Provider: "Okta",
			Since: testNow.Add(-130 * time.Minute), Until: testNow.Add(22 * time.Hour), Idle: 8 * time.Hour,
			Scopes: []string{"bot", "tx"}, MaxBots: &one,
			Denied: []string{"PUT /user/webhook"}, EndsProviderSession: true, Rules: []Rule{
				{Name: "staff", Matched: true, Why: "group vexa-users"},
				{Name: "admins", Why: "not in vexa-admins"},
			},
		})
	})
	var body string
	var signOut bool
	for _, n := range elements(t, w.Body.String()) {
		if n.Data == "main" {
			body = text(n)
		}
		signOut = signOut ||
			n.Data == "form" && attr(n, "method") == "post" && attr(n, "action") == "/sso/logout"
	}
	if !signOut {
		t.Error("no form that signs out")
	}
	for _, want := range []string{
		"Ada Lovelace", "ada@acme.example", "acc_1", "Okta", "Send bots into meetings",
		"Read transcripts and meetings",
		"One bot at a time.", "Except PUT /user/webhook.", "staff group vexa-users grants",
		"1 rule does not match", "not in vexa-admins", "23 November 2026, 09:14 UTC 2 h 10 min ago",
		"24 November 2026, 09:24 UTC in 22 h, or after 8 h without use",
		"Signing out also ends your session at Okta.",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in\n%s", want, body)
		}
	}
	if strings.Contains(body, "Admin") {
		t.Error("calls somebody an admin who is not")
	}
}

func TestProblemStatus(t *testing.T) {
	t.Parallel()
	for given, want := range map[int]int{
		0: 500, 200: 500, 302: 500, 400: 400, 403: 403, 503: 503, 600: 500, 1000: 500,
	} {
		w := get(t, func(w http.ResponseWriter, r *http.Request) {
			testPages().Problem(w, r, Problem{Status: given})
		})
		if w.Code != want {
			t.Errorf("status %d became %d, want %d", given, w.Code, want)
		}
	}
}

// Row 25 of what users suffer from: after sign-out nothing starts over by itself.
func TestSignedOutStaysSignedOut(t *testing.T) {
	t.Parallel()
	w := get(t, func(w http.ResponseWriter, r *http.Request) {
		testPages().SignedOut(w, r,
			SignedOut{StillSignedInAt: "Okta", ProviderLink: "https://acme.okta.com/"})
	})
	body := w.Body.String()
	if strings.Contains(body, "refresh") || w.Header().Get("Refresh") != "" ||
		w.Header().Get("Location") != "" {
		t.Error("the page goes on by itself")
	}
	for _, want := range []string{
		`href="/sso/login"`, `href="https://acme.okta.com/"`, "still be signed in at <bdi>Okta</bdi>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestContinueLeadsOn(t *testing.T) {
	t.Parallel()
	const to = "https://acme.okta.com/oauth2/v1/authorize?client_id=a&redirect_uri=https%3A%2F%2Fvexa.acme.example%2Fsso%2Fcallback%2Fokta&scope=openid+email&state=x%20y"
	w := get(t, func(w http.ResponseWriter, r *http.Request) {
		if err := testPages().Continue(w, r, Continue{To: to, Where: "Okta"}); err != nil {
			t.Error(err)
		}
	})
	var refresh, link string
	for _, n := range elements(t, w.Body.String()) {
		if attr(n, "http-equiv") == "refresh" {
			refresh = attr(n, "content")
		}
		if n.Data == "a" {
			link = attr(n, "href")
		}
	}
	if w.Code != 200 || refresh != "0; url="+to || link != to {
		t.Errorf("status %d, refresh %q, link %q", w.Code, refresh, link)
	}

	for _, bad := range []string{
		"", "//evil.example/", "http://evil.example/", "javascript:alert(1)", "https://a@b/",
	} {
		w := httptest.NewRecorder()
		err := testPages().Continue(w, httptest.NewRequest("GET", "/", nil), Continue{To: bad})
		if err == nil || w.Body.Len() > 0 || len(w.Header()) > 0 {
			t.Errorf("leads on to %q: %v %s", bad, err, w.Body)
		}
	}
}

// scopeWords stands for what the route table says.
func scopeWords(name string) (words, note string) {
	switch name {
	case "bot":
		return "Send bots into meetings", "and read recordings"
	case "tx":
		return "Read transcripts and meetings", "and read recordings"
	}
	return "Nothing by itself", ""
}
