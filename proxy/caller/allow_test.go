package caller

import (
	"testing"
)

func TestDeniesRoute(t *testing.T) {
	t.Parallel()
	denied := []string{
		"PUT /user/webhook", "DELETE /recordings/{id}", "POST /agent/{rest...}", "GET /meetings",
	}
	for _, tc := range []struct {
		method, path string
		want         bool
	}{
		{"PUT", "/user/webhook", true},
		{"PUT", "/user/webhook/", true},
		{"GET", "/user/webhook", false},
		{"PUT", "/user/webhooks", false},
		{"DELETE", "/recordings/7", true},
		{"DELETE", "/recordings", false},
		{"DELETE", "/recordings/7/master", false},
		{"POST", "/agent/chat", true},
		{"POST", "/agent/a/b/c", true},
		{"POST", "/agents", false},
		{"HEAD", "/meetings", true},
		{"GET", "/meetings/1", false},
	} {
		if got := DeniesRoute(denied, tc.method, tc.path); got != tc.want {
			t.Errorf("%s %s: %v", tc.method, tc.path, got)
		}
	}
}
