package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/authserver"
)

// perishable is what of a table goes by itself: the rows whose time, in one column, has come. The column has
// an index, so that what is due is found without reading the rest.
type perishable struct {
	table, key string
	column     string
	fits       string // what holds of the rows besides
	before     time.Time
}

const (
	leaseKept  = 24 * time.Hour // since it was held: its fence comes from the clock, and is higher after that
	noteKept   = 48 * time.Hour // of a Vexa key that was shown: what counts is whether it was today
	purgeBatch = 1000
)

// perishables returns all that goes by itself, but for refresh grants, which go when they are due and nobody
// needs them ([tx.ClaimRenewals]), and what has a consequence when it goes (tokens:
// [mapping.Accounts.Purge]).
func perishables(now time.Time, r mapping.Retention) []perishable {
	return []perishable{
		{"sessions", "hash", "expires_at", "", now},
		{"sessions", "hash", "last_seen", "", now.Add(-r.Idle)},
		{"token_values", "hash", "expires_at", "", now},
		{"ended_values", "hash", "until", "", now},
		{"spent_tokens", "provider, jti", "until", "", now},
		{"authorizations", "hash", "expires_at", "", now.Add(-authserver.TicketLifetime)},
		{"native_key_notes", "account_id", "noted_at", "", now.Add(-noteKept)},
		{"leases", "name", "until", "until > 0", now.Add(-leaseKept)},
		// given back; the fence says when it was taken
		{"leases", "name", "fence", "until = 0", now.Add(-leaseKept)},
		{"events", "seq", "at", "", now.Add(-r.Events)},
	}
}

func (p perishable) due() string {
	if p.fits == "" {
		return p.column + ` < $1`
	}
	return p.fits + ` AND ` + p.column + ` < $1`
}

// Purge implements [mapping.Store]. What cannot be deleted in one table does not keep the others.
func (s *Store) Purge(ctx context.Context, r mapping.Retention) error {
	now := s.now()
	var failed error
	for _, p := range perishables(now, r) {
		_, err := s.purgeAll(ctx, p)
		failed = errors.Join(failed, err)
	}
	return failed
}

// purgeAll deletes what is due of one table, the longest due first, some rows at a time: who has to write in
// between waits for one batch. What somebody changes at that very moment stays: the outer condition is looked
// at again when the row is locked.
func (s *Store) purgeAll(ctx context.Context, p perishable) (purged int, err error) {
	return s.inBatches(ctx, "purging "+p.table, fmt.Sprintf(
		`DELETE FROM %s WHERE %s AND (%s) IN (SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %d)`,
		p.table, p.due(), p.key, p.key, p.table, p.due(), p.column, purgeBatch), micros(p.before))
}

// inBatches runs a statement that deletes at most purgeBatch rows until it finds fewer, each time in a
// transaction of its own.
func (s *Store) inBatches(ctx context.Context, doing, query string, args ...any) (deleted int, err error) {
	for {
		var n int64
		err := s.write(ctx, func(t *tx) (err error) {
			n, err = t.exec(doing, query, args...)
			return err
		})
		deleted += int(n)
		if err != nil || n < purgeBatch {
			return deleted, err
		}
	}
}

// Overdue implements [mapping.Store].
func (s *Store) Overdue(ctx context.Context, r mapping.Retention) (longest time.Duration, err error) {
	now := s.now()
	due := append(perishables(now, r), perishable{table: "tokens", column: "expires_at", before: now})
	err = s.ask(ctx, func(t *tx) error {
		for _, p := range due {
			first, err := one(t, "looking for what is to be purged", scanMoment, fmt.Sprintf(
				`SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT 1`,
				p.column, p.table, p.due(), p.column), micros(p.before))
			if errors.Is(err, mapping.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			longest = max(longest, p.before.Sub(first))
		}
		return nil
	})
	return longest, err
}
