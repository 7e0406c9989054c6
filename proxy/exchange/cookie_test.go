package exchange

import (
	"testing"
)

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
