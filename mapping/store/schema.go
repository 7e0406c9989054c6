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

//go:embed migrations/*.sql additions/*.sql
var schemaFiles embed.FS

// series are the steps of one kind that the tables were changed by, and the table that notes which have been
// taken. Their numbers are one sequence.
type series struct{ folder, noted string }

var (
	// migrations are what a program that does not know them could not live with: it refuses the store.
	migrations = series{"migrations", goose.DefaultTablename}

	// additions only add: tables, indexes, and columns with a default that is right for the rows of a program
	// that does not know the column. Such a program goes on, beside one that does, and comes back when it is
	// started again: it does not know of the table where they are noted. They may be taken in any order.
	additions = series{"additions", "vexa_sso_additions"}
)

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
	changes, err := s.provider(migrations)
	if err != nil {
		return err
	}
	have, want, err := changes.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("they have version %d and this program knows %d: a newer vexa-sso has "+
			"used this store and changed what this one relies on; run that one, or restore a backup from "+
			"before", have, want)
	}
	if err := s.bringUp(ctx, changes); err != nil {
		return err
	}
	added, err := s.provider(additions)
	if err != nil {
		return err
	}
	return s.bringUp(ctx, added)
}

// bringUp takes the steps of a series that have not been taken yet.
func (s *Store) bringUp(ctx context.Context, steps *goose.Provider) error {
	due, err := steps.HasPending(ctx)
	if err != nil || !due {
		return err
	}
	taken, err := steps.Up(ctx)
	for _, step := range taken {
		s.log.Info("store's tables brought up to date", "step", step.Source.Version)
	}
	return err
}

func (s *Store) provider(of series) (*goose.Provider, error) {
	steps, err := of.read(s.engine.serialKey())
	if err != nil {
		return nil, err
	}
	return s.engine.migrator(goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true),
		goose.WithTableName(of.noted), goose.WithAllowOutofOrder(of == additions))
}

// read returns the embedded steps in the SQL of the engine whose type of a growing primary key that is. The
// number before the underscore of a file's name is its version.
func (of series) read(serialKey string) ([]*goose.Migration, error) {
	files, err := schemaFiles.ReadDir(of.folder)
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
		text, err := schemaFiles.ReadFile(of.folder + "/" + file.Name())
		if err != nil {
			return nil, err
		}
		steps = append(steps, of.step(version,
			strings.ReplaceAll(string(text), "{{serial key}}", serialKey)))
	}
	return steps, nil
}

func (of series) step(version int64, text string) *goose.Migration {
	up := func(ctx context.Context, transaction *sql.Tx) error {
		return of.runOnce(ctx, transaction, version, text)
	}
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: up}, nil)
}

// runOnce runs text unless another process was faster: on SQLite, two that start at once both find that it is
// due, and the second gets to write when the first is done.
func (of series) runOnce(ctx context.Context, transaction *sql.Tx, version int64, text string) error {
	var done bool
	err := transaction.QueryRowContext(ctx,
		`SELECT count(*) > 0 FROM `+of.noted+` WHERE version_id = $1`, version).Scan(&done)
	if err != nil || done {
		return err
	}
	_, err = transaction.ExecContext(ctx, text)
	return err
}
