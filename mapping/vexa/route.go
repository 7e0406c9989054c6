package vexa

import (
	"net/http"
	"slices"
	"strings"
)

// Route is what the table says about a request.
type Route struct {
	// Pattern is a stable label for metrics, logs and rules: "/transcripts/{platform}/{native_id}".
	Pattern string

	// AnyOf are the scopes of which the caller must have one. It is empty when NoScope.
	AnyOf []string

	// NoScope: any authenticated caller may. It never means "without a key".
	NoScope bool

	// Opaque: what reading does there nobody has written down, so that it may change something.
	Opaque bool

	Stream    bool // answers with an event stream that stays open
	WebSocket bool // an upgrade to a WebSocket
	MCP       bool // JSON-RPC of the Model Context Protocol: see [Table.Tool]

	// Agent: Vexa's agent may act by it, and so call whatever the key that it is given opens.
	Agent bool
}

// row is one line of a table. Its path is a list of segments; "{name}" stands for any one segment, a last
// "{rest...}" for any number of them, also none.
type row struct {
	methods string // "" for all, else the methods, each between blanks: " GET DELETE "
	route   Route
}

var (
	scopeBot  = []string{"bot"}
	scopeTx   = []string{"tx"}
	scopeRead = []string{"bot", "tx"}
)

func needs(scopes []string, patterns ...string) []row {
	rows := make([]row, len(patterns))
	for i, pattern := range patterns {
		methods, path, limited := strings.Cut(pattern, " ")
		if !limited {
			methods, path = "", pattern
		} else {
			methods = " " + strings.ReplaceAll(methods, ",", " ") + " "
		}
		rows[i] = row{methods: methods, route: Route{Pattern: path, AnyOf: scopes, NoScope: scopes == nil}}
	}
	return rows
}

func stream(rows []row) []row {
	for i := range rows {
		rows[i].route.Stream = true
	}
	return rows
}

func webSocket(rows []row) []row {
	for i := range rows {
		rows[i].route.WebSocket = true
	}
	return rows
}

func mcp(rows []row) []row {
	for i := range rows {
		rows[i].route.MCP = true
	}
	return rows
}

func opaquely(rows []row) []row {
	for i := range rows {
		rows[i].route.Opaque = true
	}
	return rows
}

// agent marks the routes below an agent's path: but for GET and DELETE, which look and take away, each may
// let it act.
func agent(prefix string) []row {
	acting := needs(scopeRead, "POST,PUT,PATCH "+prefix+"/{rest...}")
	acting[0].route.Agent = true
	chat := stream(needs(scopeRead, "POST "+prefix+"/chat"))
	chat[0].route.Agent = true
	return append(append(chat, acting...), needs(scopeRead, prefix+"/{rest...}")...)
}

// shared are the routes that both generations have, with the scopes that 0.12 requires: they are our policy
// in front of either, also where 0.10 checks nothing. A row without a method stands for all of them, so that
// one which Vexa adds tomorrow is guarded like its path. The first row that matches counts.
func shared() [][]row {
	return [][]row{
		needs(nil, "GET /auth/me"),
		webSocket(needs(nil, "GET /ws")),
		needs(scopeBot,
			"/bots", "/bots/status", "/bots/{platform}/{native_id}",
			"/bots/{platform}/{native_id}/config", "/bots/{platform}/{native_id}/speak",
			"/bots/{platform}/{native_id}/chat",
			"DELETE /recordings/{id}"),
		needs(scopeTx,
			"/meetings", "/meetings/{id}", "/meetings/{platform}/{native_id}",
			"/transcripts/{platform}/{native_id}", "/transcripts/{platform}/{native_id}/share"),
		needs(scopeRead,
			"GET /recordings", "GET /recordings/{id}", "GET /recordings/{id}/master",
			"GET /recordings/{id}/media/{media_id}/raw", "GET /recordings/{id}/media/{media_id}/download",
			"/user/webhook"),
		mcp(stream(needs(scopeRead, "GET /mcp"))),
		mcp(needs(scopeRead, "/mcp/{rest...}")),
	}
}

func rows012() [][]row {
	return append([][]row{
		// Before the shared ones, whose patterns would take these.
		needs(scopeTx, "/transcripts/by-id/{id}", "/transcripts/share/accept"),
		needs(nil, "GET /health"),
		needs(scopeBot,
			"/user/calendar", "/user/calendar/sync", "/user/calendars",
			"/user/calendars/{id}", "/user/calendars/{id}/sync"),
		needs(scopeTx,
			"/meetings/{platform}/{native_id}/intent", "/meetings/{platform}/{native_id}/share",
			"/meetings/{platform}/{native_id}/workspace"),
		needs(scopeRead, "/user/webhook/deliveries", "/user/models", "/user/transcription"),
		stream(needs(scopeRead, "GET /agent/meeting/stream")),
		agent("/agent"),
	}, shared()...)
}

