package caller

import (
	"net/http"
	"slices"
	"strings"

	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
)

// Covers reports whether a scope set is enough for a route.
func Covers(s rule.Scopes, route vexa.Route) bool {
	return route.NoScope || slices.ContainsFunc(route.AnyOf, s.Has)
}

// DeniesRoute reports whether a grant's deny_routes name this request. HEAD is a GET, and a
// trailing slash changes nothing.
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

// matchesPattern compares a path with a pattern segment by segment: {name} stands for any one,
// {name...} for all the rest.
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
