package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// pollPooled is how often the log is looked at where no notification comes: within the second that a
	// revocation may take (S5), with time to spare.
	pollPooled = 250 * time.Millisecond

	// hearing is how long a notification to oneself may take.
	hearing = time.Second
)

// pooler is what is known of what store.url leads through, where there is no other address.
type pooler struct {
	strict atomic.Bool // it refuses what PostgreSQL takes when a connection begins
	deaf   atomic.Bool // it passes on no notification: connections at its back are anybody's
}

// begin leaves out, once it was refused, what a pooler refuses.
func (p *pooler) begin(_ context.Context, config *pgx.ConnConfig) error {
	if p.strict.Load() {
		config.RuntimeParams = maps.Clone(config.RuntimeParams) // which others share
		delete(config.RuntimeParams, abandonParameter)
	}
	return nil
}

// lookForPooler finds out whether store.url leads through a transaction pooler although nothing says so, and
// says what to set. A server that cannot be reached is no answer.
func (e *postgresEngine) lookForPooler(ctx context.Context, log *slog.Logger) {
	if e.direct != e.pool {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*hearing)
	defer cancel()
	err := e.pool.PingContext(ctx)
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if ok && refused.Code == "08P01" { // protocol_violation
		e.pooler.strict.Store(true)
	}
	hears, err := e.hears(ctx)
	for tries := 1; err != nil && tries < 3; tries++ { // a busy pooler may have closed a connection
		hears, err = e.hears(ctx)
	}
	if err != nil {
		log.Info("whether store.url leads through a transaction pooler could not be found out", "error", err)
	}
	if err != nil || hears {
		return
	}
	e.pooler.deaf.Store(true)
	log.Warn("store.url leads through a transaction pooler: set store.notify_url to the direct address of the " +
		"PostgreSQL server; until then replicas ask four times a second what was revoked")
}

// hears says whether a session hears what another notifies. Where the process that answers is the one that
// was there when the connection began, nothing is in between.
func (e *postgresEngine) hears(ctx context.Context) (bool, error) {
	conn, err := e.pool.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	var process uint32
	if err := conn.QueryRowContext(ctx, `SELECT pg_backend_pid()`).Scan(&process); err != nil {
		return false, err
	}
	if process == began(conn) {
		return true, nil
	}
	heard, err := e.hearsItself(ctx, conn)
	return heard && err == nil, nil // something is in between, so whatever went wrong, do not rely on it
}

// hearsItself notifies a channel that a connection listens to.
func (e *postgresEngine) hearsItself(ctx context.Context, conn *sql.Conn) (heard bool, err error) {
	channel := "vexa_sso_" + strings.ToLower(rand.Text())
	if _, err := conn.ExecContext(ctx, "LISTEN "+channel); err != nil {
		return false, err
	}
	if _, err := e.pool.ExecContext(ctx, `SELECT pg_notify($1, '')`, channel); err != nil {
		return false, err
	}
	waiting, cancel := context.WithTimeout(ctx, hearing)
	defer cancel()
	err = conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().WaitForNotification(waiting)
		heard = err == nil
		return nil
	})
	if err == nil && heard {
		_, err = conn.ExecContext(ctx, "UNLISTEN "+channel)
	}
	return heard, err
}

// began returns the process that a connection began with.
func began(conn *sql.Conn) (process uint32) {
	_ = conn.Raw(func(driver any) error {
		process = driver.(*stdlib.Conn).Conn().PgConn().PID()
		return nil
	})
	return process
}
