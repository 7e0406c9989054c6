package mapping

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
)

// Report is what Reconcile found, and, unless it was a dry run, put right.
type Report struct {
	DryRun   bool `json:"dry_run"`
	Skipped  bool `json:"skipped,omitempty"` // another replica is at it
	Accounts int  `json:"accounts"`          // bound accounts whose tokens were compared

	Unknown []VexaToken `json:"unknown,omitempty"` // tokens of ours at Vexa that no key accounts for: deleted
	Missing []string    `json:"missing,omitempty"` // keys that Vexa does not have any more: dropped
	Intents []string    `json:"intents,omitempty"` // mints that never came to an end: cleared up
	Revoked []string    `json:"revoked,omitempty"` // keys that expired, were replaced or are not needed

	Waiting  int      `json:"waiting"`            // revoked keys that Vexa has not confirmed to be deleted
	Problems []string `json:"problems,omitempty"` // what could not be compared; without secrets
}

// VexaToken names a token at Vexa.
type VexaToken struct {
	ID     int64  `json:"id"`
	UserID int64  `json:"user_id"`
	Name   string `json:"name"`
}

// Reconcile compares what we know with what Vexa has, and makes the two agree: no token of ours lives there
// that we do not know (S6), and none that should not. Tokens of others, other instances' and people's own,
// are left alone. One replica at a time does it. The error is the store's; what Vexa does not answer is in
// the report.
func (a *Accounts) Reconcile(ctx context.Context, dryRun bool) (Report, error) {
	return a.keys.reconcile(ctx, dryRun)
}

func (ks *vexaKeys) reconcile(ctx context.Context, dryRun bool) (Report, error) {
	r := &reconciliation{vexaKeys: ks, Report: Report{DryRun: dryRun}}
	if !dryRun {
		_, release, err := ks.lease(ctx, "reconcile")
		if errors.Is(err, ErrLeaseHeld) {
			r.Skipped = true
			return r.Report, nil
		}
		if err != nil {
			return r.Report, asError(fmt.Errorf("reconcile: %w", err))
		}
		defer release()
	}
	for _, step := range []func(context.Context) error{r.retire, r.clearStaleIntents, r.compare, r.drain} {
		if err := step(ctx); err != nil {
			return r.Report, asError(fmt.Errorf("reconcile: %w", err))
		}
	}
	return r.Report, nil
}

// Review revokes the keys that have more than the rules now in force grant their accounts, and says how many.
// It is for when rules were exchanged; without it that happens when somebody asks for a key, and at the next
// Reconcile.
func (a *Accounts) Review(ctx context.Context) (revoked int, err error) { return a.keys.review(ctx) }

func (ks *vexaKeys) review(ctx context.Context) (revoked int, err error) {
	r := &reconciliation{vexaKeys: ks}
	if err := r.retire(ctx); err != nil {
		return len(r.Revoked), asError(fmt.Errorf("review grants: %w", err))
	}
	return len(r.Revoked), nil
}

// reconciliation is one pass.
type reconciliation struct {
	*vexaKeys
	Report
}

// retire revokes the keys that should not be used any more.
func (r *reconciliation) retire(ctx context.Context) error {
	var active []Key
	accounts := map[string]Account{}
	tokens := map[string][]Token{}
	err := r.store.View(ctx, func(tx Tx) (err error) {
		clear(accounts)
		clear(tokens)
		if active, err = tx.KeysInState(KeyActive); err != nil {
			return err
		}
		live, err := tx.LiveTokens(r.now())
		if err != nil {
			return err
		}
		for _, t := range live {
			tokens[t.AccountID] = append(tokens[t.AccountID], t)
		}
		all, err := tx.Accounts()
		for _, acc := range all {
			accounts[acc.ID] = acc
		}
		return err
	})
	if err != nil {
		return err
	}
	needed := map[string]map[rule.Scopes]bool{}
	for id, acc := range accounts {
		if statusError(acc) == nil {
			needed[id] = neededSets(grantOf(r.decide(acc)).Scopes, tokens[id], r.now())
		}
	}
	replaced := r.replaced(active)
	for _, key := range active {
		expired := !r.now().Before(key.ExpiresAt) // it would still open some doors (V9)
		outlived := key.CreatedAt.Before(replaced[keyCacheKey{key.AccountID, key.Scopes}])
		over := expired || outlived || key.VexaUserID != accounts[key.AccountID].VexaUserID
		if !over && needed[key.AccountID][key.Scopes] {
			continue
		}
		r.Revoked = append(r.Revoked, key.ID)
		if r.DryRun {
			continue
		}
		err := r.change(ctx, "retire a key", func(c *change) error {
			now, err := c.Key(key.ID)
			if errors.Is(err, ErrNotFound) || err == nil && now.State != KeyActive {
				return nil
			}
			if err != nil {
				return err
			}
			if needed, err := c.needsKey(now); err != nil || needed && !over {
				return err // a token was made meanwhile
			}
			if err := c.revokeKey(now); err != nil {
				return err
			}
			return c.Publish(Revocation{
				At: c.now, Kind: RevokeGrant, Account: key.AccountID, Reason: "a key was retired",
			})
		})
		if err != nil {
			return err
		}
		r.cache.forgetKey(key.AccountID, key.ID)
		r.wake()
	}
	return nil
}

