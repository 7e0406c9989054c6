package mapping

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"vexa-sso/oidc"
	"vexa-sso/oidc/address"
)

// Pin is an admin's word that an identity has a certain Vexa user, whether the identity has signed in yet or
// not. It beats what rules say about the user and what may be adopted; whether the identity may do anything,
// the rules say all the same (S3).
type Pin struct {
	Subject    string // canonical
	VexaEmail  string // of the user when it was pinned: compared before each mint, as ever
	VexaUserID int64
	Actor      string
	CreatedAt  time.Time
}

// maxSubject is longer than any canonical subject: an issuer and a sub have at most 255 characters each.
const maxSubject = 600

// checkSubject refuses what no provider's identity can be: an email above all, which a subject never is.
func checkSubject(subject string) error {
	kind, rest, _ := strings.Cut(subject, ":")
	odd := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if !oidc.IsType(kind) || rest == "" || len(subject) > maxSubject || strings.ContainsFunc(subject, odd) {
		return &Objection{
			fmt.Sprintf("%q is not a canonical subject", brief(subject)),
			"write okta:<org URL>/<user id>, entra:<cloud>/<tenant>/<object id> or oidc:<issuer>#<sub>; " +
				"`vexa-sso accounts show` has those of known accounts",
		}
	}
	return nil
}

// Pin gives an identity a Vexa user, which must exist and is named by its email or its id. An account that
// the identity has already moves to that user at once: its keys are revoked and its streams cut. Everybody
// else who has the user keeps it: others returns their accounts. The error is an *Objection or an *Error.
func (a *Accounts) Pin(
	ctx context.Context, subject, vexaUser, actor string,
) (p Pin, others []string, err error) {
	if err := checkSubject(subject); err != nil {
		return Pin{}, nil, err
	}
	user, err := a.users.named(ctx, vexaUser)
	if err != nil {
		return Pin{}, nil, err
	}
	err = a.change(ctx, "pin the identity", func(c *change) error {
		p = Pin{
			Subject: subject, VexaEmail: address.Tidy(user.Email), VexaUserID: user.ID, Actor: actor,
			CreatedAt: c.now,
		}
		acc, err := c.AccountBySubject(subject)
		known := err == nil
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := c.PutPin(p); err != nil {
			return err
		}
		if acc.Bound() && acc.VexaUserID < user.ID { // two users are locked in one order, as in move
			if _, err := c.AccountsByVexaUser(acc.VexaUserID); err != nil {
				return err
			}
		}
		if others, err = c.othersOf(user.ID, acc.ID); err != nil {
			return err
		}
		if known {
			err = c.move(acc, p.VexaEmail, p.VexaUserID, "pinned by an admin")
		}
		if err != nil {
			return err
		}
		return c.record(Event{
			Event: EventAccountPinned, Account: acc.ID, Provider: acc.Provider,
			Actor: actor, VexaUserID: user.ID, Reason: subject,
		})
	})
	if err != nil {
		return Pin{}, nil, asError(err)
	}
	a.keys.wake()
	return p, others, nil
}

// othersOf returns the accounts that have a Vexa user, less one of them.
func (c *change) othersOf(vexaUserID int64, less string) (others []string, err error) {
	accounts, err := c.AccountsByVexaUser(vexaUserID)
	for _, acc := range accounts {
		if acc.ID != less {
			others = append(others, acc.ID)
		}
	}
	return others, err
}

// move takes an account from its Vexa user to another, or with 0 to none for now, in which case it is looked
// at afresh when it is next used. Nothing of the old bond stays. An account that waited for an admin does not
// any more; a suspended one stays so.
func (c *change) move(acc Account, vexaEmail string, vexaUserID int64, reason string) error {
	if acc.Bound() && acc.VexaUserID == vexaUserID && acc.Status != Pending {
		acc.VexaEmail = vexaEmail
		return c.PutAccount(acc)
	}
	former := acc.VexaUserID
	if acc.Status == Pending {
		acc.Status, acc.Reason = Active, ""
	}
	acc.VexaEmail, acc.VexaUserID, acc.Intended = vexaEmail, vexaUserID, false
	if err := c.PutAccount(acc); err != nil {
		return err
	}
	if err := c.revokeWider(acc.ID, ""); err != nil {
		return err
	}
	for _, user := range []int64{min(former, vexaUserID), max(former, vexaUserID)} { // locked in one order
		if err := c.settleBotBlock(user, acc); err != nil {
			return err
		}
	}
	// Of the kind that cuts streams, for those of the old user are a stranger's now. The sessions stay.
	return c.Publish(Revocation{At: c.now, Kind: RevokeAccount, Account: acc.ID, Reason: reason})
}

// Unpin takes back what Pin said. The account, if there is one, loses the Vexa user and is looked at afresh,
// as at a first sign-in: the rules name the user, and one that exists is adopted or waits for an admin.
// ErrNotFound: there is no such pin.
func (a *Accounts) Unpin(ctx context.Context, subject, actor string) error {
	err := a.change(ctx, "unpin the identity", func(c *change) error {
		acc, err := c.AccountBySubject(subject)
		known := err == nil
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		pin, err := c.Pin(subject)
		if err != nil {
			return err
		}
		if err := c.DeletePin(subject); err != nil {
			return err
		}
		if known {
			if err := c.move(acc, "", 0, "unpinned by an admin"); err != nil {
				return err
			}
		}
		return c.record(Event{
			Event: EventAccountUnpinned, Account: acc.ID, Provider: acc.Provider,
			Actor: actor, VexaUserID: pin.VexaUserID, Reason: subject,
		})
	})
	a.keys.wake()
	return asError(err)
}

// EachPin calls do with all pins, by subject, some at a time.
func (a *Accounts) EachPin(ctx context.Context, do func([]Pin) error) error {
	return eachPage(ctx, a.store, nextPins, placeOfPin, do)
}

func nextPins(tx Tx, at Place) ([]Pin, error) { return tx.PinsAfter(at.ID, pageSize) }

func placeOfPin(p Pin) Place { return Place{ID: p.Subject} }

// pinOf returns the pin of an identity; the zero Pin when there is none.
func pinOf(tx Tx, subject string) (Pin, error) {
	pin, err := tx.Pin(subject)
	if errors.Is(err, ErrNotFound) {
		return Pin{}, nil
	}
	return pin, err
}

// pinnedToAnother says which identity an admin has given a Vexa user, if it is not this one; "" when there is
// none.
func (c *change) pinnedToAnother(vexaUserID int64, subject string) (string, error) {
	pin, err := c.PinOfUser(vexaUserID, subject)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return pin.Subject, err
}
