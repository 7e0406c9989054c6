package vexa

import (
	"net/http"
	"slices"
	"strings"
)

// Changes says whether a request may change something at Vexa: every method does that is not for reading (RFC
// 9110, section 9.2.1), on whatever path, so that it holds for the routes of tomorrow; and reading does where
// nobody knows what it does (Route.Opaque). A message to the MCP service changes nothing by itself: it is
// judged by the routes that the tools in it call.
func Changes(method, path string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return opaque(table012, path) || opaque(table010, path)
	}
	return !carriesTools(path)
}

func opaque(t *Table, path string) bool {
	route, known := t.Lookup(http.MethodGet, path)
	return known && route.Opaque
}

// carriesTools says whether a path is the MCP service's.
func carriesTools(path string) bool { return strings.TrimSuffix(path, "/") == "/mcp" }

// Reads says whether a line of the table lets anything be read.
func (l Line) Reads() bool {
	return !l.Opaque && (len(l.Methods) == 0 || slices.Contains(l.Methods, http.MethodGet))
}

// Changes says whether a line of the table lets anything be changed.
func (l Line) Changes() bool {
	if carriesTools(strings.TrimSuffix(l.Pattern, "/{rest...}")) {
		return false
	}
	return l.Opaque || len(l.Methods) != 1 || l.Methods[0] != http.MethodGet
}
