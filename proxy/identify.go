package proxy

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"vexa-sso/mapping"
)

// identify finds the credential on a request and who it stands for. An explicit one silences the cookie, and an invalid one is
// refused, never replaced by the cookie.
func (p *Proxy) identify(ex *exchange, r *http.Request) (*caller, error) {
	ex.credential = byNobody
	if err := p.refuseExplicit(ex, r); err != nil {
		return nil, err
	}
	cookie := cookieValue(r.Header["Cookie"], p.names.session)
	if cookie == "" {
		return nil, refuse("unauthenticated", "")
	}
	if !p.store.Usable() {
		return nil, fail("store_unavailable", nil)
	}
	c, err := p.signedIn(r, cookie, ex.start)
	if err != nil {
		return nil, err
	}
	p.used.touch(c, ex.start)
	if c.limiter != nil && !c.limiter.AllowN(ex.start, 1) {
		return nil, refuse("rate_limited", "")
	}
	ex.credential, ex.caller = c.credential, c
	return c, nil
}

// refuseExplicit answers the credentials that programs show: there are none yet that we accept.
func (p *Proxy) refuseExplicit(ex *exchange, r *http.Request) error {
	keys, bearers := r.Header["X-Api-Key"], r.Header["Authorization"]
	if len(keys)+len(bearers) == 0 {
		if offersToken(r.Header["Sec-Websocket-Protocol"]) {
			return refuse("token_invalid", "")
		}
		return nil
	}
	if len(keys) > 1 || len(bearers) > 1 {
		return refuse("bad_request", "The request carries more than one credential.")
	}
	for _, shown := range append(keys, bearers...) {
		if strings.Contains(shown, "vxa_") {
			return refuse("native_key_refused", "")
		}
	}
	return refuse("token_invalid", "")
}

// offersToken says whether a WebSocket's subprotocols carry a credential, as a page does that has no other way to show one.
func offersToken(protocols []string) bool {
	return slices.ContainsFunc(protocols, func(p string) bool { return strings.Contains(p, "vsso.token.") })
}

// signedIn finds who a cookie stands for, and that it still stands for them.
func (p *Proxy) signedIn(r *http.Request, cookie string, now time.Time) (*caller, error) {
	c, err := p.sessionOfCookie(r, cookie)
	if err == nil && p.expired(c, now) {
		// Another replica may have seen it since: the store knows.
		p.known.sessions.forget(cookieKey(cookie))
		c, err = p.sessionOfCookie(r, cookie)
	}
	switch {
	case errors.Is(err, mapping.ErrNotFound):
		return nil, refuse("unauthenticated", "Your sign-in has ended. Please sign in again.")
	case err != nil:
		return nil, asProblem(err)
	case p.expired(c, now):
		p.known.sessions.forget(cookieKey(cookie))
		return nil, refuse("unauthenticated", "Your sign-in has ended. Please sign in again.")
	}
	return c, nil
}

func cookieKey(cookie string) credentialKey {
	return credentialKey{hash: sha256.Sum256([]byte(cookie))}
}

// sessionOfCookie returns the session of a cookie, whether or not it has expired. mapping.ErrNotFound says that there is none.
func (p *Proxy) sessionOfCookie(r *http.Request, cookie string) (*caller, error) {
	key := cookieKey(cookie)
	if c, ok := p.known.sessions.get(key); ok {
		return c, nil
	}
	return p.known.sessions.find(r.Context(), key, func(ctx context.Context) (*caller, error) { return p.loadSession(ctx, r) })
}

func (p *Proxy) expired(c *caller, now time.Time) bool {
	return !now.Before(c.expires) || now.Sub(time.Unix(c.seen.Load(), 0)) > p.cfg.Session.Idle
}

// loadSession is how a session comes from the store into memory.
func (p *Proxy) loadSession(ctx context.Context, r *http.Request) (*caller, error) {
	session, err := p.cookies.session(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	account, alone, err := p.accounts.Proven(ctx, session.AccountID)
	if err != nil {
		return nil, err
	}
	c := &caller{credential: bySession, credentialID: session.ID, expires: session.ExpiresAt, session: session, account: account, alone: alone, limiter: p.newLimiter()}
	c.seen.Store(session.LastSeen.Unix())
	return c, nil
}
