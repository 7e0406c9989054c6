package mapping

import (
	"context"
	"fmt"
	"time"
)

// EventNativeKeyUsed: a program showed a Vexa key of an account's user, and went on as the account. It is
// recorded once a day.
const EventNativeKeyUsed = "native_key_used"

// NoteNativeKey records, at most once a day (UTC) for an account over all replicas, that a program still
// shows a Vexa key.
func (a *Accounts) NoteNativeKey(ctx context.Context, acc Account, address, traceID string) error {
	noted := false
	err := a.store.View(ctx, func(tx Tx) (err error) {
		noted, err = notedToday(tx, acc.ID, a.now())
		return err
	})
	if err != nil {
		return asError(fmt.Errorf("look whether a shown Vexa key was noted today: %w", err))
	}
	if noted {
		return nil
	}
	return asError(a.change(ctx, "note that a Vexa key is still shown", func(c *change) error {
		noted, err := notedToday(c, acc.ID, c.now)
		if err != nil || noted {
			return err
		}
		if err := c.NoteNativeKey(acc.ID, c.now); err != nil {
			return err
		}
		e := about(acc, EventNativeKeyUsed)
		e.Actor, e.Address, e.TraceID = acc.ID, address, traceID
		return c.record(e)
	}))
}

// notedToday says whether the latest note of an account is of this day.
func notedToday(tx Tx, accountID string, now time.Time) (bool, error) {
	at, err := tx.NativeKeyNoted(accountID)
	return err == nil && at.UTC().Format(time.DateOnly) == now.UTC().Format(time.DateOnly), err
}
