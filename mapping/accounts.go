package mapping

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc"
)

// Values of Config.AdoptExisting.
const (
	AdoptTrusted = "trusted" // an existing Vexa user goes to whom a proven email in a trusted domain says that it belongs
	AdoptNever   = "never"   // an admin decides about each
)

// Config says how accounts are bound and their keys kept.
type Config struct {
	// Instance names our keys at Vexa, so that several bridges can share one Vexa: 1 to 40 letters, digits, - and _.
	Instance string `yaml:"instance"`

	// AdoptExisting says who may have a Vexa user that we did not make: trusted (default) or never.
	AdoptExisting string `yaml:"adopt_existing"`

	// Suspend is what every suspension does beyond the rest.
	Suspend SuspendConfig `yaml:"-"`

	MaxKeys        int           `yaml:"-"` // opened keys kept in memory; default 10,000
	ReconcileEvery time.Duration `yaml:"-"` // how long a key that we do not know may live at Vexa; default 15 minutes

	// Renew is how long a provider's word about somebody counts before it is asked again, in the background while they use Vexa;
	// default 15 minutes. Idle is how long a session that nobody uses lives; default 8 hours.
	Renew time.Duration `yaml:"-"`
	Idle  time.Duration `yaml:"-"`

	// MaxTokenLifetime is how long a token that we issue may live; default 90 days. MaxOffline is how long a provider's word about
	// a person counts where it cannot be had again; default 24 hours.
	MaxTokenLifetime time.Duration `yaml:"-"`
	MaxOffline       time.Duration `yaml:"-"`
}

// maxInstance keeps the names of our keys within the 100 characters that Vexa stores of a name.
const maxInstance = 40

// Problems returns what is wrong with the settings.
func (c Config) Problems() []oidc.Problem {
	var p problems
	unfit := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	switch {
	case c.Instance == "":
		p.refuse("instance", "name this installation, for example prod: the name marks its keys at Vexa", "is not set")
	case len(c.Instance) > maxInstance || strings.ContainsFunc(c.Instance, unfit):
		p.refuse("instance", fmt.Sprintf("write at most %d letters, digits, - and _", maxInstance), "%q cannot mark a key", c.Instance)
	}
	switch c.AdoptExisting {
	case "", AdoptTrusted, AdoptNever:
	default:
		p.refuse("adopt_existing", "write trusted or never", "%q is unknown", c.AdoptExisting)
	}
	return p
}

// problems collects what is wrong with the settings.
type problems []oidc.Problem

