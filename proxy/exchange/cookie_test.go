package exchange

import (
	"testing"
)

// D6: a cookie is for one host and out of reach of scripts; on https it is Secure, and its name keeps
// browsers from taking it from anybody else.
func TestCookiesOfASite(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]struct{ prefix, secure string }{
		"https://vexa.acme.example":      {"__Host-", "; Secure"},
		"https://vexa.acme.example:8443": {"__Host-", "; Secure"},
		"http://localhost:4180":          {"", ""}, // a browser takes no __Host- cookie there
	} {
		site, err := NewSite(address)
		if err != nil {
			t.Fatal(err)
		}
		for got, name := range map[string]string{
			site.Cookies.Session:       "vexa_sso",
			site.Cookies.Attempt + "1": "vexa_sso_login_1",
			site.Cookies.Recent:        "vexa_sso_recent",
			site.Cookies.Logout:        "vexa_sso_logout",
		} {
			line := want.prefix + name + "=x; Path=/; Max-Age=60; HttpOnly" + want.secure + "; SameSite=Lax"
			if made := NewCookie(got, "x", 60).String(); made != line {
				t.Errorf("%s: %s, want %s", address, made, line)
			}
		}
	}
}

func TestCookieValue(t *testing.T) { // D10
	t.Parallel()
	long := make([]byte, MaxCookieValue+1)
	for i := range long {
		long[i] = 'a'
	}
	for _, tc := range []struct {
		headers []string
		want    string
	}{
		{[]string{"a=1; vexa_sso=x; b=2"}, "x"},
		{[]string{"vexa_sso=x"}, "x"},
		{[]string{"a=1", "vexa_sso=x"}, "x"},
		{[]string{"xvexa_sso=y; vexa_sso=x"}, "x"},
		{[]string{"vexa_sso_login_1=y"}, ""},
		{[]string{"vexa_sso"}, ""},
		{[]string{"vexa_sso="}, ""},
		{[]string{";;;;=;vexa_sso=x"}, "x"},
		{[]string{"vexa_sso=" + string(long)}, ""},
		{nil, ""},
	} {
		if got := CookieValue(tc.headers, "vexa_sso"); got != tc.want {
			t.Errorf("%.40q: %q, want %q", tc.headers, got, tc.want)
		}
	}
}
