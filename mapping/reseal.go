package mapping

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"vexa-sso/mapping/keyring"
)

// errLost: no key of the ring opens it.
var errLost = errors.New("no key of the ring opens it")

// Reseal seals the stored keys and refresh grants again, with the primary key of the ring, so that the older
// keys of the ring are needed for them no more. It says how many it sealed, and how many cannot be opened by
// any key of the ring: those are useless, and are replaced when they are needed.
func (a *Accounts) Reseal(ctx context.Context) (sealed, lost int, err error) {
	count := func(done bool, err error) error {
		switch {
		case errors.Is(err, errLost):
			lost++
		case err != nil:
			return asError(err)
		case done:
			sealed++
		}
		return nil
	}
	active := func(tx Tx, at Place) ([]Key, error) { return tx.KeysAfter(KeyActive, at, pageSize) }
	err = eachPage(ctx, a.store, active, placeOfKey, func(page []Key) error {
		for _, key := range page {
			if err := count(a.keys.reseal(ctx, key.ID)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return sealed, lost, err
	}
	err = a.EachAccount(ctx, func(page []Account) error {
		for _, acc := range page {
			if err := count(a.grants.reseal(ctx, acc.ID)); err != nil {
				return err
			}
		}
		return nil
	})
	return sealed, lost, err
}

// reseal seals one key again; done is false where there is nothing sealed.
func (ks *vexaKeys) reseal(ctx context.Context, keyID string) (done bool, err error) {
	err = ks.change(ctx, "seal a key again", func(c *change) error {
		done = false
		key, err := c.Key(keyID)
		if errors.Is(err, ErrNotFound) || err == nil && key.State != KeyActive {
			return nil
		}
		if err != nil {
			return err
		}
		secret, err := ks.ring.Open(keyring.VexaKey, key.Sealed, sealedFor(key))
		if err != nil {
			return errLost
		}
		if key.Sealed, err = ks.ring.Seal(keyring.VexaKey, secret, sealedFor(key)); err != nil {
			return err
		}
		done = true
		return c.PutKey(key)
	})
	return done, err
}

// reseal seals the refresh grant of an account again, while nobody renews it: who does takes a refresh grant
// that is sealed otherwise for a newer one, and would throw away the token that the provider has just given.
func (g *refreshGrants) reseal(ctx context.Context, accountID string) (done bool, err error) {
	release, err := g.awaitLease(ctx, accountID)
	if err != nil {
		return false, err
	}
	defer release()
	err = g.change(ctx, "seal a refresh grant again", func(c *change) error {
		done = false
		p, err := c.RefreshGrant(accountID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		token, err := g.open(p)
		if err != nil {
			return errLost
		}
		if p.Sealed, err = g.seal(accountID, token); err != nil {
			return err
		}
		done = true
		return c.PutRefreshGrant(p)
	})
	return done, err
}

// awaitLease takes the lease under which a refresh grant is renewed, and waits for whoever is renewing it.
func (g *refreshGrants) awaitLease(ctx context.Context, accountID string) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	for {
		_, release, err = g.leaseFor(ctx, leaseOfGrant(accountID), claimTime)
		if !errors.Is(err, ErrLeaseHeld) {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the renewal of a proof: %w", ctx.Err())
		case <-g.after(longestWait):
		}
	}
}

// maxStaleSeals bounds what waits to be sealed again; what finds no room is noticed when it is opened the
// next time.
const maxStaleSeals = 1000

// staleSeals are the keys that were opened with an older key of the ring, while they were in use. They are
// sealed again in the background, so that little is left for Reseal when the older key is to go.
type staleSeals struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (s *staleSeals) add(keyID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = map[string]bool{}
	}
	if len(s.keys) < maxStaleSeals {
		s.keys[keyID] = true
	}
}

func (s *staleSeals) take() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.keys
	s.keys = nil
	return taken
}

// resealStale seals again what was opened with an older key. What fails is left: it opens as it is.
func (ks *vexaKeys) resealStale(ctx context.Context) error {
	for keyID := range ks.staleSeals.take() {
		if _, err := ks.reseal(ctx, keyID); err != nil {
			return fmt.Errorf("seal key %s again: %w", keyID, err)
		}
	}
	return nil
}

// refreshedSeal returns the refresh grant sealed by the primary key of the ring, or as it is if it is so
// already.
func (g *refreshGrants) refreshedSeal(p RefreshGrant) (RefreshGrant, error) {
	if !g.ring.Stale(p.Sealed) {
		return p, nil
	}
	token, err := g.open(p)
	if err != nil {
		return p, err
	}
	p.Sealed, err = g.seal(p.AccountID, token)
	return p, err
}
