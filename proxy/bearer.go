package proxy

import (
	"context"
	"net/http"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/proxy/page"
)

// bearerKept is how long a verified access token is remembered, if it lives that long.
const bearerKept = time.Minute

// bearer finds who stands behind an access token of a provider.
func (p *Proxy) bearer(ex *exchange, r *http.Request, shown credential) (*caller, error) {
	if len(p.issuers) == 0 {
		return nil, refuse("token_invalid", "Access tokens of an identity provider are not accepted here. Make a token at "+p.origin+page.TokensPath+".")
	}
	key := credentialKey{hash: hashOf(shown.value), rules: p.rules.Current()}
	for _, provider := range p.issuers {
		key.provider = provider
		if c, ok := p.known.bearers.get(key, ex.start); ok {
			return c, nil
		}
	}
	return p.newBearer(ex, r, shown, key)
}

// newBearer verifies an access token that is not in memory, at each provider whose it could be: two can be the same organisation, with
// different audiences.
func (p *Proxy) newBearer(ex *exchange, r *http.Request, shown credential, key credentialKey) (*caller, error) {
	var worst *problem // of what they say: who could not look might have found it good
	for _, provider := range p.issuersOf(shown.value) {
		key := key
		key.provider = provider
		c, err := p.lookUp(ex, r, p.known.bearers, key, func(ctx context.Context) (*caller, error) {
			token, err := provider.VerifyAccessToken(ctx, shown.value)
			if err != nil {
				return nil, err
			}
			return p.present(ctx, token)
		})
		if err == nil {
			return c, nil
		}
		if pr := asProblem(err); worst == nil || outcomes[pr.Code].Status > outcomes[worst.Code].Status {
			worst = pr
		}
	}
	return nil, worst
}

// issuersOf are the providers whose token it could be, by what it says of itself. Where it is nobody's, the first may say what is wrong.
func (p *Proxy) issuersOf(raw string) []*oidc.Provider {
	var found []*oidc.Provider
	issuer, ok := oidc.UnverifiedIssuer(raw)
	for _, provider := range p.issuers {
		if ok && provider.Issues(issuer) {
			found = append(found, provider)
		}
	}
	if len(found) == 0 {
		return p.issuers[:1]
	}
	return found
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
