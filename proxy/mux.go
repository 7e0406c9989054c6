package proxy

import (
	"net/http"
	"strings"

	"vexa-sso/proxy/channel"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
	"vexa-sso/proxy/signin"
)

// put puts an answer of ours under a pattern; an error becomes a page or JSON in one place.
func (p *Proxy) put(pattern string, h exchange.Handler) {
	p.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		ex := w.(*exchange.Exchange) // ServeHTTP is the only way in
		err := h(ex, r)
		if err != nil {
			err = p.edge.SignInInstead(ex, r, err)
		}
		if err != nil {
			p.edge.Answer(ex, r, err)
		}
	})
}

// isOurs says whether an address is one of ours, not of Vexa's: all under /sso/, and what
// was put under /.well-known/.
func (p *Proxy) isOurs(ex *exchange.Exchange, r *http.Request) bool {
	if strings.HasPrefix(ex.Path, "/.well-known/") {
		_, pattern := p.mux.Handler(r)
		return pattern != ""
	}
	return ex.Path == "/sso" || strings.HasPrefix(ex.Path, "/sso/")
}

// ownPages is everything that the edge itself has under /sso/.
func (p *Proxy) ownPages(providers *channel.Endpoints) {
	p.put("/sso/{$}", p.showHome)
	p.put("/sso/whoami", p.whoami)
	p.put("/sso/login", p.signIn.Login)
	p.put("/sso/callback/{provider}", p.signIn.Callback)
	p.put("/sso/logout", p.signIn.Logout)
	p.put("/sso/logout/frontchannel/{provider}", providers.FrontChannelLogout)
	p.put("/sso/logout/backchannel/{provider}", providers.BackChannelLogout)
	p.put("/sso/logout/universal/{provider}", providers.UniversalLogout)
	p.put(signin.SignedOutPath, p.signIn.SignedOut)
	p.put("/sso/healthz", healthz)
	p.put("/sso/readyz", p.health.readyz)
	p.put("/sso/", func(*exchange.Exchange, *http.Request) error { return exchange.Refuse("not_found", "") })
	p.put("/sso", func(ex *exchange.Exchange, _ *http.Request) error {
		exchange.Redirect(ex, "/sso/")
		return nil
	})
	p.mux.Handle(page.AssetsPath, p.edge.Pages.Assets())
}
