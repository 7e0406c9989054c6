package terminal

import (
	"slices"
	"strings"
	"testing"
)

// Row 22: what curl gets on its command line has no token in it, asks the server alone, and cannot be
// talked into anything else.
func TestCurlArguments(t *testing.T) {
	t.Parallel()
	const origin = Origin("https://vexa.acme.example")
	for name, test := range map[string]struct {
		paths, options []string
		want           string // an error, or the end of the command line
		wrong          bool
	}{
		"a path": {[]string{"/bots/status"}, nil, "--url https://vexa.acme.example/bots/status", false},
		"several": {
			[]string{"/a", "https://vexa.acme.example/b?x=1"},
			nil, "--url https://vexa.acme.example/a --url https://vexa.acme.example/b?x=1", false,
		},
		"options": {[]string{"/bots"}, []string{
			"-X", "POST", "--json", `{"a":1}`,
		}, `-X POST --json {"a":1} --url https://vexa.acme.example/bots`, false},
		"options together": {[]string{"/bots"}, []string{
			"-sSfXPUT", "-d@file", "-iw", "%{http_code}",
		}, "-sSfXPUT -d@file -iw %{http_code} --url https://vexa.acme.example/bots", false},
		"input": {
			[]string{"/bots"},
			[]string{"-d", "@-", "-o", "-"},
			"-d @- -o - --url https://vexa.acme.example/bots", false,
		},
		"a value like an option": {[]string{"/x"}, []string{
			"-d", "-L", "--data-raw", "--location",
		}, "-d -L --data-raw --location --url https://vexa.acme.example/x", false},

		"another host": {
			[]string{"https://evil.example/x"}, nil, "is not on https://vexa.acme.example", true,
		},
		"another scheme":    {[]string{"http://vexa.acme.example/x"}, nil, "is not on", true},
		"another port":      {[]string{"https://vexa.acme.example:8443/x"}, nil, "is not on", true},
		"a user":            {[]string{"https://vexa.acme.example@evil.example/x"}, nil, "is not on", true},
		"no slash":          {[]string{"@evil.example"}, nil, "is no path", true},
		"two slashes":       {[]string{"//evil.example/x"}, nil, "is no path", true},
		"a backslash":       {[]string{`/\evil.example`}, nil, "encode", true},
		"a further address": {[]string{"/x"}, []string{"https://evil.example"}, "further address", true},
		"a further path":    {[]string{"/x"}, []string{"-s", "/y"}, "further address", true},
		"--url": {
			[]string{"/x"}, []string{"--url", "https://evil.example"}, "--url is not passed on", true,
		},
		"--next":              {[]string{"/x"}, []string{"--next"}, "--next is not passed on", true},
		"redirects":           {[]string{"/x"}, []string{"-L"}, "follows redirects", true},
		"redirects, together": {[]string{"/x"}, []string{"-sL"}, "follows redirects", true},
		"redirects, long":     {[]string{"/x"}, []string{"--location"}, "follows redirects", true},
		"redirects with it":   {[]string{"/x"}, []string{"--location-trusted"}, "follows redirects", true},
		"abbreviated":         {[]string{"/x"}, []string{"--loc"}, "--loc is not passed on", true},
		"with an equals sign": {
			[]string{"/x"}, []string{"--url=https://evil.example"}, "is not passed on", true,
		},
		"more options": {[]string{"/x"}, []string{"-K", "file"}, "-K is not passed on", true},
		"a proxy": {
			[]string{"/x"}, []string{"-x", "http://evil.example"}, "-x is not passed on", true,
		},
		"no verification":       {[]string{"/x"}, []string{"-k"}, "-k is not passed on", true},
		"no verification, more": {[]string{"/x"}, []string{"-fsSk"}, "-k is not passed on", true},
		"another place": {
			[]string{"/x"}, []string{"--connect-to", "::evil.example"}, "is not passed on", true,
		},
		"resolved elsewhere": {
			[]string{"/x"}, []string{"--resolve", "*:443:6.6.6.6"}, "is not passed on", true,
		},
		"verbose": {[]string{"/x"}, []string{"-v"}, "prints what it sends", true},
		"a trace": {
			[]string{"/x"}, []string{"--trace", "-"}, "prints what it sends", true,
		},
		"as C": {
			[]string{"/x"}, []string{"--libcurl", "x.c"}, "is not passed on", true,
		},
		// or --url would be it
		"a value is missing":           {[]string{"/x"}, []string{"-s", "-o"}, "-o wants a value", true},
		"a value is missing, together": {[]string{"/x"}, []string{"-so"}, "-so wants a value", true},
		"steering": {
			[]string{"/x"}, []string{"--\x1b[2J"}, "--[2J is not passed on", true,
		},
	} {
		got, err := CurlArguments(origin, "", test.paths, test.options)
		switch {
		case test.wrong && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %q, %v; want an error that says %q", name, got, err, test.want)
		case !test.wrong && (err != nil || !strings.HasSuffix(strings.Join(got, " "), test.want)):
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestCurlKeepsToTheServersScheme(t *testing.T) {
	t.Parallel()
	secure, err := CurlArguments("https://vexa.acme.example", "/etc/ca.pem", []string{"/x"}, nil)
	must(t, err)
	if want := []string{
		"--proto", "=https", "--globoff", "--cacert", "/etc/ca.pem", "--url", "https://vexa.acme.example/x",
	}; !slices.Equal(secure, want) {
		t.Errorf("%q", secure)
	}
	local, err := CurlArguments("http://127.0.0.1:4180", "", []string{"/x"}, nil)
	must(t, err)
	if want := []string{
		"--proto", "=http", "--noproxy", "*", "--globoff", "--url", "http://127.0.0.1:4180/x",
	}; !slices.Equal(local, want) {
		t.Errorf("%q", local)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	got := Environment([]string{"PATH=/bin", "VEXA_API_KEY=old", "VEXA_API_URL=x", "VEXA_API_KEYS=mine"},
		"https://vexa.acme.example", "tok")
	if want := []string{
		"PATH=/bin", "VEXA_API_KEYS=mine", "VEXA_API_URL=https://vexa.acme.example", "VEXA_API_KEY=tok",
	}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
