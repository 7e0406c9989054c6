package oidctest

import (
	"time"

	zoidc "github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// plainClient shows a Client to the library.
type plainClient struct {
	Client
	options PlainOptions
	login   func(id string) string
}

func (c plainClient) GetID() string                        { return c.ID }
func (c plainClient) RedirectURIs() []string               { return c.Client.RedirectURIs }
func (c plainClient) PostLogoutRedirectURIs() []string     { return c.PostLogoutURIs }
func (c plainClient) LoginURL(id string) string            { return c.login(id) }
func (c plainClient) IDTokenLifetime() time.Duration       { return plainTokenLifetime }
func (c plainClient) DevMode() bool                        { return true } // plain http redirect URIs
func (c plainClient) ClockSkew() time.Duration             { return 0 }
func (c plainClient) IDTokenUserinfoClaimsAssertion() bool { return !c.options.ThinIDTokens }
func (c plainClient) IsScopeAllowed(scope string) bool     { return scope == "groups" || scope == "roles" }

func (c plainClient) ApplicationType() op.ApplicationType {
	if c.public() {
		return op.ApplicationTypeNative
	}
	return op.ApplicationTypeWeb
}

func (c plainClient) AuthMethod() zoidc.AuthMethod {
	switch {
	case c.public():
		return zoidc.AuthMethodNone
	case len(c.Secrets) == 0:
		return zoidc.AuthMethodPrivateKeyJWT
	}
	return zoidc.AuthMethodBasic
}

func (c plainClient) ResponseTypes() []zoidc.ResponseType {
	if c.ImplicitIDTokens {
		return []zoidc.ResponseType{zoidc.ResponseTypeCode, zoidc.ResponseTypeIDTokenOnly}
	}
	return []zoidc.ResponseType{zoidc.ResponseTypeCode}
}

func (c plainClient) GrantTypes() []zoidc.GrantType {
	types := []zoidc.GrantType{}
	for _, name := range c.Client.GrantTypes {
		types = append(types, zoidc.GrantType(name))
	}
	return types
}

func (c plainClient) AccessTokenType() op.AccessTokenType {
	if c.options.OpaqueAccessTokens {
		return op.AccessTokenTypeBearer
	}
	return op.AccessTokenTypeJWT
}

func (c plainClient) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string {
		if !c.options.ThinIDTokens {
			return scopes
		}
		return []string{"openid"}
	}
}

func (c plainClient) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
