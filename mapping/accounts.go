package mapping

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"time"

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
)

// VexaAdmin is what accounts need of Vexa's Admin API. *vexa.Client is one.
type VexaAdmin interface {
	Generation(ctx context.Context) (string, error)
	FindUser(ctx context.Context, email string) (vexa.User, error)
	User(ctx context.Context, id int64) (vexa.User, error)
	CreateUser(ctx context.Context, email, name string, bots *int) (vexa.User, vexa.Made, error)
	SetMaxBots(ctx context.Context, id int64, bots int) error
	Mint(
		ctx context.Context, userID int64, scopes []string, name string, expiresIn time.Duration,
	) (vexa.Minted, error)
	Tokens(ctx context.Context, userID int64) ([]vexa.Token, error)
	DeleteToken(ctx context.Context, id int64) error
	WindDown(ctx context.Context, user vexa.User, key string) vexa.WoundDown
}

// Sealer seals what is stored. *keyring.Ring is one.
type Sealer interface {
	Seal(p keyring.Purpose, plaintext, associatedData []byte) ([]byte, error)
	Open(p keyring.Purpose, sealed, associatedData []byte) ([]byte, error)
	Stale(sealed []byte) bool // by another key than it would be now
}

// Deps are what Accounts works with. The first four are required.
type Deps struct {
	Store Store
	Vexa  VexaAdmin
	Ring  Sealer
	Rules *rule.Live

	// Directories are the identity providers, by name, that can be asked again about people. Without one,
	// nobody is.
	Directories map[string]Directory

	Log   *slog.Logger                         // default: slog.Default()
	Now   func() time.Time                     // default: time.Now
	After func(time.Duration) <-chan time.Time // default: time.After
	Rand  io.Reader                            // default: crypto/rand

	// Minted is told of every attempt to mint a key, with one of the Mint… results; Revoked of every
	// revocation that was written down. For metrics; optional.
	Minted  func(result string)
	Revoked func(kind RevocationKind)
}

// Accounts binds identities to Vexa users and keeps their keys. It is safe for concurrent use, and any number
// of replicas may work on one store.
//
// It has four parts, which share its ledger. keys know users (to bind an account before they mint for it),
// tokens know keys (to have those deleted that only a token needed), and grants know Accounts (to write what
// a provider says of a person).
type Accounts struct {
	*ledger
	users  *vexaUsers
	keys   *vexaKeys
	grants *refreshGrants
	tokens *issuedTokens

	suspends       SuspendConfig // what every suspension does beyond the rest
	reconcileEvery time.Duration
	retention      Retention
}

// NewAccounts makes the service. Run must run somewhere for what was revoked to be deleted at Vexa.
func NewAccounts(cfg Config, deps Deps) *Accounts {
	l := newLedger(deps)
	l.maxOffline = cmp.Or(cfg.MaxOffline, 24*time.Hour)
	a := &Accounts{
		ledger: l, suspends: cfg.Suspend,
		reconcileEvery: cmp.Or(cfg.ReconcileEvery, 15*time.Minute),
	}
	a.users = &vexaUsers{
		ledger: l, vexa: deps.Vexa, instance: cfg.Instance,
		adopt: cmp.Or(cfg.AdoptExisting, AdoptTrusted),
	}
	a.keys = newVexaKeys(l, a.users, cfg, deps)
	a.grants = &refreshGrants{
		ledger: l, accounts: a, ring: deps.Ring, directories: deps.Directories,
		storing:  make(chan struct{}, storedAtOnce),
		lifetime: cmp.Or(cfg.Renew, 15*time.Minute), idle: cmp.Or(cfg.Idle, 8*time.Hour),
	}
	a.retention = Retention{
		Idle: a.grants.idle, Events: cmp.Or(cfg.KeepEvents, 90*24*time.Hour),
	}
	a.tokens = &issuedTokens{
		ledger: l, keys: a.keys,
		maxLifetime: cmp.Or(cfg.MaxTokenLifetime, 90*24*time.Hour),
	}
	return a
}
