package terminal

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseOrigin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://vexa.acme.example":        "https://vexa.acme.example",
		"vexa.acme.example":                "https://vexa.acme.example",
		"HTTPS://Vexa.ACME.example:443/":   "https://vexa.acme.example",
		"https://vexa.acme.example:8443":   "https://vexa.acme.example:8443",
		"https://bücher.example":           "https://xn--bcher-kva.example",
		"http://127.0.0.1:4180":            "http://127.0.0.1:4180",
		"http://localhost":                 "http://localhost",
		"http://[::1]:4180/":               "http://[::1]:4180",
		"https://[2001:DB8::1]":            "https://[2001:db8::1]",
		"http://vexa.acme.example":         "!plain http",
		"http://127.0.0.1.evil.example":    "!plain http",
		"http://localhost.evil.example":    "!plain http",
		"https://vexa.acme.example/sso/":   "!has no path: write https://vexa.acme.example",
		"https://vexa.acme.example?x=1":    "!has no path",
		"https://ada:pw@vexa.acme.example": "!no user name",
		"ftp://vexa.acme.example":          "!not how a server is reached",
		"https://":                         "!no address",
		"":                                 "!no address",
		"https://a b":                      "!no address",
		"https://a_b\x1b[31m.example":      "!no ",
	} {
		got, err := ParseOrigin(text)
		if why, wrong := strings.CutPrefix(want, "!"); wrong {
			if err == nil || !strings.Contains(err.Error(), why) || strings.ContainsRune(err.Error(), 0x1b) {
				t.Errorf("ParseOrigin(%q) = %q, %v; want an error that says %q", text, got, err, why)
			}
		} else if err != nil || string(got) != want {
			t.Errorf("ParseOrigin(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

// F5: only the origin itself is the origin, however an address is dressed up.
func TestHolds(t *testing.T) {
	t.Parallel()
	const origin = Origin("https://vexa.acme.example")
	for address, want := range map[string]bool{
		"https://vexa.acme.example/sso/oauth/token":      true,
		"https://VEXA.acme.example:443/x":                true,
		"https://vexa.acme.example":                      true,
		"http://vexa.acme.example/x":                     false,
		"https://vexa.acme.example:8443/x":               false,
		"https://vexa.acme.example.evil.example/x":       false,
		"https://evil.example/https://vexa.acme.example": false,
		"https://vexa.acme.example@evil.example/x":       false,
		"https://ada@vexa.acme.example/x":                false,
		"https://evil.example\\@vexa.acme.example/x":     false,
		"https://vexa.acme.example\\.evil.example/x":     false,
		"//vexa.acme.example/x":                          false,
		"/sso/oauth/token":                               false,
		"https:vexa.acme.example":                        false,
		"javascript:alert(1)":                            false,
		"":                                               false,
		"https://vexa.acme.example\t.evil.example/x":     false,
		"https://vexa.acme.example:x/":                   false,
		" https://vexa.acme.example/":                    false,
		"https://vexa%2eacme.example/x":                  false,
		"https://vexa.acme.example\u3002evil.example/x":  false,
		// a fragment is not sent, and browsers agree about this one
		"https://vexa.acme.example#@evil.example/x": true,
	} {
		if got := origin.Holds(address); got != want {
			t.Errorf("Holds(%q) = %v", address, got)
		}
	}
}

// Whatever a path is, what is made of it leads to the origin.
func FuzzResolve(f *testing.F) {
	for _, path := range []string{
		"/bots/status", "//evil.example/x", "/\\evil.example", "https://evil.example", "@evil.example",
		".evil.example", "/a?b#c", "/ x", "https://vexa.acme.example/x", "/%2e%2e/", ":80/", "/a://b",
	} {
		f.Add(path)
	}
	const origin = Origin("https://vexa.acme.example")
	f.Fuzz(func(t *testing.T, path string) {
		address, err := origin.Resolve(path)
		if err != nil {
			return
		}
		u, err := url.Parse(address)
		if err != nil || !strings.EqualFold(u.Scheme, "https") ||
			!strings.EqualFold(u.Hostname(), "vexa.acme.example") ||
			u.Port() != "" && u.Port() != "443" || u.User != nil {
			t.Errorf("%q became %q", path, address)
		}
		if strings.ContainsAny(address, " \t\r\n\\\"") && !strings.Contains(path, `"`) {
			t.Errorf("%q became %q", path, address)
		}
	})
}
