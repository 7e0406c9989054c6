package mapping

import (
	"context"
	"errors"
	"fmt"

	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc/address"
)

// bind gives an active account its Vexa user and returns the account as it then is. One replica at a time
// does it for an account; another gets ErrLeaseHeld. When the account may not have the user, it becomes
// pending, and the error says so.
//
// What it means that Vexa has a user of the address already depends on who made the user (S3, S6). We first
// look; there is one: it is not ours, and goes to the account only if that may adopt. There is none: we write
// down that we are about to create it, and create it. An answer of "created" is ours. An answer of "exists"
// to a first attempt means that somebody else was quicker by milliseconds: not ours. An answer of "exists"
// after an attempt whose outcome we never learnt (a crash, a 500, a lost answer) is ours in all likelihood;
// but somebody else might have been quicker then, so it is only taken as ours while nobody else holds a token
// of it. A user without tokens is one whom nobody has ever used.
func (u *vexaUsers) bind(ctx context.Context, who Account) (Account, error) {
	return u.bindAs(ctx, who, false)
}

// bindAs is bind, with an admin's approval or without. With approval the account gets the user whoever made
// it and whoever else has it. Which user that is, is decided by the account as it is now: who asks may have
// read it before an admin changed it.
func (u *vexaUsers) bindAs(ctx context.Context, who Account, approved bool) (Account, error) {
	b := &binding{vexaUsers: u, approved: approved}
	err := b.change(ctx, "begin to bind the account", func(c *change) error {
		acc, err := c.Account(who.ID)
		if err != nil {
			return err
		}
		d := c.decideFor(who, acc)
		if !d.Allowed && statusError(acc) == nil {
			return &Error{Code: d.Code, Message: d.Reason}
		}
		b.grant = grantOf(d)
		if err := b.begin(c, &acc); err != nil {
			return err
		}
		return c.PutAccount(acc)
	})
	if err != nil {
		return b.acc, err
	}
	return b.finish(ctx)
}

// binding is one attempt to bind one account, under its lease.
type binding struct {
	*vexaUsers
	acquired Lease // by the transaction that began; none where there is nothing to do
	lease    *heldLease
	grant    rule.Grant
	approved bool
	acc      Account // as last written
}

// begin sees, in a transaction, whether the account may be bound and whether its address is free, and
// takes the lease last of all. The error is an *Error where it has no address, ErrLeaseHeld where
// another replica is at it.
func (b *binding) begin(c *change, acc *Account) (err error) {
	b.acquired = Lease{}
	defer func() { b.acc = *acc }()
	if b.approved && acc.Status == Pending {
		acc.Status, acc.Reason, acc.VexaUserID, acc.Intended = Active, "", 0, false
	}
	if acc.Bound() || acc.Status != Active {
		return nil
	}
	acc.setVexaEmail(b.grant)
	if acc.VexaEmail == "" {
		return &Error{
			Code: rule.CodeEmailUnproven,
			Message: "Access to Vexa needs a proven email address, and your identity provider gave " +
				"none. Ask your administrator.",
		}
	}
	if err := b.checkAddress(c, acc); err != nil || acc.Status != Active {
		return err
	}
	b.acquired, err = c.AcquireLease("bind:"+acc.ID, leaseTime)
	return err
}

// checkAddress makes the account wait where another has an older claim to its address.
func (b *binding) checkAddress(c *change, acc *Account) error {
	if b.approved {
		return nil
	}
	others, err := c.AccountsByVexaEmail(acc.VexaEmail)
	if err != nil {
		return err
	}
	for _, other := range others {
		if other.ID != acc.ID && before(other, *acc) {
			return b.markPending(c, acc,
				"another identity has this Vexa user or came for it first: account "+other.ID)
		}
	}
	return nil
}

// finish binds an account after begin was committed.
func (b *binding) finish(ctx context.Context) (Account, error) {
	if b.acquired.Name == "" {
		return b.acc, statusError(b.acc)
	}
	b.lease = b.hold(ctx, b.acquired)
	defer b.lease.release()
	if err := statusError(b.acc); err != nil {
		return b.acc, err
	}
	if err := b.findOrCreate(ctx); err != nil {
		return b.acc, fmt.Errorf("bind account %s: %w", b.acc.ID, err)
	}
	return b.acc, nil
}

// before says whether other has an older claim to the address that both name: it has the user, it is about
// to, or it came first.
func before(other, acc Account) bool {
	if other.Bound() || other.Intended != acc.Intended {
		return other.Bound() || other.Intended
	}
	if other.CreatedAt.Equal(acc.CreatedAt) {
		return other.ID < acc.ID
	}
	return other.CreatedAt.Before(acc.CreatedAt)
}

