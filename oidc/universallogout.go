package oidc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// universalLogoutType is the typ of the bearer token (draft-parecki-oauth-global-token-revocation).
const universalLogoutType = "global-token-revocation+jwt"

// VerifyUniversalLogout verifies the bearer token with which Okta calls Universal Logout (global token
// revocation) at our endpoint, a URL without a query. The caller has to remember the token's jti until
// expires and refuse one that it has seen before. Every error is an *Error; CodeProviderUnavailable means
// that Okta's keys could not be read, everything else that the token is not valid.
func (p *Provider) VerifyUniversalLogout(
	ctx context.Context, bearer, endpoint string,
) (jti string, expires time.Time, err error) {
	token, refusal := p.verifyUniversalLogout(ctx, bearer, endpoint)
	if refusal != nil {
		return "", time.Time{}, refusal
	}
	return token.text("jti"), token.instant("exp").Add(maxSkew), nil
}

func (p *Provider) verifyUniversalLogout(ctx context.Context, bearer, endpoint string) (claims, *Error) {
	const remedy = "Compare the endpoint and the application in Okta's Universal Logout with public_url " +
		"and client_id. Many of these may be an attack."
	org := p.dialect.universalLogoutIssuer()
	if org == "" {
		return nil, invalid("Only a provider of type okta calls Universal Logout.",
			fmt.Errorf("the provider is of type %s", p.cfg.Type))
	}
	if len(bearer) > maxLogoutToken || strings.Count(bearer, ".") != 2 {
		return nil, invalid(remedy, errors.New("the bearer token is not a signed token of at most 16 KiB"))
	}
	signed := &signedBy{
		keys: p.orgKeys, url: org + "/oauth2/v1/keys", algorithms: signingAlgorithms,
		types: []string{universalLogoutType},
		fits:  func(publicKey, claims) error { return nil },
	}
	verifier := gooidc.NewVerifier(org, signed, &gooidc.Config{
		ClientID: endpoint, SupportedSigningAlgs: signingAlgorithms,
		Now: func() time.Time { return p.now().Add(-maxSkew) },
	})
	token, err := verifier.Verify(ctx, bearer)
	if signed.err != nil {
		return nil, signatureRefusal(signed.err)
	}
	if err != nil {
		return nil, invalid(remedy, fmt.Errorf("verifying the bearer token: %w", reduced(err)))
	}
	if err := p.checkUniversalLogout(signed, token); err != nil {
		return nil, invalid(remedy, err)
	}
	return signed.claims, nil
}

// checkUniversalLogout holds the token to its typ, so that an ID token does not serve, to our application,
// and to bounds.
func (p *Provider) checkUniversalLogout(signed *signedBy, token *gooidc.IDToken) error {
	if _, claimed := signed.header.ExtraHeaders[jose.HeaderType]; !claimed {
		return fmt.Errorf("the bearer token does not say that it is of type %s", universalLogoutType)
	}
	if token.Subject != p.cfg.ClientID {
		return fmt.Errorf("the bearer token is for the application %s", quoted(token.Subject))
	}
	if jti := signed.claims.text("jti"); jti == "" || len(jti) > 255 {
		return fmt.Errorf("the bearer token's jti has %d bytes", len(jti))
	}
	if token.Expiry.After(p.now().Add(maxLogoutLife)) {
		return fmt.Errorf("the bearer token is good until %s", token.Expiry.UTC().Format(time.RFC3339))
	}
	return checkIssuedAt(signed.claims, p.now())
}
