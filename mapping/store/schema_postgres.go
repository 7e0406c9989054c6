package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// turnPause is how long a process waits before it looks again whether it may change the schema.
const turnPause = time.Second

func (e *postgresEngine) migrator(options ...goose.ProviderOption) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectPostgres, e.direct, nil, options...)
}

func (e *postgresEngine) serialKey() string { return "BIGSERIAL PRIMARY KEY" }

// alone holds a lock of a transaction: one of a session gets lost, or stays for ever, behind a pooler. It is
// the one that goose knows, so that programs that leave it to goose wait as well.
func (e *postgresEngine) alone(ctx context.Context, change func() error) error {
	for {
		if mine, err := e.ifAlone(ctx, change); mine || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(turnPause):
		}
	}
}

// ifAlone does not wait for the lock in the database: an index that is made meanwhile would wait for whoever
// waits in a statement.
func (e *postgresEngine) ifAlone(ctx context.Context, change func() error) (mine bool, err error) {
	turn, err := e.direct.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer turn.Rollback() // which gives the lock back
	err = turn.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock($1)`, lock.DefaultLockID).Scan(&mine)
	if err != nil || !mine {
		return false, err
	}
	// After the query, whose portal keeps a snapshot until another statement takes its place: an index that
	// is made meanwhile would wait for that one, too.
	if _, err := turn.ExecContext(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return false, err
	}
	return true, change()
}

// hasten: whoever waits for a table that a backup reads has all others who come wait behind it.
func (e *postgresEngine) hasten(ctx context.Context, transaction *sql.Tx) error {
	_, err := transaction.ExecContext(ctx, `SET LOCAL lock_timeout = '300ms'`)
	return err
}

func (e *postgresEngine) busy(err error) time.Duration {
	// lock_not_available
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.Code == "55P03" {
		return turnPause
	}
	return 0
}

func (e *postgresEngine) indexes(ctx context.Context) (map[string]bool, error) {
	return readIndexes(ctx, e.direct, `
		SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
			WHERE c.relnamespace = current_schema()::regnamespace`)
}

// fewRows is how many an index is made of faster than anybody notices.
const fewRows = 10_000

func (e *postgresEngine) makeIndex(ctx context.Context, i index) error {
	var rows int
	err := e.direct.QueryRowContext(ctx,
		`SELECT count(*) FROM (SELECT 1 FROM `+i.table+` LIMIT $1) AS few`, fewRows).Scan(&rows)
	if err != nil {
		return err
	}
	if rows == fewRows { // it waits for all who use the database, and nobody waits for it
		i.statement = strings.Replace(i.statement, "INDEX ", "INDEX CONCURRENTLY ", 1)
	}
	if _, err := e.direct.ExecContext(ctx, `DROP INDEX IF EXISTS `+i.name); err != nil {
		return err
	}
	_, err = e.direct.ExecContext(ctx, i.statement)
	return err
}
