package proxy

import (
	"net/http"
	"strings"

	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// The response headers of CORS (Fetch Standard, section 3.2.3), for the origins that are listed. There is no
// Access-Control-Allow-Credentials: these pages send a credential of their own, never our cookie.
var (
	corsMethods = []string{"GET, HEAD, POST, PUT, PATCH, DELETE"}
	corsHeaders = []string{
		"X-API-Key, Authorization, Content-Type, Mcp-Session-Id, Mcp-Protocol-Version, Last-Event-ID",
	}
	corsExposed = []string{strings.Join([]string{
		"Mcp-Session-Id", "Mcp-Protocol-Version", "X-Trace-Id", "Retry-After",
		"WWW-Authenticate", "Deprecation", "Link",
		"Content-Disposition", "Content-Range", "Accept-Ranges", "X-RateLimit-Limit",
		"X-RateLimit-Remaining", "X-RateLimit-Reset",
	}, ", ")}
	corsMaxAge = []string{"600"}
	varyOrigin = []string{"Origin"}
)

// answerCORS adds the CORS headers for a listed origin to the response, to an error too, and answers a
// preflight; it reports whether it did the latter. A request with our cookie and no other credential gets
// none: it does not come from such a page.
func (p *Proxy) answerCORS(ex *exchange.Exchange, r *http.Request) bool {
	if len(p.corsOrigins) == 0 {
		return false
	}
	h := ex.Header()
	h["Vary"] = varyOrigin
	origin := r.Header["Origin"]
	if len(origin) != 1 || !p.corsOrigins[origin[0]] || !caller.ShowsCredential(r.Header) &&
		exchange.CookieValue(r.Header["Cookie"], ex.Site.Cookies.Session) != "" {
		return false
	}
	h["Access-Control-Allow-Origin"] = origin
	if r.Method != http.MethodOptions || len(r.Header["Access-Control-Request-Method"]) == 0 {
		h["Access-Control-Expose-Headers"] = corsExposed
		return false
	}
	ex.Label = "preflight"
	h["Access-Control-Allow-Methods"], h["Access-Control-Allow-Headers"],
		h["Access-Control-Max-Age"] = corsMethods, corsHeaders, corsMaxAge
	ex.WriteHeader(http.StatusNoContent)
	return true
}

func set(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}
