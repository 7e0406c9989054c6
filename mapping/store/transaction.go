package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"vexa-sso/mapping"
)

// Update implements [mapping.Store]. fn must not call the store other than through its Tx: SQLite has one
// writer. After a Tx method returned anything but [mapping.ErrNotFound] or [mapping.ErrLeaseLost], the
// transaction cannot be committed any more, and Update returns an error even if fn does not.
func (s *Store) Update(ctx context.Context, fn func(mapping.Tx) error) error {
	return s.write(ctx, func(t *tx) error { return fn(t) })
}

// View implements [mapping.Store].
func (s *Store) View(ctx context.Context, fn func(mapping.Tx) error) error {
	return s.read(ctx, func(t *tx) error { return fn(t) })
}

// Read implements [mapping.Store].
func (s *Store) Read(ctx context.Context, fn func(mapping.Tx) error) error {
	return s.ask(ctx, func(t *tx) error { return fn(t) })
}

// write runs fn in a transaction that may write, again and again while it loses races against others. Once
// the database took too long to write, others do not wait as long for a second: whoever does one thing that
// needs several writes waits once.
func (s *Store) write(ctx context.Context, fn func(*tx) error) error {
	// a clock that was set back makes the moment one of the future: it says nothing then
	since := s.now().Sub(time.UnixMicro(s.tooSlow.Load()))
	limit, hurried := s.patience.write, since >= 0 && since < hurry
	if hurried {
		limit = s.patience.hurried
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooSlow)
	defer cancel()
	err := s.transact(ctx, access{db: s.engine.writers(), options: s.engine.writing(), writes: true},
		limits{read: limit, list: limit, write: limit}, fn)
	// The short wait proves nothing: a slow store gets its whole time again each second.
	slow := errors.Is(err, errTooSlow) || errors.Is(context.Cause(ctx), errTooSlow)
	if !hurried && err != nil && slow {
		s.tooSlow.Store(s.now().UnixMicro())
	}
	return err
}

// read runs fn in a transaction that sees one state of the store and changes nothing.
func (s *Store) read(ctx context.Context, fn func(*tx) error) error {
	options := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	return s.transact(ctx, access{db: s.engine.readers(), options: options}, s.patience, fn)
}

// ask runs queries, each of which sees a state of its own, without a transaction.
func (s *Store) ask(ctx context.Context, queries func(*tx) error) error {
	return s.transact(ctx, access{db: s.engine.readers()}, s.patience, queries)
}

// access is how a transaction gets at the database. Without options there is none: each statement is by
// itself.
type access struct {
	db      *sql.DB
	options *sql.TxOptions
	writes  bool
}

func (s *Store) transact(ctx context.Context, by access, patience limits, fn func(*tx) error) error {
	races := 0
	for attempt := 0; ; attempt++ {
		t, err := s.attempt(ctx, by, patience, fn)
		switch {
		case err == nil:
			return nil
		case t.severed && attempt < maxSevered: // a connection from before the server came back: the next
		case t.lostRace && races < maxRaces && pause(ctx, races):
			races++
		default:
			return err
		}
	}
}

// maxSevered is more than a pool has connections that all turn out to be dead.
const maxSevered = 2 * postgresConnections

// maxRaces bounds how often a transaction is run again. With the pauses between them it is the time that
// gives out first, where transactions that write are concerned.
const maxRaces = 100

