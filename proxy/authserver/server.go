package authserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/proxy"
)

// Paths of the endpoints.
const (
	issuerPath              = "/sso/oauth"
	authorizePath           = issuerPath + "/authorize"
	consentPath             = issuerPath + "/consent"
	tokenPath               = issuerPath + "/token"
	revokePath              = issuerPath + "/revoke"
	deviceAuthorizationPath = issuerPath + "/device_authorization"
	devicePath              = "/sso/device"
)

const (
	codeLifetime   = time.Minute      // of an authorization code
	spentLifetime  = 24 * time.Hour   // of a redeemed code, so that its reuse is noticed
	deviceLifetime = 10 * time.Minute // of a device code and its user code
	deviceInterval = 5 * time.Second  // between two polls of a device

	maxCodes = 10_000 // open authorization codes, over all replicas
	// open device codes, over all replicas: even then one guess in two million hits
	maxDevices = 10_000
)

// TicketLifetime is how long a consent page may be answered. An authorization is kept so long after it
// expired: with it goes the memory that its ticket was answered.
const TicketLifetime = 10 * time.Minute

// Prefixes of codes, which have the shape of token values, so that garbage never reaches the store.
const (
	codeValue   = "vssc_"
	deviceValue = "vssd_"
)

// Config is the settings of the server.
type Config struct {
	// PublicURL is the origin of the bridge, without a path; the issuer is PublicURL + /sso/oauth.
	PublicURL string

	// Lifetime is the lifetime of a grant, after which the person is asked again; default 2160h. It must not
	// be greater than mapping.Config.MaxTokenLifetime.
	Lifetime time.Duration
}

// Accounts is the port to accounts. *mapping.Accounts implements it.
type Accounts interface {
	GrantTool(ctx context.Context, accountID string, n mapping.NewToken, actor string) (mapping.Issued, error)
	RefreshTool(ctx context.Context, refreshHash [32]byte, client string) (mapping.Issued, error)
	TokenByValue(ctx context.Context, hash [32]byte) (mapping.Token, mapping.Account, error)
	TokenOfRefresh(ctx context.Context, refreshHash [32]byte) (mapping.Token, error)
}

// Ender revokes: for good, on this replica at once and on the others within a second. *proxy.Proxy implements
// it.
type Ender interface {
	End(ctx context.Context, r mapping.Revocation, actor string) error
}

// Deps are the dependencies of a Server. All but the last three are required.
type Deps struct {
	Accounts Accounts
	Ender    Ender
	Clients  Clients
	Store    Store
	Ring     mapping.Sealer

	Titles map[string]string // what people call the identity providers, by name
	Log    *slog.Logger      // default: slog.Default()
	Now    func() time.Time  // default: time.Now
	Random io.Reader         // default: crypto/rand
}

// Server is the authorization server. It is safe for concurrent use, and any number of
// replicas may work on one store.
type Server struct {
	public   *url.URL
	origin   string
	issuer   string
	document []byte
	scopes   []string
	lifetime time.Duration

	accounts Accounts
	ender    Ender
	clients  Clients
	store    Store
	ring     mapping.Sealer
	titles   map[string]string
	bounds   bounds
	refused  refusedValues

	log    *slog.Logger
	now    func() time.Time
	random io.Reader
}

// New returns a Server. It does not use the network.
func New(cfg Config, d Deps) (*Server, error) {
	public, err := url.Parse(cfg.PublicURL)
	if err != nil || public.Host == "" {
		return nil, fmt.Errorf("public_url %q is not a URL", cfg.PublicURL)
	}
	origin := public.Scheme + "://" + public.Host
	s := &Server{
		public: public, origin: origin, issuer: origin + issuerPath, scopes: rule.ScopeNames(),
		lifetime: cmp.Or(cfg.Lifetime, 2160*time.Hour),
		accounts: d.Accounts, ender: d.Ender, clients: d.Clients, store: d.Store, ring: d.Ring,
		titles: d.Titles, bounds: newBounds(), refused: newRefusedValues(),
		log: cmp.Or(d.Log, slog.Default()), now: d.Now, random: d.Random,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.document, err = s.describe(); err != nil {
		return nil, fmt.Errorf("write the server's metadata: %w", err)
	}
	return s, nil
}

// Register registers the endpoints. Any other path below theirs is 404.
func (s *Server) Register(p *proxy.Proxy) {
	p.Handle(MetadataPath, s.metadata)
	p.Handle(authorizePath, s.authorize)
	p.Handle(consentPath, s.consent)
	p.Handle(devicePath, s.devicePage)
	p.Handle(tokenPath, s.program(s.token))
	p.Handle(revokePath, s.program(s.revoke))
	p.Handle(deviceAuthorizationPath, s.program(s.authorizeDevice))
}

// allowMethods refuses all methods but these (405 with Allow).
func allowMethods(v *proxy.Visit, methods ...string) error {
	if slices.Contains(methods, v.Request().Method) {
		return nil
	}
	v.Writer().Header().Set("Allow", strings.Join(methods, ", "))
	return proxy.Refuse("method_not_allowed", "")
}
