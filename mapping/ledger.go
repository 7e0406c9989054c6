package mapping

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Record writes an audit event to the store and to the log. ID and At are filled in where they are missing. The log has the
// event even when the store cannot take it; the error then says so.
func (a *Accounts) Record(ctx context.Context, e Event) error {
	e = a.complete(e)
	a.say(ctx, e)
	if err := a.store.Update(ctx, func(tx Tx) error { return tx.AppendEvent(e) }); err != nil {
		return asError(fmt.Errorf("record event %s: %w", e.Event, err))
	}
	return nil
}

func (a *Accounts) complete(e Event) Event {
	if e.ID == "" {
		e.ID = a.newID()
	}
	if e.At.IsZero() {
		e.At = a.now()
	}
	e.At = e.At.UTC()
	return e
}

// say puts an event on the log.
func (a *Accounts) say(ctx context.Context, e Event) {
	level := slog.LevelInfo
	switch e.Event {
	case EventAccountPending, EventTokenReused, EventCodeReused:
		level = slog.LevelWarn // somebody should look
	}
	a.log.LogAttrs(ctx, level, "audit", slog.Any("event", e))
}

// change is one read-write transaction in which events can be recorded: they are stored with what they tell of, and are logged
// once that has happened.
type change struct {
	Tx
	a      *Accounts
	now    time.Time
	events []Event
}

// change runs fn in a transaction, more than once if the store asks for it.
func (a *Accounts) change(ctx context.Context, what string, fn func(*change) error) error {
	var c *change
	err := a.store.Update(ctx, func(tx Tx) error {
		c = &change{Tx: tx, a: a, now: a.now()}
		return fn(c)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, e := range c.events {
		a.say(ctx, e)
	}
	return nil
}

func (c *change) record(e Event) error {
	e.At = c.now
	e = c.a.complete(e)
	c.events = append(c.events, e)
	return c.AppendEvent(e)
}

// about begins an event of an account.
func about(acc Account, event string) Event {
	return Event{Event: event, Account: acc.ID, Provider: acc.Provider, VexaUserID: acc.VexaUserID}
}
