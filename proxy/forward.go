package proxy

import (
	"net/http"
)

// forward is the road that every request of Vexa's takes: prove who it is, decide what they may, put their key on, pass it on.
func (p *Proxy) forward(ex *exchange, r *http.Request) error {
	c, err := p.identify(ex, r)
	if err != nil {
		return p.signInInstead(ex, r, err)
	}
	if p.passByProvider(ex, r, c) {
		return nil
	}
	upgrade := wantsWebSocket(r)
	if c.credential == bySession {
		if err := p.checkSameSite(r, upgrade); err != nil {
			return err
		}
	}
	v := p.see(c)
	if err := mayUse(c.account, v.decision); err != nil {
		return err
	}
	if err := p.route(ex, r, v); err != nil {
		return err
	}
	ex.secret, ex.keyID, _, err = p.accounts.Key(r.Context(), c.account, v.decision.Grant, v.scopes)
	if err != nil {
		return asProblem(err)
	}
	return p.pass(ex, r, upgrade && ex.route.WebSocket)
}
