package signin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/oidc"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
)

const (
	SignedOutPath  = "/sso/signed-out"
	logoutLifetime = 10 * time.Minute // for the provider to send the browser back
)

// Logout ends the browser's session here and, where the provider has an end-session endpoint, there.
func (f *Flow) Logout(ex *exchange.Exchange, r *http.Request) error {
	if r.Method != http.MethodPost {
		return exchange.Refuse("method_not_allowed", "")
	}
	if err := ex.Site.CheckSameOrigin(r, false); err != nil {
		return err
	}
	if exchange.CookieValue(r.Header["Cookie"], ex.Site.Cookies.Session) == "" {
		exchange.Redirect(ex, SignedOutPath)
		return nil
	}
	c, err := f.callers.OfCookie(ex.Site, r)
	switch {
	case errors.Is(err, mapping.ErrNotFound):
		f.callers.TakeCookieBack(ex)
		exchange.Redirect(ex, SignedOutPath)
		return nil
	case err != nil:
		return exchange.AsProblem(err) // the cookie stays: the session is still good
	}
	f.callers.Note(ex, c)
	if err := f.endSession(r.Context(), c.Session, "signed out"); err != nil {
		return exchange.AsProblem(err)
	}
	f.callers.TakeCookieBack(ex)
	f.forgetSignIns(ex)
	f.edge.Record(ex, r, mapping.Event{
		Event: mapping.EventSignOut, Actor: c.Account.ID, Account: c.Account.ID, Provider: c.Session.Provider,
		CredentialID: c.Session.ID,
	})
	return f.afterLogout(ex, r, c.Session)
}

// afterLogout redirects a browser whose session has ended to the provider's end-session endpoint, which sends
// it back (OpenID Connect RP-Initiated Logout 1.0), or straight to our own page.
func (f *Flow) afterLogout(ex *exchange.Exchange, r *http.Request, s caller.Session) error {
	provider := f.providers.ByName(s.Provider)
	if provider == nil {
		exchange.Redirect(ex, SignedOutPath)
		return nil
	}
	idToken, err := f.openIDToken(s)
	if err != nil {
		f.edge.Log.Warn("stored ID token could not be opened; signed out here only, not at the provider",
			"session", s.ID, "error", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), ProviderPatience)
	defer cancel()
	location, ok := provider.EndSession(ctx, idToken, s.LogoutHint, ex.Site.Origin+SignedOutPath)
	if !ok {
		exchange.Redirect(ex, SignedOutPath+"?provider="+provider.Name())
		return nil
	}
	state, err := caller.RandomID(f.edge.Random)
	if err != nil {
		return exchange.Fail("internal_error", err)
	}
	http.SetCookie(ex, exchange.NewCookie(ex.Site.Cookies.Logout, state, int(logoutLifetime/time.Second)))
	return f.sendToProvider(ex, r, oidc.WithState(location, state), provider)
}

func (f *Flow) openIDToken(s caller.Session) (string, error) {
	if len(s.SealedIDToken) == 0 {
		return "", nil
	}
	token, err := f.ring.Open(keyring.ProviderToken, s.SealedIDToken, []byte(s.ID))
	return string(token), err
}

// SignedOut is the page after sign-out. It starts nothing by itself, and whoever is still signed in, or
// again, sees their start page instead. A provider may repeat the state of the sign-out, and then it must be
// that of this browser (RP-Initiated Logout 1.0, section 3); the page that stays has none in its address, so
// that it can be loaded again.
func (f *Flow) SignedOut(ex *exchange.Exchange, r *http.Request) error {
	q := r.URL.Query()
	sent := exchange.CookieValue(r.Header["Cookie"], ex.Site.Cookies.Logout)
	if q.Has("state") && (sent == "" || len(q["state"]) > 1 || q.Get("state") != sent) {
		return exchange.Refuse("bad_request", "This sign-out answer does not belong to this browser.")
	}
	if sent != "" {
		http.SetCookie(ex, exchange.NewCookie(ex.Site.Cookies.Logout, "", -1))
	}
	if q.Has("state") {
		exchange.Redirect(ex, SignedOutPath)
		return nil
	}
	switch c, err := f.callers.OfCookie(ex.Site, r); {
	case err == nil && !f.callers.Expired(c, ex.Start):
		exchange.Redirect(ex, "/sso/")
		return nil
	case err != nil && !errors.Is(err, mapping.ErrNotFound):
		return exchange.AsProblem(err)
	}
	var v page.SignedOut
	if provider := f.providers.ByName(q.Get("provider")); provider != nil {
		v.StillSignedInAt = provider.Title()
	}
	f.edge.Pages.SignedOut(ex, r, v)
	return nil
}

// ProviderPatience is the timeout for a provider's answer that a person who is signed in, or signs out, can
// do without (S10).
const ProviderPatience = 500 * time.Millisecond

// EndsAtProvider reports whether signing out of a session will also sign out at its provider.
func (f *Flow) EndsAtProvider(
	ctx context.Context, site *exchange.Site, provider *oidc.Provider, s caller.Session,
) bool {
	idToken, _ := f.openIDToken(s) // an unreadable one is reported at sign-out
	_, ok := provider.EndSession(ctx, idToken, s.LogoutHint, site.Origin+SignedOutPath)
	return ok
}
