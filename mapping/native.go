package mapping

import (
	"context"
	"time"
)

// EventNativeKeyUsed: a program showed a Vexa key of an account's user, and went on as the account. It is recorded once a day.
const EventNativeKeyUsed = "native_key_used"

// nativeKeys is in the register of what was used once already, where no provider can have that name.
const nativeKeys = "native keys"

// NoteNativeKey records, at most once a day for an account over all replicas, that a program still shows a Vexa key.
func (a *Accounts) NoteNativeKey(ctx context.Context, acc Account, address, traceID string) error {
	today := acc.ID + " " + a.now().UTC().Format(time.DateOnly)
	if noted, err := a.Spent(ctx, nativeKeys, today); err != nil || noted {
		return err
	}
	return asError(a.change(ctx, "note that a Vexa key is still shown", func(c *change) error {
		noted, err := c.Spent(nativeKeys, today)
		if err != nil || noted {
			return err
		}
		if err := c.Spend(nativeKeys, today, c.now, c.now.Add(48*time.Hour)); err != nil {
			return err
		}
		e := about(acc, EventNativeKeyUsed)
		e.Actor, e.Address, e.TraceID = acc.ID, address, traceID
		return c.record(e)
	}))
}
