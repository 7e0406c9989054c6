package caller

import (
	"testing"

	"vexa-sso/mapping/vexa"
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

// S14: what lets Vexa's agent act is closed by whatever closes a route that the agent can call; a path of
// which a part is not known yet, by what that part may be.
func TestClosed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		denied, method, path string
		agent                bool
		want                 bool
	}{
		{"POST /bots", "POST", "/bots", false, true},
		{"POST /bots", "POST", "/agent/chat", true, true},
		{"POST /bots", "GET", "/agent/sessions", false, false},
		{"DELETE /agent/routines/{id}", "POST", "/agent/chat", true, false},
		{"POST /mcp", "POST", "/agent/chat", true, false},
		{"GET /ws", "POST", "/agent/chat", true, false},
		{"POST /agent/{rest...}", "POST", "/agent/chat", true, true},
		{"GET /{all...}", "POST", "/api/chat", true, true},
		{"GET /recordings/7/media/{m}/download", "GET", "/recordings/{}/media/{}/download", false, true},
		{"GET /recordings/{id}", "GET", "/recordings/{}/media/{}/download", false, false},
	} {
		got := Closed([]string{"PATCH /agent/x", tc.denied}, tc.method, tc.path, vexa.Route{Agent: tc.agent})
		if want := map[bool]string{true: tc.denied}[tc.want]; got != want {
			t.Errorf("%s for %s %s: %q", tc.denied, tc.method, tc.path, got)
		}
	}
	if by := Closed(nil, "POST", "/agent/chat", vexa.Route{Agent: true}); by != "" {
		t.Error(by)
	}
}

func TestDeniesTool(t *testing.T) {
	t.Parallel()
	denied := []string{"delete_*", "*_bot", "get_recording"}
	for name, want := range map[string]bool{
		"delete_recording": true, "delete_": true, "delete": false, "undelete_recording": false,
		"stop_bot": true, "get_bot_status": false, "get_recording": true, "get_recordings": false,
	} {
		if got := DeniesTool(denied, name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
