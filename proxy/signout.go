package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/oidc"
	"vexa-sso/proxy/page"
)

const (
	signedOutPath  = "/sso/signed-out"
	logoutLifetime = 10 * time.Minute // for the provider to send the browser back
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
		redirect(ex, signedOutPath)
		return nil
	}
	c, err := p.sessionOfCookie(r, cookie)
	switch {
	case errors.Is(err, mapping.ErrNotFound):
		p.cookies.clear(ex, r)
		redirect(ex, signedOutPath)
		return nil
	case err != nil:
		return asProblem(err) // the cookie stays: the session is still good
	}
	ex.credential, ex.caller = bySession, c
	if err := p.endSession(r.Context(), c.session, "signed out"); err != nil {
		return asProblem(err)
	}
	p.cookies.clear(ex, r)
	p.forgetSignIns(ex)
	p.record(ex, r, mapping.Event{Event: mapping.EventSignOut, Actor: c.account.ID, Account: c.account.ID, Provider: c.session.Provider, CredentialID: c.session.ID})
	return p.afterLogout(ex, r, c.session)
}

// afterLogout sends a browser whose session has ended to the provider's end-session endpoint, which sends it back, or straight
// to our own page.
func (p *Proxy) afterLogout(ex *exchange, r *http.Request, s Session) error {
	provider := p.provider(s.Provider)
	if provider == nil {
		redirect(ex, signedOutPath)
		return nil
	}
	idToken, err := p.openIDToken(s)
	if err != nil {
		p.log.Warn("the ID token for sign-out could not be opened; signing out here only", "session", s.ID, "error", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), providerPatience)
	defer cancel()
	location, ok := provider.EndSession(ctx, idToken, s.LogoutHint, p.origin+signedOutPath)
	if !ok {
		redirect(ex, signedOutPath+"?provider="+provider.Name())
		return nil
	}
	state, err := randomID(p.random)
	if err != nil {
		return fail("internal_error", err)
	}
	http.SetCookie(ex, p.logoutCookie(state, int(logoutLifetime/time.Second)))
	p.leave(ex, r, oidc.WithState(location, state), provider)
	return nil
}

func (p *Proxy) logoutCookie(state string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: p.names.logout, Value: state, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: p.names.secure, SameSite: http.SameSiteLaxMode}
}

func (p *Proxy) openIDToken(s Session) (string, error) {
	if len(s.SealedIDToken) == 0 {
		return "", nil
	}
	token, err := p.ring.Open(keyring.ProviderToken, s.SealedIDToken, []byte(s.ID))
	return string(token), err
}

// signedOut says that it is over. It starts nothing by itself. A provider may repeat the state of the sign-out, and then it must
// be that of this browser (OpenID Connect RP-Initiated Logout 1.0, section 3); the page that stays carries none, so that it can
// be loaded again.
func (p *Proxy) signedOut(ex *exchange, r *http.Request) error {
	q := r.URL.Query()
	sent := cookieValue(r.Header["Cookie"], p.names.logout)
	if q.Has("state") && (sent == "" || len(q["state"]) > 1 || q.Get("state") != sent) {
		return refuse("bad_request", "This sign-out answer does not belong to this browser.")
	}
	if sent != "" {
		http.SetCookie(ex, p.logoutCookie("", -1))
	}
	if q.Has("state") {
		redirect(ex, signedOutPath)
		return nil
	}
	var v page.SignedOut
	if provider := p.provider(q.Get("provider")); provider != nil {
		v.StillSignedInAt = provider.Title()
	}
	p.pages.SignedOut(ex, r, v)
	return nil
}

// providerPatience is how long somebody who is signed in, or signs out, waits to hear from a provider that they can do without (S10).
const providerPatience = 500 * time.Millisecond

func (p *Proxy) endsAtProvider(ctx context.Context, provider *oidc.Provider, s Session) bool {
	idToken, _ := p.openIDToken(s) // an unreadable one is reported at sign-out
	_, ok := provider.EndSession(ctx, idToken, s.LogoutHint, p.origin+signedOutPath)
	return ok
}
