package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
)

// token finds who stands behind a token that we issued.
func (p *Proxy) token(ex *exchange, r *http.Request, shown credential) (*caller, error) {
	key := credentialKey{hash: shown.hash}
	if c, ok := p.known.tokens.get(key, ex.start); ok {
		return c, nil
	}
	return p.lookUp(ex, r, p.known.tokens, key, func(ctx context.Context) (*caller, error) { return p.readToken(ctx, shown.hash) })
}

// readToken is how a token of ours comes from the store into memory. It is looked for by a hash of 256 random bits, so that how long
// that takes tells nothing of any other (F9).
func (p *Proxy) readToken(ctx context.Context, hash [32]byte) (*caller, error) {
	token, account, err := p.accounts.TokenByValue(ctx, hash)
	if errors.Is(err, mapping.ErrNotFound) {
		return nil, refuse("token_invalid", "This token is unknown here, has expired or was revoked.")
	}
	if err != nil {
		return nil, err
	}
	pauses := account.ProvenAt.Add(p.cfg.Tokens.MaxOffline)
	if err := p.checkProven(account, pauses); err != nil {
		return nil, err
	}
	c := &caller{
		credential: byToken, credentialID: token.ID, expires: token.ExpiresAt, until: earlier(token.ExpiresAt, pauses),
		account: account, limited: true, atMost: token.Scopes, token: token, hash: hash, limiter: p.newLimiter(),
	}
	c.seen.Store(token.UsedAt.Unix())
	return c, nil
}

// checkProven refuses, for as long as that is so, what somebody made whom their provider has not vouched for lately. A browser that is
// signed in is not concerned: its session has an end of its own.
func (p *Proxy) checkProven(account mapping.Account, pauses time.Time) error {
	switch {
	case account.Status != mapping.Active:
		return mayUse(account, rule.Decision{})
	case p.now().Before(pauses):
		return nil
	}
	return refuse("proof_stale", "Your identity provider has not vouched for the owner of this token for too long, so it pauses. It goes on when they sign in with a browser.")
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
