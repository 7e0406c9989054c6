package caller

import (
	"net/http"
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
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, d := range denied {
		if m, pattern, ok := strings.Cut(d, " "); ok && m == method && matchesPattern(pattern, path) {
			return true
		}
	}
	return false
}

// matchesPattern reports whether a path matches a pattern, segment by segment: {name} matches one segment,
// {name...} all the rest.
func matchesPattern(pattern, path string) bool {
	want, have := strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	for i, w := range want {
		if strings.HasSuffix(w, "...}") {
			return true
		}
		if i >= len(have) || w != have[i] && !strings.HasPrefix(w, "{") {
			return false
		}
	}
	return len(want) == len(have)
}
