package mapping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc/address"
)

// BotBlock keeps a Vexa user from running bots: their max_concurrent_bots is 0, until the block is lifted and
// they have again what they had. A Vexa user is blocked while accounts that have it are suspended and none
// that has it is active.
type BotBlock struct {
	VexaUserID int64
	VexaEmail  string // who that user was: ids start again at 1 when a Vexa is set up anew
	AccountID  string // whose suspension began it
	State      BotBlockState

	// FormerBots is what they may run when they are released: written down before it is changed, so that a
	// crash in between does not lose it. nil until it was read.
	FormerBots *int

	// ForeignTokens: tokens of the user that others minted are to be deleted, once.
	ForeignTokens bool

	Since    time.Time
	Attempts int
	RetryAt  time.Time // not before
}

// BotBlockState is how far Vexa has been told. The stored words are older than these names.
type BotBlockState string

const (
	BotBlockSetting BotBlockState = "taking"    // Vexa is to be told to block
	BotBlockSet     BotBlockState = "taken"     // Vexa has confirmed
	BotBlockLifting BotBlockState = "releasing" // Vexa is to be told what it was before
)

// settleBotBlock brings the block of a Vexa user in line with the accounts that have it. cause is the account
// that changed.
func (c *change) settleBotBlock(vexaUserID int64, cause Account) error {
	if vexaUserID == 0 {
		return nil
	}
	accounts, err := c.AccountsByVexaUser(vexaUserID)
	if err != nil {
		return err
	}
	is := func(s Status) func(Account) bool { return func(acc Account) bool { return acc.Status == s } }
	blocked := slices.ContainsFunc(accounts, is(Suspended)) && !slices.ContainsFunc(accounts, is(Active))
	b, err := c.BotBlock(vexaUserID)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	switch {
	case blocked && !known:
		b = BotBlock{
			VexaUserID: vexaUserID, VexaEmail: cause.VexaEmail, AccountID: cause.ID,
			State: BotBlockSetting, Since: c.now,
		}
	case blocked && b.State == BotBlockLifting:
		// FormerBots stays: what the user had before the first block is still what they are to have after it.
		b.State, b.AccountID, b.Since = BotBlockSetting, cause.ID, c.now
	case known && !blocked && b.State != BotBlockLifting:
		b.State, b.ForeignTokens = BotBlockLifting, false
	default:
		return nil
	}
	b.Attempts, b.RetryAt = 0, time.Time{}
	return c.PutBotBlock(b)
}

// SettleBotBlocks tells Vexa which users are blocked and which are not any more. What Vexa did not confirm is
// tried again, later and later. waiting is how many are left, at most mostCounted. The error is the store's.
func (a *Accounts) SettleBotBlocks(ctx context.Context) (waiting int, err error) {
	if err := a.users.settleBotBlocks(ctx); err != nil {
		return 0, err
	}
	_, waiting, err = a.waiting(ctx)
	return waiting, err
}

func (u *vexaUsers) settleBotBlocks(ctx context.Context) error {
	for {
		var due []BotBlock
		err := u.store.View(ctx, func(tx Tx) (err error) {
			due, err = tx.BotBlocksDue(u.now(), dueBatch)
			return err
		})
		if err != nil {
			return asError(fmt.Errorf("look for bot blocks to be set or lifted: %w", err))
		}
		settled := 0
		for _, b := range due {
			switch err := u.settleBotBlock(ctx, b.VexaUserID); {
			case err == nil:
				settled++
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, ErrStoreUnavailable):
				return asError(err)
			case errors.Is(err, ErrLeaseHeld): // another replica is at it
			case errors.Is(err, vexa.ErrUnavailable):
				return nil // the rest would have to wait as well
			}
		}
		if settled == 0 || len(due) < dueBatch {
			return nil
		}
	}
}

// leaseOfBotBlock names the lease under which Vexa is told of a block. The name is older than the word:
// replicas of either version take the same one.
func leaseOfBotBlock(vexaUserID int64) string { return "hold:" + strconv.FormatInt(vexaUserID, 10) }

// settleBotBlock does what is left to do for one Vexa user, one replica at a time: an answer that comes late
// must not undo what was decided meanwhile.
func (u *vexaUsers) settleBotBlock(ctx context.Context, vexaUserID int64) error {
	if _, found, err := u.botBlock(ctx, vexaUserID); err != nil || !found {
		return err
	}
	lease, release, err := u.lease(ctx, leaseOfBotBlock(vexaUserID))
	if err != nil {
		return err
	}
	defer release()
	reach, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	w := &botBlockWork{vexaUsers: u, lease: lease}
	for {
		b, found, err := u.botBlock(ctx, vexaUserID)
		if err != nil || !found || !b.unsettled() {
			return err
		}
		if err := w.step(reach, b); err != nil {
			u.log.WarnContext(ctx, "bot block not settled at Vexa yet; will be retried",
				"vexa_user_id", vexaUserID, "state", b.State, "attempts", b.Attempts+1, "error", err)
			return errors.Join(err, w.putOff(ctx, vexaUserID))
		}
	}
}

