package mapping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
)

// vexaKeys is the part of Accounts that keeps the Vexa keys: it gives them out (here), mints them (mint.go),
// replaces them before they expire (key_renew.go), deletes them at Vexa (outbox.go) and compares them with
// what Vexa has (reconcile.go).
type vexaKeys struct {
	*ledger
	users *vexaUsers
	vexa  VexaAdmin
	ring  Sealer

	grace time.Duration // of Config

	cache      *keyCache
	flights    singleflight.Group
	inFlight   sync.RWMutex  // read-locked by what goes on without its callers; Run waits for it
	staleSeals staleSeals    // keys to be sealed again
	kick       chan struct{} // there is something to delete at Vexa

	minted  func(result string)       // of Deps
	revoked func(kind RevocationKind) // of Deps
}

func newVexaKeys(l *ledger, users *vexaUsers, cfg Config, deps Deps) *vexaKeys {
	ks := &vexaKeys{
		ledger: l, users: users, vexa: deps.Vexa, ring: deps.Ring,
		grace: cmp.Or(cfg.KeyGrace, DefaultKeyGrace),
		cache: newKeyCache(cmp.Or(cfg.MaxKeys, 200_000)), kick: make(chan struct{}, 1),
		minted: deps.Minted, revoked: deps.Revoked,
	}
	if ks.minted == nil {
		ks.minted = func(string) {}
	}
	if ks.revoked == nil {
		ks.revoked = func(RevocationKind) {}
	}
	return ks
}

// Key returns a Vexa key of the account with exactly these scopes, which must be within the grant: its
// secret, its id and when it must not be used any more. It comes from memory, else from the store, else it is
// minted, once however many callers on however many replicas wait for it (S6); the account is bound to its
// Vexa user before. The error is an *Error, or ErrNotFound for an account that there is not.
func (a *Accounts) Key(
	ctx context.Context, acc Account, g rule.Grant, scopes rule.Scopes,
) (secret, keyID string, expires time.Time, err error) {
	if err := statusError(acc); err != nil {
		return "", "", time.Time{}, err
	}
	if scopes == "" || scopes != g.Scopes && !g.Scopes.Covers(scopes) {
		return "", "", time.Time{}, &Error{
			Code:    CodeScopeMissing,
			Message: "Your access to Vexa does not include what this request needs. Ask your administrator.",
		}
	}
	k, ok := a.keys.cache.get(acc.ID, scopes, a.now())
	if !ok {
		if k, err = a.keys.obtainOnce(ctx, acc, g, scopes); err != nil {
			return "", "", time.Time{}, asError(err)
		}
	}
	return k.secret, k.id, k.expires, nil
}

// obtainOnce is obtain, once for all callers in this process that want the same key (singleflight). It goes
// on when a caller gives up.
func (ks *vexaKeys) obtainOnce(
	ctx context.Context, who Account, g rule.Grant, scopes rule.Scopes,
) (*openKey, error) {
	flight := ks.flights.DoChan(lengthPrefixed(who.ID, string(scopes)), func() (any, error) {
		ks.inFlight.RLock()
		defer ks.inFlight.RUnlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), obtainTimeout)
		defer cancel()
		return ks.obtain(ctx, who, g, scopes, expiry)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-flight:
		if got.Err != nil {
			return nil, got.Err
		}
		k := got.Val.(*openKey)
		if k.account != who.ID || k.scopes != scopes { // D8
			return nil, errors.New("a key of another account was handed over")
		}
		return k, nil
	}
}

// obtain gets a key from the store or mints one. who is the account as its caller was authenticated, perhaps
// by one access token (Account.Presented). until returns from when on a stored key is not good enough: its
// expiry, or its renewal.
func (ks *vexaKeys) obtain(
	ctx context.Context, who Account, g rule.Grant, scopes rule.Scopes, until func(Key) time.Time,
) (*openKey, error) {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		acc, k, err := ks.stored(ctx, who.ID, g, scopes, until)
		if err != nil || k != nil {
			return k, err
		}
		if !acc.Bound() {
			acc, err = ks.users.bind(ctx, who)
		}
		if err == nil {
			k, err = ks.mintAlone(ctx, who, acc, g, scopes, until)
		}
		if !errors.Is(err, ErrLeaseHeld) {
			return k, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a key that another mints: %w", ctx.Err())
		case <-ks.after(wait):
		}
	}
}

