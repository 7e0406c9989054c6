package mapping

import (
	"context"
	"errors"
	"time"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// signInBinding bounds how long a sign-in waits for Vexa before it leaves the binding to the first request.
const signInBinding = 6 * time.Second

// SignIn decides about an identity that was just proven and writes it to its account, which it makes when
// there is none. The account is then bound to its Vexa user, if Vexa answers; if it doesn't, the first use of
// the account tries again.
//
// When the decision refuses, the account is the one that there was, or zero: it keeps its place, with the
// newest identity and without keys. The caller must look at the account's Status too: it may be pending or
// suspended.
func (a *Accounts) SignIn(ctx context.Context, id oidc.Identity) (Account, rule.Decision, error) {
	acc, d, err := a.prove(ctx, id, oidc.Identity.KeptNames, nil)
	if errors.Is(err, ErrConflict) {
		// Another replica made the account at this moment: now it is there.
		acc, d, err = a.prove(ctx, id, oidc.Identity.KeptNames, nil)
	}
	if err != nil {
		return Account{}, d, asError(err)
	}
	if !d.Allowed || acc.Status != Active || acc.Bound() {
		return acc, d, nil
	}
	ctx, cancel := context.WithTimeout(ctx, signInBinding)
	defer cancel()
	bound, err := a.users.bind(ctx, acc.ID, d.Grant)
	switch {
	case err == nil:
		return bound, d, nil
	case bound.ID != "" && statusError(bound) != nil: // the binding itself decided so
		return bound, d, nil
	}
	a.log.WarnContext(ctx, "account not bound to a Vexa user yet; its next request will try again",
		"account", acc.ID, "error", err)
	return acc, d, nil
}

// renewed is prove for what a provider says without the person being there.
func (a *Accounts) renewed(
	ctx context.Context, id oidc.Identity, precondition func(*change) error,
) (Account, rule.Decision, error) {
	return a.prove(ctx, id, oidc.Identity.NotRepeated, precondition)
}

// prove decides about the newest identity and writes it to its account. A refused identity gets no account,
// but an account that it has learns of it. precondition, if not nil, runs in the same transaction; its error
// stops the write.
//
// What an earlier answer said and this one does not is kept for maxOffline. Where rules read something that
// doubts names, the account is not vouched for anew: it was before, and its tokens pause when that is long
// ago.
func (a *Accounts) prove(
	ctx context.Context, id oidc.Identity, doubts func(oidc.Identity) []string,
	precondition func(*change) error,
) (acc Account, d rule.Decision, err error) {
	fresh := a.random.id()
	rules := a.rules.Current()
	d = rules.Decide(id) // what the caller reads if the store is away
	err = a.change(ctx, "write the account", func(c *change) error {
		if precondition != nil {
			if err := precondition(c); err != nil {
				return err
			}
		}
		pin, err := pinOf(c, id.Subject)
		if err != nil {
			return err
		}
		id := id // fn may run again
		acc, err = c.AccountBySubject(id.Subject)
		known := err == nil
		if known && !acc.ProvenAt.IsZero() && id.Provider == acc.Identity.Provider {
			id = id.KeepFrom(acc.Identity.Forget(a.forgotten()), acc.ProvenAt)
		}
		d = rules.DecidePinned(id, pin.VexaEmail)
		switch {
		case errors.Is(err, ErrNotFound) && d.Allowed:
			acc = Account{
				ID: fresh, Provider: id.Provider, Subject: id.Subject,
				Status: Active, CreatedAt: c.now,
			}
			if pin.VexaEmail != "" {
				return c.beginPinned(&acc, id, pin)
			}
		case errors.Is(err, ErrNotFound):
			acc = Account{}
			return nil
		case err != nil:
			return err
		}
		acc.Identity, acc.Kind = id, id.Kind
		if acc.ProvenAt.IsZero() || !rules.Reads(doubts(id)) {
			acc.ProvenAt = c.now
		}
		if d.Allowed {
			acc.setVexaEmail(d.Grant)
		}
		if err := c.PutAccount(acc); err != nil {
			return err
		}
		if err := c.noteEmail(acc); err != nil || !known {
			return err
		}
		if err := c.revokeWider(acc.ID, grantOf(d).Scopes); err != nil {
			return err
		}
		return c.Publish(Revocation{At: c.now, Kind: RevokeGrant, Account: acc.ID, Reason: "signed in anew"})
	})
	if err == nil && acc.ID != "" {
		a.keys.forgetAccount(acc.ID)
	}
	return acc, d, err
}

// beginPinned makes the account of an identity that an admin gave a Vexa user before it ever signed in. That
// the user is still who it was then is compared before the first mint.
func (c *change) beginPinned(acc *Account, id oidc.Identity, pin Pin) error {
	acc.Identity, acc.Kind, acc.ProvenAt = id, id.Kind, c.now
	acc.VexaEmail, acc.VexaUserID, acc.Pinned = pin.VexaEmail, pin.VexaUserID, true
	if err := c.PutAccount(*acc); err != nil {
		return err
	}
	if err := c.noteEmail(*acc); err != nil {
		return err
	}
	if err := c.settleBotBlock(acc.VexaUserID, *acc); err != nil {
		return err
	}
	e := about(*acc, EventAccountBound)
	e.Actor, e.Reason = pin.Actor, "pinned by an admin"
	return c.record(e)
}
