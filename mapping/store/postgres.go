package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// how often the log is looked at where a notification got lost
	pollPostgres        = 500 * time.Millisecond
	postgresConnections = 16
	notifyChannel       = "vexa_sso_revocations"
	publishLock         = 0x766578612d73736f // "vexa-sso": the advisory lock of those who append to the log
)

// postgresEngine is a server that replicas share. The first pool may lead through a transaction pooler
// (PgBouncer and the like): nothing there relies on a session of its own. The second is the direct way, for
// what does.
type postgresEngine struct {
	pool   *sql.DB
	direct *sql.DB // the same as pool where there is no pooler
	pooler pooler
}

func openPostgres(address, notifyAddress string) (engine, error) {
	config, err := postgresConfig("store.url", address)
	if err != nil {
		return nil, err
	}
	e := &postgresEngine{}
	if notifyAddress == "" {
		abandonLocks(config)
		e.pool = openPool(config, stdlib.OptionBeforeConnect(e.pooler.begin))
		e.direct = e.pool
		return e, nil
	}
	direct, err := postgresConfig("store.notify_url", notifyAddress)
	if err != nil {
		return nil, err
	}
	abandonLocks(direct)
	e.pool, e.direct = openPool(config), openPool(direct)
	return e, nil
}

func postgresConfig(key, address string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// pgx blots out the password where it understands the address well enough to find it.
		return nil, fmt.Errorf("%s is not the address of a PostgreSQL database: write "+
			"postgres://<user>:<password>@<host>/<database>, with %%XX for special characters", key)
	}
	// no prepared statements: a transaction pooler would mix them up
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "vexa-sso"
	}
	return config, nil
}

// abandonLocks has the server end the transaction of a replica that froze or lost its network while it held a
// lock. A pooler would refuse the parameter, and has a setting of its own.
func abandonLocks(config *pgx.ConnConfig) {
	config.RuntimeParams[abandonParameter] = "10000" // ms
}

const abandonParameter = "idle_in_transaction_session_timeout"

func openPool(config *pgx.ConnConfig, options ...stdlib.OptionOpenDB) *sql.DB {
	// No connection is tried before it is used, which would be a round trip more each time: where one turns
	// out to have been ended by the server meanwhile, another is taken, and nobody notices (severed).
	never := func(context.Context, stdlib.ShouldPingParams) bool { return false }
	pool := stdlib.OpenDB(*config, append(options, stdlib.OptionShouldPing(never))...)
	pool.SetMaxOpenConns(postgresConnections)
	pool.SetMaxIdleConns(postgresConnections) // to open one is dear: a process of the server
	pool.SetConnMaxIdleTime(5 * time.Minute)
	pool.SetConnMaxLifetime(30 * time.Minute) // so that replicas spread again after a server came back
	return pool
}

func (e *postgresEngine) writers() *sql.DB { return e.pool }
func (e *postgresEngine) readers() *sql.DB { return e.pool }

// writing: each statement sees what is committed when it begins. What must not change between a look and a
// write is locked (lock.go), so that only those wait for each other who are about the same person. With
// SERIALIZABLE, strangers whose rows share a page of an index would abort each other.
func (e *postgresEngine) writing() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
}

func (e *postgresEngine) oneWriter() bool { return false }

func (e *postgresEngine) present() error { return nil }

// verdict reads the SQLSTATE (PostgreSQL documentation, appendix A).
func (e *postgresEngine) verdict(err error) verdict {
	if failure, ok := errors.AsType[*pgconn.ConnectError](err); ok && failure != nil {
		return unavailable
	}
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		return verdictOfState(failure.Code)
	}
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		return unavailable
	} else if ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) {
		return severed
	}
	return wrong
}

func verdictOfState(state string) verdict {
	switch state {
	case "23505": // unique_violation
		return conflict
	case "23503": // foreign_key_violation
		return orphan
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return again
	case "57P01", "57P02": // admin_shutdown, crash_shutdown: of this connection, or of all
		return severed
	case "25006", "25P03", "55P03":
		// read_only_sql_transaction (a standby), idle_in_transaction_session_timeout, lock_not_available
		return unavailable
	}
	// Connection, authorization, resources, operator, system, internal.
	for _, class := range []string{"08", "28", "53", "57", "58", "XX"} {
		if strings.HasPrefix(state, class) {
			return unavailable
		}
	}
	return wrong
}

// addressOfIdentity has no JSON function: those of PostgreSQL fail at what Go writes for a NUL, and take an
// entry of an index for more than fits in one.
func (e *postgresEngine) addressOfIdentity() string {
	return `left(split_part(split_part(identity, 'email":"', 2), '"', 1), 300)`
}

// beforePublishing has those who publish commit one after another: numbers are given out when a row is
// written, not when it becomes visible, and a tail that saw 7 would never look for 6 again.
func (e *postgresEngine) beforePublishing(t *tx) error {
	_, err := t.exec("waiting for one's turn to publish", `SELECT pg_advisory_xact_lock($1)`,
		int64(publishLock))
	return err
}

func (e *postgresEngine) afterPublishing(t *tx) error {
	_, err := t.exec("telling the replicas", `SELECT pg_notify($1, '')`, notifyChannel)
	return err
}

func (e *postgresEngine) committed() {} // the notification goes to this process, too

func (e *postgresEngine) listen(ctx context.Context) (*sql.Conn, error) {
	conn, err := e.direct.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if e.pooler.deaf.Load() {
		return conn, nil // what somebody else's connection would hear is kept by it for ever
	}
	if _, err := conn.ExecContext(ctx, "LISTEN "+notifyChannel); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (e *postgresEngine) wait(ctx context.Context, conn *sql.Conn) error {
	poll := pollPostgres
	if e.pooler.deaf.Load() {
		poll = pollPooled
	}
	waiting, cancel := context.WithTimeout(ctx, poll)
	defer cancel()
	err := conn.Raw(func(driver any) error {
		listening := driver.(*stdlib.Conn).Conn()
		if _, err := listening.WaitForNotification(waiting); err != nil {
			return err
		}
		return dropNotifications(listening)
	})
	if err != nil && waiting.Err() != nil {
		return ctx.Err() // nothing came: time to look anyway
	}
	return err
}

// dropNotifications forgets those that have come already: the look that follows finds what they tell of.
func dropNotifications(conn *pgx.Conn) error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		if _, err := conn.WaitForNotification(now); err != nil {
			if conn.IsClosed() {
				return err
			}
			return nil // there are no more that have come
		}
	}
}

func (e *postgresEngine) close() error {
	if e.direct == e.pool {
		return e.pool.Close()
	}
	return errors.Join(e.pool.Close(), e.direct.Close())
}
