package mapping

import (
	"context"
	"errors"
	"reflect"
	"time"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// signInBinding bounds how long a sign-in waits for Vexa before it leaves the binding to the first request.
const signInBinding = 6 * time.Second

// SignIn decides about an identity that was just proven and writes it to its account, which it makes when
// there is none, with the refresh token that came with it, as the account's refresh grant in place of the one
// before; an empty one changes nothing, for the one before is still good. The account is then bound to its
// Vexa user, if Vexa answers; if it doesn't, the first use of the account tries again.
//
// When the decision refuses, the account is the one that there was, or zero: it keeps its place, with the
// newest identity, without keys and without the token. The caller must look at the account's Status too: it
// may be pending or suspended.
func (a *Accounts) SignIn(
	ctx context.Context, id oidc.Identity, refreshToken string,
) (Account, rule.Decision, error) {
	acc, d, b, err := a.signIn(ctx, id, refreshToken)
	if errors.Is(err, ErrConflict) {
		// Another replica made the account at this moment: now it is there.
		acc, d, b, err = a.signIn(ctx, id, refreshToken)
	}
	if err != nil {
		return Account{}, d, asError(err)
	}
	if b == nil {
		return acc, d, nil
	}
	ctx, cancel := context.WithTimeout(ctx, signInBinding)
	defer cancel()
	bound, err := b.finish(ctx)
	switch {
	case err == nil:
		return bound, d, nil
	case statusError(bound) != nil: // the binding itself decided so
		return bound, d, nil
	}
	a.log.WarnContext(ctx, "account not bound to a Vexa user yet; its next request will try again",
		"account", acc.ID, "error", err)
	return acc, d, nil
}

// signIn is what of a sign-in is one transaction. b is the binding that is to be finished, nil where there is
// none to do.
func (a *Accounts) signIn(
	ctx context.Context, id oidc.Identity, refreshToken string,
) (acc Account, d rule.Decision, b *binding, err error) {
	acc, d, err = a.prove(ctx, id, proving{
		doubts: oidc.Identity.KeptNames,
		decided: func(c *change, acc *Account, d rule.Decision) error {
			b = nil
			if !d.Allowed || acc.Status != Active || acc.Bound() {
				return nil
			}
			begun := &binding{vexaUsers: a.users, grant: d.Grant}
			err := begun.begin(c, acc)
			if refusal, ok := errors.AsType[*Error](err); errors.Is(err, ErrLeaseHeld) ||
				ok && refusal != nil {
				return nil // whoever uses the account next tries, and is told
			}
			b = begun
			return err
		},
		written: func(c *change, acc Account, d rule.Decision) error {
			if !d.Allowed || acc.Status == Suspended || refreshToken == "" {
				return nil
			}
			return a.grants.keep(c, acc, refreshToken)
		},
	})
	return acc, d, b, err
}

// renewed is prove for what a provider says without the person being there.
func (a *Accounts) renewed(
	ctx context.Context, id oidc.Identity, precondition func(*change) error,
	written func(*change, Account, rule.Decision) error,
) error {
	_, _, err := a.prove(ctx, id, proving{
		doubts: oidc.Identity.NotRepeated, precondition: precondition, written: written,
	})
	return err
}

// proving is what else there is to an identity that was proven. All of it but doubts is done in the
// transaction that writes the identity, and an error stops that; what is nil is left out.
type proving struct {
	doubts       func(oidc.Identity) []string
	precondition func(*change) error
	decided      func(*change, *Account, rule.Decision) error // before the account is written
	written      func(*change, Account, rule.Decision) error  // after it
}

// prove decides about the newest identity and writes it to its account. A refused identity gets no account,
// but an account that it has learns of it.
//
// What an earlier answer said and this one does not is kept for maxOffline. Where rules read something that
// p.doubts names, the account is not vouched for anew: it was before, and its tokens pause when that is long
// ago.
func (a *Accounts) prove(
	ctx context.Context, id oidc.Identity, p proving,
) (acc Account, d rule.Decision, err error) {
	fresh, rules := a.random.id(), a.rules.Current()
	d = rules.Decide(id) // what the caller reads if the store is away
	changed := false
	err = a.change(ctx, "write the account", func(c *change) (err error) {
		if p.precondition != nil {
			if err := p.precondition(c); err != nil {
				return err
			}
		}
		acc, d, changed, err = c.prove(id, fresh, rules, p)
		if err != nil || acc.ID == "" || p.written == nil {
			return err
		}
		return p.written(c, acc, d)
	})
	if err == nil && changed {
		a.keys.forgetAccount(acc.ID)
	}
	return acc, d, err
}

// prove writes an identity to its account, a new one with the id fresh where there is none. changed says that
// what others may have read of the account is no longer so, and that they were told.
func (c *change) prove(
	id oidc.Identity, fresh string, rules *rule.Rules, p proving,
) (acc Account, d rule.Decision, changed bool, err error) {
	was, err := c.AccountBySubject(id.Subject)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return acc, d, false, err
	}
	pin, err := pinOf(c, id.Subject)
	if err != nil {
		return acc, d, false, err
	}
	if known && !was.ProvenAt.IsZero() && id.Provider == was.Identity.Provider {
		id = id.KeepFrom(was.Identity.Forget(c.ledger.forgotten()), was.ProvenAt)
	}
	d = rules.DecidePinned(id, pin.VexaEmail)
	switch {
	case !known && !d.Allowed:
		return acc, d, false, nil
	case !known:
		acc = Account{
			ID: fresh, Provider: id.Provider, Subject: id.Subject, Status: Active, CreatedAt: c.now,
		}
		if pin.VexaEmail != "" {
			return acc, d, false, c.beginPinned(&acc, id, pin)
		}
	default:
		acc = was
	}
	acc.Identity, acc.Kind = id, id.Kind
	if acc.ProvenAt.IsZero() || !rules.Reads(p.doubts(id)) {
		acc.ProvenAt = c.now
	}
	if d.Allowed {
		acc.setVexaEmail(d.Grant)
	}
	if p.decided != nil {
		if err := p.decided(c, &acc, d); err != nil {
			return acc, d, false, err
		}
	}
	if err := c.PutAccount(acc); err != nil {
		return acc, d, false, err
	}
	if err := c.noteEmail(acc); err != nil || !known {
		return acc, d, false, err
	}
	changed, err = c.tellChange(was, acc, d, rules)
	return acc, d, changed, err
}

// tellChange revokes the keys that a known account may no longer have, and tells every replica to look at the
// account again; not where nothing is different that anybody decides by, as at most sign-ins.
func (c *change) tellChange(was, acc Account, d rule.Decision, rules *rule.Rules) (changed bool, err error) {
	if err := c.revokeWider(acc.ID, grantOf(d).Scopes); err != nil {
		return false, err
	}
	same := !was.ProvenAt.IsZero() && was.Status == acc.Status && was.VexaEmail == acc.VexaEmail &&
		reflect.DeepEqual(lasting(was.Identity), lasting(acc.Identity)) &&
		reflect.DeepEqual(d, was.decideBy(rules, was.Identity))
	if same {
		return false, nil
	}
	return true, c.Publish(Revocation{
		At: c.now, Kind: RevokeGrant, Account: acc.ID, Reason: "proven anew, and not as before",
	})
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
