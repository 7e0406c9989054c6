package oidctest

import (
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// oktaAssertionLifetime is the longest that a client assertion may be valid.
const oktaAssertionLifetime = time.Hour

// oktaShortestSecret is the length in characters below which Okta does not take a secret as an HMAC key.
const oktaShortestSecret = 32

var assertionAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256,
	jose.HS256, jose.HS384, jose.HS512,
}

// authenticate proves a client by whatever it brought, at the endpoint whose URL an assertion must name.
func (o *Okta) authenticate(endpoint string, c credentials) (Client, *oktaError) {
	if c.several {
		return Client{}, oktaSeveralCredentials
	}
	if c.id == "" {
		return Client{}, oktaNoCredentials
	}
	client, ok := o.Client(c.id)
	if !ok {
		return Client{}, oktaUnknownClient
	}
	switch c.method {
	case authBasic, authPost:
		if !knows(client.Secrets, c.secret) {
			return Client{}, oktaWrongSecret
		}
	case authSecretJWT, authPrivateJWT:
		if problem := o.checkAssertion(endpoint, client, c); problem != nil {
			return Client{}, problem
		}
	default:
		if !client.public() {
			return Client{}, oktaNoCredentials
		}
	}
	return client, nil
}

func (o *Okta) checkAssertion(endpoint string, client Client, c credentials) *oktaError {
	token, err := jwt.ParseSigned(c.assertion, assertionAlgorithms)
	if err != nil {
		return oktaAssertionSignature
	}
	var claims jwt.Claims
	if problem := verifyOktaAssertion(token, client, c.method, &claims); problem != nil {
		return problem
	}
	now := o.now()
	switch {
	case claims.Issuer != client.ID || claims.Subject != client.ID:
		return oktaAssertionIssuer
	case !slices.Contains(claims.Audience, endpoint):
		return oktaAssertionAudience
	case claims.Expiry == nil || !now.Before(claims.Expiry.Time()):
		return oktaAssertionExpired
	case claims.Expiry.Time().After(now.Add(oktaAssertionLifetime)):
		return oktaAssertionTooLong
	}
	if claims.ID != "" {
		if seen, _ := o.used.ContainsOrAdd(client.ID+" "+claims.ID, struct{}{}); seen {
			return oktaAssertionUsed
		}
	}
	return nil
}

// verifyOktaAssertion tries the client's secrets or its keys. With several keys the
// assertion has to say which.
func verifyOktaAssertion(
	token *jwt.JSONWebToken, client Client, method string, claims *jwt.Claims,
) *oktaError {
	if method == authSecretJWT {
		for _, secret := range client.Secrets {
			if len(secret) < oktaShortestSecret {
				return oktaShortSecret
			}
			if token.Claims([]byte(secret), claims) == nil {
				return nil
			}
		}
		return oktaAssertionSignature
	}
	kid := token.Headers[0].KeyID
	known := false
	for _, key := range client.Keys {
		if key.KeyID != kid && (kid != "" || len(client.Keys) > 1) {
			continue
		}
		known = true
		if token.Claims(key.Key, claims) == nil {
			return nil
		}
	}
	if !known {
		return oktaAssertionKID
	}
	return oktaAssertionSignature
}
