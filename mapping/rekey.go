package mapping

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Rekeyed is one canonical subject that Rekey moves: of an account, or of a pin whose identity has not signed
// in yet.
type Rekeyed struct {
	Account string `json:"account,omitempty"`
	From    string `json:"from"`
	To      string `json:"to"`

	// Taken: somebody has signed in by the new subject already, or it is pinned. The move collides, and is
	// not made.
	Taken bool `json:"taken,omitempty"`
}

// Rekey moves the canonical subjects that begin with from to the same under to, all in one transaction: what
// an org that changes its domain needs, so that people keep their accounts. Both are prefixes that end where
// a subject's last part begins, like okta:https://acme.okta.com/ or oidc:https://idp.example#.
//
// Where a new subject is taken, nothing is moved and the error is an *Objection; with skipTaken all others
// are moved. A dry run says what would be moved, collisions among it, and is no error.
func (a *Accounts) Rekey(
	ctx context.Context, from, to string, dryRun, skipTaken bool, actor string,
) (moves []Rekeyed, err error) {
	if err := checkPrefixes(from, to); err != nil {
		return nil, err
	}
	if dryRun {
		err = a.store.View(ctx, func(tx Tx) error {
			moves, err = planRekey(tx, from, to)
			return err
		})
		return moves, asError(err)
	}
	err = a.change(ctx, "move canonical subjects", func(c *change) error {
		if moves, err = planRekey(c, from, to); err != nil {
			return err
		}
		if taken := takenOf(moves); len(taken) > 0 && !skipTaken {
			return &Objection{
				fmt.Sprintf("%d new subjects are taken, so nothing was moved: %s",
					len(taken), strings.Join(taken[:min(len(taken), 5)], ", ")),
				"those people have signed in by them already: give each the Vexa user of the old " +
					"account with " + "`vexa-sso accounts pin`, then move the others with --skip-taken",
			}
		}
		for _, m := range moves {
			if m.Taken {
				continue
			}
			if err := c.rekey(m, actor); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, asError(err)
	}
	a.keys.wake()
	return moves, nil
}

func checkPrefixes(from, to string) error {
	for _, prefix := range []string{from, to} {
		if err := checkSubject(prefix); err != nil {
			return err
		}
		if !strings.HasSuffix(prefix, "/") && !strings.HasSuffix(prefix, "#") {
			return &Objection{
				fmt.Sprintf("%q does not end where the last part of a subject begins", prefix),
				"end it with / (okta, entra) or # (oidc), or other people's subjects could begin with it too",
			}
		}
	}
	if strings.HasPrefix(from, to) || strings.HasPrefix(to, from) {
		return &Objection{"one prefix begins with the other", "move them over a third one, in two steps"}
	}
	return nil
}

// planRekey lists the moves. No new subject can be an old one: neither prefix begins with the other.
func planRekey(tx Tx, from, to string) ([]Rekeyed, error) {
	accounts, err := tx.Accounts()
	if err != nil {
		return nil, err
	}
	pins, err := tx.Pins()
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	owner := map[string]string{}
	for _, acc := range accounts {
		taken[acc.Subject], owner[acc.Subject] = true, acc.ID
	}
	for _, pin := range pins {
		taken[pin.Subject] = true
	}
	var moves []Rekeyed
	plan := func(subject string) {
		if rest, ok := strings.CutPrefix(subject, from); ok {
			to := to + rest
			moves = append(moves, Rekeyed{Account: owner[subject], From: subject, To: to, Taken: taken[to]})
		}
	}
	for _, acc := range accounts {
		plan(acc.Subject)
	}
	for _, pin := range pins {
		if owner[pin.Subject] == "" {
			plan(pin.Subject)
		}
	}
	return moves, nil
}

func takenOf(moves []Rekeyed) (taken []string) {
	for _, m := range moves {
		if m.Taken {
			taken = append(taken, m.To)
		}
	}
	return taken
}

// rekey moves one subject, with its account and its pin.
func (c *change) rekey(m Rekeyed, actor string) error {
	pin, err := c.Pin(m.From)
	switch {
	case err == nil:
		if err := c.DeletePin(m.From); err != nil {
			return err
		}
		pin.Subject = m.To
		err = c.PutPin(pin)
	case errors.Is(err, ErrNotFound):
		err = nil
	}
	if err != nil || m.Account == "" {
		return err
	}
	acc, err := c.Account(m.Account)
	if err != nil {
		return err
	}
	acc.Subject, acc.Identity.Subject = m.To, m.To
	if err := c.PutAccount(acc); err != nil {
		return err
	}
	e := about(acc, EventAccountRekeyed)
	e.Actor, e.Reason = actor, "was "+m.From
	if err := c.record(e); err != nil {
		return err
	}
	return c.Publish(Revocation{At: c.now, Kind: RevokeGrant, Account: acc.ID, Reason: "rekeyed"})
}
