package mapping

import (
	"context"
	"time"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// Status is the state of an account.
type Status string

const (
	Active    Status = "active"
	Pending   Status = "pending"   // waits for an admin: the Vexa user is taken, or may not be adopted
	Suspended Status = "suspended" // refused everywhere at once
)

// Account is the lasting bond between one identity and one Vexa user. It is made when the identity is first
// granted anything, and bound (VexaUserID) when the Vexa user was found or created.
type Account struct {
	ID       string
	Provider string
	Subject  string // the identity's canonical subject; unique
	Kind     oidc.Kind

	Identity oidc.Identity // as last proven

	// Presented: this copy of the account comes from [Accounts.Present] and is for one access token of a
	// person. Identity is then what the token and the account say together; Within, if it is set, is what the
	// provider has said since, and the rules have to allow by both. Neither is stored.
	Presented bool
	Within    *oidc.Identity

	Status Status
	Reason string // why it is pending or suspended, in words for an admin

	VexaEmail  string // trimmed and lower-cased; what the Vexa user was created or adopted as
	VexaUserID int64  // 0 until bound

	// Pinned says that an admin named the Vexa user for this identity ([Accounts.Pin]). It comes from the
	// pins; PutAccount does not write it.
	Pinned bool

	// Intended is true from just before we ask Vexa to create the user until the account is bound: what an
	// answer of 200 rather than 201 means depends on it (S3, S6).
	Intended bool

	CreatedAt time.Time
	ProvenAt  time.Time // when the provider last vouched for the identity; zero: they must sign in again
}

// Bound says whether the account has its Vexa user.
func (a Account) Bound() bool { return a.VexaUserID != 0 }

// Account returns the account with this id, or ErrNotFound.
func (a *Accounts) Account(ctx context.Context, id string) (Account, error) {
	return a.account(ctx, id)
}

// Decide says what the rules now in force give the account, by the identity that was last proven and the Vexa
// user that an admin may have named for it.
func (a *Accounts) Decide(acc Account) rule.Decision { return a.decide(acc) }

func (acc Account) decide(rules *rule.Rules) rule.Decision {
	d := acc.decideBy(rules, acc.Identity)
	if !d.Allowed || acc.Within == nil {
		return d
	}
	limit := acc.decideBy(rules, *acc.Within)
	if !limit.Allowed {
		return limit
	}
	d.Grant = d.Grant.Within(limit.Grant)
	if d.Grant.Scopes != "" {
		return d
	}
	limit.Allowed, limit.Grant, limit.Code = false, rule.Grant{}, rule.CodeNotMapped
	limit.Reason = "Your access was reduced after this access token was issued. Get a new access token."
	return limit
}

func (acc Account) decideBy(rules *rule.Rules, id oidc.Identity) rule.Decision {
	if acc.Pinned {
		return rules.DecidePinned(id, acc.VexaEmail)
	}
	return rules.Decide(id)
}

// grantOf is what a decision gives: nothing when it refuses.
func grantOf(d rule.Decision) rule.Grant {
	if !d.Allowed {
		return rule.Grant{}
	}
	return d.Grant
}

// setVexaEmail sets which Vexa user the account is to be bound to. One that is bound stays where it is,
// whatever becomes of the address: the identity is the subject (S3). An account that waits for an admin
// because of another address is looked at afresh.
func (acc *Account) setVexaEmail(g rule.Grant) {
	if acc.Bound() || g.VexaEmail == "" || acc.VexaEmail == g.VexaEmail {
		return
	}
	acc.VexaEmail, acc.Intended = g.VexaEmail, false
	if acc.Status == Pending {
		acc.Status, acc.Reason = Active, ""
	}
}
