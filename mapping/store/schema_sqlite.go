package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

func (e *sqliteEngine) migrator(options ...goose.ProviderOption) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectSQLite3, e.write, nil, options...)
}

func (e *sqliteEngine) serialKey() string { return "INTEGER PRIMARY KEY AUTOINCREMENT" }

// alone: transactions that write take turns anyway.
func (e *sqliteEngine) alone(_ context.Context, change func() error) error { return change() }

func (e *sqliteEngine) hasten(context.Context, *sql.Tx) error { return nil }

// busy: another connection has the file locked (SQLITE_BUSY).
func (e *sqliteEngine) busy(err error) time.Duration {
	failure, ok := errors.AsType[*sqlite.Error](err)
	if ok && failure.Code()&0xff == sqlite3.SQLITE_BUSY {
		return 20 * time.Millisecond
	}
	return 0
}

func (e *sqliteEngine) indexes(ctx context.Context) (map[string]bool, error) {
	return readIndexes(ctx, e.write, `SELECT name, TRUE FROM sqlite_master WHERE type = 'index'`)
}

// makeIndex has those who write wait: the file has one writer. It is seconds for a million rows, before this
// process serves.
func (e *sqliteEngine) makeIndex(ctx context.Context, i index) error {
	_, err := e.write.ExecContext(ctx, strings.Replace(i.statement, "INDEX ", "INDEX IF NOT EXISTS ", 1))
	return err
}
