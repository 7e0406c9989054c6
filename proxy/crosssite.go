package proxy

import (
	"net/http"
	"strings"
)

// checkSameSite refuses what another site could have made this browser send (S7). It is asked only where the cookie
// authenticated the request: a browser sends no other credential by itself.
func (p *Proxy) checkSameSite(r *http.Request, upgrade bool) error {
	if upgrade {
		// Browsers always send Origin on a WebSocket; whoever holds a cookie is a browser.
		if r.Header.Get("Origin") != p.origin {
			return refuse("cross_site", "A WebSocket must be opened from this site itself.")
		}
		return nil
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	return p.checkOrigin(r)
}

// checkOrigin refuses a request that does not show that a page of ours made it.
func (p *Proxy) checkOrigin(r *http.Request) error {
	// Sec-Fetch-Site cannot be forged by a page. A form under a strict referrer policy has Origin: null even from the same
	// origin, so Origin is asked only where Sec-Fetch-Site is missing.
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		if site != "same-origin" {
			return refuse("cross_site", "")
		}
		return nil
	}
	if r.Header.Get("Origin") != p.origin {
		return refuse("cross_site", "")
	}
	return nil
}

// isNavigation says whether a person's browser is opening a page, as opposed to a program or a script that asks for data (S8).
func isNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return isFormPost(r)
	}
	h := r.Header
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate" && h.Get("Sec-Fetch-Dest") == "document"
	}
	return h.Get("Authorization") == "" && h.Get("X-Api-Key") == "" && strings.Contains(h.Get("Accept"), "text/html")
}

// isFormPost says whether a person sent a form: they get a page back, but are never redirected to sign-in with it.
func isFormPost(r *http.Request) bool {
	return r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Mode") == "navigate" ||
		r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Mode") == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}