// stored returns the account and its newest usable key with these scopes, opened and kept in memory; nil when
// it has none. Keys with more than anybody is granted are revoked on the way.
func (ks *vexaKeys) stored(
	ctx context.Context, accountID string, g rule.Grant, scopes rule.Scopes, until func(Key) time.Time,
) (Account, *openKey, error) {
	began := ks.cache.drops.Last()
	var acc Account
	var keys []Key
	// The account comes first: what was revoked since is not among the keys.
	err := ks.store.Read(ctx, func(tx Tx) (err error) {
		if acc, err = tx.Account(accountID); err != nil {
			return err
		}
		keys, err = tx.Keys(accountID)
		return err
	})
	if err != nil {
		return acc, nil, fmt.Errorf("look up the key: %w", err)
	}
	if err := statusError(acc); err != nil {
		return acc, nil, err
	}
	// A bearer token may give less than the account has.
	granted := g.Scopes.Union(grantOf(ks.decide(acc)).Scopes)
	if slices.ContainsFunc(keys, func(k Key) bool { return wider(k, granted, ks.now()) }) {
		err := ks.change(ctx, "revoke keys that are too wide", func(c *change) error {
			return c.revokeWider(accountID, granted)
		})
		if err != nil {
			return acc, nil, err
		}
		ks.wake()
	}
	k := ks.usable(ctx, acc, keys, scopes, until)
	if k != nil {
		ks.keep(k, began)
	}
	return acc, k, nil
}

// usable returns the newest of an account's keys that has these scopes and can be used and opened, or nil.
func (ks *vexaKeys) usable(
	ctx context.Context, acc Account, keys []Key, scopes rule.Scopes, until func(Key) time.Time,
) *openKey {
	now := ks.now()
	// The newest first, as the reconciler keeps the newest.
	slices.SortFunc(keys, func(x, y Key) int { return y.CreatedAt.Compare(x.CreatedAt) })
	for _, key := range keys {
		if key.State != KeyActive || key.Scopes != scopes || key.VexaUserID != acc.VexaUserID ||
			!now.Before(until(key)) {
			continue
		}
		k, err := ks.open(key)
		if err != nil {
			// Another replica may hold the ring that opens it: leave it alone, the newer of the two will
			// stay.
			ks.log.WarnContext(ctx, "stored key cannot be opened by this key ring; another is minted",
				"key", key.ID, "account", acc.ID, "error", err)
			continue
		}
		k.stale = ks.ring.Stale(key.Sealed)
		return k
	}
	return nil
}

// keep keeps an opened key in memory. began is drops.Last of the cache from before the key was read.
func (ks *vexaKeys) keep(k *openKey, began int64) {
	ks.cache.put(k, began)
	if k.stale {
		ks.staleSeals.add(k.id)
		ks.wake()
	}
}

// open opens a stored key.
func (ks *vexaKeys) open(key Key) (*openKey, error) {
	secret, err := ks.ring.Open(keyring.VexaKey, key.Sealed, sealedFor(key))
	if err != nil {
		return nil, err
	}
	return opened(key, string(secret)), nil
}

func (ks *vexaKeys) opens(key Key) bool {
	_, err := ks.open(key)
	return err == nil
}

func opened(key Key, secret string) *openKey {
	return &openKey{
		id: key.ID, account: key.AccountID, scopes: key.Scopes, secret: secret,
		renew: renewal(key), expires: key.ExpiresAt,
	}
}

// wake has Run look for work at once.
func (ks *vexaKeys) wake() {
	select {
	case ks.kick <- struct{}{}:
	default:
	}
}

// forgetAccount forgets the open keys of an account, and has Run look whether some are to be deleted at Vexa.
func (ks *vexaKeys) forgetAccount(id string) {
	ks.cache.forgetAccount(id)
	ks.wake()
}