// replaced returns, for each account and scope set, when the newest key was made that has been in use for so
// long that no replica still uses an older one.
func (r *reconciliation) replaced(active []Key) map[keyCacheKey]time.Time {
	newest := map[keyCacheKey]time.Time{}
	for _, key := range active {
		at := keyCacheKey{key.AccountID, key.Scopes}
		if r.now().Sub(key.CreatedAt) >= r.grace && key.CreatedAt.After(newest[at]) {
			newest[at] = key.CreatedAt
		}
	}
	return newest
}

// clearStaleIntents clears up after mints that cannot be running any more.
func (r *reconciliation) clearStaleIntents(ctx context.Context) error {
	var intents []Key
	err := r.store.View(ctx, func(tx Tx) (err error) {
		intents, err = tx.KeysInState(KeyMinting)
		return err
	})
	if err != nil {
		return err
	}
	for _, intent := range intents {
		if r.now().Sub(intent.CreatedAt) <= mintOver {
			continue
		}
		r.Intents = append(r.Intents, intent.ID)
		if r.DryRun {
			continue
		}
		if err := r.clearIntent(ctx, intent); errors.Is(err, ErrStoreUnavailable) || ctx.Err() != nil {
			return err
		} else if err != nil {
			r.problem("intent %s: %v", intent.ID, err)
		}
	}
	return nil
}

// compare goes through the users at Vexa that accounts are bound to.
func (r *reconciliation) compare(ctx context.Context) error {
	var accounts []Account
	err := r.store.View(ctx, func(tx Tx) (err error) {
		accounts, err = tx.Accounts()
		return err
	})
	if err != nil {
		return err
	}
	for _, acc := range accounts {
		if !acc.Bound() {
			continue
		}
		// Vexa first, then the store: what is at Vexa by then was written down before.
		tokens, err := r.vexa.Tokens(ctx, acc.VexaUserID)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.problem("account %s: %v", acc.ID, err)
			if errors.Is(err, vexa.ErrUserNotFound) {
				continue
			}
			return nil // Vexa does not answer: next time
		}
		r.Accounts++
		if err := r.compareUser(ctx, acc, tokens); err != nil {
			return err
		}
	}
	return nil
}

func (r *reconciliation) compareUser(ctx context.Context, acc Account, tokens []vexa.Token) error {
	atVexa := map[string]bool{}
	for _, t := range tokens {
		instance, keyID := parseKeyName(t.Name)
		atVexa[keyID] = true
		if instance != r.users.instance {
			continue
		}
		known, err := r.known(ctx, t, keyID)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		r.Unknown = append(r.Unknown, VexaToken{ID: t.ID, UserID: t.UserID, Name: t.Name})
		if r.DryRun {
			continue
		}
		if err := r.vexa.DeleteToken(ctx, t.ID); err != nil {
			r.problem("token %d: %v", t.ID, err)
		}
	}
	return r.dropMissing(ctx, acc, atVexa)
}

// known says whether a token is a key that the store has.
func (r *reconciliation) known(ctx context.Context, t vexa.Token, keyID string) (known bool, err error) {
	err = r.store.View(ctx, func(tx Tx) error {
		key, err := tx.Key(keyID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		known = err == nil && isToken(t, key)
		return err
	})
	return known, err
}

// dropMissing forgets the keys that Vexa does not have. Very young ones may have been minted after the list
// was given.
func (r *reconciliation) dropMissing(ctx context.Context, acc Account, atVexa map[string]bool) error {
	var keys []Key
	err := r.store.View(ctx, func(tx Tx) (err error) {
		keys, err = tx.Keys(acc.ID)
		return err
	})
	if err != nil {
		return err
	}
	for _, key := range keys {
		if key.State != KeyActive || atVexa[key.ID] || r.now().Sub(key.CreatedAt) <= mintOver {
			continue
		}
		r.Missing = append(r.Missing, key.ID)
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

// drain deletes what is to be deleted.
func (r *reconciliation) drain(ctx context.Context) (err error) {
	if r.DryRun {
		keys, err := r.revoking(ctx)
		r.Waiting = len(keys)
		return err
	}
	r.Waiting, err = r.deleteRevoked(ctx)
	return err
}

func (r *reconciliation) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}
