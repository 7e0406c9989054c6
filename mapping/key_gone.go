package mapping

import (
	"context"
	"errors"
	"fmt"
)

// KeyGone finds out whether a key that the gateway called invalid is gone. The gateway's word is not enough:
// before 0.12 it says the same when it cannot reach its own Admin API. Only if Vexa's Admin API does not have
// the key any more is it dropped; true then means that Key will give another one. False: the key is good, and
// the gateway is in trouble. The error is an *Error; it means that we could not find out.
func (a *Accounts) KeyGone(ctx context.Context, keyID string) (bool, error) {
	return a.keys.gone(ctx, keyID)
}

func (ks *vexaKeys) gone(ctx context.Context, keyID string) (bool, error) {
	flight := ks.flights.DoChan(lengthPrefixed("gone", keyID, ""), func() (any, error) {
		ks.inFlight.RLock()
		defer ks.inFlight.RUnlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mintTimeout)
		defer cancel()
		return ks.dropIfGone(ctx, keyID)
	})
	select {
	case <-ctx.Done():
		return false, asError(ctx.Err())
	case got := <-flight:
		gone, _ := got.Val.(bool)
		return gone, asError(got.Err)
	}
}

func (ks *vexaKeys) dropIfGone(ctx context.Context, keyID string) (bool, error) {
	var key Key
	err := ks.store.View(ctx, func(tx Tx) (err error) {
		key, err = tx.Key(keyID)
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound):
		ks.cache.forgetStray(keyID)
		return true, nil
	case err != nil:
		return false, fmt.Errorf("look up key %s: %w", keyID, err)
	case key.State != KeyActive:
		ks.cache.forgetKey(key.AccountID, keyID) // dropped or replaced already, here or elsewhere
		return true, nil
	}
	token, err := ks.tokenOf(ctx, key)
	if err != nil {
		return false, fmt.Errorf("find out about key %s: %w", keyID, err)
	}
	if token != nil && (token.ExpiresAt.IsZero() || ks.now().Before(token.ExpiresAt)) {
		return false, nil
	}
	outlives := ks.outlives(ctx)
	err = ks.change(ctx, "drop a key that is gone", func(c *change) error {
		now, err := c.Key(keyID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if token != nil { // expired: it still opens some doors until it is deleted (V9)
			return c.revokeKey(now)
		}
		return c.dropKey(now, "gone at Vexa, deleted by somebody else", outlives)
	})
	if err != nil {
		return false, err
	}
	ks.cache.forgetKey(key.AccountID, keyID)
	ks.wake()
	return true, nil
}
