package exchange

import (
	"net/http"
	"strings"
)

// IsNavigation reports whether a browser is opening a page, as opposed to a program or a script that asks for
// data (S8).
func IsNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return isFormPost(r)
	}
	h := r.Header
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate" && h.Get("Sec-Fetch-Dest") == "document"
	}
	return h.Get("Authorization") == "" && h.Get("X-Api-Key") == "" &&
		strings.Contains(h.Get("Accept"), "text/html")
}

// isFormPost reports whether a browser submits a form: the response is a page, but never a redirect to
// sign-in.
func isFormPost(r *http.Request) bool {
	return r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Mode") == "navigate" ||
		r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Mode") == "" &&
			strings.Contains(r.Header.Get("Accept"), "text/html")
}
