package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// how often the log is looked at for what other processes published
	pollSQLite    = 250 * time.Millisecond
	sqliteReaders = 6 // connections that read at the same time; the tail of the log keeps one of them
)

// sqliteEngine is one file in WAL mode: one connection writes, some read at the same time, and other
// processes may do the same. What this process publishes wakes its tail; what others do is found by looking.
type sqliteEngine struct {
	path    string      // empty: in memory
	file    os.FileInfo // which file that was when it was opened
	write   *sql.DB
	read    *sql.DB
	changed chan struct{}
}

func openSQLite(ctx context.Context, path string, patience limits) (engine, error) {
	e := &sqliteEngine{changed: make(chan struct{}, 1)}
	dsn := url.URL{Scheme: "file"}
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(" + strconv.FormatInt(patience.write.Milliseconds(), 10) + ")",
		"foreign_keys(1)",
		"synchronous(FULL)", // what was written down stays so when the power fails (S5)
	}}
	switch path {
	case "":
		return nil, errors.New("store.url names no file: write sqlite:<path of a file>")
	case ":memory:":
		dsn.Path = "/" + rand.Text()
		query.Set("vfs", "memdb")
	default:
		if err := e.claim(path); err != nil {
			return nil, err
		}
		dsn.Opaque = (&url.URL{Path: path}).EscapedPath()
		query.Add("_pragma", "journal_mode(WAL)")
	}

	dsn.RawQuery = query.Encode()
	var err error
	if e.write, err = sql.Open("sqlite", dsn.String()); err != nil {
		return nil, fmt.Errorf("opening the SQLite store: %w", err)
	}
	e.write.SetMaxOpenConns(1)
	query.Add("_pragma", "query_only(1)")
	dsn.RawQuery = query.Encode()
	if e.read, err = sql.Open("sqlite", dsn.String()); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the SQLite store: %w", err), e.write.Close())
	}
	e.read.SetMaxOpenConns(sqliteReaders)
	e.read.SetMaxIdleConns(sqliteReaders)
	return e, nil
}

// claim makes sure that the file exists, readable to nobody else if it is new, and remembers which one it is.
func (e *sqliteEngine) claim(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the SQLite store: %w: "+
			"store.url has to name a file in a directory that vexa-sso may write to", err)
	}
	defer f.Close()
	if e.file, err = f.Stat(); err != nil {
		return fmt.Errorf("opening the SQLite store: %w", err)
	}
	e.path = path
	return nil
}

func (e *sqliteEngine) writers() *sql.DB { return e.write }
func (e *sqliteEngine) readers() *sql.DB { return e.read }

func (e *sqliteEngine) writing() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelSerializable}
}

func (e *sqliteEngine) oneWriter() bool { return true }

// errReplaced comes before any harm: what is written to a file without a name is lost, and revocations in the
// file that took its place would never be heard of.
var errReplaced = errors.New("the database file was removed or replaced while in use: start vexa-sso again")

func (e *sqliteEngine) present() error {
	if e.path == "" {
		return nil
	}
	now, err := os.Stat(e.path)
	if err != nil || !os.SameFile(now, e.file) {
		return errReplaced
	}
	return nil
}

func (e *sqliteEngine) verdict(err error) verdict {
	if errors.Is(err, errReplaced) {
		return unavailable
	}
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return wrong
	}
	switch failure.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return conflict
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return orphan
	}
	switch failure.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_INTERRUPT,
		sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_PROTOCOL:
		return unavailable
	}
	return wrong
}

func (e *sqliteEngine) addressOfIdentity() string {
	const rest = `substr(identity, instr(identity, 'email":"') + 8, 300)`
	return `substr(` + rest + `, 1, instr(` + rest + ` || '"', '"') - 1)`
}

func (e *sqliteEngine) beforePublishing(*tx) error { return nil } // there is one writer
func (e *sqliteEngine) afterPublishing(*tx) error  { return nil }

func (e *sqliteEngine) committed() {
	select {
	case e.changed <- struct{}{}:
	default: // the tail has not woken up yet from the last time
	}
}

func (e *sqliteEngine) listen(ctx context.Context) (*sql.Conn, error) { return e.read.Conn(ctx) }

func (e *sqliteEngine) wait(ctx context.Context, _ *sql.Conn) error {
	timer := time.NewTimer(pollSQLite)
	defer timer.Stop()
	select {
	case <-e.changed:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

func (e *sqliteEngine) close() error { return errors.Join(e.read.Close(), e.write.Close()) }
