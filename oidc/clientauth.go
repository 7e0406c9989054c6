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
	id     string
	proofs atomic.Pointer[proofs]
	works  atomic.Int32 // which of the credentials did last
}

// proofs are what the client proves itself with.
type proofs struct {
	credentials []credential // one; two while a secret is being rotated
	before      []string     // the secrets that these took the place of: requests with them may still be under way
}

// credential is one way to prove it.
type credential interface {
	// prove adds the proof to a request for its TokenURL.
	prove(doc *document, request *clientcredentials.Config) error
}

func newClientAuth(cfg Config, spoken dialect, now func() time.Time, rand io.Reader, log *slog.Logger) *clientAuth {
	auth := &clientAuth{id: cfg.ClientID}
	var credentials []credential
	switch {
	case cfg.PrivateKeyFile != "" || cfg.CertificateFile != "":
		credentials = []credential{&keyCredential{cfg: cfg, dialect: spoken, now: now, rand: rand, log: log}}
	case cfg.FederatedTokenFile != "":
		credentials = []credential{federatedCredential{cfg.FederatedTokenFile}}
	default:
		credentials = secretCredentials(cfg.Secrets())
	}
	if len(credentials) == 0 {
		credentials = []credential{publicClient{}}
	}
	auth.proofs.Store(&proofs{credentials: credentials})
	return auth
}

// Secrets are the configured ones of the client, however they were written; none for a client that proves itself otherwise, or not
// at all.
func (c Config) Secrets() []string {
	if c.ClientSecret != "" {
		return []string{c.ClientSecret}
	}
	return c.ClientSecrets
}

// SetSecrets brings other secrets of the client into force, at most two, from the next request to the token endpoint on; one that is
// under way ends with what it began with. It says whether they are other ones. A client that proves itself otherwise stays as it is:
// that is for a new Provider.
func (p *Provider) SetSecrets(secrets []string) bool { return p.auth.setSecrets(secrets) }

func (c *clientAuth) setSecrets(secrets []string) bool {
	was := c.proofs.Load()
	current := was.secrets()
	if len(current) == 0 || len(secrets) == 0 || slices.Equal(current, secrets) {
		return false
	}
	if !c.proofs.CompareAndSwap(was, &proofs{credentials: secretCredentials(secrets), before: current}) {
		return c.setSecrets(secrets) // somebody else set them in between
	}
	c.works.Store(0)
	return true
}

func secretCredentials(secrets []string) []credential {
	var credentials []credential
	for _, secret := range secrets {
		credentials = append(credentials, secretCredential(secret))
	}
	return credentials
}

func (p *proofs) secrets() []string {
	var out []string
	for _, one := range p.credentials {
		if secret, ok := one.(secretCredential); ok {
			out = append(out, string(secret))
		}
	}
	return out
}

// secrets are those that no error may show.
func (c *clientAuth) secrets() []string {
	p := c.proofs.Load()
	return slices.Concat(p.secrets(), p.before)
}

// redeem puts a grant to a token endpoint (RFC 6749, section 4) with our credential: an authorization code, a refresh token, or
// the client's own standing. While a secret is being rotated there are two, and the other one is tried if and only if the
// provider answers invalid_client: nothing has been redeemed then. What worked last is tried first next time.
func (c *clientAuth) redeem(ctx context.Context, doc *document, endpoint string, grant url.Values) (*oauth2.Token, error) {
	first, credentials := int(c.works.Load()), c.proofs.Load().credentials
	var token *oauth2.Token
	var err error
	for i := range credentials {
		at := (first + i) % len(credentials)
		token, err = c.ask(ctx, doc, endpoint, grant, credentials[at])
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
