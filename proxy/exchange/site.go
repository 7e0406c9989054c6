package exchange

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Site is one public host of ours: where it is, and what its cookies are called. Every URL that we write
// begins with its Origin, never with what a request says of itself (S9).
type Site struct {
	Scheme  string
	Host    string // as browsers write it in Host and X-Forwarded-Host
	Origin  string // scheme://host, canonical
	Cookies CookieNames

	canonical string // Host to compare with
}

// NewSite is the site at an address of the form scheme://host[:port].
func NewSite(address string) (*Site, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is not a URL", address)
	}
	host := CanonicalHost(u.Host, u.Scheme)
	return &Site{
		Scheme: u.Scheme, Host: u.Host, Origin: u.Scheme + "://" + host,
		Cookies: cookieNames(u.Scheme), canonical: host,
	}, nil
}

// Is reports whether a Host header names this site.
func (s *Site) Is(host string) bool {
	return host == s.Host || CanonicalHost(host, s.Scheme) == s.canonical
}

// ReturnTarget is ReturnPath for a target_link_uri (OpenID Connect Core section 4): a
// whole URL of ours, or a path.
func (s *Site) ReturnTarget(raw string) string {
	if rest, ok := strings.CutPrefix(raw, s.Origin); ok && (rest == "" || rest[0] == '/') {
		raw = rest
	}
	return ReturnPath(raw)
}

// CheckSameOrigin refuses what another origin could have made this browser send (S7). It is asked only where
// the cookie authenticated the request: a browser sends no other credential by itself.
func (s *Site) CheckSameOrigin(r *http.Request, upgrade bool) error {
	if upgrade {
		// Browsers always send Origin on a WebSocket; whoever holds a cookie is a browser.
		if r.Header.Get("Origin") != s.Origin {
			return Refuse("cross_site", "A WebSocket must be opened from this site itself.")
		}
		return nil
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	return s.CheckOrigin(r)
}

// CheckOrigin refuses a request that does not show that a page of this site made it, whatever its method.
func (s *Site) CheckOrigin(r *http.Request) error {
	// Sec-Fetch-Site cannot be forged by a page. A form under a strict referrer policy has Origin: null even
	// from the same origin, so Origin is asked only where Sec-Fetch-Site is missing.
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		if site != "same-origin" {
			return Refuse("cross_site", "")
		}
		return nil
	}
	if r.Header.Get("Origin") != s.Origin {
		return Refuse("cross_site", "")
	}
	return nil
}
