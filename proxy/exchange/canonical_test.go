package exchange

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestCanonicalPath(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		target string
		want   string // "" means refused
	}{
		{"/bots", "/bots"},
		{"/transcripts/google_meet/abc-defg-hij", "/transcripts/google_meet/abc-defg-hij"},
		{"/meetings/teams/19:meeting_x@thread.v2", "/meetings/teams/19:meeting_x@thread.v2"},
		{"/user/calendars/a%20b", "/user/calendars/a b"},
		{"/%62ots", "/bots"}, // over-encoded, but with one meaning only
		{"/recordings/1/", "/recordings/1/"},
		{"/J%C3%BCrgen", "/Jürgen"},
		{"/bots%23/health", ""},          // A2
		{"/bots/a%3Fx", ""},              // A2: the gateway decodes and makes a query of it
		{"/public/../bots", ""},          // A5
		{"/%2e%2e/bots", ""},             // A5
		{"/.%2e/bots", ""},               // A5
		{"/bots/.", ""},                  // A5
		{"/bots/..", ""},                 // A5
		{"//bots", ""},                   // A5
		{"/bots//1", ""},                 // A5
		{"/bots;x=1", ""},                // A5
		{"/bots%3Bx=1", ""},              // A5
		{`/bots\admin`, ""},              // A5
		{"/bots%5cadmin", ""},            // A5
		{"/bots%00", ""},                 // A5
		{"/bots%0d%0aX: y", ""},          // A5
		{"/bots/%c0%ae%c0%ae", ""},       // A5: overlong UTF-8
		{"/bots/%ff", ""},                // A5
		{"/recordings%2f1", ""},          // A6
		{"/recordings%2F1", ""},          // A6
		{"/recordings%252f1", ""},        // A6: encoded twice
		{"/bots/%2e%2e%2fadmin", ""},     // A6
		{"//admin/secret", ""},           // A8
		{"http://evil.example/bots", ""}, // A8: absolute-form
		{"*", ""},
	} {
		u, err := url.ParseRequestURI(tc.target)
		if err != nil {
			if tc.want != "" {
				t.Errorf("%s: %v", tc.target, err)
			}
			continue // net/http answers 400 itself
		}
		got, ok := CanonicalPath(u)
		if ok != (tc.want != "") || (ok && got != tc.want) {
			t.Errorf("CanonicalPath(%s) = %q, %v; want %q", tc.target, got, ok, tc.want)
		}
	}
}

// A7: what the path says decoded and what it says raw must be the same thing.
func TestCanonicalPathRefusesDisagreement(t *testing.T) {
	t.Parallel()
	for _, u := range []*url.URL{
		{Path: "/health", RawPath: "/bots"},
		{Path: "/health", RawPath: "/health%"},
		{Path: "/bots", RawPath: "/bots%2f"},
		{Path: "/bots", Opaque: "//evil"},
		{Path: "/bots", Host: "evil"},
		{Path: "/bots", Fragment: "x"},
	} {
		if got, ok := CanonicalPath(u); ok {
			t.Errorf("CanonicalPath(%#v) = %q, want it refused", u, got)
		}
	}
}

func TestCanonicalQuery(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("a=1&", maxQueryParameters) + "api_key=VICTIM"
	for _, tc := range []struct {
		raw, want string
		ok        bool
	}{
		{"", "", true},
		{"limit=5&offset=10", "limit=5&offset=10", true},
		{"b=2&a=1&b=3", "b=2&a=1&b=3", true}, // order and repetition are the client's
		{"q=a+b%20c", "q=a+b+c", true},
		{"flag", "flag", true},
		{"a=&&b", "a=&b", true},
		{"api_key=VICTIM", "", true}, // A10, V1
		{"a=1&API_KEY=VICTIM&b=2", "a=1&b=2", true},
		{"api%5Fkey=VICTIM", "", true},
		{"api-key=VICTIM&apiKey=x&api.key=y&api_key[]=z", "", true},
		{"api_keys=1", "api_keys=1", true},
		{"api_key=%zz", "", false},
		{"a=1;api_key=VICTIM", "", false},
		{"a=%00", "", false},
		{"a=%ff", "", false},
		{"%0a=1", "", false},
		{many, "", false}, // A10
	} {
		got, ok := CanonicalQuery(tc.raw)
		if ok != tc.ok || (ok && got != tc.want) {
			t.Errorf("CanonicalQuery(%.60s) = %q, %v; want %q, %v", tc.raw, got, ok, tc.want, tc.ok)
		}
	}
}

