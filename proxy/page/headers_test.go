package page

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHeaders(t *testing.T) {
	t.Parallel()
	const self = "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	want := map[string]string{
		"Content-Type":                 "text/html; charset=utf-8",
		"Cache-Control":                "no-store",
		"Content-Security-Policy":      self,
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           permissionsPolicy,
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"X-Robots-Tag":                 "noindex",
	}
	posting := []string{"home", "tokens", "consent", "device again", "device confirm"}
	for name, h := range everyPage("words", "/") {
		got := get(t, h).Header()
		got.Del("Content-Length")
		for key, value := range want {
			if key == "Referrer-Policy" && slices.ContainsFunc(posting, func(page string) bool {
				return strings.HasPrefix(name, page)
			}) {
				value = "same-origin" // it posts, and must not post "Origin: null" (S7)
			}
			if len(got[key]) != 1 || got.Get(key) != value {
				t.Errorf("%s: %s is %q, want %q", name, key, got[key], value)
			}
			got.Del(key)
		}
		if len(got) != 0 {
			t.Errorf("%s: headers that nobody asked for: %v", name, got)
		}
	}
}

func TestPolicyTakesPlainOriginsOnly(t *testing.T) {
	t.Parallel()
	policy := contentSecurityPolicy([]string{
		"https://acme.okta.com", "https://Login.Example:8443", "http://localhost:4190",
		"https://a.example/", "https://b.example/path", "https://c.example?x", "https://d.example#x",
		"https://u@e.example", "http://f.example", "https://*.g.example", "*", "https:", "data:",
		"javascript:alert(1)", "'unsafe-inline'", "",
		"https://h.example; script-src *", "https://i.example, https://j.example",
		"https://k.example\r\nX-Evil: 1", "//l.example", "https://",
	})
	want := "form-action 'self' https://acme.okta.com https://login.example:8443 http://localhost:4190;"
	if !strings.Contains(policy, want) {
		t.Errorf("policy %q, want in it %q", policy, want)
	}
}

func TestFormOriginsReachThePolicy(t *testing.T) {
	t.Parallel()
	origins := []string{"https://acme.okta.com", "https://evil.example; script-src *"}
	for name, h := range map[string]http.HandlerFunc{
		"home": func(w http.ResponseWriter, r *http.Request) {
			testPages().Home(w, r, Home{FormActionOrigins: origins})
		},
		"choose": func(w http.ResponseWriter, r *http.Request) {
			testPages().Choose(w, r, Choose{FormActionOrigins: origins})
		},
	} {
		policy := get(t, h).Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "form-action 'self' https://acme.okta.com; frame-ancestors") {
			t.Errorf("%s: %s", name, policy)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for given, want := range map[time.Duration]string{
		0: "", time.Millisecond: "1", 30 * time.Second: "30", 1500 * time.Millisecond: "2",
	} {
		w := get(t, func(w http.ResponseWriter, r *http.Request) {
			testPages().Problem(w, r, Problem{Status: 503, RetryAfter: given})
		})
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("Retry-After for %v: %q, want %q", given, got, want)
		}
	}
}
