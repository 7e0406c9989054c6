package mapping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"vexa-sso/mapping/vexa"
)

// Hold keeps a Vexa user from running bots: their max_concurrent_bots is 0, until the hold is released and they have again what
// they had. A Vexa user is held while accounts that have it are suspended and none that has it is active.
type Hold struct {
	VexaUserID int64
	VexaEmail  string // who that user was: ids start again at 1 when a Vexa is set up anew
	AccountID  string // whose suspension began it
	State      HoldState

	// FormerBots is what they may run when they are released: written down before it is changed, so that a crash in between
	// does not lose it. nil until it was read.
	FormerBots *int

	// ForeignTokens: tokens of the user that others minted are to be deleted, once.
	ForeignTokens bool

	Since    time.Time
	Attempts int
	RetryAt  time.Time // not before
}

// HoldState is how far Vexa has been told.
type HoldState string

const (
	HoldTaking    HoldState = "taking"    // Vexa is to be told to block
	HoldTaken     HoldState = "taken"     // Vexa has confirmed
	HoldReleasing HoldState = "releasing" // Vexa is to be told what it was before
)

// holdLease is longer than all the calls to Vexa that one hold makes.
const holdLease = 45 * time.Second

// settleHold brings the hold of a Vexa user in line with the accounts that have it. cause is the account that changed.
func (c *change) settleHold(vexaUserID int64, cause Account) error {
	if vexaUserID == 0 {
		return nil
	}
	accounts, err := c.AccountsByVexaUser(vexaUserID)
	if err != nil {
		return err
	}
	is := func(s Status) func(Account) bool { return func(acc Account) bool { return acc.Status == s } }
	held := slices.ContainsFunc(accounts, is(Suspended)) && !slices.ContainsFunc(accounts, is(Active))
	h, err := c.Hold(vexaUserID)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	switch {
	case held && !known:
		h = Hold{VexaUserID: vexaUserID, VexaEmail: cause.VexaEmail, AccountID: cause.ID, State: HoldTaking, Since: c.now}
	case held && h.State == HoldReleasing:
		h.State, h.AccountID, h.Since = HoldTaking, cause.ID, c.now // what it had before is still what it had before
	case known && !held && h.State != HoldReleasing:
		h.State, h.ForeignTokens = HoldReleasing, false
	default:
		return nil
	}
	h.Attempts, h.RetryAt = 0, time.Time{}
	return c.PutHold(h)
}

// SettleHolds tells Vexa what is to be told of the users that are held or released. What Vexa did not confirm is tried again,
// later and later. waiting is how many are left. The error is the store's.
func (a *Accounts) SettleHolds(ctx context.Context) (waiting int, err error) {
	return a.users.settleHolds(ctx)
}

func (u *vexaUsers) settleHolds(ctx context.Context) (waiting int, err error) {
	holds, err := u.unsettledHolds(ctx)
	if err != nil {
		return 0, err
	}
	waiting = len(holds)
	for _, h := range holds {
		if u.now().Before(h.RetryAt) {
			continue
		}
		switch err := u.settleHoldOf(ctx, h.VexaUserID); {
		case err == nil:
			waiting--
		case ctx.Err() != nil:
			return waiting, ctx.Err()
		case errors.Is(err, ErrStoreUnavailable):
			return waiting, asError(err)
		case errors.Is(err, ErrLeaseHeld): // another replica is at it
		case errors.Is(err, vexa.ErrUnavailable):
			return waiting, nil // the rest would have to wait as well
		}
	}
	return waiting, nil
}

func (u *vexaUsers) unsettledHolds(ctx context.Context) (holds []Hold, err error) {
	err = u.store.View(ctx, func(tx Tx) error {
		holds, err = tx.Holds()
		return err
	})
	if err != nil {
		return nil, asError(fmt.Errorf("look for held Vexa users: %w", err))
	}
	return slices.DeleteFunc(holds, func(h Hold) bool { return h.State == HoldTaken && !h.ForeignTokens }), nil
}

// settleHoldOf does what is left to do for one Vexa user, one replica at a time: an answer that comes late must not undo what
// was decided meanwhile.
func (u *vexaUsers) settleHoldOf(ctx context.Context, vexaUserID int64) error {
	if _, found, err := u.hold(ctx, vexaUserID); err != nil || !found {
		return err
	}
	lease, release, err := u.lease(ctx, "hold:"+strconv.FormatInt(vexaUserID, 10), holdLease)
	if err != nil {
		return err
	}
	defer release()
	reach, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	w := &holdWork{vexaUsers: u, lease: lease}
	for {
		h, found, err := u.hold(ctx, vexaUserID)
		if err != nil || !found || h.State == HoldTaken && !h.ForeignTokens {
			return err
		}
		if err := w.step(reach, h); err != nil {
			u.log.WarnContext(ctx, "Vexa has not been told about a held user yet", "vexa_user_id", vexaUserID, "state", h.State, "attempts", h.Attempts+1, "error", err)
			return errors.Join(err, w.putOff(ctx, vexaUserID))
		}
	}
}

