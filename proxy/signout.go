package proxy

import (
	"errors"
	"net/http"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/proxy/page"
)

// logout ends the browser's session here and, where the provider has a way, there.
func (p *Proxy) logout(ex *exchange, r *http.Request) error {
	if r.Method != http.MethodPost {
		return refuse("method_not_allowed", "")
	}
	if err := p.checkSameSite(r, false); err != nil {
		return err
	}
	cookie := cookieValue(r.Header["Cookie"], p.names.session)
	if cookie == "" {
		redirect(ex, "/sso/signed-out")
		return nil
	}
	l, err := p.live.find(r, cookie)
	switch {
	case errors.Is(err, mapping.ErrNotFound):
		p.cookies.clear(ex, r)
		redirect(ex, "/sso/signed-out")
		return nil
	case err != nil:
		return asProblem(err) // the cookie stays: the session is still good
	}
	ex.credential, ex.caller = "session", l
	if err := p.endSession(r.Context(), l.session, "signed out"); err != nil {
		return asProblem(err)
	}
	p.cookies.clear(ex, r)
	p.forgetSignIns(ex)
	p.record(ex, r, mapping.Event{Event: mapping.EventSignOut, Actor: l.account.ID, Account: l.account.ID, Provider: l.session.Provider, CredentialID: l.session.ID})
	p.afterLogout(ex, r, l.session)
	return nil
}

// afterLogout sends a browser whose session has ended to the provider's end-session endpoint, which sends it back, or straight
// to our own page.
func (p *Proxy) afterLogout(ex *exchange, r *http.Request, s Session) {
	const here = "/sso/signed-out"
	provider := p.provider(s.Provider)
	if provider == nil {
		redirect(ex, here)
		return
	}
	idToken, err := p.openIDToken(s)
	if err != nil {
		p.log.Warn("the ID token for sign-out could not be opened; signing out here only", "session", s.ID, "error", err)
	}
	location, ok := provider.EndSession(r.Context(), idToken, s.LogoutHint, p.origin+here)
	if !ok {
		redirect(ex, here+"?provider="+provider.Name())
		return
	}
	p.leave(ex, r, location, provider)
}

func (p *Proxy) openIDToken(s Session) (string, error) {
	if len(s.SealedIDToken) == 0 {
		return "", nil
	}
	token, err := p.ring.Open(keyring.ProviderToken, s.SealedIDToken, []byte(s.ID))
	return string(token), err
}

// signedOut says that it is over. It starts nothing by itself.
func (p *Proxy) signedOut(ex *exchange, r *http.Request) error {
	var v page.SignedOut
	if provider := p.provider(r.URL.Query().Get("provider")); provider != nil {
		v.StillSignedInAt = provider.Title()
	}
	p.pages.SignedOut(ex, r, v)
	return nil
}