// rows010 adds what only 0.10 has. It checks no scope on most of it, and not even a key on POST /api/chat;
// the scopes are those of the routes that took their place.
func rows010() [][]row {
	return append(shared(),
		opaquely(agent("/api")),
		needs(scopeRead, "GET /recording-config"),
		needs(scopeBot, "/recording-config", "/user/{rest...}",
			"POST,DELETE /bots/{platform}/{native_id}/screen",
			"PUT,DELETE /bots/{platform}/{native_id}/avatar"),
		opaquely(needs(scopeBot, "/calendar/{rest...}")),
	)
}

// Table is the routes of one generation. It never changes once made and is safe for concurrent use.
type Table struct {
	byFirst map[string][]entry // by the first segment of the path
	tools   []Tool
}

type entry struct {
	row
	segments []string // after the first; "" for any one
	rest     bool     // any number may follow
}

var (
	table012 = newTable(rows012(), tools012())
	table010 = newTable(rows010(), tools010())
)

// Routes returns the table of a generation: that of 0.10 for Gen010, else that of 0.12.
func Routes(generation string) *Table {
	if generation == Gen010 {
		return table010
	}
	return table012
}

func newTable(groups [][]row, tools []Tool) *Table {
	t := &Table{byFirst: map[string][]entry{}, tools: tools}
	for _, rows := range groups {
		for _, r := range rows {
			segments := strings.Split(r.route.Pattern[1:], "/")
			first := segments[0]
			e := entry{row: r, segments: segments[1:]}
			if n := len(e.segments); n > 0 && strings.HasSuffix(e.segments[n-1], "...}") {
				e.rest, e.segments = true, e.segments[:n-1]
			}
			for i, s := range e.segments {
				if strings.HasPrefix(s, "{") {
					e.segments[i] = ""
				}
			}
			t.byFirst[first] = append(t.byFirst[first], e)
		}
	}
	return t
}

// Patterns returns the patterns of the table, in no particular order, some of them more than once.
func (t *Table) Patterns() []string {
	var patterns []string
	for _, entries := range t.byFirst {
		for _, e := range entries {
			patterns = append(patterns, e.route.Pattern)
		}
	}
	return patterns
}

// Line is a route with the methods that it is for.
type Line struct {
	Methods []string // empty: all
	Route
}

// Lines returns the whole table, sorted by pattern.
func (t *Table) Lines() []Line {
	var lines []Line
	for _, entries := range t.byFirst {
		for _, e := range entries {
			lines = append(lines, Line{strings.Fields(e.methods), e.route})
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return strings.Compare(a.Pattern, b.Pattern) })
	return lines
}

// Lookup returns the route that a request takes. path must be canonical and decoded, as in URL.Path; a slash
// at its end makes no difference, since the gateway redirects there. HEAD counts as GET. OPTIONS is a method
// like any other: what reaches the table is not a preflight, those carry no credentials. ok is false when the
// table has no such route, and always when Hidden(path).
//
// It allocates nothing.
func (t *Table) Lookup(method, path string) (route Route, ok bool) {
	if Hidden(path) || len(path) < 2 || path[0] != '/' {
		return Route{}, false
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	path = strings.TrimSuffix(path[1:], "/")
	first, rest, more := strings.Cut(path, "/")
	for _, e := range t.byFirst[first] {
		if e.allows(method) && e.matches(rest, more) {
			return e.route, true
		}
	}
	return Route{}, false
}

func (e *entry) allows(method string) bool {
	if e.methods == "" {
		return true
	}
	for rest := e.methods[1:]; rest != ""; {
		var one string
		one, rest, _ = strings.Cut(rest, " ")
		if one == method {
			return true
		}
	}
	return false
}

// matches compares what follows the first segment; more says whether there is anything.
func (e *entry) matches(path string, more bool) bool {
	for _, want := range e.segments {
		if !more {
			return false
		}
		var have string
		have, path, more = strings.Cut(path, "/")
		if have == "" || want != "" && want != have {
			return false
		}
	}
	return e.rest || !more
}

// Hidden says whether a path is never forwarded, whatever its method (S4): one with a segment admin or
// internal, in any case, and the gateway's own documentation.
func Hidden(path string) bool {
	switch strings.TrimSuffix(path, "/") {
	case "/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect":
		return true
	}
	for rest, more := path, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if (len(segment) == len("admin") || len(segment) == len("internal")) &&
			(strings.EqualFold(segment, "admin") || strings.EqualFold(segment, "internal")) {
			return true
		}
	}
	return false
}
