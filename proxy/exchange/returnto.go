package exchange

import (
	"net/url"
	"strings"
)

const maxReturnTo = 2048 // bytes; it travels in a cookie

// ReturnPath returns the path of ours (with query) that a sign-in may come back to, or "/sso/" for everything
// else (S9: no open redirect). It is built anew from the parsed parts, so that no browser can read it
// differently.
func ReturnPath(raw string) string {
	const home = "/sso/"
	if raw == "" || len(raw) > maxReturnTo || raw[0] != '/' || strings.ContainsAny(raw, "\\\t\r\n") {
		return home
	}
	u, err := url.ParseRequestURI(raw)
	if err != nil {
		return home
	}
	path, ok := CanonicalPath(u)
	if !ok || strings.HasPrefix(path, "/sso/login") || strings.HasPrefix(path, "/sso/callback/") ||
		strings.HasPrefix(path, "/sso/logout") || strings.HasPrefix(path, "/sso/refused/") {
		return home
	}
	query, ok := CanonicalQuery(u.RawQuery)
	if !ok {
		return home
	}
	back := (&url.URL{Path: path, RawQuery: query}).String()
	if len(back) > maxReturnTo {
		return home // written out it is longer than it came
	}
	return back
}
