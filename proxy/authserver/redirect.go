package authserver

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// redirects reports whether uri is a redirect URI of the client. It is compared as text with the registered
// ones (RFC 9700 section 4.1.3), except for the port of a loopback address: a program on the person's
// computer takes whichever is free.
func (c Client) redirects(uri string) bool {
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		if uri == registered {
			return true
		}
		portless, ok := withoutLoopbackPort(uri)
		if !ok {
			return false
		}
		ours, ok := withoutLoopbackPort(registered)
		return ok && portless == ours
	})
}

// loopbacks are the prefixes of redirect URIs whose port does not count. localhost is not among them: it is a
// name, which may resolve to anything (RFC 8252 section 8.3).
var loopbacks = []string{"http://127.0.0.1", "http://[::1]"}

// withoutLoopbackPort removes the port of a URI on a loopback address; ok is false for every other URI. It
// works on the text, so that nothing which a parser would read leniently (user information, another spelling
// of the address) passes for one.
func withoutLoopbackPort(uri string) (portless string, ok bool) {
	for _, base := range loopbacks {
		rest, found := strings.CutPrefix(uri, base)
		if !found {
			continue
		}
		port, path, _ := strings.Cut(rest, "/")
		if port == "" {
			return base + "/" + path, true
		}
		digits, found := strings.CutPrefix(port, ":")
		n, err := strconv.ParseUint(digits, 10, 16)
		if !found || err != nil || n == 0 || digits[0] == '0' || digits[0] == '+' {
			return "", false
		}
		return base + "/" + path, true
	}
	return "", false
}

// addResponse adds the parameters of a response to a redirect URI, whose own query stays (RFC 6749 section
// 3.1.2). The URI must be one of the client's.
func addResponse(redirectURI string, answer url.Values) string {
	separator := "?"
	if strings.Contains(redirectURI, "?") {
		separator = "&"
	}
	return redirectURI + separator + answer.Encode()
}
