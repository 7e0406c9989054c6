package mapping

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
)

const (
	firstRetry   = time.Second     // of a deletion that Vexa did not confirm, then twice as long each time …
	longestRetry = 5 * time.Minute // … up to this
	deletions    = 4               // at a time: a Vexa that hangs for one key must not hold up all
	reachTimeout = 15 * time.Second
)

// dueBatch is how many revoked keys, or bot blocks, are read at once.
const dueBatch = 100

// DeleteRevoked deletes at Vexa the revoked keys whose time has come. A key is forgotten only when Vexa has
// confirmed that it is gone; else it is tried again, later and later (S5). waiting is how many are left, at
// most mostCounted. The error is the store's.
func (a *Accounts) DeleteRevoked(ctx context.Context) (waiting int, err error) {
	if err := a.keys.deleteRevoked(ctx); err != nil {
		return 0, err
	}
	waiting, _, err = a.waiting(ctx)
	return waiting, err
}

// mostCounted is how far what waits for Vexa is counted: for people, to whom more is as good as a number.
const mostCounted = 10_000

// waiting counts what Vexa has not confirmed.
func (l *ledger) waiting(ctx context.Context) (keys, blocks int, err error) {
	err = l.store.View(ctx, func(tx Tx) error {
		keys, blocks, err = tx.CountToTell(l.now(), mostCounted)
		return err
	})
	if err != nil {
		return 0, 0, asError(fmt.Errorf("count what Vexa has to confirm: %w", err))
	}
	return keys, blocks, nil
}

func (ks *vexaKeys) deleteRevoked(ctx context.Context) error {
	for {
		var due []Key
		err := ks.store.View(ctx, func(tx Tx) (err error) {
			due, err = tx.KeysDue(ks.now(), dueBatch)
			return err
		})
		if err != nil {
			return asError(fmt.Errorf("look for revoked keys: %w", err))
		}
		down, err := ks.deleteKeys(ctx, due)
		// What was tried is gone or put off, so that the next batch is another.
		if err != nil || down || len(due) < dueBatch {
			return err
		}
	}
}

// deleteKeys tries to delete keys, some at a time. down says that Vexa does not answer: the rest is for the
// next time, so that a new revocation does not wait behind it.
func (ks *vexaKeys) deleteKeys(ctx context.Context, keys []Key) (bool, error) {
	var down atomic.Bool
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(deletions)
	for _, key := range keys {
		work.Go(func() error {
			if down.Load() {
				return nil
			}
			return ks.deleteKey(workCtx, key, &down)
		})
	}
	err := work.Wait()
	return down.Load(), err
}

// OldestRevocation returns since when the longest waiting revocation waits for Vexa's confirmation, of a key
// or of a user whose bots are to be blocked; zero when none does. A key whose grace is not over does not
// wait.
func (a *Accounts) OldestRevocation(ctx context.Context) (oldest time.Time, err error) {
	err = a.store.View(ctx, func(tx Tx) error {
		oldest, err = tx.OldestToTell(a.now())
		return err
	})
	if err != nil {
		return time.Time{}, asError(fmt.Errorf("look for what Vexa has to confirm: %w", err))
	}
	return oldest, nil
}

// deleteKey deletes one key at Vexa and, when that is confirmed, from the store; else it puts it off.
func (ks *vexaKeys) deleteKey(ctx context.Context, key Key, down *atomic.Bool) error {
	reach, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	unconfirmed := ks.deleteToken(reach, key)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if unconfirmed != nil {
		if errors.Is(unconfirmed, vexa.ErrUnavailable) {
			down.Store(true)
		}
		ks.log.WarnContext(ctx, "revoked key not deleted at Vexa yet; will be retried",
			"key", key.ID, "account", key.AccountID, "vexa_token_id", key.VexaTokenID,
			"attempts", key.Attempts+1, "error", unconfirmed)
		return asError(ks.change(ctx, "put off a deletion", func(c *change) error {
			return c.putOff(key.ID)
		}))
	}
	outlives := ks.outlives(ctx)
	return asError(ks.change(ctx, "forget a deleted key", func(c *change) error {
		now, err := c.Key(key.ID)
		if errors.Is(err, ErrNotFound) {
			return nil // another replica was quicker
		}
		if err != nil {
			return err
		}
		return c.dropKey(now, "revoked", outlives)
	}))
}

