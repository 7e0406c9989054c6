package mapping

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"vexa-sso/mapping/rule"
)

// ledger is what every part of Accounts works with: the store with its transactions, the audit, and the
// rules, clock and randomness of this process.
type ledger struct {
	store  Store
	rules  *rule.Live
	log    *slog.Logger
	now    func() time.Time
	after  func(time.Duration) <-chan time.Time
	random random

	maxOffline time.Duration // as Config.MaxOffline
}

func newLedger(deps Deps) *ledger {
	l := &ledger{
		store: deps.Store, rules: deps.Rules, log: cmp.Or(deps.Log, slog.Default()),
		now: deps.Now, after: deps.After,
	}
	l.random.source = deps.Rand
	if l.now == nil {
		l.now = time.Now
	}
	if l.after == nil {
		l.after = time.After
	}
	if l.random.source == nil {
		l.random.source = rand.Reader
	}
	return l
}

// Record writes an audit event to the store and to the log. ID and At are filled in where they are missing.
// The log has the event even when the store cannot take it; the error then says so.
func (a *Accounts) Record(ctx context.Context, e Event) error { return a.record(ctx, e) }

func (l *ledger) record(ctx context.Context, e Event) error {
	e = l.complete(e)
	l.logEvent(ctx, e)
	if err := l.store.Update(ctx, func(tx Tx) error { return tx.AppendEvent(e) }); err != nil {
		return asError(fmt.Errorf("record event %s: %w", e.Event, err))
	}
	return nil
}

func (l *ledger) complete(e Event) Event {
	if e.ID == "" {
		e.ID = l.random.id()
	}
	if e.At.IsZero() {
		e.At = l.now()
	}
	e.At = e.At.UTC()
	return e
}

// logEvent puts an event on the log.
func (l *ledger) logEvent(ctx context.Context, e Event) {
	level := slog.LevelInfo
	switch e.Event {
	case EventAccountPending, EventTokenReused, EventCodeReused:
		level = slog.LevelWarn // somebody should look
	}
	l.log.LogAttrs(ctx, level, "audit", slog.Any("event", e))
}

// change is one read-write transaction in which events can be recorded: they are stored with what they tell
// of, and are logged once that has happened.
type change struct {
	Tx
	ledger *ledger
	now    time.Time
	events []Event
}

// change runs fn in a transaction, more than once if the store asks for it.
func (l *ledger) change(ctx context.Context, what string, fn func(*change) error) error {
	var c *change
	err := l.store.Update(ctx, func(tx Tx) error {
		c = &change{Tx: tx, ledger: l, now: l.now()}
		return fn(c)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, e := range c.events {
		l.logEvent(ctx, e)
	}
	return nil
}

func (c *change) record(e Event) error {
	e.At = c.now
	e = c.ledger.complete(e)
	c.events = append(c.events, e)
	return c.AppendEvent(e)
}

// account reads one account; ErrNotFound, in words, when there is none.
func (l *ledger) account(ctx context.Context, id string) (acc Account, err error) {
	err = l.store.Read(ctx, func(tx Tx) error {
		acc, err = tx.Account(id)
		return err
	})
	if err != nil {
		return Account{}, asError(fmt.Errorf("read account %s: %w", id, err))
	}
	return acc, nil
}

// decide says what the rules now in force give the account.
func (l *ledger) decide(acc Account) rule.Decision {
	acc.Identity = acc.Identity.Forget(l.forgotten())
	return acc.decide(l.rules.Current())
}

// forgotten is when something must have been said last to count still, where it is not repeated (S18).
func (l *ledger) forgotten() time.Time { return l.now().Add(-l.maxOffline) }

// about begins an event of an account.
func about(acc Account, event string) Event {
	return Event{Event: event, Account: acc.ID, Provider: acc.Provider, VexaUserID: acc.VexaUserID}
}
