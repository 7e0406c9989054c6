package mapping

import (
	"context"
	"fmt"
)

// Approve is an admin's word that a pending account may have the Vexa user of its address: whoever made that
// user, and whoever else has it. If Vexa has none, it is created. An account whose Vexa user was lost is
// bound anew. The only way to it is the command line (vexa-sso accounts approve). The error is an *Error
// where the rules give the account nothing, which changes nothing, or Vexa does not answer: the account is
// then bound at its next use, if it may be without this approval, or waits again.
func (a *Accounts) Approve(ctx context.Context, accountID, actor string) (Account, error) {
	acc, err := a.Account(ctx, accountID)
	if err != nil {
		return Account{}, err
	}
	if acc.Status != Pending {
		return acc, &Objection{fmt.Sprintf("account %s is not pending, it is %s", acc.ID, acc.Status), ""}
	}
	d := a.decide(acc)
	if !d.Allowed {
		return acc, &Error{
			Code: d.Code, Message: d.Reason, Remedy: "write a rule that grants it something first",
		}
	}
	bound, err := a.users.bindAs(ctx, acc, true)
	if err != nil {
		return acc, asError(err)
	}
	e := about(bound, EventAccountApproved)
	e.Actor, e.Reason = actor, acc.Reason
	r := Revocation{Kind: RevokeGrant, Account: accountID, Reason: "approved"}
	err = a.revoke(ctx, r, func(c *change, _ Account) error { return c.record(e) })
	return bound, err
}
