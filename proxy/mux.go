package proxy

import (
	"net/http"
	"strings"

	"vexa-sso/proxy/page"
)

// handler answers a request of ours; an error becomes a page or JSON in one place.
type handler func(ex *exchange, r *http.Request) error

// put puts an answer of ours under a pattern.
func (p *Proxy) put(pattern string, h handler) {
	p.own.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		ex := w.(*exchange) // ServeHTTP is the only way in
		err := h(ex, r)
		if err != nil {
			err = p.signInInstead(ex, r, err)
		}
		if err != nil {
			p.answerProblem(ex, r, err)
		}
	})
}

// isOurs says whether an address is one of ours, not of Vexa's: all under /sso/, and what was put under /.well-known/.
func (p *Proxy) isOurs(ex *exchange, r *http.Request) bool {
	if strings.HasPrefix(ex.path, "/.well-known/") {
		_, pattern := p.own.Handler(r)
		return pattern != ""
	}
	return ex.path == "/sso" || strings.HasPrefix(ex.path, "/sso/")
}

// ownPages is everything that the edge itself has under /sso/.
func (p *Proxy) ownPages() {
	p.put("/sso/{$}", p.home)
	p.put("/sso/whoami", p.whoami)
	p.put("/sso/login", p.login)
	p.put("/sso/callback/{provider}", p.callback)
	p.put("/sso/logout", p.logout)
	p.put("/sso/logout/frontchannel/{provider}", p.frontChannelLogout)
	p.put("/sso/logout/backchannel/{provider}", p.backChannelLogout)
	p.put("/sso/logout/universal/{provider}", p.universalLogout)
	p.put(signedOutPath, p.signedOut)
	p.put("/sso/healthz", p.healthz)
	p.put("/sso/readyz", p.readyz)
	p.put("/sso/", func(*exchange, *http.Request) error { return refuse("not_found", "") })
	p.put("/sso", func(ex *exchange, _ *http.Request) error {
		redirect(ex, "/sso/")
		return nil
	})
	p.own.Handle(page.AssetsPath, p.pages.Assets())
}
