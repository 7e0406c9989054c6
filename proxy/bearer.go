package proxy

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"vexa-sso/oidc"
)

// bearerKept is how long a verified access token is remembered, if it lives that long.
const bearerKept = time.Minute

// bearer finds who stands behind an access token of a provider.
func (p *Proxy) bearer(ex *exchange, r *http.Request, shown credential) (*caller, error) {
	if len(p.issuers) == 0 {
		return nil, refuse("token_invalid", "Access tokens of an identity provider are not accepted here. Make a token at "+p.origin+tokensPath+".")
	}
	key := credentialKey{hash: sha256.Sum256([]byte(shown.value)), rules: p.rules.Current()}
	for _, provider := range p.issuers {
		key.provider = provider
		if c, ok := p.known.bearers.get(key, ex.start); ok {
			return c, nil
		}
	}
	key.provider = p.issuerOf(shown.value)
	return p.newBearer(ex, r, shown, key)
}

// newBearer verifies an access token that is not in memory.
func (p *Proxy) newBearer(ex *exchange, r *http.Request, shown credential, key credentialKey) (*caller, error) {
	return p.lookUp(ex, r, p.known.bearers, key, func(ctx context.Context) (*caller, error) {
		if key.provider == nil {
			return nil, refuse("token_invalid", "This is no access token of an identity provider that is known here.")
		}
		token, err := key.provider.VerifyAccessToken(ctx, shown.value)
		if err != nil {
			return nil, err
		}
		return p.present(ctx, token)
	})
}

// issuerOf is the provider whose token it would be, by what it says of itself; nil if nobody's.
func (p *Proxy) issuerOf(raw string) *oidc.Provider {
	issuer, ok := oidc.UnverifiedIssuer(raw)
	for _, provider := range p.issuers {
		if ok && provider.Issues(issuer) {
			return provider
		}
	}
	if len(p.issuers) == 1 {
		return p.issuers[0] // it says best what is wrong
	}
	return nil
}

// present is who stands behind an access token that holds.
func (p *Proxy) present(ctx context.Context, token oidc.AccessToken) (*caller, error) {
	now := p.now()
	if !now.Before(token.ExpiresAt) {
		return nil, refuse("token_expired", "")
	}
	account, err := p.accounts.Present(ctx, token)
	if err != nil {
		return nil, err
	}
	return &caller{
		credential: byBearer, expires: token.ExpiresAt, until: earlier(token.ExpiresAt, now.Add(bearerKept)),
		account: account, access: token, limiter: p.newLimiter(),
	}, nil
}