// putOff sets when a deletion is tried next.
func (c *change) putOff(keyID string) error {
	key, err := c.Key(keyID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	key.RetryAt = c.now.Add(backOff(key.Attempts))
	key.Attempts++
	return c.PutKey(key)
}

// backOff is how long to wait after so many attempts before the one that just failed.
func backOff(attempts int) time.Duration {
	if attempts >= 9 {
		return longestRetry
	}
	return min(firstRetry<<attempts, longestRetry)
}

// gatewayCache is how long the gateway of 0.10 goes on taking a key that it has seen, after the key was
// deleted.
const gatewayCache = time.Minute

// outlives is how long the gateway may go on taking a deleted key.
func (ks *vexaKeys) outlives(ctx context.Context) time.Duration {
	if generation, err := ks.vexa.Generation(ctx); err == nil && generation == vexa.Gen010 {
		return gatewayCache
	}
	return 0
}

// dropKey forgets a key that Vexa does not have any more. If the gateway may still take it from its own cache
// (outlives), the audit event says until when at most.
func (c *change) dropKey(key Key, why string, outlives time.Duration) error {
	if outlives > 0 {
		dead := c.now.Add(outlives + time.Second - 1).Truncate(time.Second) // never a moment too early
		why += "; dead at gateway by " + dead.UTC().Format(time.RFC3339)
	}
	if err := c.DeleteKey(key.ID); err != nil {
		return err
	}
	e := Event{
		Event: EventKeyRevoked, Account: key.AccountID, Reason: why, CredentialID: key.ID,
		VexaUserID: key.VexaUserID, VexaTokenID: key.VexaTokenID,
	}
	if !key.RevokedAt.IsZero() {
		e.TookMS = c.now.Sub(key.RevokedAt).Milliseconds()
	}
	return c.record(e)
}

// deleteToken makes sure that Vexa does not have the key any more. It looks before it deletes: on a Vexa that
// was set up anew, or restored, the token of that id may be somebody else's.
func (ks *vexaKeys) deleteToken(ctx context.Context, key Key) error {
	token, err := ks.tokenOf(ctx, key)
	if err != nil || token == nil {
		return err
	}
	return ks.vexa.DeleteToken(ctx, token.ID)
}

// tokenOf returns the token at Vexa that is this key, nil if Vexa's Admin API does not have it.
func (ks *vexaKeys) tokenOf(ctx context.Context, key Key) (*vexa.Token, error) {
	tokens, err := ks.vexa.Tokens(ctx, key.VexaUserID)
	if errors.Is(err, vexa.ErrUserNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		if isToken(t, key) {
			return &t, nil
		}
	}
	return nil, nil
}

// clearIntents clears up after earlier attempts to mint this very key: we hold their lease, so they are over.
// One that left a token at Vexa left one that nobody can use, since its secret was never stored.
func (ks *vexaKeys) clearIntents(ctx context.Context, acc Account, scopes rule.Scopes) error {
	var keys []Key
	err := ks.store.View(ctx, func(tx Tx) (err error) {
		keys, err = tx.Keys(acc.ID)
		return err
	})
	if err != nil {
		return err
	}
	for _, key := range keys {
		if key.State != KeyMinting || key.Scopes != scopes {
			continue
		}
		if err := ks.clearIntent(ctx, key); err != nil {
			return fmt.Errorf("clear up an earlier attempt: %w", err)
		}
	}
	return nil
}

// clearIntent deletes what may have become of an intent.
func (ks *vexaKeys) clearIntent(ctx context.Context, intent Key) error {
	if err := ks.deleteToken(ctx, intent); err != nil {
		return err
	}
	return ks.change(ctx, "take back the intent to mint", func(c *change) error {
		key, err := c.Key(intent.ID)
		if errors.Is(err, ErrNotFound) || err == nil && key.State != KeyMinting {
			return nil // its mint came to an end after all
		}
		if err != nil {
			return err
		}
		return c.DeleteKey(key.ID)
	})
}