func (b *binding) findOrCreate(ctx context.Context) error {
	resumed := b.acc.Intended
	if !resumed {
		user, err := b.vexa.FindUser(ctx, b.acc.VexaEmail)
		if err == nil {
			return b.adoptUser(ctx, user)
		}
		if !errors.Is(err, vexa.ErrUserNotFound) {
			return b.unusable(ctx, err)
		}
		if err := b.intend(ctx, true); err != nil {
			return err
		}
	}
	user, made, err := b.vexa.CreateUser(ctx, b.acc.VexaEmail, b.grant.Name, b.grant.MaxConcurrentBots)
	switch {
	case err != nil && !resumed && !vexa.Uncertain(err):
		// Nothing was created: what is found later is not ours.
		return errors.Join(b.unusable(ctx, err), b.intend(ctx, false))
	case err != nil:
		return err
	case made == vexa.ByUs:
		return b.take(ctx, user, "created")
	case made == vexa.Existed && !resumed:
		return b.adoptUser(ctx, user)
	}
	untouched, err := b.untouched(ctx, user)
	if err != nil {
		return err
	}
	if untouched {
		return b.take(ctx, user, "created; the answer had been lost")
	}
	return b.adoptUser(ctx, user)
}

// untouched says whether nobody but us holds a token of the user.
func (b *binding) untouched(ctx context.Context, user vexa.User) (bool, error) {
	tokens, err := b.vexa.Tokens(ctx, user.ID)
	if err != nil {
		return false, err
	}
	for _, t := range tokens {
		if instance, _ := parseKeyName(t.Name); instance != b.instance {
			return false, nil
		}
	}
	return true, nil
}

// adoptUser takes a user that we did not make, if the identity has proven that it is theirs (S3, E1).
func (b *binding) adoptUser(ctx context.Context, user vexa.User) error {
	switch id := b.acc.Identity; {
	case b.approved:
		return b.take(ctx, user, "adopted, approved by an admin")
	case b.adopt == AdoptNever:
		return b.wait(ctx, "the Vexa user exists, and adopt_existing is never")
	case b.grant.VexaEmailComputed:
		return b.wait(ctx, "the Vexa user exists, and its address comes from a rule, not from the person")
	case id.Email == "" || !address.Same(id.Email, b.acc.VexaEmail):
		return b.wait(ctx, "the Vexa user exists, and its address is not the person's proven email")
	case !id.EmailTrusted:
		return b.wait(ctx, "the Vexa user exists, and its address is not in a trusted domain")
	}
	return b.take(ctx, user, "adopted")
}

// take binds the account to the user, unless another has it.
func (b *binding) take(ctx context.Context, user vexa.User, how string) error {
	if user.ID == 0 || !address.Same(user.Email, b.acc.VexaEmail) {
		return &vexa.Error{Op: "bind the user that was asked for", Kind: vexa.ErrNotAdminAPI}
	}
	return b.write(ctx, func(c *change, acc *Account) error {
		others, err := c.AccountsByVexaUser(user.ID)
		if err != nil {
			return err
		}
		if len(others) > 0 && !b.approved {
			return b.markPending(c, acc, "another identity has this Vexa user: account "+others[0].ID)
		}
		if pinned, err := c.pinnedToAnother(user.ID, acc.Subject); err != nil {
			return err
		} else if pinned != "" && !b.approved {
			return b.markPending(c, acc, "an admin has given this Vexa user to another identity: "+pinned)
		}
		acc.VexaUserID, acc.Intended = user.ID, false
		e := about(*acc, EventAccountBound)
		e.Reason = how
		return c.record(e)
	})
}

// intend writes down that we are about to create the user, or that we did not.
func (b *binding) intend(ctx context.Context, intended bool) error {
	return b.write(ctx, func(_ *change, acc *Account) error {
		acc.Intended = intended
		return nil
	})
}

// unusable makes the account wait when Vexa will never have a user of its address, and passes other errors
// on.
func (b *binding) unusable(ctx context.Context, err error) error {
	if errors.Is(err, vexa.ErrEmail) || errors.Is(err, vexa.ErrRefused) {
		return b.wait(ctx, "Vexa refuses the address")
	}
	return err
}

// wait makes the account pending.
func (b *binding) wait(ctx context.Context, why string) error {
	return b.write(ctx, func(c *change, acc *Account) error { return b.markPending(c, acc, why) })
}

// markPending makes the account pending in a transaction that is under way. It is no error there: write
// returns one when it is done.
func (b *binding) markPending(c *change, acc *Account, why string) error {
	acc.Status, acc.Reason, acc.Intended = Pending, why, false
	e := about(*acc, EventAccountPending)
	e.Reason = why
	return c.record(e)
}

// write changes the account, under the lease and only while it is active and unbound, and leaves it in b.acc.
// An account that was bound meanwhile is left as it is; one that is not active, before or after, is an error.
// With it ends what the lease was for, when the account is bound or waits.
func (b *binding) write(ctx context.Context, fn func(*change, *Account) error) error {
	var acc Account
	over := false
	err := b.change(ctx, "bind the account", func(c *change) (err error) {
		if acc, err = c.Account(b.acc.ID); err != nil {
			return err
		}
		if err := c.CheckLease(b.lease.Lease); err != nil {
			return err
		}
		if acc.Bound() || acc.Status != Active {
			return nil
		}
		if acc.VexaEmail != b.acc.VexaEmail { // another meanwhile: whoever needs the account binds it anew
			return ErrLeaseHeld
		}
		if err := fn(c, &acc); err != nil {
			return err
		}
		if over = acc.Bound() || acc.Status != Active; over {
			if err := b.lease.releaseIn(c); err != nil {
				return err
			}
		}
		return c.PutAccount(acc)
	})
	if err != nil {
		return err
	}
	b.lease.returned = over
	b.acc = acc
	return statusError(acc)
}
