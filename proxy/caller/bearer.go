package caller

import (
	"context"
	"net/http"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/page"
)

// bearerTTL is how long a verified access token is cached, if it lives that long.
const bearerTTL = time.Minute

// bearer returns the caller of a provider's access token (RFC 6750).
func (i *Identifier) bearer(ex *exchange.Exchange, r *http.Request, shown credential) (*Caller, error) {
	if len(i.issuers) == 0 {
		return nil, exchange.Refuse("token_invalid", "Access tokens of an identity provider are not "+
			"accepted here. Make a token at "+ex.Site.Origin+page.TokensPath+".")
	}
	key := credentialKey{hash: hashOf(shown.value), rules: i.rules.Current()}
	for _, provider := range i.issuers {
		key.provider = provider
		if c, ok := i.memory.bearers.get(key, ex.Start); ok {
			return c, nil
		}
	}
	return i.newBearer(ex, r, shown, key)
}

// newBearer verifies an access token that is not cached, at each provider that may have issued it: two can be
// the same organisation, with different audiences.
func (i *Identifier) newBearer(
	ex *exchange.Exchange, r *http.Request, shown credential, key credentialKey,
) (*Caller, error) {
	// the problem with the highest status: a provider that could not look might have accepted the token
	var worst *exchange.Problem
	for _, provider := range i.issuersOf(shown.value) {
		key := key
		key.provider = provider
		c, err := i.lookUp(ex, r, i.memory.bearers, key, func(ctx context.Context) (*Caller, error) {
			token, err := provider.VerifyAccessToken(ctx, shown.value)
			if err != nil {
				return nil, err
			}
			// A provider that does not answer holds up nobody's turn.
			return i.memory.bearers.lookups.inTurn(ctx, func(ctx context.Context) (*Caller, error) {
				return i.present(ctx, token)
			})
		})
		if err == nil {
			return c, nil
		}
		if pr := exchange.AsProblem(err); worst == nil || pr.Code.Status() > worst.Code.Status() {
			worst = pr
		}
	}
	return nil, worst
}

// issuersOf returns the providers that may have issued a token, by its unverified issuer. Where there is
// none, it returns the first, whose error says what is wrong.
func (i *Identifier) issuersOf(raw string) []*oidc.Provider {
	var found []*oidc.Provider
	issuer, ok := oidc.UnverifiedIssuer(raw)
	for _, provider := range i.issuers {
		if ok && provider.Issues(issuer) {
			found = append(found, provider)
		}
	}
	if len(found) == 0 {
		return i.issuers[:1]
	}
	return found
}

// present returns the caller of a verified access token.
func (i *Identifier) present(ctx context.Context, token oidc.AccessToken) (*Caller, error) {
	now := i.edge.Now()
	if !now.Before(token.ExpiresAt) {
		return nil, exchange.Refuse("token_expired", "")
	}
	account, err := i.accounts.Present(ctx, token)
	if err != nil {
		return nil, err
	}
	return &Caller{
		Credential: ByBearer, Expires: token.ExpiresAt, Until: earliest(token.ExpiresAt, now.Add(bearerTTL)),
		Account: account, Access: token, limiter: i.newLimiter(),
	}, nil
}
