package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// whileBusy is how long migrate waits before it tries again.
const whileBusy = 20 * time.Millisecond

// migrate makes the tables, or changes them to what this version of the program knows. Replicas that start at
// once take turns: on PostgreSQL by a lock, on SQLite because transactions that write do so anyway. A new
// file that another process is just changing to WAL is busy at once, whatever busy_timeout says, and is tried
// again.
func (s *Store) migrate(ctx context.Context) error {
	for {
		err := s.migrateNow(ctx)
		if !isBusy(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(whileBusy):
		}
	}
}

func (s *Store) migrateNow(ctx context.Context) error {
	steps, err := readMigrations(s.engine.serialKey())
	if err != nil {
		return err
	}
	provider, err := s.engine.migrator(goose.WithGoMigrations(steps...),
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}

	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("they have version %d and this program knows %d: a newer vexa-sso has "+
			"used this store; "+"run that one, or restore a backup from before", have, want)
	}
	if have == want {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return err
	}
	s.log.Info("store's tables brought up to date", "from", have, "to", want)
	return nil
}

// readMigrations returns the embedded migrations in the SQL of the engine whose type of a growing primary key
// that is. The number before the underscore of a file's name is its version.
func readMigrations(serialKey string) ([]*goose.Migration, error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var steps []*goose.Migration
	for _, file := range files {
		number, _, _ := strings.Cut(file.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the migration %s has no number: %w", file.Name(), err)
		}
		text, err := migrations.ReadFile("migrations/" + file.Name())
		if err != nil {
			return nil, err
		}
		steps = append(steps, migration(version,
			strings.ReplaceAll(string(text), "{{serial key}}", serialKey)))
	}
	return steps, nil
}

func migration(version int64, text string) *goose.Migration {
	up := func(ctx context.Context, transaction *sql.Tx) error {
		return runOnce(ctx, transaction, version, text)
	}
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: up}, nil)
}

// runOnce runs text unless another process was faster: on SQLite, two that start at once both find that it is
// due, and the second gets to write when the first is done.
func runOnce(ctx context.Context, transaction *sql.Tx, version int64, text string) error {
	var done bool
	err := transaction.QueryRowContext(ctx,
		`SELECT count(*) > 0 FROM `+goose.DefaultTablename+` WHERE version_id = $1`, version).
		Scan(&done)
	if err != nil || done {
		return err
	}
	_, err = transaction.ExecContext(ctx, text)
	return err
}
