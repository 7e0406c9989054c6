package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"time"

	"vexa-sso/mapping"
)

// site is one build of the program on a PostgreSQL database of its own: replicas, each on a wire of its own.
type site struct {
	*world
	program  string
	accounts int
	db       *sql.DB // past all wires
	wires    []*wire
	replicas []*replica
	used     int // of those who have everything
	newcomer int

	to       *http.Client // reaches the first replica
	desk     *replica     // where commands are run: it serves nobody
	deskWire *wire
	grows    map[string]bool // tables that grow with the number of people
}

// newSite makes a database, has the program make the tables, fills them and starts replicas.
func newSite(
	ctx context.Context, server *postgres, program, name string, accounts, replicas int,
) (*site, error) {
	w, err := newWorld(1, accounts, 20*time.Millisecond)
	if err != nil {
		return nil, err
	}
	s := &site{world: w, program: program, accounts: accounts, newcomer: accounts}
	if s.db, err = server.database(ctx, name); err != nil {
		return nil, err
	}
	first, err := w.start(ctx, program, server.url(name)) // makes the tables
	if err != nil {
		return nil, err
	}
	first.stop()
	if err := fill(ctx, server.url(name), w.population, 0, accounts); err != nil {
		return nil, err
	}
	if err := s.holdReconcile(ctx); err != nil {
		return nil, err
	}
	for range replicas {
		if err := s.add(ctx, server.url(name)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// holdReconcile keeps replicas from comparing everybody with Vexa: at a start that goes on for minutes, and
// what is measured is something else.
func (s *site) holdReconcile(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO leases (name, holder, fence, until)
		VALUES ('reconcile', 'load', 1, $1)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until`,
		time.Now().Add(24*time.Hour).UnixMicro())
	return err
}

// add starts one more replica.
func (s *site) add(ctx context.Context, url string) error {
	way, err := newWire(url)
	if err != nil {
		return err
	}
	r, err := s.start(ctx, s.program, way.URL)
	if err != nil {
		way.close()
		return err
	}
	s.wires, s.replicas = append(s.wires, way), append(s.replicas, r)
	return nil
}

func (s *site) close() {
	for _, r := range s.replicas {
		r.stop()
	}
	for _, way := range s.wires {
		way.close()
	}
	s.db.Close()
	s.world.close()
}

// traffic is what went over all wires.
func (s *site) traffic() traffic {
	all := traffic{Errors: map[string]int{}}
	for _, way := range s.wires {
		all = all.and(way.counted())
	}
	return all
}

// cpu is the processor time of all replicas.
func (s *site) cpu() (used time.Duration) {
	for _, r := range s.replicas {
		used += r.cpu()
	}
	return used
}

// settled waits until what goes on by itself after a start has gone by.
func (s *site) settled(ctx context.Context) error {
	for quiet, looks := 0, 0; quiet < 2 && looks < 30; looks++ {
		busy := 0
		for _, way := range s.wires {
			busy += way.during(func() { rest(ctx, time.Second) }).RoundTrips
		}
		quiet++
		if busy > 20*len(s.wires) {
			quiet = 0
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// next is somebody whom nobody has seen yet, who has session, token, key and grant.
func (s *site) next() int {
	s.used += 10
	return s.used % s.accounts
}

// new is the number of somebody who has never been here, and comes by Okta.
func (s *site) new() int {
	s.newcomer = s.oktas(s.newcomer + 1)
	return s.newcomer
}

// revokeStrangers appends revocations of accounts that nobody has cached to the log, as another replica
// would, so many a second, until ctx is done.
func (s *site) revokeStrangers(ctx context.Context, perSecond int) {
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	began, done := time.Now(), 0
	for ctx.Err() == nil {
		due := int(time.Since(began).Seconds() * float64(perSecond))
		if due > done {
			if err := s.publish(ctx, done, due); err != nil && ctx.Err() == nil {
				fmt.Println("publishing:", err)
				return
			}
			done = due
		}
		select {
		case <-ctx.Done():
		case <-every.C:
		}
	}
}

// publishLock is the advisory lock of those who append to the log.
const publishLock = 0x766578612d73736f

func (s *site) publish(ctx context.Context, from, to int) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(publishLock))
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		kind := mapping.RevokeAccount
		if i%2 == 0 {
			kind = mapping.RevokeGrant
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO revocations (at, kind, account_id, session_id, reason)
			VALUES ($1, $2, $3, '', 'load')`, time.Now().UnixMicro(), string(kind), s.account(-1-i))
		if err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `SELECT pg_notify('vexa_sso_revocations', '')`); err != nil {
		return err
	}
	return tx.Commit()
}
