package oidc

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// graphAt makes the fixture Entra with an overage, and Graph whose answers a test writes.
func graphAt(t *testing.T, answer http.HandlerFunc) (*idp, *Provider) {
	t.Helper()
	f := newIDP(t)
	p := f.entra(t, Config{ClientSecret: "s"})
	f.document["msgraph_host"] = strings.TrimPrefix(f.URL, "http://")
	f.answer("getMemberObjects", answer)
	return f, p
}

func (f *idp) overage() map[string]any {
	return but(f.entraClaims(), map[string]any{
		"groups": nil, "_claim_names": map[string]any{"groups": "src1"},
		"_claim_sources": map[string]any{"src1": map[string]any{
			"endpoint": f.URL + "/evil/getMemberObjects",
		}},
	})
}

// waits records pauses and moves the clock instead of waiting.
type waits struct {
	mu  sync.Mutex
	all []time.Duration
}

func (w *waits) instead(c *oidctest.Clock) func(context.Context, time.Duration) error {
	return func(_ context.Context, d time.Duration) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all = append(w.all, d)
		c.Advance(d)
		return nil
	}
}

// Graph is asked again after the pause that it wants, if that fits into the time there is; others
// do not ask in the meantime.
func TestGraphPauses(t *testing.T) {
	t.Parallel()
	asked := 0
	retryAfter := "3"
	f, p := graphAt(t, func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked <= 2 {
			w.Header().Set("Retry-After", retryAfter)
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		status(200, `{"value":["0b6f6e2a-9a0f-4d54-8f0e-1f2a3b4c5d6e"]}`)(w, r)
	})
	w := &waits{}
	p.graph.wait = w.instead(f.clock)
	if id := f.signedIn(t, p, f.overage()).Identity; !id.GroupsComplete || len(id.Groups) != 1 {
		t.Errorf("%+v", id)
	}
	if len(w.all) != 2 || w.all[0] != 3*time.Second {
		t.Errorf("waited %v", w.all)
	}

	asked, retryAfter = 0, "120" // longer than anybody waits
	for range 3 {
		if id := f.signedIn(t, p, f.overage()).Identity; id.GroupsComplete ||
			!strings.Contains(id.GroupsProblem, "too busy") {
			t.Errorf("%+v", id)
		}
	}
	if asked != 1 || len(w.all) != 2 {
		t.Errorf("asked %d times, waited %v", asked, w.all)
	}
	f.clock.Advance(2 * time.Minute)
	retryAfter = "0"
	if id := f.signedIn(t, p, f.overage()).Identity; !id.GroupsComplete {
		t.Errorf("%+v", id)
	}
}

// The next page is fetched where the first one was, or not at all: the application's
// token goes nowhere else. S2
func TestGraphNextPage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		next func(base string) string
		ok   bool
	}{
		"ours":         {func(base string) string { return base + "/v1.0/users/x/last" }, true},
		"another host": {func(string) string { return "https://evil.example/v1.0/users/x/last" }, false},
		"another scheme": {func(base string) string {
			return strings.Replace(base, "http:", "https:", 1) + "/v1.0/users/x/last"
		}, false},
		"user": {func(base string) string {
			return strings.Replace(base, "http://", "http://a@", 1) + "/v1.0/users/x/last"
		}, false},
		"longer host": {func(base string) string { return base + ".evil.example/v1.0/users/x/last" }, false},
		"another API": {func(base string) string { return base + "/beta/users/x/last" }, false},
		"relative":    {func(string) string { return "/v1.0/users/x/last" }, false},
		"itself, for ever": {func(base string) string {
			return base + "/v1.0/users/x/microsoft.graph.group"
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, p := graphAt(t, status(400, `{"error":{"code":"DirectoryResultSizeLimitExceeded"}}`))
			page := func(next string) string {
				text, _ := json.Marshal(map[string]any{
					"value":           []map[string]string{{"id": "0b6f6e2a-9a0f-4d54-8f0e-1f2a3b4c5d6e"}},
					"@odata.nextLink": next,
				})
				return string(text)
			}
			f.answer("microsoft.graph.group", status(200, page(test.next(f.URL))))
			f.answer("last", status(200, `{"value":[{"id":"mail","securityEnabled":false},{"id":"5d7c1a90-2b3e-4c4d-9e8f-aabbccddeeff","securityEnabled":true}]}`))
			id := f.signedIn(t, p, f.overage()).Identity
			if id.GroupsComplete != test.ok || test.ok && len(id.Groups) != 2 {
				t.Errorf("%q, complete %v: %s", id.Groups, id.GroupsComplete, id.GroupsProblem)
			}
			if n := f.count("microsoft.graph.group"); n > maxGraphPages {
				t.Errorf("%d pages", n)
			}
			if n := f.count("last"); (n > 0) != test.ok {
				t.Errorf("the page beyond was asked for %d times", n)
			}
		})
	}
}

func TestGraphBase(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ login, preset, host, want string }{
		"public": {
			"https://login.microsoftonline.com", "graph.microsoft.com", "graph.microsoft.com",
			"https://graph.microsoft.com",
		},
		"DoD, by discovery": {
			"https://login.microsoftonline.us", "graph.microsoft.us", "dod-graph.microsoft.us",
			"https://dod-graph.microsoft.us",
		},
		"China, by preset": {
			"https://login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn", "",
			"https://microsoftgraph.chinacloudapi.cn",
		},
		"a test": {
			"http://localhost:4190", "", "localhost:4190/entra", "http://localhost:4190/entra",
		},
		"unknown cloud":            {"https://login.sovcloud-identity.fr", "", "", ""},
		"this machine, in earnest": {"https://login.microsoftonline.com", "", "127.0.0.1:8080", ""},
		"a path":                   {"https://login.microsoftonline.com", "", "graph.microsoft.com/x", ""},
		"a user":                   {"https://login.microsoftonline.com", "", "a@evil.example", ""},
		"a query":                  {"https://login.microsoftonline.com", "", "evil.example?x", ""},
		"not a host":               {"https://login.microsoftonline.com", "", "a b", ""},
	} {
		got, err := (&graph{login: test.login, preset: test.preset}).base(&document{GraphHost: test.host})
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// The application's token is fetched once for all who wait, used to near its end, and
// shown to nobody but Graph. S2
func TestGraphTokenIsKept(t *testing.T) {
	t.Parallel()
	f, p := graphAt(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer at-canary-5d1f" || r.Header.Get("Cookie") != "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		status(200, `{"value":[]}`)(w, r)
	})
	ask := func() {
		t.Helper()
		if _, err := p.graph.groups(t.Context(), mustDocument(t, p), tenantA, adaOID); err != nil {
			t.Error(err)
		}
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(ask)
	}
	all.Wait()
	if n := f.count("token"); n != 1 {
		t.Errorf("%d tokens for 20 people", n)
	}
	f.clock.Advance(54 * time.Minute)
	ask()
	f.clock.Advance(2 * time.Minute)
	ask()
	if n := f.count("token"); n != 2 {
		t.Errorf("%d tokens after an hour", n)
	}
}

func mustDocument(t *testing.T, p *Provider) *document {
	t.Helper()
	doc, err := p.discovery.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
