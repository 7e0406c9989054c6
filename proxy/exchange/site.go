package exchange

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Site is one public host of ours: its origin and the names of its cookies. Every URL that we write begins
// with its Origin, never with what a request says of itself (S9).
type Site struct {
	Scheme  string
	Host    string // as browsers write it in Host and X-Forwarded-Host
	Origin  string // scheme://host, canonical
	Cookies CookieNames

	canonical string // CanonicalHost of Host
}

// NewSite returns the site at an address of the form scheme://host[:port].
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

// ReturnTarget is ReturnPath for a target_link_uri (OpenID Connect Core section 4): an absolute URL of ours,
// or a path.
func (s *Site) ReturnTarget(raw string) string {
	if rest, ok := strings.CutPrefix(raw, s.Origin); ok && (rest == "" || rest[0] == '/') {
		raw = rest
	}
	return ReturnPath(raw)
}

// CheckSameOrigin is the CSRF check (S7): it returns the refusal of an unsafe method or a WebSocket upgrade
// that another origin could have made this browser send. It is only for requests that the cookie
// authenticated: browsers send no other credential by themselves.
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

// CheckOrigin is CheckSameOrigin for a request of any method.
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
