package oidc

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"sync/atomic"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// clientAuth is how we prove to the token endpoint that we are this client. Everything that asks the token endpoint goes
// through redeem, so that a credential is chosen, tried and replaced in one place.
type clientAuth struct {
	id      string
	secrets []string // none: a public client, which PKCE protects
	works   atomic.Int32
}

func newClientAuth(cfg Config) *clientAuth {
	return &clientAuth{id: cfg.ClientID, secrets: cfg.secrets()}
}

// secrets are the configured ones, however they were written.
func (c Config) secrets() []string {
	if c.ClientSecret != "" {
		return []string{c.ClientSecret}
	}
	return c.ClientSecrets
}

// redeem puts a grant to the token endpoint (RFC 6749, section 4) with our credential: an authorization code, a refresh
// token, or the client's own standing. While a secret is being rotated there are two, and the other one is tried if and only
// if the provider answers invalid_client: nothing has been redeemed then. What worked last is tried first next time.
func (c *clientAuth) redeem(ctx context.Context, doc *document, grant url.Values) (*oauth2.Token, error) {
	if len(c.secrets) == 0 {
		return c.ask(ctx, doc, grant, "")
	}
	first := int(c.works.Load())
	var token *oauth2.Token
	var err error
	for i := range c.secrets {
		at := (first + i) % len(c.secrets)
		token, err = c.ask(ctx, doc, grant, c.secrets[at])
		if err == nil {
			c.works.Store(int32(at))
			return token, nil
		}
		if !invalidClient(err) {
			return nil, err
		}
	}
	return nil, err
}

// ask asks once. The library's client for client credentials is its one client for any grant: grant_type is a parameter.
func (c *clientAuth) ask(ctx context.Context, doc *document, grant url.Values, secret string) (*oauth2.Token, error) {
	conf := clientcredentials.Config{
		ClientID:       c.id,
		ClientSecret:   secret,
		TokenURL:       doc.TokenURL,
		AuthStyle:      authStyle(doc, secret),
		EndpointParams: grant,
	}
	return conf.Token(ctx)
}

// authStyle is client_secret_post where the provider lists it first (Entra) or alone, else client_secret_basic, the
// default of the standard. It is always explicit: guessing would ask every question twice.
func authStyle(doc *document, secret string) oauth2.AuthStyle {
	if secret == "" {
		return oauth2.AuthStyleInParams
	}
	post := slices.Index(doc.AuthMethods, "client_secret_post")
	basic := slices.Index(doc.AuthMethods, "client_secret_basic")
	if post >= 0 && (basic < 0 || post < basic) {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

func invalidClient(err error) bool {
	var e *oauth2.RetrieveError
	return errors.As(err, &e) && tokenErrorCode(e) == "invalid_client"
}
