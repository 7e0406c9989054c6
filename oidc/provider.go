package oidc

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"vexa-sso/oidc/address"
)

// Env is what a Provider needs from outside. The zero value is the real world: the system's clock and
// randomness, and no log.
type Env struct {
	Now  func() time.Time
	Rand io.Reader
	Log  *slog.Logger
}

// Provider is one configured identity provider. It is safe for use by many goroutines.
type Provider struct {
	cfg     Config
	dialect dialect
	auth    *clientAuth

	trusted     []string // trusted_domains, normalized
	groupsClaim string
	rolesClaim  string
	groupsCut   int // a list of so many groups may have been cut off; 0: it says so

	client    *http.Client
	work      *background
	discovery *discovery
	graph     *graph // nil but for Entra
	keys      *keySet
	issuers   []*tokenIssuer // of access tokens; the first is the provider's own
	// of Okta's org, which signs Universal Logout whatever authorization server is configured
	orgKeys *keySet

	now  func() time.Time
	rand io.Reader
	log  *slog.Logger
}

// New makes a provider. It calls nobody: the provider's documents are fetched when they are first needed, so
// that a program starts while its provider is down. The error joins every Problem of the settings.
func New(cfg Config, env Env) (*Provider, error) {
	if problems := cfg.Check(); len(problems) > 0 {
		return nil, joined(problems)
	}
	if u, err := url.Parse(cfg.RedirectURL); err != nil || !u.IsAbs() || u.Host == "" {
		return nil, fmt.Errorf("the redirect URL %s is not absolute", quoted(cfg.RedirectURL))
	}
	env = env.orDefault()
	client, err := newHTTPClient(cfg, env.Log)
	if err != nil {
		return nil, fmt.Errorf("making the HTTP client: %w", err)
	}
	spoken, err := newDialect(cfg)
	if err != nil {
		return nil, err
	}
	p := &Provider{
		cfg: cfg, dialect: spoken,
		auth:        newClientAuth(cfg, spoken, env.Now, env.Rand, env.Log.With("provider", cfg.Name)),
		groupsClaim: orDefault(cfg.GroupsClaim, "groups"), rolesClaim: orDefault(cfg.RolesClaim, "roles"),
		groupsCut: cmp.Or(cfg.GroupsLimit, spoken.groupsCut()),
		client:    client, work: newBackground(),
		now: env.Now, rand: env.Rand, log: env.Log.With("provider", cfg.Name),
	}
	for _, entry := range cfg.TrustedDomains {
		domain, err := trustedDomain(entry)
		if err != nil {
			return nil, fmt.Errorf("trusted_domains: %w", err)
		}
		p.trusted = append(p.trusted, domain)
	}
	p.discovery = p.newDiscovery("discovery", spoken)
	if where, ok := spoken.microsoftGraph(); ok {
		p.graph = p.newGraph(where)
	}
	p.keys, p.orgKeys = p.newKeySet("keys"), p.newKeySet("org keys")
	p.issuers = p.tokenIssuers()
	return p, nil
}

func (p *Provider) newDiscovery(name string, of dialect) *discovery {
	return &discovery{
		name: name, url: of.documentURL(), accepts: of.accepts, expects: of.issuer(),
		client: p.client, work: p.work, now: p.now, log: p.log,
	}
}

func (p *Provider) newGraph(where cloud) *graph {
	return &graph{
		auth: p.auth, refuse: p.tokenRefusal, client: p.client, work: p.work,
		login: where.login, preset: where.graph,
		now: p.now, wait: sleep, log: p.log, tokens: map[string]graphToken{},
	}
}

// sleep waits, or until the caller gives up.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (p *Provider) newKeySet(name string) *keySet {
	return &keySet{
		name: name, client: p.client, work: p.work, now: p.now, log: p.log, keys: map[string]publicKey{},
	}
}

func joined(problems []Problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

func (e Env) orDefault() Env {
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.Rand == nil {
		e.Rand = rand.Reader
	}
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	return e
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Name is the configured name, which is part of the redirect URI.
func (p *Provider) Name() string { return p.cfg.Name }

// Title is what people read on the button.
func (p *Provider) Title() string { return p.cfg.title() }

// Type is TypeOkta, TypeEntra or TypeOIDC.
func (p *Provider) Type() string { return p.cfg.Type }

// Issuer is the issuer in the provider's own spelling once it is known, and as configured until then. For an
// Entra of many tenants it holds the literal {tenantid}. To match an issuer that somebody sends, use
// HandlesIssuer.
func (p *Provider) Issuer() string {
	if doc := p.discovery.latest(); doc != nil {
		return doc.IssuerURL
	}
	return p.dialect.issuer()
}

// HandlesIssuer says whether the iss of a sign-in that somebody else starts (OpenID Connect Core 1.0, section
// 4) means this provider. Okta's dashboard names the org, whatever authorization server the application uses.
func (p *Provider) HandlesIssuer(iss string) bool {
	return iss != "" && p.dialect.handlesIssuer(p.discovery.latest(), iss)
}

// MatchesIssuer says whether the iss of a front-channel logout (OpenID Connect Front-Channel Logout 1.0,
// section 3) is this provider's. Okta may name the org there, too.
func (p *Provider) MatchesIssuer(iss string) bool { return p.HandlesIssuer(iss) }

// SubjectOf is the canonical subject of a person whom the provider names by issuer and sub (iss_sub, RFC
// 9493, section 3.2.5). ok is false when the issuer is another, and for Entra, whose sub differs between
// applications.
func (p *Provider) SubjectOf(iss, sub string) (canonical string, ok bool) {
	if !p.HandlesIssuer(iss) || !validSubject(sub) {
		return "", false
	}
	canonical, err := p.dialect.subject(claims{"iss": iss, "sub": sub})
	return canonical, err == nil
}

// HandlesDomain says whether people with addresses in this domain sign in here: whether it is one of
// trusted_domains.
func (p *Provider) HandlesDomain(domain string) bool {
	normalized, err := address.Domain(strings.TrimSpace(domain))
	return err == nil && slices.Contains(p.trusted, normalized)
}

// AuthorizationOrigin is the origin to which Begin redirects ("https://acme.okta.com"), for a content
// security policy. It is "" as long as discovery has never worked.
func (p *Provider) AuthorizationOrigin() string {
	doc := p.discovery.latest()
	if doc == nil {
		return ""
	}
	return origin(doc.AuthURL)
}

// Origins are those of the pages to which a browser is sent: for signing in, and for signing out. None when
// discovery does not work.
func (p *Provider) Origins(ctx context.Context) []string {
	doc, err := p.discovery.get(ctx)
	if err != nil {
		return nil
	}
	origins := []string{origin(doc.AuthURL)}
	if out := origin(doc.EndSessionURL); out != "" && out != origins[0] {
		origins = append(origins, out)
	}
	return origins
}

func origin(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Ping says whether the provider answers, as of the last minute; sign-in may be possible without, with what
// was learnt before. It may be called as often as one likes: it asks at most once a minute, and repeats the
// last failure, an *Error, until the next attempt is due.
func (p *Provider) Ping(ctx context.Context) error { return p.discovery.answers(ctx) }

// Close ends what runs in the background and waits for it. A closed provider refuses.
func (p *Provider) Close() {
	p.work.close()
	p.client.CloseIdleConnections()
}
