package mapping

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// Rekeying is what Rekey is to do.
type Rekeying struct {
	// From and To are prefixes of canonical subjects that end where a subject's last part begins, like
	// okta:https://acme.okta.com/ or oidc:https://idp.example#.
	From, To string

	DryRun    bool // only say what would be moved
	SkipTaken bool // leave those whose new subject is taken where they are, and move the others
}

// Rekey moves the canonical subjects that begin with one prefix to the same under another: what an org that
// changes its domain needs, so that people keep their accounts. each is told of every subject; moved says how
// many were moved.
//
// First it looks at all: where a new subject is taken, nothing is moved and the error is an *Objection,
// unless those are to be skipped. A dry run says so, and is no error. Then it moves them, some in a
// transaction: each person is moved whole or not at all. When it is interrupted, the same call goes on: who
// was moved does not begin with the old prefix any more.
func (a *Accounts) Rekey(
	ctx context.Context, how Rekeying, actor string, each func(Rekeyed) error,
) (moved int, err error) {
	if err := checkPrefixes(how.From, how.To); err != nil {
		return 0, err
	}
	if how.DryRun {
		return 0, a.eachRekey(ctx, how, func(moves []Rekeyed) error { return tellEach(moves, each) })
	}
	if !how.SkipTaken {
		if err := a.noneTaken(ctx, how); err != nil {
			return 0, err
		}
	}
	defer a.keys.wake()
	err = a.eachRekey(ctx, how, func(moves []Rekeyed) error {
		done, failed := a.rekey(ctx, moves, actor)
		for _, m := range done {
			if !m.Taken {
				moved++
			}
		}
		if err := tellEach(done, each); err != nil {
			return err
		}
		return failed
	})
	return moved, err
}

func tellEach(moves []Rekeyed, each func(Rekeyed) error) error {
	for _, m := range moves {
		if err := each(m); err != nil {
			return err
		}
	}
	return nil
}

// noneTaken returns an *Objection where new subjects are taken.
func (a *Accounts) noneTaken(ctx context.Context, how Rekeying) error {
	var taken []string
	count := 0
	err := a.eachRekey(ctx, how, func(moves []Rekeyed) error {
		for _, m := range moves {
			if m.Taken {
				count++
				taken = append(taken, m.To)[:min(count, 5)]
			}
		}
		return nil
	})
	if err != nil || count == 0 {
		return err
	}
	return &Objection{
		fmt.Sprintf("%d new subjects are taken, so nothing was moved: %s", count, strings.Join(taken, ", ")),
		"those people have signed in by them already: give each the Vexa user of the old " +
			"account with " + "`vexa-sso accounts pin`, then move the others with --skip-taken",
	}
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

// eachRekey calls do with the moves, some at a time: of the accounts, then of the pins whose identity has
// none.
func (a *Accounts) eachRekey(ctx context.Context, how Rekeying, do func([]Rekeyed) error) error {
	plan := func(subjects map[string]string) error {
		var moves []Rekeyed
		for subject, account := range subjects {
			if rest, ok := strings.CutPrefix(subject, how.From); ok {
				moves = append(moves, Rekeyed{Account: account, From: subject, To: how.To + rest})
			}
		}
		if len(moves) == 0 {
			return nil
		}
		slices.SortFunc(moves, func(m, n Rekeyed) int { return strings.Compare(m.From, n.From) })
		err := a.store.View(ctx, func(tx Tx) error { return markTaken(tx, moves) })
		if err != nil {
			return asError(fmt.Errorf("look which subjects are taken: %w", err))
		}
		return do(moves)
	}
	err := a.EachAccount(ctx, func(page []Account) error {
		subjects := map[string]string{}
		for _, acc := range page {
			subjects[acc.Subject] = acc.ID
		}
		return plan(subjects)
	})
	if err != nil {
		return err
	}
	return a.EachPin(ctx, func(page []Pin) error {
		subjects := map[string]string{}
		for _, pin := range page {
			subjects[pin.Subject] = ""
		}
		have, err := a.withAccounts(ctx, page)
		for _, acc := range have {
			delete(subjects, acc.Subject)
		}
		if err != nil {
			return err
		}
		return plan(subjects)
	})
}

// withAccounts returns the accounts of the subjects of pins.
func (a *Accounts) withAccounts(ctx context.Context, pins []Pin) (have []Account, err error) {
	subjects := make([]string, len(pins))
	for i, pin := range pins {
		subjects[i] = pin.Subject
	}
	err = a.store.View(ctx, func(tx Tx) error {
		have, err = tx.AccountsOfSubjects(subjects)
		return err
	})
	return have, asError(err)
}

// markTaken says of moves which new subjects are taken. No new subject can be an old one: neither prefix
// begins with the other.
func markTaken(tx Tx, moves []Rekeyed) error {
	to := make([]string, len(moves))
	for i, m := range moves {
		to[i] = m.To
	}
	accounts, err := tx.AccountsOfSubjects(to)
	if err != nil {
		return err
	}
	pins, err := tx.PinsOf(to)
	taken := map[string]bool{}
	for _, acc := range accounts {
		taken[acc.Subject] = true
	}
	for _, pin := range pins {
		taken[pin.Subject] = true
	}
	for i := range moves {
		moves[i].Taken = taken[moves[i].To]
	}
	return err
}

// rekeyBatch is how many subjects are moved in one transaction: few enough for it to be done in a moment, and
// whoever signs in meanwhile waits for no more.
const rekeyBatch = 25

// rekey moves subjects, and returns what became of each: who has signed in by the new one in the meantime is
// taken.
func (a *Accounts) rekey(ctx context.Context, moves []Rekeyed, actor string) (done []Rekeyed, err error) {
	for batch := range slices.Chunk(moves, rekeyBatch) {
		var now []Rekeyed
		err := a.change(ctx, "move canonical subjects", func(c *change) error {
			now = slices.Clone(batch)
			for i := range now {
				if err := c.rekey(&now[i], actor); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return done, asError(err)
		}
		done = append(done, now...)
	}
	return done, nil
}

// rekey moves one subject, with its account and its pin, unless the new one is taken by now.
func (c *change) rekey(m *Rekeyed, actor string) error {
	acc, err := c.AccountBySubject(m.From) // which also keeps others from its pin until this is over
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	m.Account = acc.ID // somebody may have signed in by it since it was looked for
	_, account := c.AccountBySubject(m.To)
	_, pin := c.Pin(m.To)
	for _, err := range []error{account, pin} {
		if err == nil {
			m.Taken = true
			return nil
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	m.Taken = false
	if err := c.rekeyPin(*m); err != nil || m.Account == "" {
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

// rekeyPin moves the pin of a subject, if there is one.
func (c *change) rekeyPin(m Rekeyed) error {
	pin, err := c.Pin(m.From)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.DeletePin(m.From); err != nil {
		return err
	}
	pin.Subject = m.To
	return c.PutPin(pin)
}
