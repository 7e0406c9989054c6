package mapping

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping/vexa"
)

const (
	comparePage  = 50 // accounts between two places that are kept
	comparisons  = 4  // at a time: a Vexa that hangs for one user must not hold up all
	tolerated    = 3  // answers that fail before Vexa counts as away, unless another of the page is good
	recentlyMade = 2  // intervals that a key counts as just made
)

// walk goes through the accounts, page by page: it retires their keys, and compares those of bound accounts
// with the tokens of their users at Vexa. Where it has a pace, it goes on from where the last pass stopped.
func (r *reconciliation) walk(ctx context.Context) error {
	at, err := r.resume(ctx)
	if err != nil {
		return err
	}
	for {
		page, err := readPage(ctx, r.store, at, func(tx Tx, at Place) ([]Account, error) {
			return tx.AccountsAfter(at, comparePage)
		})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return r.finish(ctx)
		}
		answers, err := r.deal(ctx, page)
		if err != nil || !answers {
			return err // Vexa does not answer: next time, from here
		}
		at = placeOf(page[len(page)-1])
		if err := r.keep(ctx, at, len(page)); err != nil {
			return err
		}
	}
}

// deal puts right what one page of accounts has. answers is false where Vexa does not.
func (r *reconciliation) deal(ctx context.Context, page []Account) (answers bool, err error) {
	ids := make([]string, len(page))
	for i, acc := range page {
		ids[i] = acc.ID
	}
	retired, err := r.retire(ctx, ids, r.DryRun)
	list(&r.Report, &r.Revoked, retired...)
	if err != nil {
		return false, err
	}
	return r.compare(ctx, page)
}

// compare compares the keys of accounts with the tokens of their users at Vexa. One user for whom Vexa fails
// does not stop the walk; answers is false when it fails for all.
func (r *reconciliation) compare(ctx context.Context, page []Account) (answers bool, err error) {
	var failed, good atomic.Int32
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(comparisons)
	for _, acc := range page {
		if !acc.Bound() {
			continue
		}
		work.Go(func() error {
			if failed.Load() >= tolerated && good.Load() == 0 {
				return nil
			}
			// Vexa first, then the store: what is at Vexa by then was written down before.
			tokens, err := r.vexa.Tokens(workCtx, acc.VexaUserID)
			if workCtx.Err() != nil {
				return workCtx.Err()
			}
			if err != nil {
				if !errors.Is(err, vexa.ErrUserNotFound) {
					failed.Add(1)
				}
				r.problem("account %s: %v", acc.ID, err)
				return nil
			}
			good.Add(1)
			return r.compareUser(workCtx, acc, tokens)
		})
	}
	err = work.Wait()
	r.Accounts += int(good.Load())
	return failed.Load() < tolerated || good.Load() > 0, err
}

// compareUser deletes the tokens of ours that are no keys, and drops the keys that are no tokens.
func (r *reconciliation) compareUser(ctx context.Context, acc Account, tokens []vexa.Token) error {
	var ours []vexa.Token
	atVexa := map[string]bool{}
	for _, t := range tokens {
		instance, keyID := parseKeyName(t.Name)
		atVexa[keyID] = true
		if instance == r.users.instance {
			ours = append(ours, t)
		}
	}
	keys, unknown, err := r.known(ctx, acc, ours)
	if err != nil {
		return err
	}
	for _, t := range unknown {
		r.mu.Lock()
		list(&r.Report, &r.Unknown, VexaToken{ID: t.ID, UserID: t.UserID, Name: t.Name})
		r.mu.Unlock()
		if r.DryRun {
			continue
		}
		if err := r.vexa.DeleteToken(ctx, t.ID); err != nil {
			r.problem("token %d: %v", t.ID, err)
		}
	}
	return r.dropMissing(ctx, keys, atVexa)
}

// known returns the keys of an account, and which of its user's tokens are no key that the store has.
func (r *reconciliation) known(
	ctx context.Context, acc Account, tokens []vexa.Token,
) (keys []Key, unknown []vexa.Token, err error) {
	err = r.store.View(ctx, func(tx Tx) error {
		unknown = nil
		if keys, err = tx.Keys(acc.ID); err != nil {
			return err
		}
		byID := map[string]Key{}
		for _, key := range keys {
			byID[key.ID] = key
		}
		for _, t := range tokens {
			_, id := parseKeyName(t.Name)
			key, ok := byID[id]
			if !ok { // of another account that has the user, too
				key, err = tx.Key(id)
				if err != nil && !errors.Is(err, ErrNotFound) {
					return err
				}
				ok = err == nil
			}
			if !ok || !isToken(t, key) {
				unknown = append(unknown, t)
			}
		}
		return nil
	})
	return keys, unknown, err
}

// dropMissing forgets the keys that Vexa does not have. Very young ones may have been minted after the list
// was given.
func (r *reconciliation) dropMissing(ctx context.Context, keys []Key, atVexa map[string]bool) error {
	for _, key := range keys {
		if key.State != KeyActive || atVexa[key.ID] || r.now().Sub(key.CreatedAt) <= mintOver {
			continue
		}
		r.mu.Lock()
		list(&r.Report, &r.Missing, key.ID)
		r.mu.Unlock()
		if r.DryRun {
			continue
		}
		if _, err := r.dropIfGone(ctx, key.ID); errors.Is(err, ErrStoreUnavailable) || ctx.Err() != nil {
			return err
		} else if err != nil {
			r.problem("key %s: %v", key.ID, err)
		}
	}
	return nil
}
