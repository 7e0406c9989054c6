package oidctest

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// defaultFederationAudience is what workload identity federation asks for in the public cloud.
const defaultFederationAudience = "api://AzureADTokenExchange"

// authenticate proves a client at a token endpoint.
func (e *Entra) authenticate(at authority, c credentials, grantType string) (Client, *aadError) {
	if c.id == "" {
		return Client{}, aadMissingClientID
	}
	client, ok := e.Client(c.id)
	switch {
	case !ok || client.Tenant != "" && at.tenant != nil && at.tenant.ID != client.Tenant:
		return Client{}, aadUnknownClient(c.id, at.segment)
	case client.public() && c.method != authNone:
		return Client{}, aadPublicWithSecret
	case client.public() || c.method == authNone && grantType == GrantDevice:
		return client, nil
	}
	switch c.method {
	case authBasic, authPost:
		return client, checkEntraSecret(client, c.secret)
	case authPrivateJWT:
		return client, e.checkAssertion(at, client, c.assertion)
	}
	return Client{}, aadNeedsCredentials
}

func checkEntraSecret(client Client, secret string) *aadError {
	switch {
	case knows(client.Secrets, secret):
		return nil
	case knows(client.ExpiredSecrets, secret):
		return aadExpiredSecret
	}
	return aadWrongSecret
}

// checkAssertion takes the client's own assertion, signed with a registered certificate, or another issuer's
// token that a federated credential names. Whose it is shows in its issuer.
func (e *Entra) checkAssertion(at authority, client Client, raw string) *aadError {
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256, jose.PS256})
	if err != nil {
		return aadAssertionWrong
	}
	var claims jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return aadAssertionWrong
	}
	if claims.Issuer != client.ID {
		return e.checkFederated(client, token)
	}
	certificate := certificateFor(client, token.Headers[0])
	if certificate == nil || token.Claims(certificate.PublicKey, &claims) != nil ||
		claims.Subject != client.ID {
		return aadAssertionWrong
	}
	if !slices.ContainsFunc(claims.Audience, func(audience string) bool {
		return e.isOwnAudience(at, audience)
	}) {
		return aadAssertionAudience
	}
	return e.checkAssertionTimes(claims)
}

func (e *Entra) checkAssertionTimes(claims jwt.Claims) *aadError {
	if claims.Expiry == nil ||
		claims.ValidateWithLeeway(jwt.Expected{Time: e.now()}, jwt.DefaultLeeway) != nil {
		return aadAssertionExpired
	}
	return nil
}

// isOwnAudience takes the token endpoint in the form that was called, or the issuer.
func (e *Entra) isOwnAudience(at authority, audience string) bool {
	return audience == e.endpoint(at, "token") || at.tenant != nil && audience == e.issuerAt(at)
}

// certificateFor finds the certificate that the header names by its SHA-256 thumbprint, in the encoding of
// the standard or of Microsoft's own library, or by the older SHA-1 one.
func certificateFor(client Client, header jose.Header) *x509.Certificate {
	for _, certificate := range client.Certificates {
		sum256, sum1 := sha256.Sum256(certificate.Raw), sha1.Sum(certificate.Raw)
		for name, sum := range map[jose.HeaderKey][]byte{"x5t#S256": sum256[:], "x5t": sum1[:]} {
			shown, _ := header.ExtraHeaders[name].(string)
			if shown == base64.RawURLEncoding.EncodeToString(sum) ||
				shown == base64.StdEncoding.EncodeToString(sum) {
				return certificate
			}
		}
	}
	return nil
}

// checkFederated compares issuer, subject and audience exactly and names the first that no credential has.
func (e *Entra) checkFederated(client Client, token *jwt.JSONWebToken) *aadError {
	var claims jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil || len(client.Federated) == 0 ||
		token.Headers[0].Algorithm != string(jose.RS256) {
		return aadNoFederation
	}
	left := client.Federated
	for _, step := range []struct {
		matches func(FederatedCredential) bool
		problem *aadError
	}{
		{func(f FederatedCredential) bool { return f.Issuer == claims.Issuer }, aadFederationIssuer},
		{func(f FederatedCredential) bool { return f.Subject == claims.Subject }, aadFederationSubject},
		{func(f FederatedCredential) bool {
			return claims.Audience.Contains(f.audience())
		}, aadFederationAud},
	} {
		left = slices.DeleteFunc(slices.Clone(left), func(f FederatedCredential) bool {
			return !step.matches(f)
		})
		if len(left) == 0 {
			return step.problem
		}
	}
	for _, key := range left[0].Keys {
		if key.KeyID == token.Headers[0].KeyID && token.Claims(key.Key, &claims) == nil {
			return e.checkAssertionTimes(claims)
		}
	}
	return aadAssertionWrong
}

func (f FederatedCredential) audience() string {
	if f.Audience == "" {
		return defaultFederationAudience
	}
	return f.Audience
}
