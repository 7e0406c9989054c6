package exchange

import (
	"net/http"
	"testing"
)

func TestSameSite(t *testing.T) { // S7
	t.Parallel()
	p, err := NewSite("https://vexa.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, method string
		header       map[string]string
		upgrade, ok  bool
	}{
		{"a read", "GET", nil, false, true},
		{"a read from another site", "GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, false, true},
		{"a write from here", "POST", map[string]string{"Sec-Fetch-Site": "same-origin"}, false, true},
		{"a form under a strict referrer policy", "POST", map[string]string{
			"Sec-Fetch-Site": "same-origin", "Origin": "null",
		}, false, true},
		{"a write from an old browser", "PUT", map[string]string{
			"Origin": "https://vexa.example.com",
		}, false, true},
		{"a write from another site", "POST", map[string]string{
			"Sec-Fetch-Site": "cross-site",
		}, false, false},
		{"a write from a sibling", "POST", map[string]string{"Sec-Fetch-Site": "same-site"}, false, false},
		{"a write from nowhere", "POST", map[string]string{"Sec-Fetch-Site": "none"}, false, false},
		{"a forged Origin does not help", "POST", map[string]string{
			"Sec-Fetch-Site": "cross-site", "Origin": "https://vexa.example.com",
		}, false, false},
		{"a write from an old browser elsewhere", "DELETE", map[string]string{
			"Origin": "https://evil.example",
		}, false, false},
		{"Origin null", "PATCH", map[string]string{"Origin": "null"}, false, false},
		{"neither", "POST", nil, false, false},
		{"a method of tomorrow", "MERGE", nil, false, false},
		{"a WebSocket from here", "GET", map[string]string{"Origin": "https://vexa.example.com"}, true, true},
		{"a WebSocket from elsewhere", "GET", map[string]string{
			"Origin": "https://evil.example",
		}, true, false},
		{"a WebSocket from a look-alike", "GET", map[string]string{
			"Origin": "https://vexa.example.com.evil.example",
		}, true, false},
		{"a WebSocket without Origin", "GET", map[string]string{
			"Sec-Fetch-Site": "same-origin",
		}, true, false},
	} {
		r := &http.Request{Method: tc.method, Header: http.Header{}}
		for k, v := range tc.header {
			r.Header.Set(k, v)
		}
		if err := p.CheckSameOrigin(r, tc.upgrade); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
