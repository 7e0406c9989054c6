package mapping

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// SessionTx is the part of a transaction that is about sessions. Their content is the edge's.
type SessionTx interface {
	// CheckSession returns ErrSessionEnded when there is no such session at that time. Whatever is made for a
	// session asks in the transaction that makes it, after it has read the account: nothing is made for one
	// that ended on the way (S5).
	CheckSession(id string, at time.Time) error

	// DeleteSession ends one session; ErrNotFound when there was none. DeleteSessions ends all of an account
	// and says how many, DeleteOldestSessions all but the latest so many, and says which.
	DeleteSession(id string) error
	DeleteSessions(accountID string) (int, error)
	DeleteOldestSessions(accountID string, keep int) (ids []string, err error)
}

// SessionStart is a session that begins.
type SessionStart struct {
	Account string
	Put     func(Tx) error // writes it
	Event   Event          // of the sign-in

	// Replaces is the session that the same browser had, perhaps of another account: it ends.
	Replaces, ReplacedAccount string
	Most                      int // sessions that an account may have: the oldest beyond end (S12)
}

// BeginSession writes a session of somebody who has just signed in, with the event of it, and ends
// those whose place it takes; all of it in one transaction. It returns what ended, for this replica
// to apply at once. The error is an *Error: the account was suspended, or all it had was ended,
// while they signed in (S5).
func (a *Accounts) BeginSession(ctx context.Context, s SessionStart) (ended []Revocation, err error) {
	err = a.change(ctx, "begin the session", func(c *change) (err error) {
		ended, err = c.beginSession(s)
		return err
	})
	if err != nil {
		return nil, asError(err)
	}
	for _, r := range ended {
		a.keys.applied(r)
	}
	return ended, nil
}

func (c *change) beginSession(s SessionStart) (ended []Revocation, err error) {
	acc, before, err := c.bothAccounts(s)
	if err != nil {
		return nil, err
	}
	may := acc
	if may.Status == Pending {
		may.Status = Active // who waits for an admin is told so when they are signed in
	}
	if err := statusError(may); err != nil {
		return nil, err
	}
	end := func(acc Account, id, reason string) error {
		r := Revocation{At: c.now, Kind: RevokeSession, Account: acc.ID, Session: id, Reason: reason}
		ended = append(ended, r)
		e := about(acc, EventSessionEnded)
		e.Actor, e.Reason, e.CredentialID = acc.ID, reason, id
		return errors.Join(c.record(e), c.Publish(r))
	}
	if s.Replaces != "" {
		switch err := c.DeleteSession(s.Replaces); {
		case err == nil:
			if err := end(before, s.Replaces, "replaced by a new sign-in"); err != nil {
				return nil, err
			}
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}
	if err := s.Put(c.Tx); err != nil {
		return nil, err
	}
	oldest, err := c.DeleteOldestSessions(s.Account, s.Most)
	if err != nil {
		return nil, err
	}
	for _, id := range oldest {
		if err := end(acc, id, "the account has too many sessions"); err != nil {
			return nil, err
		}
	}
	return ended, c.record(s.Event)
}

// bothAccounts reads the account of a session that begins, and that of the one before in the same browser: in
// one order, for two browsers may change places.
func (c *change) bothAccounts(s SessionStart) (acc, before Account, err error) {
	accounts := map[string]Account{s.Account: {}}
	if s.Replaces != "" {
		accounts[s.ReplacedAccount] = Account{}
	}
	for _, id := range slices.Sorted(maps.Keys(accounts)) {
		if accounts[id], err = c.Account(id); err != nil {
			return acc, before, err
		}
	}
	return accounts[s.Account], accounts[s.ReplacedAccount], nil
}
