package oidc

import (
	"errors"
	"fmt"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
)

// IdentityOf makes the identity that a sign-in with these claims would prove: JSON, as in the payload of an
// ID token. It is for explaining what rules would say, and proves nothing: whose claims they are, and that
// they are fresh, nobody checks. Tenants and guests are held to the configuration as in a sign-in. The error
// is an *Error.
func (p *Provider) IdentityOf(payload []byte) (Identity, error) {
	c, _, err := decodeClaims(payload)
	if err != nil {
		return Identity{}, invalid("Give the claims of an ID token, as one JSON object.", err)
	}
	if !validSubject(c.text("sub")) {
		return Identity{}, invalid("Give the claims of an ID token, with its sub.",
			errors.New("the claims name nobody: there is no usable sub"))
	}
	if refused := p.dialect.check(
		&document{ProviderConfig: gooidc.ProviderConfig{IssuerURL: p.dialect.issuer()}}, c,
	); refused != nil {
		return Identity{}, refused
	}
	who, refused := p.signedIn(c)
	if refused != nil {
		return Identity{}, fmt.Errorf("making an identity of the claims: %w", refused)
	}
	return p.identity(c, who), nil
}
