package upstream

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"vexa-sso/proxy/exchange"
)

// rewrite is ReverseProxy.Rewrite: it sets our headers on the outgoing request. ReverseProxy has removed the
// hop-by-hop headers before, so a Connection header cannot remove what is set here (S1).
func (p *Passer) rewrite(pr *httputil.ProxyRequest) {
	g := passageOf(pr.In.Context())
	ex, out := g.ex, pr.Out
	out.URL.Scheme, out.URL.Host = p.URL.Scheme, p.URL.Host
	out.Host = p.URL.Host
	out.Trailer = nil // trailers are not scrubbed, so they are not passed on
	out.GetBody = pr.In.GetBody

	h := out.Header
	h["X-Api-Key"] = g.headerValue(g.secret)
	h["X-Forwarded-For"] = g.headerValue(ex.Address)
	h["X-Forwarded-Host"] = g.headerValue(ex.Site.Host)
	h["X-Forwarded-Proto"] = g.headerValue(ex.Site.Scheme)
	h["X-Trace-Id"] = g.headerValue(ex.TraceID)
}

// modifyResponse is ReverseProxy.ModifyResponse: it scrubs the upstream's response.
func (p *Passer) modifyResponse(res *http.Response) error {
	g := passageOf(res.Request.Context())
	if location := res.Header["Location"]; len(location) > 0 {
		if path, ok := p.ownLocation(g.ex.Site, location[0]); ok {
			res.Header["Location"] = []string{path}
		} else {
			delete(res.Header, "Location")
		}
	}
	scrubResponse(res, g)
	if err := p.noteEvents(g, res); err != nil || g.mcp == nil {
		return err
	}
	return p.answerMCP(g, res)
}

// ownLocation reduces a Location to a path of ours; one that leads elsewhere is dropped (V16).
func (p *Passer) ownLocation(site *exchange.Site, location string) (string, bool) {
	u, err := url.Parse(location)
	if err != nil || u.User != nil || u.Opaque != "" {
		return "", false
	}
	if u.Host != "" && !strings.EqualFold(u.Host, p.URL.Host) && !strings.EqualFold(u.Host, site.Host) {
		return "", false
	}
	u.Scheme, u.Host = "", ""
	if _, ok := exchange.CanonicalPath(u); !ok {
		return "", false
	}
	return u.RequestURI(), true
}
