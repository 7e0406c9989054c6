package mapping

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Settle has Vexa told at once of what was decided about one account, however much waits of others; was is
// the account as it was before. waiting is how much of it Vexa has not confirmed: Run goes on with that. The
// error is the store's.
func (a *Accounts) Settle(ctx context.Context, was Account) (waiting int, err error) {
	acc, keys, err := a.toTell(ctx, was.ID)
	if err != nil {
		return 0, err
	}
	now := a.now()
	var due []Key
	for _, k := range keys {
		if !now.Before(k.RetryAt) {
			due = append(due, k)
		}
	}
	if _, err := a.keys.deleteKeys(ctx, due); err != nil {
		return 0, err
	}
	users := map[int64]bool{was.VexaUserID: true, acc.VexaUserID: true}
	delete(users, 0)
	for user := range users {
		// What Vexa does not confirm is put off; what another replica is at is not ours.
		if err := a.users.settleBotBlock(ctx, user); ctx.Err() != nil || errors.Is(err, ErrStoreUnavailable) {
			return 0, asError(err)
		}
		b, found, err := a.users.botBlock(ctx, user)
		if err != nil {
			return 0, asError(err)
		}
		if found && b.unsettled() {
			waiting++
		}
	}
	_, left, err := a.toTell(ctx, was.ID)
	return waiting + len(left), err
}

// toTell returns an account and its keys that Vexa is to delete.
func (a *Accounts) toTell(ctx context.Context, accountID string) (acc Account, revoking []Key, err error) {
	err = a.store.View(ctx, func(tx Tx) error {
		if acc, err = tx.Account(accountID); err != nil {
			return err
		}
		keys, err := tx.Keys(accountID)
		revoking = toDelete(keys, a.now())
		return err
	})
	if err != nil {
		return Account{}, nil, asError(fmt.Errorf("look for what Vexa is to be told: %w", err))
	}
	return acc, revoking, nil
}

func toDelete(keys []Key, now time.Time) (revoking []Key) {
	for _, k := range keys {
		if k.State == KeyRevoking && !k.InGrace(now) {
			revoking = append(revoking, k)
		}
	}
	return revoking
}
