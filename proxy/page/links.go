package page

import (
	"net/url"
	"regexp"
	"strings"
)

// Link is a link to a path of ours ("/sso/login?provider=okta") or to an https URL; http only at a loopback
// address. A link to anywhere else is not shown.
type Link struct {
	Label string
	Href  string
	Note  string // a few words under the label, where the page has room for them
}

// allowedLinks returns those of the links that may be shown.
func allowedLinks(given []Link) []Link {
	var allowed []Link
	for _, l := range given {
		if allowedHref(l.Href) {
			allowed = append(allowed, l)
		}
	}
	return allowed
}

func allowedHref(href string) bool {
	if ownPath(href) {
		return true
	}
	_, ok := externalURL(href)
	return ok
}

// ownPath reports whether href is a path on our own origin in the eyes of every browser: browsers read a
// backslash as a slash, and skip tabs and line breaks, so that "/\evil.example" and
// "/\t/evil.example" name another host.
func ownPath(href string) bool {
	if !strings.HasPrefix(href, "/") || strings.HasPrefix(href, "//") || !printable(href) {
		return false
	}
	u, err := url.Parse(href)
	return err == nil && u.Scheme == "" && u.Host == ""
}

// externalURL parses an absolute URL that a person may be sent to.
func externalURL(href string) (*url.URL, bool) {
	if !printable(href) {
		return nil, false
	}
	u, err := url.Parse(href)
	if err != nil || u.User != nil || !hostAndPort.MatchString(u.Host) {
		return nil, false
	}
	return u, u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
}

// plainOrigin returns s in its canonical form if it is scheme, host and port and nothing else.
func plainOrigin(s string) (string, bool) {
	u, ok := externalURL(s)
	if !ok {
		return "", false
	}
	origin := u.Scheme + "://" + strings.ToLower(u.Host)
	return origin, strings.EqualFold(s, origin)
}

// hostAndPort has no room for a wildcard, a separator or a quote.
var hostAndPort = regexp.MustCompile(`^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$`)

// printable reports whether s is free of spaces, control characters and backslashes.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '\\' })
}

func loopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}
