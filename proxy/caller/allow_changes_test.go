package caller

import (
	"strings"
	"testing"

	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
)

// deny_routes: [changes] closes whatever changes something, on each route of both generations and on those
// that no table knows yet, and leaves reading open.
func TestReadersChangeNothing(t *testing.T) { // S14
	t.Parallel()
	denied := []string{"GET /meetings/{id}", rule.DenyChanges}
	for _, generation := range []string{vexa.Gen012, vexa.Gen010} {
		for _, line := range vexa.Routes(generation).Lines() {
			path := strings.NewReplacer("{rest...}", "x", "{", "", "}", "").Replace(line.Pattern)
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "BREW"} {
				if !DeniesRoute(denied, method, path) && path != "/mcp" {
					t.Errorf("%s: %s %s is open", generation, method, path)
				}
			}
			route, reads := vexa.Routes(generation).Lookup("GET", path)
			want := route.Opaque || line.Pattern == "/meetings/{id}"
			if reads && DeniesRoute(denied, "GET", path) != want {
				t.Errorf("%s: GET %s is closed: %v", generation, path, !want)
			}
		}
	}
	for _, c := range []struct {
		method, path string
		want         bool
	}{
		{"DELETE", "/tomorrow/7", true},
		{"GET", "/tomorrow/7", false},
		{"HEAD", "/meetings", false},
		{"POST", "/agent/chat", true},
		{"PATCH", "/agent/routines/7/enabled", true},
		{"POST", "/api/chat", true},
		{"GET", "/calendar/connect", true},
		{"HEAD", "/calendar/connect", true},
		{"POST", "/mcp", false},
		{"DELETE", "/mcp/", false}, // judged by the tools that are called
		{"POST", "/mcp/other", true},
		{"POST", "/mcpx", true},
	} {
		if got := DeniesRoute(denied, c.method, c.path); got != c.want {
			t.Errorf("%s %s: %v", c.method, c.path, got)
		}
	}
}
