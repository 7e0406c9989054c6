package proxy

import (
	"net/http"
	"strings"

	"vexa-sso/proxy/channel"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
	"vexa-sso/proxy/signin"
)

// handleFunc registers a handler for a pattern of net/http.ServeMux. Its error becomes a redirect to sign-in,
// a page or JSON.
func (p *Proxy) handleFunc(pattern string, h exchange.Handler) {
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

// isOurs reports whether an address is one of ours and not Vexa's: all under /sso/, and what is registered
// under /.well-known/.
func (p *Proxy) isOurs(ex *exchange.Exchange, r *http.Request) bool {
	if strings.HasPrefix(ex.Path, "/.well-known/") {
		_, pattern := p.mux.Handler(r)
		return pattern != ""
	}
	return ex.Path == "/sso" || strings.HasPrefix(ex.Path, "/sso/")
}

// ownPages registers what the edge itself has under /sso/.
func (p *Proxy) ownPages(providers *channel.Endpoints) {
	p.handleFunc("/sso/{$}", p.showHome)
	p.handleFunc("/sso/whoami", p.whoami)
	p.handleFunc("/sso/login", p.signIn.Login)
	p.handleFunc("/sso/callback/{provider}", p.signIn.Callback)
	p.handleFunc(signin.RefusedPath+"{id}", p.signIn.Refused)
	p.handleFunc("/sso/logout", p.signIn.Logout)
	p.handleFunc("/sso/logout/frontchannel/{provider}", providers.FrontChannelLogout)
	p.handleFunc("/sso/logout/backchannel/{provider}", providers.BackChannelLogout)
	p.handleFunc("/sso/logout/universal/{provider}", providers.UniversalLogout)
	p.handleFunc(signin.SignedOutPath, p.signIn.SignedOut)
	p.handleFunc("/sso/healthz", healthz)
	p.handleFunc("/sso/readyz", p.health.readyz)
	p.handleFunc("/sso/", func(*exchange.Exchange, *http.Request) error {
		return exchange.Refuse("not_found", "")
	})
	p.handleFunc("/sso", func(ex *exchange.Exchange, _ *http.Request) error {
		exchange.Redirect(ex, "/sso/")
		return nil
	})
	p.mux.Handle(page.AssetsPath, p.edge.Pages.Assets())
}