// S4: whatever comes in, what is decided on is what is forwarded: reading it again changes nothing.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		"/bots?x=1", "/a%2fb", "//x", "/%2e%2e/", "/b?api_key=1&a=%zz", "/ä?q=ü", "/a;b",
		"http://evil/x", "/\\x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		path, ok := CanonicalPath(u)
		if !ok {
			return
		}
		query, ok := CanonicalQuery(u.RawQuery)
		if !ok {
			return
		}
		again, err := url.ParseRequestURI((&url.URL{Path: path, RawQuery: query}).RequestURI())
		if err != nil {
			t.Fatalf("%q became %q?%q, which does not parse: %v", target, path, query, err)
		}
		if p, ok := CanonicalPath(again); !ok || p != path {
			t.Fatalf("%q: path %q became %q, %v on a second reading", target, path, p, ok)
		}
		if q, ok := CanonicalQuery(again.RawQuery); !ok || q != query {
			t.Fatalf("%q: query %q became %q, %v on a second reading", target, query, q, ok)
		}
		for name := range again.Query() {
			if isKeyParameter(name) {
				t.Fatalf("%q lets %q through", target, name)
			}
		}
	})
}

func TestCanonicalHost(t *testing.T) { // A9
	t.Parallel()
	for _, tc := range []struct{ host, scheme, want string }{
		{"vexa.example.com", "https", "vexa.example.com"},
		{"VEXA.Example.COM", "https", "vexa.example.com"},
		{"vexa.example.com.", "https", "vexa.example.com"},
		{"vexa.example.com:443", "https", "vexa.example.com"},
		{"vexa.example.com.:443", "https", "vexa.example.com"},
		{"vexa.example.com.:8443", "https", "vexa.example.com:8443"},
		{"127.0.0.1:4180", "http", "127.0.0.1:4180"},
		{"vexa.example.com:80", "https", "vexa.example.com:80"},
	} {
		if got := CanonicalHost(tc.host, tc.scheme); got != tc.want {
			t.Errorf("CanonicalHost(%q, %q) = %q, want %q", tc.host, tc.scheme, got, tc.want)
		}
	}
}

func TestClientAddress(t *testing.T) { // B8, B9
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}
	for _, tc := range []struct {
		peer string
		xff  []string
		want string
	}{
		{"203.0.113.9:5000", nil, "203.0.113.9"},
		{"203.0.113.9:5000", []string{"1.2.3.4"}, "203.0.113.9"}, // a stranger's word
		{"10.0.0.1:5000", []string{"1.2.3.4"}, "1.2.3.4"},
		// the client wrote the first one
		{"10.0.0.1:5000", []string{"6.6.6.6, 1.2.3.4, 10.0.0.2"}, "1.2.3.4"},
		{"10.0.0.1:5000", []string{"6.6.6.6", "1.2.3.4"}, "1.2.3.4"},
		{"10.0.0.1:5000", []string{"a, 10.0.0.3"}, "10.0.0.3"},
		{"10.0.0.1:5000", []string{"unknown"}, "10.0.0.1"},
		{"10.0.0.1:5000", []string{"1.2.3.4:443"}, "1.2.3.4"}, // Azure
		{"10.0.0.1:5000", []string{"6.6.6.6, [2001:db8::5]:443, 10.0.0.2:80"}, "2001:db8::5"},
		{"10.0.0.1:5000", []string{"1.2.3.4:"}, "10.0.0.1"},
		{"10.0.0.1:5000", []string{"1.2.3.4, unknown"}, "10.0.0.1"},
		{"10.0.0.1:5000", nil, "10.0.0.1"},
		{"[::1]:5000", []string{"1.2.3.4"}, "::1"},
		{"[2001:db8::1]:5000", nil, "2001:db8::1"},
		{"[::ffff:10.0.0.1]:5000", []string{"1.2.3.4"}, "1.2.3.4"},
	} {
		r := &http.Request{RemoteAddr: tc.peer, Header: http.Header{"X-Forwarded-For": tc.xff}}
		if got := ClientAddress(r, trusted); got != tc.want {
			t.Errorf("peer %s, X-Forwarded-For %q: %s, want %s", tc.peer, tc.xff, got, tc.want)
		}
	}
	if got := ClientAddress(
		&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {"1.2.3.4"}}}, nil,
	); got != "10.0.0.1" {
		t.Errorf("without trusted proxies: %s", got)
	}
}
