package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"vexa-sso/mapping"
)

// identify finds the credential on a request and who it stands for. An explicit one silences the cookie, and an invalid one is
// refused, never replaced by the cookie.
func (p *Proxy) identify(ex *exchange, r *http.Request) (*caller, error) {
	ex.credential, ex.explicit = byNobody, showsCredential(r.Header)
	c, err := p.whoShows(ex, r)
	if err != nil {
		return nil, err
	}
	p.used.touch(c, ex.address, ex.start)
	if c.limiter != nil && !c.limiter.AllowN(ex.start, 1) {
		return nil, refuse("rate_limited", "")
	}
	ex.credential, ex.caller = c.credential, c
	if c.credential == byNativeKey {
		p.deprecate(ex, c)
	}
	return c, nil
}

func (p *Proxy) whoShows(ex *exchange, r *http.Request) (*caller, error) {
	if !ex.explicit {
		return p.whoIsSignedIn(ex, r)
	}
	shown, err := readCredential(r.Header)
	switch {
	case err != nil:
		return nil, err
	case !p.store.Usable():
		return nil, fail("store_unavailable", nil)
	}
	switch shown.kind {
	case byToken:
		return p.token(ex, r, shown)
	case byBearer:
		return p.bearer(ex, r, shown)
	case byNativeKey:
		return p.nativeKey(ex, r, shown)
	}
	return nil, refuse("token_invalid", "")
}

func (p *Proxy) whoIsSignedIn(ex *exchange, r *http.Request) (*caller, error) {
	cookie := cookieValue(r.Header["Cookie"], p.names.session)
	switch {
	case cookie == "":
		return nil, refuse("unauthenticated", "")
	case !p.store.Usable():
		return nil, fail("store_unavailable", nil)
	}
	return p.signedIn(r, cookie, ex.start)
}

// lookUp finds who stands behind a credential that is not in memory. Whose are none are remembered for a moment, and an address from
// which many come waits. That does not hit what was good a while ago and is looked at afresh: whoever shares an address with somebody
// who makes credentials up could otherwise be locked out by them (S12).
func (p *Proxy) lookUp(ex *exchange, r *http.Request, in *callers, key credentialKey, read func(context.Context) (*caller, error)) (*caller, error) {
	if err := in.refusal(key, ex.start); err != nil {
		return nil, err
	}
	if !in.met(key) && p.failures.tooMany(ex.address, ex.start) {
		return nil, refuse("rate_limited", "Too many credentials from your address were not valid.")
	}
	c, err := in.load(r.Context(), key, read)
	if err == nil {
		return c, nil
	}
	pr := asProblem(err)
	switch status := outcomes[pr.Code].Status; {
	case status >= http.StatusInternalServerError: // we could not look
		return nil, pr
	case status == http.StatusUnauthorized:
		p.failures.note(ex.address, ex.start, 1)
	}
	in.refuse(key, pr, ex.start)
	return nil, pr
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
	return credentialKey{hash: hashOf(cookie)}
}

// sessionOfCookie returns the session of a cookie, whether or not it has expired. mapping.ErrNotFound says that there is none.
func (p *Proxy) sessionOfCookie(r *http.Request, cookie string) (*caller, error) {
	key := cookieKey(cookie)
	if c, ok := p.known.sessions.get(key, time.Time{}); ok {
		return c, nil
	}
	return p.known.sessions.load(r.Context(), key, func(ctx context.Context) (*caller, error) {
		session, err := p.cookies.session(r.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		return p.callerOf(ctx, session)
	})
}

func (p *Proxy) expired(c *caller, now time.Time) bool {
	return !now.Before(c.expires) || now.Sub(time.Unix(c.seen.Load(), 0)) > p.cfg.Session.Idle
}

// callerOf is who stands behind a session.
func (p *Proxy) callerOf(ctx context.Context, session Session) (*caller, error) {
	account, alone, err := p.accounts.Proven(ctx, session.AccountID)
	if err != nil {
		return nil, err
	}
	c := &caller{credential: bySession, credentialID: session.ID, expires: session.ExpiresAt, session: session, account: account, alone: alone, limiter: p.newLimiter()}
	c.seen.Store(session.LastSeen.Unix())
	return c, nil
}

// again looks at a caller afresh, whatever is remembered of them. The error says why they may nothing any more, or that we could not
// look.
func (p *Proxy) again(ctx context.Context, c *caller) (fresh *caller, err error) {
	switch c.credential {
	case bySession:
		session, err := p.sessions.SessionByHash(ctx, c.session.Hash)
		if err != nil {
			return nil, err
		}
		fresh, err = p.callerOf(ctx, session)
		if err != nil {
			return nil, err
		}
	case byToken:
		fresh, err = p.readToken(ctx, c.hash)
	case byBearer:
		fresh, err = p.present(ctx, c.access)
	case byNativeKey:
		if fresh, err = p.ownerOf(ctx, c.account.ID, c.atMost); err == nil {
			fresh.expires = c.expires // the key itself was not shown again
		}
	}
	if err != nil {
		return nil, err
	}
	return fresh, mayUse(fresh.account, p.see(fresh).decision)
}

// refusesAccess says whether an error is about the caller, as opposed to our not being able to look.
func refusesAccess(err error) bool {
	return errors.Is(err, mapping.ErrNotFound) || outcomes[asProblem(err).Code].Status < http.StatusInternalServerError
}
