package page

import (
	"strings"
	"testing"
)

// C1, C2, C3: what browsers would read as another host is no path of ours.
func TestAllowedHref(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"/", "/sso/login?provider=okta&return_to=%2Fbots", "/a//b", "/a#b",
		"https://acme.okta.com", "https://acme.okta.com/a?b=c#d", "https://login.example:8443/",
		"http://localhost:4190/", "http://127.0.0.1:4190/", "http://[::1]:4190/",
	}
	refused := []string{
		"", "sso/login", "?x", "#x", "//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`,
		`/a\b`, "/\t/evil.example", "/\n/evil.example",
		" /sso/", "\x01/sso/", "/sso/\x7f", "javascript:alert(1)", "JAVASCRIPT:alert(1)",
		"java\nscript:alert(1)", "data:text/html,x", "vbscript:x",
		"http://evil.example", "ftp://evil.example", "https:evil.example", "https:///evil", "https://",
		"https://good@evil.example", `https://good\@evil.example`,
		"https://evil.example:port", "https://*.example", "https://a b.example", "mailto:it@acme.example",
		"https://a;b.example", "/%zz", "http://localhost.evil.example",
	}
	for _, href := range allowed {
		if !allowedHref(href) {
			t.Errorf("%q is not allowed", href)
		}
	}
	for _, href := range refused {
		if allowedHref(href) {
			t.Errorf("%q is allowed", href)
		}
	}
}

func FuzzAllowedHref(f *testing.F) {
	for _, s := range []string{
		"/sso/", "//evil", `/\evil`, "https://a.example/x", "http://localhost:1", "javascript:x", "/\t/evil",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, href string) {
		if !allowedHref(href) {
			return
		}
		if len(href) > 1 && href[0] == '/' && (href[1] == '/' || href[1] == '\\') {
			t.Errorf("%q names another host", href)
		}
		if href[0] != '/' && !hasScheme(href) {
			t.Errorf("%q is neither a path nor http", href)
		}
		for _, c := range []byte(href) {
			if c <= ' ' || c == '\\' {
				t.Errorf("%q has a character that browsers reinterpret", href)
			}
		}
	})
}

func hasScheme(href string) bool {
	scheme, rest, found := strings.Cut(strings.ToLower(href), "://")
	return found && rest != "" && (scheme == "https" || scheme == "http")
}
