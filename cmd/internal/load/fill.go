package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/store"
)

// fillBatch is how many people one transaction brings.
const fillBatch = 20_000

// sink takes the rows of a store.
type sink interface {
	put(ctx context.Context, t table, rows [][]any) error
	commit(ctx context.Context) error
	close(ctx context.Context) error
}

func fillCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("load fill", flag.ContinueOnError)
	url := flags.String("store", "", "`URL` of the store, as store.url has it")
	ringFile := flags.String("keyring", "", "`file` of the key ring; made if there is none")
	accounts := flags.Int("accounts", 1000, "how many")
	seed := flags.Uint64("seed", 1, "who they are")
	org := flags.String("org", "http://localhost:4190", "`URL` of the Okta org that they come from")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ring, err := ringAt(*ringFile)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := makeTables(ctx, *url); err != nil {
		return err
	}
	p := &population{people: people{seed: *seed, org: *org}, ring: ring, now: time.Now()}
	if err := fill(ctx, *url, p, 0, *accounts); err != nil {
		return err
	}
	fmt.Printf("fill accounts=%d seconds=%.1f\n", *accounts, time.Since(began).Seconds())
	return nil
}

// ringAt loads a key ring, and makes one where there is none.
func ringAt(path string) (*keyring.Ring, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		text, err := keyring.Generate()
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, err
		}
	}
	return keyring.LoadFile(path)
}

// makeTables has this build make the tables of an empty store.
func makeTables(ctx context.Context, url string) error {
	s, err := store.Open(ctx, store.Config{URL: url}, store.Env{})
	if err != nil {
		return err
	}
	return s.Close()
}

// fill writes the people from one number to before another, and has PostgreSQL count what it has.
func fill(ctx context.Context, url string, p *population, from, to int) (err error) {
	out, err := openSink(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.close(ctx)) }()
	for first := from; first < to; first += fillBatch {
		last := min(first+fillBatch, to)
		for _, t := range tables {
			var rows [][]any
			for i := first; i < last; i++ {
				more, err := t.rows(p, i)
				if err != nil {
					return err
				}
				rows = append(rows, more...)
			}
			if err := out.put(ctx, t, rows); err != nil {
				return fmt.Errorf("fill %s: %w", t.name, err)
			}
		}
		if err := out.commit(ctx); err != nil {
			return err
		}
	}
	return nil
}

func openSink(ctx context.Context, url string) (sink, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return newSQLiteSink(path)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `SET synchronous_commit = off`); err != nil {
		return nil, err
	}
	return &postgresSink{conn: conn}, nil
}

// postgresSink copies. The sequences of the tables go on where they are.
type postgresSink struct{ conn *pgx.Conn }

func (s *postgresSink) put(ctx context.Context, t table, rows [][]any) error {
	_, err := s.conn.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(rows))
	return err
}

func (s *postgresSink) commit(context.Context) error { return nil }

func (s *postgresSink) close(ctx context.Context) error {
	for _, t := range tables {
		if _, err := s.conn.Exec(ctx, "ANALYZE "+t.name); err != nil {
			return err
		}
	}
	return s.conn.Close(ctx)
}

// sqliteSink inserts many rows with each statement, and waits for no disk. It has the file for itself: there
// is no journal, and the indexes are made when all rows are there.
type sqliteSink struct {
	db      *sql.DB
	tx      *sql.Tx
	indexes []string // their SQL
}

func newSQLiteSink(path string) (*sqliteSink, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(OFF)&_pragma=busy_timeout(10000)&"+
		"_pragma=cache_size(-1000000)&_pragma=journal_mode(OFF)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	s := &sqliteSink{db: db}
	if err := s.takeIndexes(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.tx, err = db.Begin()
	return s, err
}

// takeIndexes drops the indexes and remembers them.
func (s *sqliteSink) takeIndexes() error {
	rows, err := s.db.Query(`SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`)
	if err != nil {
		return err
	}
	var drop []string
	for rows.Next() {
		var name, made string
		if err := rows.Scan(&name, &made); err != nil {
			return err
		}
		drop, s.indexes = append(drop, "DROP INDEX "+name), append(s.indexes, made)
	}
	return errors.Join(rows.Err(), rows.Close(), s.run(drop))
}

func (s *sqliteSink) run(statements []string) error {
	for _, statement := range statements {
		if _, err := s.db.Exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// insertRows is how many rows one statement has.
const insertRows = 100

func (s *sqliteSink) put(ctx context.Context, t table, rows [][]any) error {
	for len(rows) > 0 {
		n := min(insertRows, len(rows))
		one := "(?" + strings.Repeat(", ?", len(t.columns)-1) + ")"
		var args []any
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		_, err := s.tx.ExecContext(ctx, "INSERT INTO "+t.name+" ("+strings.Join(t.columns, ", ")+
			") VALUES "+one+strings.Repeat(", "+one, n-1), args...)
		if err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (s *sqliteSink) commit(context.Context) (err error) {
	if err := s.tx.Commit(); err != nil {
		return err
	}
	s.tx, err = s.db.Begin()
	return err
}

func (s *sqliteSink) close(context.Context) error {
	return errors.Join(s.tx.Commit(), s.run(append(s.indexes, `PRAGMA journal_mode = WAL`)), s.db.Close())
}
