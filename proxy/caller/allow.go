package caller

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
)

// Covers reports whether a scope set satisfies a route.
func Covers(s rule.Scopes, route vexa.Route) bool {
	return route.NoScope || slices.ContainsFunc(route.AnyOf, s.Has)
}

// DeniesRoute reports whether deny_routes match a request. HEAD counts as GET, and a trailing slash changes
// nothing.
func DeniesRoute(denied []string, method, path string) bool {
	return deniedBy(denied, method, path) != ""
}

// deniedBy returns the one of deny_routes that matches a request; empty: none does.
func deniedBy(denied []string, method, path string) string {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, d := range denied {
		if d == rule.DenyChanges && vexa.Changes(method, path) {
			return d
		}
		if m, pattern, ok := strings.Cut(d, " "); ok && m == method && matchesPattern(pattern, path) {
			return d
		}
	}
	return ""
}

// Closed returns the one of deny_routes that closes a request: by its address, or, where the request lets
// Vexa's agent act, because the agent could call what it closes (S14). Empty: the request is open. What the
// agent can call is everything that is not itself a way to it.
func Closed(denied []string, method, path string, route vexa.Route) string {
	if len(denied) == 0 {
		return ""
	}
	if by := deniedBy(denied, method, path); by != "" || !route.Agent {
		return by
	}
	for _, d := range denied {
		_, pattern, _ := strings.Cut(d, " ")
		switch first, _, _ := strings.Cut(strings.TrimPrefix(pattern, "/"), "/"); first {
		case "agent", "api", "mcp", "ws":
		default:
			return d
		}
	}
	return ""
}

// DeniesTool reports whether deny_tools match a tool.
func DeniesTool(denied []string, name string) bool {
	return slices.ContainsFunc(denied, func(pattern string) bool {
		ok, err := path.Match(pattern, name) // a tool has no slash in its name
		return ok || err != nil
	})
}

// matchesPattern reports whether a path matches a pattern, segment by segment: {name} matches one segment,
// {name...} all the rest. A segment {} of the path is not known yet, and may be what the pattern names.
func matchesPattern(pattern, path string) bool {
	want, have := strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	for i, w := range want {
		if strings.HasSuffix(w, "...}") {
			return true
		}
		if i >= len(have) || w != have[i] && have[i] != "{}" && !strings.HasPrefix(w, "{") {
			return false
		}
	}
	return len(want) == len(have)
}
