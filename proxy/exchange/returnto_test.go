package exchange

import (
	"net/url"
	"strings"
	"testing"
)

func TestReturnPath(t *testing.T) { // S9
	t.Parallel()
	const home = "/sso/"
	for _, tc := range []struct{ raw, want string }{
		{"/meetings", "/meetings"},
		{"/meetings?limit=5&api_key=x", "/meetings?limit=5"},
		{"/transcripts/google_meet/a%20b", "/transcripts/google_meet/a%20b"},
		{"", home},
		{"meetings", home},
		{`/\evil.com`, home},  // C1
		{"/%5Cevil", home},    // C1
		{"/%0a/evil", home},   // C2
		{"/\t/evil", home},    // C2
		{"/%09/evil", home},   // C2
		{" /evil", home},      // C2
		{"\n/evil", home},     // C2
		{"//evil.com", home},  // C3
		{"///evil", home},     // C3
		{`/./\evil`, home},    // C3
		{"/./evil", home},     // C3
		{"/%2f%2fevil", home}, // C3
		{"javascript:alert(1)", home},
		{"data:text/html,x", home},
		{"https://good@evil.example/", home},
		{"https://vexa.example.com.evil.example/", home}, // C4
		{"/sso/login?return_to=/x", home},                // no loops
		{"/sso/logout", home},
		{"/sso/callback/okta?code=1", home},
		{"/" + strings.Repeat("a", maxReturnTo), home},
		{"/x?a=" + strings.Repeat("é", 1000), home},
	} {
		if got := ReturnPath(tc.raw); got != tc.want {
			t.Errorf("ReturnPath(%q) = %q, want %q", tc.raw, got, tc.want)
		}
	}
}

func TestReturnTarget(t *testing.T) { // C7
	t.Parallel()
	p, err := NewSite("https://vexa.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ raw, want string }{
		{"https://vexa.example.com/meetings", "/meetings"},
		{"https://vexa.example.com", "/sso/"},
		{"https://vexa.example.com.evil.example/meetings", "/sso/"},
		{"https://vexa.example.com@evil.example/meetings", "/sso/"},
		{"https://evil.example/meetings", "/sso/"},
		{"/bots", "/bots"},
	} {
		if got := p.ReturnTarget(tc.raw); got != tc.want {
			t.Errorf("ReturnTarget(%q) = %q, want %q", tc.raw, got, tc.want)
		}
	}
}

func FuzzReturnPath(f *testing.F) {
	for _, seed := range []string{"/a", "//a", `/\a`, "/%2f/a", "/a?b=//c", "/\x00", "http://x/y"} {
		f.Add(seed)
	}
	base, _ := url.Parse("https://vexa.example.com/sso/callback/okta")
	f.Fuzz(func(t *testing.T, raw string) {
		got := ReturnPath(raw)
		ref, err := base.Parse(got)
		if err != nil || ref.Host != base.Host || ref.Scheme != base.Scheme ||
			strings.ContainsAny(got, "\\\r\n\t") || strings.HasPrefix(got, "//") {
			t.Fatalf("ReturnPath(%q) = %q leads away", raw, got)
		}
	})
}
