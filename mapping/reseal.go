package mapping

import (
	"context"
	"errors"
	"fmt"

	"vexa-sso/mapping/keyring"
)

// errLost: no key of the ring opens it.
var errLost = errors.New("no key of the ring opens it")

// Reseal seals the stored keys and proofs again, with the primary key of the ring, so that the older keys of the ring are needed
// for them no more. It says how many it sealed, and how many cannot be opened by any key of the ring: those are useless, and
// are replaced when they are needed.
func (a *Accounts) Reseal(ctx context.Context) (sealed, lost int, err error) {
	keys, err := a.KeysOf(ctx, "")
	if err != nil {
		return 0, 0, err
	}
	accounts, err := a.List(ctx)
	if err != nil {
		return 0, 0, err
	}
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
	for _, key := range keys {
		if err := count(a.resealKey(ctx, key.ID)); err != nil {
			return sealed, lost, err
		}
	}
	for _, acc := range accounts {
		if err := count(a.resealProof(ctx, acc.ID)); err != nil {
			return sealed, lost, err
		}
	}
	return sealed, lost, nil
}

// resealKey seals one key again; done is false where there is nothing sealed.
func (a *Accounts) resealKey(ctx context.Context, keyID string) (done bool, err error) {
	err = a.change(ctx, "seal a key again", func(c *change) error {
		done = false
		key, err := c.Key(keyID)
		if errors.Is(err, ErrNotFound) || err == nil && key.State != KeyActive {
			return nil
		}
		if err != nil {
			return err
		}
		secret, err := a.ring.Open(keyring.VexaKey, key.Sealed, sealedFor(key))
		if err != nil {
			return errLost
		}
		if key.Sealed, err = a.ring.Seal(keyring.VexaKey, secret, sealedFor(key)); err != nil {
			return err
		}
		done = true
		return c.PutKey(key)
	})
	return done, err
}

// resealProof seals the proof of an account again, while nobody renews it: who does takes a proof that is sealed otherwise for a
// newer one, and would throw away the token that the provider has just given.
func (a *Accounts) resealProof(ctx context.Context, accountID string) (done bool, err error) {
	release, err := a.proofAlone(ctx, accountID)
	if err != nil {
		return false, err
	}
	defer release()
	err = a.change(ctx, "seal a proof again", func(c *change) error {
		done = false
		p, err := c.Proof(accountID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		token, err := a.openProof(p)
		if err != nil {
			return errLost
		}
		if p.Sealed, err = a.sealProof(accountID, token); err != nil {
			return err
		}
		done = true
		return c.PutProof(p)
	})
	return done, err
}

// proofAlone takes the lease under which a proof is renewed, and waits for whoever is renewing it.
func (a *Accounts) proofAlone(ctx context.Context, accountID string) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, proofLease)
	defer cancel()
	for {
		_, release, err = a.lease(ctx, "proof:"+accountID, proofLease)
		if !errors.Is(err, ErrLeaseHeld) {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the renewal of a proof: %w", ctx.Err())
		case <-a.after(longestWait):
		}
	}
}
