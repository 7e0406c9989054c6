package mapping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
)

// Key returns a Vexa key of the account with exactly these scopes, which must be within the grant: its secret, its id and when it
// must not be used any more. It comes from memory, else from the store, else it is minted, once however many callers on
// however many replicas wait for it (S6); the account is bound to its Vexa user before. The error is an *Error, or ErrNotFound for
// an account that there is not.
func (a *Accounts) Key(ctx context.Context, acc Account, g rule.Grant, scopes rule.Scopes) (secret, keyID string, expires time.Time, err error) {
	if err := standing(acc); err != nil {
		return "", "", time.Time{}, err
	}
	if scopes == "" || scopes != g.Scopes && !g.Scopes.Covers(scopes) {
		return "", "", time.Time{}, &Error{Code: CodeScopeMissing, Message: "Your access to Vexa does not include what this needs."}
	}
	k, ok := a.keys.get(acc.ID, scopes, a.now())
	if !ok {
		if k, err = a.obtainOnce(ctx, acc, g, scopes); err != nil {
			return "", "", time.Time{}, asError(err)
		}
	}
	return k.secret, k.id, k.expires, nil
}

// obtainOnce obtains a key on behalf of all who wait for the same one here. It goes on when one of them gives up.
func (a *Accounts) obtainOnce(ctx context.Context, who Account, g rule.Grant, scopes rule.Scopes) (*openKey, error) {
	flight := a.flights.DoChan(lengthPrefixed(who.ID, string(scopes)), func() (any, error) {
		a.flying.RLock()
		defer a.flying.RUnlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), obtainTimeout)
		defer cancel()
		return a.obtain(ctx, who, g, scopes, expiry)
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

// obtain gets a key from the store or mints one. who is the account as its caller was let in; until says to which point in its life a stored key is good enough.
func (a *Accounts) obtain(ctx context.Context, who Account, g rule.Grant, scopes rule.Scopes, until func(Key) time.Time) (*openKey, error) {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		acc, k, err := a.stored(ctx, who.ID, g, scopes, until)
		if err != nil || k != nil {
			return k, err
		}
		if !acc.Bound() {
			acc, err = a.users.bind(ctx, who.ID, g)
		}
		if err == nil {
			k, err = a.mintAlone(ctx, who, acc, g, scopes, until)
		}
		if !errors.Is(err, ErrLeaseHeld) {
			return k, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a key that another mints: %w", ctx.Err())
		case <-a.after(wait):
		}
	}
}

// stored returns the account and its newest usable key with these scopes, opened and kept in memory; nil when it has none. Keys
// with more than anybody is granted are revoked on the way.
func (a *Accounts) stored(ctx context.Context, accountID string, g rule.Grant, scopes rule.Scopes, until func(Key) time.Time) (Account, *openKey, error) {
	epoch := a.keys.epoch.Load()
	var acc Account
	var keys []Key
	err := a.store.View(ctx, func(tx Tx) (err error) {
		if acc, err = tx.Account(accountID); err != nil {
			return err
		}
		keys, err = tx.Keys(accountID)
		return err
	})
	if err != nil {
		return acc, nil, fmt.Errorf("look up the key: %w", err)
	}
	if err := standing(acc); err != nil {
		return acc, nil, err
	}
	granted := g.Scopes.Union(grantOf(a.decide(acc)).Scopes) // a bearer token may give less than the account has
	if slices.ContainsFunc(keys, func(k Key) bool { return wider(k, granted) }) {
		if err := a.change(ctx, "revoke keys that are too wide", func(c *change) error { return c.shrink(accountID, granted) }); err != nil {
			return acc, nil, err
		}
		a.wake()
	}
	now := a.now()
	slices.SortFunc(keys, func(x, y Key) int { return y.CreatedAt.Compare(x.CreatedAt) }) // as the reconciler keeps the newest
	for _, key := range keys {
		if key.State != KeyActive || key.Scopes != scopes || key.VexaUserID != acc.VexaUserID || !now.Before(until(key)) {
			continue
		}
		k, err := a.open(key)
		if err != nil {
			// Another replica may hold the ring that opens it: leave it alone, the newer of the two will stay.
			a.log.WarnContext(ctx, "stored key cannot be opened; minting another", "key", key.ID, "account", accountID, "error", err)
			continue
		}
		a.keys.put(k, epoch)
		if a.ring.Stale(key.Sealed) {
			a.worn.add(key.ID)
			a.wake()
		}
		return acc, k, nil
	}
	return acc, nil, nil
}

// open opens a stored key.
func (a *Accounts) open(key Key) (*openKey, error) {
	secret, err := a.ring.Open(keyring.VexaKey, key.Sealed, sealedFor(key))
	if err != nil {
		return nil, err
	}
	return opened(key, string(secret)), nil
}

func opened(key Key, secret string) *openKey {
	return &openKey{id: key.ID, account: key.AccountID, scopes: key.Scopes, secret: secret, renew: renewal(key), expires: key.ExpiresAt}
}

// wake has Run look for work at once.
func (a *Accounts) wake() {
	select {
	case a.kick <- struct{}{}:
	default:
	}
}