func (p *problems) refuse(key, remedy, format string, args ...any) {
	*p = append(*p, oidc.Problem{Key: key, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// VexaAdmin is what accounts need of Vexa's Admin API. *vexa.Client is one.
type VexaAdmin interface {
	Generation(ctx context.Context) (string, error)
	FindUser(ctx context.Context, email string) (vexa.User, error)
	User(ctx context.Context, id int64) (vexa.User, error)
	CreateUser(ctx context.Context, email, name string, bots *int) (vexa.User, vexa.Made, error)
	SetMaxBots(ctx context.Context, id int64, bots int) error
	Mint(ctx context.Context, userID int64, scopes []string, name string, expiresIn time.Duration) (vexa.Minted, error)
	Tokens(ctx context.Context, userID int64) ([]vexa.Token, error)
	DeleteToken(ctx context.Context, id int64) error
	WindDown(ctx context.Context, key string) vexa.WoundDown
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

	// Directories are the identity providers, by name, that can be asked again about people. Without one, nobody is.
	Directories map[string]Directory

	Log   *slog.Logger                         // default: slog.Default()
	Now   func() time.Time                     // default: time.Now
	After func(time.Duration) <-chan time.Time // default: time.After
	Rand  io.Reader                            // default: crypto/rand

	// Minted is told of every attempt to mint a key, with one of the Mint… results; Revoked of every revocation that was
	// written down. For metrics; optional.
	Minted  func(result string)
	Revoked func(kind RevocationKind)
}

// Accounts binds identities to Vexa users and keeps their keys. It is safe for concurrent use, and any number of replicas may
// work on one store.
type Accounts struct {
	instance       string
	adopt          string
	suspends       SuspendConfig
	reconcileEvery time.Duration
	renew          time.Duration
	idle           time.Duration

	maxTokenLifetime time.Duration
	maxOffline       time.Duration

	store Store
	vexa  VexaAdmin
	ring  Sealer
	rules *rule.Live
	log   *slog.Logger
	now   func() time.Time
	after func(time.Duration) <-chan time.Time

	randMu sync.Mutex
	rand   io.Reader

	minted  func(string)
	revoked func(RevocationKind)

	directories map[string]Directory
	quiet       quiet
	worn        worn

	keys    *keyCache
	flights singleflight.Group
	flying  sync.RWMutex  // held for reading by what goes on when its callers have given up; Run waits for it
	kick    chan struct{} // there is something to delete at Vexa
}

// NewAccounts makes the service. Run must run somewhere for what was revoked to be deleted at Vexa.
func NewAccounts(cfg Config, deps Deps) *Accounts {
	a := &Accounts{
		instance:         cfg.Instance,
		adopt:            cmp.Or(cfg.AdoptExisting, AdoptTrusted),
		suspends:         cfg.Suspend,
		reconcileEvery:   cmp.Or(cfg.ReconcileEvery, 15*time.Minute),
		renew:            cmp.Or(cfg.Renew, 15*time.Minute),
		idle:             cmp.Or(cfg.Idle, 8*time.Hour),
		maxTokenLifetime: cmp.Or(cfg.MaxTokenLifetime, 90*24*time.Hour),
		maxOffline:       cmp.Or(cfg.MaxOffline, 24*time.Hour),
		directories:      deps.Directories,
		store:            deps.Store,
		vexa:             deps.Vexa,
		ring:             deps.Ring,
		rules:            deps.Rules,
		log:              cmp.Or(deps.Log, slog.Default()),
		now:              deps.Now,
		after:            deps.After,
		rand:             deps.Rand,
		minted:           deps.Minted,
		revoked:          deps.Revoked,
		keys:             newKeyCache(cmp.Or(cfg.MaxKeys, 10_000)),
		kick:             make(chan struct{}, 1),
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.after == nil {
		a.after = time.After
	}
	if a.rand == nil {
		a.rand = rand.Reader
	}
	if a.minted == nil {
		a.minted = func(string) {}
	}
	if a.revoked == nil {
		a.revoked = func(RevocationKind) {}
	}
	return a
}

// signInBinding bounds how long a sign-in waits for Vexa before it leaves the binding to the first request.
const signInBinding = 6 * time.Second

// SignIn decides about an identity that was just proven and writes it to its account, which it makes when there is none. The
// account is then bound to its Vexa user, if Vexa answers; if it doesn't, the first use of the account tries again.
//
// When the decision refuses, the account is the one that there was, or zero: it keeps its place, with the newest identity and
// without keys. The caller must look at the account's Status too: it may be pending or suspended.
func (a *Accounts) SignIn(ctx context.Context, id oidc.Identity) (Account, rule.Decision, error) {
	acc, d, err := a.prove(ctx, id, nil)
	if errors.Is(err, ErrConflict) {
		acc, d, err = a.prove(ctx, id, nil) // another replica made the account at this moment: now it is there
	}
	if err != nil {
		return Account{}, d, asError(err)
	}
	if !d.Allowed || acc.Status != Active || acc.Bound() {
		return acc, d, nil
	}
	ctx, cancel := context.WithTimeout(ctx, signInBinding)
	defer cancel()
	bound, err := a.bind(ctx, acc.ID, d.Grant)
	switch {
	case err == nil:
		return bound, d, nil
	case bound.ID != "" && standing(bound) != nil: // the binding itself decided so
		return bound, d, nil
	}
	a.log.WarnContext(ctx, "account not bound to a Vexa user yet", "account", acc.ID, "error", err)
	return acc, d, nil
}

// prove decides about the newest identity and writes it to its account. A refused identity gets no account, but an account that
// it has learns of it. Nothing is written unless what holds, which may be nil, says nil in the same transaction.
func (a *Accounts) prove(ctx context.Context, id oidc.Identity, holds func(*change) error) (acc Account, d rule.Decision, err error) {
	fresh := a.newID()
	rules := a.rules.Current()
	d = rules.Decide(id) // what the caller reads if the store is away
	err = a.change(ctx, "write the account", func(c *change) error {
		if holds != nil {
			if err := holds(c); err != nil {
				return err
			}
		}
		pin, err := pinOf(c, id.Subject)
		if err != nil {
			return err
		}
		d = rules.DecidePinned(id, pin.VexaEmail)
		acc, err = c.AccountBySubject(id.Subject)
		known := err == nil
		switch {
		case errors.Is(err, ErrNotFound) && d.Allowed:
			acc = Account{ID: fresh, Provider: id.Provider, Subject: id.Subject, Status: Active, CreatedAt: c.now}
			if pin.VexaEmail != "" {
				return c.beginPinned(&acc, id, pin)
			}
		case errors.Is(err, ErrNotFound):
			acc = Account{}
			return nil
		case err != nil:
			return err
		}
		acc.Identity, acc.Kind, acc.ProvenAt = id, id.Kind, c.now
		if d.Allowed {
			acc.aim(d.Grant)
		}
		if err := c.PutAccount(acc); err != nil {
			return err
		}
		if err := c.noteEmails(acc); err != nil || !known {
			return err
		}
		if err := c.shrink(acc.ID, grantOf(d).Scopes); err != nil {
			return err
		}
		return c.Publish(Revocation{At: c.now, Kind: RevokeGrant, Account: acc.ID, Reason: "signed in anew"})
	})
	if err == nil && acc.ID != "" {
		a.keys.forgetAccount(acc.ID)
		a.wake()
	}
	return acc, d, err
}

// beginPinned makes the account of an identity that an admin gave a Vexa user before it ever signed in. That the user is still
// who it was then is compared before the first mint.
func (c *change) beginPinned(acc *Account, id oidc.Identity, pin Pin) error {
	acc.Identity, acc.Kind, acc.ProvenAt = id, id.Kind, c.now
	acc.VexaEmail, acc.VexaUserID, acc.Pinned = pin.VexaEmail, pin.VexaUserID, true
	if err := c.PutAccount(*acc); err != nil {
		return err
	}
	if err := c.noteEmails(*acc); err != nil {
		return err
	}
	if err := c.settleHold(acc.VexaUserID, *acc); err != nil {
		return err
	}
	e := about(*acc, EventAccountBound)
	e.Actor, e.Reason = pin.Actor, "pinned by an admin"
	return c.record(e)
}

// grantOf is what a decision gives: nothing when it refuses.
func grantOf(d rule.Decision) rule.Grant {
	if !d.Allowed {
		return rule.Grant{}
	}
	return d.Grant
}

// aim sets which Vexa user the account is to be bound to. One that is bound stays where it is, whatever becomes of the address:
// the identity is the subject (S3). An account that waits for an admin because of another address is looked at afresh.
func (acc *Account) aim(g rule.Grant) {
	if acc.Bound() || g.VexaEmail == "" || acc.VexaEmail == g.VexaEmail {
		return
	}
	acc.VexaEmail, acc.Intended = g.VexaEmail, false
	if acc.Status == Pending {
		acc.Status, acc.Reason = Active, ""
	}
}

// Account returns the account with this id, or ErrNotFound.
func (a *Accounts) Account(ctx context.Context, id string) (acc Account, err error) {
	err = a.store.View(ctx, func(tx Tx) error {
		acc, err = tx.Account(id)
		return err
	})
	if err != nil {
		return Account{}, asError(fmt.Errorf("read account %s: %w", id, err))
	}
	return acc, nil
}

// Decide says what the rules now in force give the account, by the identity that was last proven and the Vexa user that an
// admin may have named for it.
func (a *Accounts) Decide(acc Account) rule.Decision { return acc.decide(a.rules.Current()) }

func (acc Account) decide(rules *rule.Rules) rule.Decision {
	d := acc.decideBy(rules, acc.Identity)
	if !d.Allowed || acc.Within == nil {
		return d
	}
	limit := acc.decideBy(rules, *acc.Within)
	if !limit.Allowed {
		return limit
	}
	d.Grant = d.Grant.Within(limit.Grant)
	if d.Grant.Scopes != "" {
		return d
	}
	limit.Allowed, limit.Grant, limit.Code = false, rule.Grant{}, rule.CodeNotMapped
	limit.Reason = "What this access token says gives nothing that you still have."
	return limit
}

func (acc Account) decideBy(rules *rule.Rules, id oidc.Identity) rule.Decision {
	if acc.Pinned {
		return rules.DecidePinned(id, acc.VexaEmail)
	}
	return rules.Decide(id)
}

// newID returns 26 characters that nobody can guess and that sort in no order.
func (a *Accounts) newID() string {
	var b [16]byte
	a.randMu.Lock()
	defer a.randMu.Unlock()
	if _, err := io.ReadFull(a.rand, b[:]); err != nil {
		panic("mapping: no randomness: " + err.Error()) // crypto/rand never fails; without it no id is safe
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// lengthPrefixed joins parts so that no two different lists of them give one text (D8).
func lengthPrefixed(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%d:%s", len(p), p)
	}
	return b.String()
}
