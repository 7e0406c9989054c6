package exchange

import (
	"net/http"
	"testing"
)

func TestIsNavigation(t *testing.T) { // S8
	t.Parallel()
	for _, tc := range []struct {
		name, method string
		header       map[string]string
		want         bool
	}{
		{"a browser opens a page", "GET", map[string]string{
			"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
		}, true},
		{"a frame", "GET", map[string]string{
			"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Accept": "text/html",
		}, false},
		{"fetch", "GET", map[string]string{
			"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html",
		}, false},
		{"an old browser", "GET", map[string]string{"Accept": "text/html,*/*"}, true},
		{"curl", "GET", map[string]string{"Accept": "*/*"}, false},
		{"a program with a key that likes HTML", "GET", map[string]string{
			"Accept": "text/html", "X-Api-Key": "x",
		}, false},
		{"a program with a token that likes HTML", "GET", map[string]string{
			"Accept": "text/html", "Authorization": "Bearer x",
		}, false},
		{"nothing at all", "GET", nil, false},
	} {
		r := &http.Request{Method: tc.method, Header: http.Header{}}
		for k, v := range tc.header {
			r.Header.Set(k, v)
		}
		if got := IsNavigation(r); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
