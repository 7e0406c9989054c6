package vexa_test

import (
	"slices"
	"strings"
	"testing"

	"vexa-sso/mapping/vexa"
)

// scopeTable is what the gateway of 0.12 answered to keys of each scope: 403 is a refusal by the scope,
// anything else passed the edge.
const scopeTable = `
| GET /bots | 200 | 403 | 403 | 200 |
| POST /bots | 200 | 403 | 403 | 200 |
| GET /bots/status | 200 | 403 | 403 | 200 |
| DELETE /bots/google_meet/x | 200 | 403 | 403 | 200 |
| PUT /bots/google_meet/x/config | 200 | 403 | 403 | 200 |
| POST /bots/google_meet/x/speak | 200 | 403 | 403 | 200 |
| GET /bots/google_meet/x/chat | 200 | 403 | 403 | 200 |
| GET /meetings | 403 | 200 | 403 | 200 |
| POST /meetings | 403 | 200 | 403 | 200 |
| GET /meetings/1 | 403 | 200 | 403 | 200 |
| PATCH /meetings/1 | 403 | 200 | 403 | 200 |
| DELETE /meetings/1 | 403 | 200 | 403 | 200 |
| PATCH /meetings/google_meet/x | 403 | 200 | 403 | 200 |
| DELETE /meetings/google_meet/x | 403 | 200 | 403 | 200 |
| PUT /meetings/google_meet/x/intent | 403 | 200 | 403 | 200 |
| POST /meetings/google_meet/x/share | 403 | 200 | 403 | 200 |
| POST /meetings/google_meet/x/workspace | 403 | 200 | 403 | 200 |
| GET /transcripts/by-id/1 | 403 | 200 | 403 | 200 |
| GET /transcripts/google_meet/x | 403 | 200 | 403 | 200 |
| POST /transcripts/google_meet/x/share | 403 | 200 | 403 | 200 |
| POST /transcripts/share/accept | 403 | 200 | 403 | 200 |
| GET /recordings | 200 | 200 | 403 | 200 |
| GET /recordings/1 | 200 | 200 | 403 | 200 |
| GET /recordings/1/master | 200 | 200 | 403 | 200 |
| GET /recordings/1/media/1/raw | 200 | 200 | 403 | 200 |
| GET /recordings/1/media/1/download | 200 | 200 | 403 | 200 |
| DELETE /recordings/1 | 200 | 403 | 403 | 200 |
| GET /user/calendar | 200 | 403 | 403 | 200 |
| PUT /user/calendar | 422 | 403 | 403 | 422 |
| GET /user/calendar/sync | 200 | 403 | 403 | 200 |
| POST /user/calendar/sync | 200 | 403 | 403 | 200 |
| GET /user/calendars | 200 | 403 | 403 | 200 |
| POST /user/calendars | 422 | 403 | 403 | 422 |
| PATCH /user/calendars/c | 422 | 403 | 403 | 422 |
| DELETE /user/calendars/c | 404 | 403 | 403 | 404 |
| GET /user/calendars/c/sync | 200 | 403 | 403 | 200 |
| POST /user/calendars/c/sync | 200 | 403 | 403 | 200 |
| GET /user/webhook | 200 | 200 | 403 | 200 |
| PUT /user/webhook | 422 | 422 | 403 | 422 |
| GET /user/webhook/deliveries | 200 | 200 | 403 | 200 |
| GET /user/models | 200 | 200 | 403 | 200 |
| PUT /user/models | 422 | 422 | 403 | 422 |
| GET /user/transcription | 200 | 200 | 403 | 200 |
| PUT /user/transcription | 422 | 422 | 403 | 422 |
| POST /agent/chat | 200 | 200 | 403 | 200 |
| GET /agent/sessions | 200 | 200 | 403 | 200 |
| PUT /agent/x | 200 | 200 | 403 | 200 |
| DELETE /agent/x | 200 | 200 | 403 | 200 |
| GET /mcp | 200 | 200 | 403 | 200 |
| POST /mcp | 200 | 200 | 403 | 200 |
| DELETE /mcp | 200 | 200 | 403 | 200 |
| OPTIONS /mcp | 200 | 200 | 403 | 200 |
| GET /mcp/x | 200 | 200 | 403 | 200 |
| GET /auth/me | 200 | 200 | 200 | 200 |
| GET /health | 200 | 200 | 200 | 200 |
`

