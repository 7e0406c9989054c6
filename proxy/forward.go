package proxy

import (
	"net/http"

	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/upstream"
)

// forward is the road of every request for Vexa: authenticate the caller, decide what they may do, put their
// key on, pass the request on.
func (p *Proxy) forward(rq *request, at host, r *http.Request) error {
	ex, since := &rq.Exchange, p.callers.Changes()
	c, err := p.callers.Identify(ex, r)
	if err != nil {
		return p.edge.SignInInstead(ex, r, err)
	}
	if p.signIn.PassByProvider(ex, r, c) {
		return nil
	}
	if c.Credential == caller.BySession {
		if err := ex.Site.CheckSameOrigin(r, upstream.WantsWebSocket(r)); err != nil {
			return err
		}
	}
	v := p.callers.View(ex, c)
	if err := caller.MayUse(c.Account, v.Decision); err != nil {
		return err
	}
	route, err := p.route(ex, r, at.passer.Routes(), c, v)
	if err != nil {
		return err
	}
	return at.passer.Pass(ex, &rq.passage, r, c, route, since)
}