func (u *vexaUsers) hold(ctx context.Context, vexaUserID int64) (h Hold, found bool, err error) {
	err = u.store.View(ctx, func(tx Tx) error {
		h, err = tx.Hold(vexaUserID)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return h, false, nil
	}
	return h, err == nil, err
}

// holdWork is what one replica does about one hold, under its lease.
type holdWork struct {
	*vexaUsers
	lease Lease
}

// step does the next thing that is left to do.
func (w *holdWork) step(ctx context.Context, h Hold) error {
	user, err := w.vexa.User(ctx, h.VexaUserID)
	if errors.Is(err, vexa.ErrUserNotFound) || err == nil && vexa.NormalEmail(user.Email) != vexa.NormalEmail(h.VexaEmail) {
		return w.drop(ctx, h, EventBotsRestored, "nothing to do: Vexa does not have that user any more")
	}
	switch {
	case err != nil:
		return err
	case h.State == HoldReleasing:
		return w.release(ctx, h, user)
	case h.State == HoldTaking:
		return w.take(ctx, h, user)
	}
	return w.deleteForeign(ctx, h)
}

// take writes down what the user may run, then blocks them.
func (w *holdWork) take(ctx context.Context, h Hold, user vexa.User) error {
	if h.FormerBots == nil {
		return w.write(ctx, h, func(_ *change, now *Hold) error {
			now.FormerBots = new(user.MaxConcurrentBots)
			return nil
		})
	}
	if user.MaxConcurrentBots != 0 {
		if err := w.vexa.SetMaxBots(ctx, user.ID, 0); err != nil {
			return err
		}
	}
	return w.write(ctx, h, func(c *change, now *Hold) error {
		now.State, now.Attempts, now.RetryAt = HoldTaken, 0, time.Time{}
		return c.record(now.event(EventBotsBlocked, fmt.Sprintf("max_concurrent_bots is 0, and was %d", *now.FormerBots)))
	})
}

// release gives the user what they had. What somebody else has set meanwhile stays.
func (w *holdWork) release(ctx context.Context, h Hold, user vexa.User) error {
	if h.FormerBots == nil {
		return w.drop(ctx, h, "", "") // nothing was ever changed
	}
	if user.MaxConcurrentBots != 0 {
		return w.drop(ctx, h, EventBotsRestored, fmt.Sprintf("max_concurrent_bots is %d", user.MaxConcurrentBots))
	}
	if err := w.vexa.SetMaxBots(ctx, user.ID, *h.FormerBots); err != nil {
		return err
	}
	return w.drop(ctx, h, EventBotsRestored, fmt.Sprintf("max_concurrent_bots is %d again", *h.FormerBots))
}

// deleteForeign deletes the tokens of the user that others minted. Those of another bridge are left to it: it would mint them
// anew.
func (w *holdWork) deleteForeign(ctx context.Context, h Hold) error {
	tokens, err := w.vexa.Tokens(ctx, h.VexaUserID)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		instance, _ := marks(t.Name)
		e := h.event(EventForeignTokenDeleted, "minted by others: "+brief(t.Name))
		switch {
		case instance == w.instance:
			continue
		case instance != "":
			e = h.event(EventNotEnded, "the token belongs to the vexa-sso instance "+brief(instance)+": suspend the account there too")
		default:
			if err := w.vexa.DeleteToken(ctx, t.ID); err != nil {
				return err
			}
		}
		e.VexaTokenID = t.ID
		if err := w.record(ctx, e); err != nil {
			return err
		}
	}
	return w.write(ctx, h, func(_ *change, now *Hold) error {
		now.ForeignTokens = false
		return nil
	})
}

// write changes the hold, if it is still in the state that the work was done for.
func (w *holdWork) write(ctx context.Context, h Hold, fn func(*change, *Hold) error) error {
	return w.change(ctx, "write the hold", func(c *change) error {
		if err := c.CheckLease(w.lease); err != nil {
			return err
		}
		now, err := c.Hold(h.VexaUserID)
		if errors.Is(err, ErrNotFound) || err == nil && now.State != h.State {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(c, &now); err != nil {
			return err
		}
		return c.PutHold(now)
	})
}

// drop forgets the hold; with an event it says so in the audit.
func (w *holdWork) drop(ctx context.Context, h Hold, event, reason string) error {
	return w.change(ctx, "forget the hold", func(c *change) error {
		if err := c.CheckLease(w.lease); err != nil {
			return err
		}
		now, err := c.Hold(h.VexaUserID)
		if errors.Is(err, ErrNotFound) || err == nil && now.State != h.State {
			return nil
		}
		if err != nil {
			return err
		}
		if event != "" {
			if err := c.record(now.event(event, reason)); err != nil {
				return err
			}
		}
		return c.DeleteHold(h.VexaUserID)
	})
}

func (w *holdWork) putOff(ctx context.Context, vexaUserID int64) error {
	return w.change(ctx, "put off a hold", func(c *change) error {
		h, err := c.Hold(vexaUserID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		h.RetryAt = c.now.Add(backOff(h.Attempts))
		h.Attempts++
		return c.PutHold(h)
	})
}

func (h Hold) event(event, reason string) Event {
	return Event{Event: event, Account: h.AccountID, VexaUserID: h.VexaUserID, Reason: reason}
}