// pause waits for a random while, so that those who raced do not meet again. It says whether there is time
// left.
func pause(ctx context.Context, attempt int) bool {
	longest := min(2*time.Millisecond<<min(attempt, 10), 100*time.Millisecond)
	timer := time.NewTimer(rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt runs fn in one transaction, once. Where it fails, what it returns says whether it may be run again.
func (s *Store) attempt(ctx context.Context, by access, patience limits, fn func(*tx) error) (*tx, error) {
	watch := newStopwatch(ctx)
	defer watch.stop()
	t := &tx{store: s, watch: watch, patience: patience, writes: by.writes}
	if by.options == nil {
		if err := s.engine.present(); err != nil {
			return t, t.failed("asking the store", err)
		}
		t.rows = by.db
		return t, fn(t)
	}
	transaction, err := t.begin(by)
	if err != nil {
		return t, err
	}
	defer transaction.Rollback() // of no effect once it is committed

	if err := fn(t); err != nil {
		return t, err
	}
	if t.broken != nil { // fn thought nothing of it
		return t, t.broken
	}
	if err := t.flush(); err != nil {
		return t, err
	}
	if err := watch.step(patience.write, transaction.Commit); err != nil {
		return t, t.failed("committing", err)
	}
	if len(t.published) > 0 {
		s.engine.committed()
	}
	return t, nil
}

// tx implements [mapping.Tx]. One goroutine uses it at a time.
type tx struct {
	store    *Store
	watch    stopwatch
	patience limits
	rows     queryer
	writes   bool

	locked    []string             // accounts and names that nobody else may change now (lock.go)
	published []mapping.Revocation // to be appended to the log at the end

	broken   error // the first failure of the database: nothing can be committed any more
	lostRace bool  // and it may be tried again
	severed  bool  // the connection was dead, and nothing can have been written on it
}

// queryer is a transaction, or a connection where none is needed.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (t *tx) begin(by access) (transaction *sql.Tx, err error) {
	err = t.watch.step(t.patience.read, func() error {
		if err := t.store.engine.present(); err != nil {
			return err
		}
		transaction, err = by.db.BeginTx(t.watch.ctx, by.options)
		return err
	})
	if err != nil {
		return nil, t.failed("beginning a transaction", err)
	}
	t.rows = transaction
	return transaction, nil
}

// failed names a failure of the database and remembers it.
func (t *tx) failed(doing string, err error) error {
	if t.watch.ctx.Err() == nil {
		said := t.store.verdict(err)
		t.lostRace = said == again
		t.severed = said == severed && (!t.writes || t.rows == nil)
	}
	named := fmt.Errorf("%s: %w", doing, t.store.judge(t.watch.ctx, err))
	if t.broken == nil {
		t.broken = named
	}
	return named
}

// raced says that what was read has changed meanwhile: the transaction begins again.
func (t *tx) raced(doing string) error {
	t.lostRace = true
	t.broken = fmt.Errorf("%s: %w", doing, unreachable(errRaced))
	return t.broken
}

// exec runs a statement and says how many rows it changed.
func (t *tx) exec(doing, query string, args ...any) (changed int64, err error) {
	if t.broken != nil {
		return 0, t.broken
	}
	if !t.writes {
		return 0, t.failed(doing, errReadOnly)
	}
	err = t.watch.step(t.patience.write, func() error {
		result, err := t.rows.ExecContext(t.watch.ctx, query, args...)
		if err != nil {
			return err
		}
		changed, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return 0, t.failed(doing, err)
	}
	return changed, nil
}

// scanner is a row of a result.
type scanner interface{ Scan(into ...any) error }

// one reads the row that a query finds; mapping.ErrNotFound when it finds none.
func one[T any](t *tx, doing string, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	found, err := collect(t, t.patience.read, doing, scan, query, args)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s: %w", doing, mapping.ErrNotFound)
	}
	if err != nil {
		var none T
		return none, err
	}
	return found[0], nil
}

// many reads all rows that a query finds.
func many[T any](t *tx, doing string, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	return collect(t, t.patience.list, doing, scan, query, args)
}

func collect[T any](
	t *tx, limit time.Duration, doing string, scan func(scanner) (T, error), query string, args []any,
) (found []T, err error) {
	if t.broken != nil {
		return nil, t.broken
	}
	err = t.watch.step(limit, func() error {
		rows, err := t.rows.QueryContext(t.watch.ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			row, err := scan(rows)
			if err != nil {
				return err
			}
			found = append(found, row)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, t.failed(doing, err)
	}
	return found, nil
}