func (u *vexaUsers) botBlock(ctx context.Context, vexaUserID int64) (b BotBlock, found bool, err error) {
	err = u.store.View(ctx, func(tx Tx) error {
		b, err = tx.BotBlock(vexaUserID)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return b, false, nil
	}
	return b, err == nil, err
}

// botBlockWork is what one replica does about one block, under its lease.
type botBlockWork struct {
	*vexaUsers
	lease Lease
}

// step does the next thing that is left to do.
func (w *botBlockWork) step(ctx context.Context, b BotBlock) error {
	user, err := w.vexa.User(ctx, b.VexaUserID)
	if errors.Is(err, vexa.ErrUserNotFound) ||
		err == nil && !address.Same(user.Email, b.VexaEmail) {
		return w.drop(ctx, b, EventBotsRestored, "nothing to do: Vexa does not have that user any more")
	}
	switch {
	case err != nil:
		return err
	case b.State == BotBlockLifting:
		return w.lift(ctx, b, user)
	case b.State == BotBlockSetting:
		return w.set(ctx, b, user)
	}
	return w.deleteForeign(ctx, b)
}

// set writes down what the user may run, then blocks them.
func (w *botBlockWork) set(ctx context.Context, b BotBlock, user vexa.User) error {
	if b.FormerBots == nil {
		return w.write(ctx, b, func(_ *change, now *BotBlock) error {
			now.FormerBots = new(user.MaxConcurrentBots)
			return nil
		})
	}
	if user.MaxConcurrentBots != 0 {
		if err := w.vexa.SetMaxBots(ctx, user.ID, 0); err != nil {
			return err
		}
	}
	return w.write(ctx, b, func(c *change, now *BotBlock) error {
		now.State, now.Attempts, now.RetryAt = BotBlockSet, 0, time.Time{}
		return c.record(now.event(EventBotsBlocked,
			fmt.Sprintf("max_concurrent_bots is 0, and was %d", *now.FormerBots)))
	})
}

// lift gives the user what they had. What somebody else has set meanwhile stays.
func (w *botBlockWork) lift(ctx context.Context, b BotBlock, user vexa.User) error {
	if b.FormerBots == nil {
		return w.drop(ctx, b, "", "") // nothing was ever changed
	}
	if user.MaxConcurrentBots != 0 {
		return w.drop(ctx, b, EventBotsRestored,
			fmt.Sprintf("max_concurrent_bots is %d", user.MaxConcurrentBots))
	}
	if err := w.vexa.SetMaxBots(ctx, user.ID, *b.FormerBots); err != nil {
		return err
	}
	return w.drop(ctx, b, EventBotsRestored, fmt.Sprintf("max_concurrent_bots is %d again", *b.FormerBots))
}

// deleteForeign deletes the tokens of the user that others minted. Those of another bridge are left to it: it
// would mint them anew.
func (w *botBlockWork) deleteForeign(ctx context.Context, b BotBlock) error {
	tokens, err := w.vexa.Tokens(ctx, b.VexaUserID)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		instance, _ := parseKeyName(t.Name)
		e := b.event(EventForeignTokenDeleted, "minted by others: "+brief(t.Name))
		switch {
		case instance == w.instance:
			continue
		case instance != "":
			e = b.event(EventNotEnded,
				"the token belongs to the vexa-sso instance "+brief(instance)+
					": suspend the account there too")
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
	return w.write(ctx, b, func(_ *change, now *BotBlock) error {
		now.ForeignTokens = false
		return nil
	})
}

// write changes the block, if it is still in the state that the work was done for.
func (w *botBlockWork) write(ctx context.Context, b BotBlock, fn func(*change, *BotBlock) error) error {
	return w.whileCurrent(ctx, "write the bot block", b, func(c *change, now BotBlock) error {
		if err := fn(c, &now); err != nil {
			return err
		}
		return c.PutBotBlock(now)
	})
}

// drop forgets the block; with an event it says so in the audit.
func (w *botBlockWork) drop(ctx context.Context, b BotBlock, event, reason string) error {
	return w.whileCurrent(ctx, "forget the bot block", b, func(c *change, now BotBlock) error {
		if event != "" {
			if err := c.record(now.event(event, reason)); err != nil {
				return err
			}
		}
		return c.DeleteBotBlock(b.VexaUserID)
	})
}

// whileCurrent changes the store if the lease is still held and the block still in the state that the work
// was done for; else somebody else has gone on with it.
func (w *botBlockWork) whileCurrent(
	ctx context.Context, what string, b BotBlock, fn func(c *change, now BotBlock) error,
) error {
	return w.change(ctx, what, func(c *change) error {
		if err := c.CheckLease(w.lease); err != nil {
			return err
		}
		now, err := c.BotBlock(b.VexaUserID)
		if errors.Is(err, ErrNotFound) || err == nil && now.State != b.State {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(c, now)
	})
}

func (w *botBlockWork) putOff(ctx context.Context, vexaUserID int64) error {
	return w.change(ctx, "put off a bot block", func(c *change) error {
		b, err := c.BotBlock(vexaUserID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		b.RetryAt = c.now.Add(backOff(b.Attempts))
		b.Attempts++
		return c.PutBotBlock(b)
	})
}

// unsettled says whether Vexa is to be told of something.
func (b BotBlock) unsettled() bool { return b.State != BotBlockSet || b.ForeignTokens }

func (b BotBlock) event(event, reason string) Event {
	return Event{Event: event, Account: b.AccountID, VexaUserID: b.VexaUserID, Reason: reason}
}