func allows(r vexa.Route, scopes ...string) bool {
	return r.NoScope ||
		slices.ContainsFunc(r.AnyOf, func(s string) bool { return slices.Contains(scopes, s) })
}

func TestLookupAgreesWithTheGateway(t *testing.T) {
	t.Parallel()
	callers := [][]string{{"bot"}, {"tx"}, {"browser"}, {"bot", "tx"}}
	for line := range strings.Lines(strings.TrimSpace(scopeTable)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		method, path, _ := strings.Cut(cells[0], " ")
		route, ok := vexa.Routes(vexa.Gen012).Lookup(method, path)
		if !ok {
			t.Errorf("%s %s: not in the table", method, path)
			continue
		}
		for i, scopes := range callers {
			if got, want := allows(route, scopes...), cells[i+1] != "403"; got != want {
				t.Errorf("%s %s with %v: allowed %v, the gateway says %v", method, path, scopes, got, want)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	tests := []struct {
		generation, method, path string
		pattern                  string // "": not in the table
	}{
		{vexa.Gen012, "HEAD", "/recordings/7", "/recordings/{id}"},
		{vexa.Gen012, "GET", "/meetings/", "/meetings"},
		{vexa.Gen012, "POST", "/mcp/", "/mcp/{rest...}"},
		{vexa.Gen012, "POST", "/agent/chat", "/agent/chat"},
		{vexa.Gen012, "GET", "/agent/chat", "/agent/{rest...}"},
		{vexa.Gen012, "GET", "/transcripts/by-id/7", "/transcripts/by-id/{id}"},
		{vexa.Gen012, "GET", "/transcripts/zoom/7", "/transcripts/{platform}/{native_id}"},
		{vexa.Gen012, "PUT", "/recordings/7", ""},
		{vexa.Gen012, "GET", "/recordings//master", ""},
		{vexa.Gen012, "GET", "/bots/a/b/c", ""},
		{vexa.Gen012, "POST", "/ws", ""},
		{vexa.Gen012, "GET", "/", ""},
		{vexa.Gen012, "GET", "", ""},
		{vexa.Gen012, "GET", "bots", ""},
		{vexa.Gen012, "GET", "/Bots", ""},
		{vexa.Gen012, "POST", "/api/chat", ""}, // 0.10's
		{vexa.Gen010, "POST", "/api/chat", "/api/chat"},
		{vexa.Gen010, "GET", "/api/sessions", "/api/{rest...}"},
		{vexa.Gen010, "PUT", "/user/webhook", "/user/webhook"},
		{vexa.Gen010, "POST", "/bots/zoom/7/screen", "/bots/{platform}/{native_id}/screen"},
		{vexa.Gen010, "DELETE", "/bots/zoom/7/screen", "/bots/{platform}/{native_id}/screen"},
		{vexa.Gen010, "PUT", "/bots/zoom/7/avatar", "/bots/{platform}/{native_id}/avatar"},
		{vexa.Gen010, "DELETE", "/bots/zoom/7/avatar", "/bots/{platform}/{native_id}/avatar"},
		{vexa.Gen010, "GET", "/bots/zoom/7/avatar", ""},
		{vexa.Gen012, "POST", "/bots/zoom/7/screen", ""},
		{vexa.Gen012, "PUT", "/bots/zoom/7/avatar", ""},
		{vexa.Gen010, "DELETE", "/bots/zoom/7/speak", "/bots/{platform}/{native_id}/speak"},
		{vexa.Gen010, "PUT", "/recording-config", "/recording-config"},
		{vexa.Gen010, "PUT", "/user/workspace-git", "/user/{rest...}"},
		{vexa.Gen010, "POST", "/agent/chat", ""}, // 0.12's
		{vexa.Gen010, "GET", "/health", ""},
		{vexa.Gen010, "GET", "/b/sometoken", ""},

		// S4: never, in either.
		{vexa.Gen010, "GET", "/admin/users/1", ""},
		{vexa.Gen012, "GET", "/agent/admin/x", ""},
		{vexa.Gen012, "GET", "/agent/x/Admin", ""},
		{vexa.Gen010, "POST", "/bots/internal/x", ""},
		{vexa.Gen012, "POST", "/bots/internal/x", ""},
		{vexa.Gen012, "GET", "/docs", ""},
	}
	for _, tt := range tests {
		route, ok := vexa.Routes(tt.generation).Lookup(tt.method, tt.path)
		if ok != (tt.pattern != "") || route.Pattern != tt.pattern {
			t.Errorf("%s: %s %s: %q %v, want %q",
				tt.generation, tt.method, tt.path, route.Pattern, ok, tt.pattern)
		}
	}
}

// S4: administration, what is internal and the documentation are never forwarded, however they are spelled.
func TestHidden(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/docs": true, "/docs/": true, "/docs/oauth2-redirect": true, "/redoc": true, "/redoc/": true,
		"/openapi.json": true, "/openapi.json/": true,
		"/admin": true, "/admin/users/1": true, "/agent/x/Admin": true, "/ADMIN/": true,
		"/internal/validate": true, "/bots/Internal": true,
		"/": false, "/bots": false, "/docs/mine": false, "/documents": false, "/administrators": false,
		"/meetings/internals": false,
	} {
		if got := vexa.Hidden(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// S1: no route of either table is open to callers without a key, and the browser scope opens none
// that needs a scope (V15).
func TestEveryRouteNeedsScopeOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	open := []string{"/auth/me", "/ws", "/health"}
	for _, generation := range []string{vexa.Gen012, vexa.Gen010} {
		for _, pattern := range vexa.Routes(generation).Patterns() {
			path := strings.NewReplacer("{rest...}", "x", "{", "", "}", "").Replace(pattern)
			for _, method := range []string{"GET", "POST", "DELETE"} {
				route, ok := vexa.Routes(generation).Lookup(method, path)
				if !ok {
					continue
				}
				if route.NoScope != slices.Contains(open, pattern) ||
					route.NoScope != (len(route.AnyOf) == 0) {
					t.Errorf("%s: %s %s: %+v", generation, method, path, route)
				}
				if !route.NoScope && allows(route, "browser") {
					t.Errorf("%s: %s %s is open to the browser scope", generation, method, path)
				}
			}
		}
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	for request, generation := range map[string]string{
		"POST /agent/chat": vexa.Gen012, "GET /agent/meeting/stream": vexa.Gen012, "GET /mcp": vexa.Gen012,
		"POST /api/chat": vexa.Gen010,
	} {
		method, path, _ := strings.Cut(request, " ")
		if route, _ := vexa.Routes(generation).Lookup(method, path); !route.Stream {
			t.Errorf("%s: %s is not marked as a stream", generation, request)
		}
	}
	if route, _ := vexa.Routes(vexa.Gen012).Lookup("POST", "/mcp"); route.Stream {
		t.Error("POST /mcp is marked as a stream")
	}
	if route, _ := vexa.Routes(vexa.Gen010).Lookup("GET", "/ws"); !route.WebSocket {
		t.Error("/ws is not marked as a WebSocket")
	}
}

var lookups = []struct{ method, path string }{
	{"GET", "/bots/status"},
	{"GET", "/recordings/17/media/3/raw"},
	{"GET", "/transcripts/google_meet/abc-defg-hij"},
	{"POST", "/agent/some/where"},
	{"GET", "/nowhere"},
}

func TestLookupAllocatesNothing(t *testing.T) {
	table := vexa.Routes(vexa.Gen012)
	for _, l := range lookups {
		if n := testing.AllocsPerRun(100, func() { table.Lookup(l.method, l.path) }); n != 0 {
			t.Errorf("%s %s: %v allocations", l.method, l.path, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	table := vexa.Routes(vexa.Gen012)
	for i := 0; b.Loop(); i++ {
		l := lookups[i%len(lookups)]
		table.Lookup(l.method, l.path)
	}
}

func FuzzLookup(f *testing.F) {
	for _, l := range lookups {
		f.Add(l.method, l.path)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		for _, generation := range []string{vexa.Gen012, vexa.Gen010} {
			route, ok := vexa.Routes(generation).Lookup(method, path)
			if !ok {
				continue
			}
			if vexa.Hidden(path) {
				t.Errorf("%q is hidden and was found", path)
			}
			if !route.NoScope && len(route.AnyOf) == 0 {
				t.Errorf("%q: %+v is open to all", path, route)
			}
			for segment := range strings.SplitSeq(path, "/") {
				if s := strings.ToLower(segment); s == "admin" || s == "internal" {
					t.Errorf("%q was found", path)
				}
			}
		}
	})
}
