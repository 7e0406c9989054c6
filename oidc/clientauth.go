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

// clientAuth is client authentication at the token endpoint (OpenID Connect Core 1.0, section 9). Everything
// that asks the token endpoint goes through redeem, so that a credential is chosen, tried and replaced in one
// place.
type clientAuth struct {
	id          string
	credentials atomic.Pointer[credentials]
	lastGood    atomic.Int32 // the index of the credential that worked last
}

// credentials are what the client authenticates with.
type credentials struct {
	current  []credential // one; two while a secret is being rotated
	replaced []string     // the secrets before these: requests with them may still be under way
}

// credential is one way to authenticate.
type credential interface {
	// authenticate adds the credential to a request for its TokenURL.
	authenticate(doc *document, request *clientcredentials.Config) error
}

func newClientAuth(
	cfg Config, spoken dialect, now func() time.Time, rand io.Reader, log *slog.Logger,
) *clientAuth {
	auth := &clientAuth{id: cfg.ClientID}
	var current []credential
	switch {
	case cfg.PrivateKeyFile != "" || cfg.CertificateFile != "":
		current = []credential{&keyCredential{cfg: cfg, dialect: spoken, now: now, rand: rand, log: log}}
	case cfg.FederatedTokenFile != "":
		current = []credential{federatedCredential{cfg.FederatedTokenFile}}
	default:
		current = secretCredentials(cfg.Secrets())
	}
	if len(current) == 0 {
		current = []credential{publicClient{}}
	}
	auth.credentials.Store(&credentials{current: current})
	return auth
}

// Secrets are the client's, of client_secret or client_secrets; none for a client that authenticates
// otherwise, or not at all.
func (c Config) Secrets() []string {
	if c.ClientSecret != "" {
		return []string{c.ClientSecret}
	}
	return c.ClientSecrets
}

// SetSecrets replaces the client's secrets, by one or two, from the next request to the token endpoint on; a
// request that is under way ends with those it began with. It says whether they differ from those before.
// Other ways of client authentication are not changed, nor changed to: that takes a new Provider.
func (p *Provider) SetSecrets(secrets []string) bool { return p.auth.setSecrets(secrets) }

func (c *clientAuth) setSecrets(secrets []string) bool {
	was := c.credentials.Load()
	current := was.secrets()
	if len(current) == 0 || len(secrets) == 0 || slices.Equal(current, secrets) {
		return false
	}
	if !c.credentials.CompareAndSwap(
		was, &credentials{current: secretCredentials(secrets), replaced: current},
	) {
		return c.setSecrets(secrets) // somebody else set them in between
	}
	c.lastGood.Store(0)
	return true
}

func secretCredentials(secrets []string) []credential {
	var all []credential
	for _, secret := range secrets {
		all = append(all, secretCredential(secret))
	}
	return all
}

func (c *credentials) secrets() []string {
	var out []string
	for _, one := range c.current {
		if secret, ok := one.(secretCredential); ok {
			out = append(out, string(secret))
		}
	}
	return out
}

// secrets are those that no error may show.
func (c *clientAuth) secrets() []string {
	known := c.credentials.Load()
	return slices.Concat(known.secrets(), known.replaced)
}

// redeem sends a grant to a token endpoint (RFC 6749, section 4) with our credential: an authorization code,
// a refresh token, or client_credentials. While a secret is being rotated there are two credentials, and the
// other one is tried if and only if the provider answers invalid_client: nothing has been redeemed then. The
// one that worked last is tried first next time.
func (c *clientAuth) redeem(
	ctx context.Context, doc *document, endpoint string, grant url.Values,
) (*oauth2.Token, error) {
	first, current := int(c.lastGood.Load()), c.credentials.Load().current
	var token *oauth2.Token
	var err error
	for i := range current {
		at := (first + i) % len(current)
		token, err = c.ask(ctx, doc, endpoint, grant, current[at])
		if err == nil {
			c.lastGood.Store(int32(at))
			return token, nil
		}
		if !invalidClient(err) {
			return nil, err
		}
	}
	return nil, err
}

// ask makes one request. The library's client for client_credentials serves for every grant: grant_type is a
// parameter.
func (c *clientAuth) ask(
	ctx context.Context, doc *document, endpoint string, grant url.Values, with credential,
) (*oauth2.Token, error) {
	request := &clientcredentials.Config{
		ClientID:       c.id,
		TokenURL:       endpoint,
		AuthStyle:      oauth2.AuthStyleInParams,
		EndpointParams: url.Values{},
	}
	for name, values := range grant {
		request.EndpointParams[name] = values
	}
	if err := with.authenticate(doc, request); err != nil {
		return nil, err
	}
	return request.Token(ctx)
}

// publicClient has no credential (RFC 6749, section 2.1); PKCE protects its codes.
type publicClient struct{}

func (publicClient) authenticate(*document, *clientcredentials.Config) error { return nil }

// secretCredential is a client secret.
type secretCredential string

func (s secretCredential) authenticate(doc *document, request *clientcredentials.Config) error {
	request.ClientSecret = string(s)
	request.AuthStyle = authStyle(doc)
	return nil
}

// authStyle is client_secret_post where the provider lists it first (Entra) or alone, else
// client_secret_basic, the default of the standard. It is always explicit: guessing would ask every question
// twice.
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
