package mapping

import (
	"context"
	"errors"
	"slices"
	"time"

	"vexa-sso/mapping/rule"
)

// Review revokes the keys that have more than the rules now in force grant their accounts, and says how many.
// It is for when rules were exchanged; without it that happens when somebody asks for a key, and at the next
// Reconcile.
func (a *Accounts) Review(ctx context.Context) (revoked int, err error) { return a.keys.review(ctx) }

func (ks *vexaKeys) review(ctx context.Context) (revoked int, err error) {
	active := func(tx Tx, at Place) ([]Key, error) { return tx.KeysAfter(KeyActive, at, pageSize) }
	err = eachPage(ctx, ks.store, active, placeOfKey, func(page []Key) error {
		var ids []string
		for _, key := range page {
			ids = append(ids, key.AccountID)
		}
		slices.Sort(ids)
		retired, err := ks.retire(ctx, slices.Compact(ids), false)
		revoked += len(retired)
		return err
	})
	return revoked, asError(err)
}

// retire revokes the keys of some accounts that should not be used any more, and returns their ids; a dry run
// only says which.
func (ks *vexaKeys) retire(
	ctx context.Context, accountIDs []string, dryRun bool,
) (retired []string, err error) {
	f := keepings{now: ks.now(), grace: ks.grace}
	err = ks.store.View(ctx, func(tx Tx) (err error) {
		if f.keys, err = tx.KeysOf(accountIDs); err != nil || len(f.keys) == 0 {
			return err
		}
		if f.accounts, err = tx.AccountsOf(accountIDs); err != nil {
			return err
		}
		f.tokens, err = tx.TokensOf(accountIDs)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, key := range f.overdue(ks.decide) {
		retired = append(retired, key.ID)
		if dryRun {
			continue
		}
		if err := ks.retireKey(ctx, key); err != nil {
			return retired, err
		}
	}
	return retired, nil
}

// keepings are some accounts with what they have, as they were read together.
type keepings struct {
	now      time.Time
	grace    time.Duration
	accounts []Account
	tokens   []Token
	keys     []Key
}

// overKey is a key that should not be used any more. over says that it is so whatever its account needs by
// now.
type overKey struct {
	Key
	over bool
}

// overdue returns the active keys that are over, or that nobody needs.
func (f keepings) overdue(decide func(Account) rule.Decision) (overdue []overKey) {
	tokens := map[string][]Token{}
	for _, t := range f.tokens {
		tokens[t.AccountID] = append(tokens[t.AccountID], t)
	}
	users, needed := map[string]int64{}, map[string]map[rule.Scopes]bool{}
	for _, acc := range f.accounts {
		users[acc.ID] = acc.VexaUserID
		if statusError(acc) == nil {
			needed[acc.ID] = neededSets(grantOf(decide(acc)).Scopes, tokens[acc.ID], f.now)
		}
	}
	replaced := f.replaced()
	for _, key := range f.keys {
		if key.State != KeyActive {
			continue
		}
		expired := !f.now.Before(key.ExpiresAt) // it would still open some doors (V9)
		outlived := key.CreatedAt.Before(replaced[keyCacheKey{key.AccountID, key.Scopes}])
		over := expired || outlived || key.VexaUserID != users[key.AccountID]
		if over || !needed[key.AccountID][key.Scopes] {
			overdue = append(overdue, overKey{key, over})
		}
	}
	return overdue
}

// replaced returns, for each account and scope set, when the newest key was made that has been in use for so
// long that no replica still uses an older one.
func (f keepings) replaced() map[keyCacheKey]time.Time {
	newest := map[keyCacheKey]time.Time{}
	for _, key := range f.keys {
		at := keyCacheKey{key.AccountID, key.Scopes}
		if key.State == KeyActive && f.now.Sub(key.CreatedAt) >= f.grace && key.CreatedAt.After(newest[at]) {
			newest[at] = key.CreatedAt
		}
	}
	return newest
}

// retireKey revokes a key that was found to be overdue, if it still is.
func (ks *vexaKeys) retireKey(ctx context.Context, key overKey) error {
	err := ks.change(ctx, "retire a key", func(c *change) error {
		// The account first, as all do who change what an account has.
		acc, err := c.Account(key.AccountID)
		if err != nil {
			return err
		}
		now, err := c.Key(key.ID)
		if errors.Is(err, ErrNotFound) || err == nil && now.State != KeyActive {
			return nil
		}
		if err != nil {
			return err
		}
		if needed, err := c.needed(acc); err != nil || needed[now.Scopes] && !key.over {
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
	ks.cache.forgetKey(key.AccountID, key.ID)
	ks.wake()
	return nil
}
