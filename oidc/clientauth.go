package oidc

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// clientAuth is how we prove to the token endpoint that we are this client (OpenID Connect Core 1.0, section 9). Everything
// that asks the token endpoint goes through redeem, so that a credential is chosen, tried and replaced in one place.
type clientAuth struct {
	id          string
	credentials []credential // one; two while a secret is being rotated
	works       atomic.Int32 // which of them did last
}

// credential is one way to prove it.
type credential interface {
	// prove adds the proof to a request for its TokenURL.
	prove(doc *document, request *clientcredentials.Config) error
}

func newClientAuth(cfg Config, now func() time.Time, rand io.Reader, log *slog.Logger) *clientAuth {
	auth := &clientAuth{id: cfg.ClientID}
	switch {
	case cfg.PrivateKeyFile != "" || cfg.CertificateFile != "":
		auth.credentials = []credential{&keyCredential{cfg: cfg, now: now, rand: rand, log: log}}
	case cfg.FederatedTokenFile != "":
		auth.credentials = []credential{federatedCredential{cfg.FederatedTokenFile}}
	default:
		for _, secret := range cfg.secrets() {
			auth.credentials = append(auth.credentials, secretCredential(secret))
		}
	}
	if len(auth.credentials) == 0 {
		auth.credentials = []credential{publicClient{}}
	}
	return auth
}

// secrets are the configured ones, however they were written.
func (c Config) secrets() []string {
	if c.ClientSecret != "" {
		return []string{c.ClientSecret}
	}
	return c.ClientSecrets
}

// secrets are those that no error may show.
func (c *clientAuth) secrets() []string {
	var out []string
	for _, one := range c.credentials {
		if secret, ok := one.(secretCredential); ok {
			out = append(out, string(secret))
		}
	}
	return out
}

// redeem puts a grant to a token endpoint (RFC 6749, section 4) with our credential: an authorization code, a refresh token, or
// the client's own standing. While a secret is being rotated there are two, and the other one is tried if and only if the
// provider answers invalid_client: nothing has been redeemed then. What worked last is tried first next time.
func (c *clientAuth) redeem(ctx context.Context, doc *document, endpoint string, grant url.Values) (*oauth2.Token, error) {
	first := int(c.works.Load())
	var token *oauth2.Token
	var err error
	for i := range c.credentials {
		at := (first + i) % len(c.credentials)
		token, err = c.ask(ctx, doc, endpoint, grant, c.credentials[at])
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
func (c *clientAuth) ask(ctx context.Context, doc *document, endpoint string, grant url.Values, proof credential) (*oauth2.Token, error) {
	request := &clientcredentials.Config{
		ClientID:       c.id,
		TokenURL:       endpoint,
		AuthStyle:      oauth2.AuthStyleInParams,
		EndpointParams: url.Values{},
	}
	for name, values := range grant {
		request.EndpointParams[name] = values
	}
	if err := proof.prove(doc, request); err != nil {
		return nil, err
	}
	return request.Token(ctx)
}

// publicClient has nothing to prove itself with; PKCE protects its codes.
type publicClient struct{}

func (publicClient) prove(*document, *clientcredentials.Config) error { return nil }

// secretCredential is a shared secret.
type secretCredential string

func (s secretCredential) prove(doc *document, request *clientcredentials.Config) error {
	request.ClientSecret = string(s)
	request.AuthStyle = authStyle(doc)
	return nil
}

// authStyle is client_secret_post where the provider lists it first (Entra) or alone, else client_secret_basic, the
// default of the standard. It is always explicit: guessing would ask every question twice.
func authStyle(doc *document) oauth2.AuthStyle {
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
