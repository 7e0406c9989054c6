package store

import (
	"context"
	"time"
)

// Replica is a process that serves from this store.
type Replica struct {
	Holder string // of its leases; it has one name from its start to its end
	Runs   string // what it runs, as it says itself
	SeenAt time.Time
}

// replicaGone is how long a replica that ended without a word is remembered.
const replicaGone = time.Hour

// Announce notes what this process runs, and that it lives.
func (s *Store) Announce(ctx context.Context, runs string) error {
	now := s.now()
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec("noting what runs here", `
			INSERT INTO replicas (holder, runs, seen_at) VALUES ($1, $2, $3) ON CONFLICT (holder) DO UPDATE
				SET runs = excluded.runs, seen_at = excluded.seen_at`,
			s.holder, runs, now.UnixMicro()); err != nil {
			return err
		}
		_, err := t.exec("forgetting replicas that are gone", `DELETE FROM replicas WHERE seen_at < $1`,
			now.Add(-replicaGone).UnixMicro())
		return err
	})
}

// Leave forgets this process, which serves no more.
func (s *Store) Leave(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("leaving", `DELETE FROM replicas WHERE holder = $1`, s.holder)
		return err
	})
}

// Holder returns the name of this process among the replicas.
func (s *Store) Holder() string { return s.holder }

// Replicas returns those that were seen since, this one among them if it was announced.
func (s *Store) Replicas(ctx context.Context, since time.Time) (all []Replica, err error) {
	err = s.ask(ctx, func(t *tx) (err error) {
		all, err = many(t, "reading which replicas live", func(row scanner) (r Replica, err error) {
			var seen int64
			err = row.Scan(&r.Holder, &r.Runs, &seen)
			r.SeenAt = time.UnixMicro(seen).UTC()
			return r, err
		}, `SELECT holder, runs, seen_at FROM replicas WHERE seen_at >= $1 ORDER BY holder`, since.UnixMicro())
		return err
	})
	return all, err
}
