package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql additions/*.sql
var schemaFiles embed.FS

// series are the steps of one kind that the tables were changed by, and the table that notes which have been
// taken. Their numbers are one sequence.
type series struct {
	folder, noted string
	files         fs.ReadFileFS
}

var (
	// migrations are what a program that does not know them could not live with: it refuses the store.
	migrations = series{"migrations", goose.DefaultTablename, schemaFiles}

	// additions only add: tables, indexes, and columns with a default that is right for the rows of a
	// program that does not know the column. Such a program goes on, beside one that does, and comes back
	// when it is started again: it does not know of the table where they are noted. They may be taken in any
	// order.
	additions = series{"additions", "vexa_sso_additions", schemaFiles}
)

// migrate makes the tables, or changes them to what this version of the program knows. Processes that start
// at once take turns. One that waits for a lock on a table keeps others from it, too, so it gives up soon
// and tries again; and a new SQLite file that another process is just changing to WAL is busy at once.
func (s *Store) migrate(ctx context.Context) error {
	for {
		err := s.migrateNow(ctx)
		pause := s.engine.busy(err)
		if pause == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
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
	return s.engine.alone(ctx, func() error {
		taken, err := steps.Up(ctx)
		for _, step := range taken {
			s.log.Info("store's tables brought up to date", "step", step.Source.Version)
		}
		return err
	})
}

func (s *Store) provider(of series) (*goose.Provider, error) {
	texts, err := of.read()
	if err != nil {
		return nil, err
	}
	var steps []*goose.Migration
	for version, text := range texts {
		steps = append(steps, s.step(of, version, s.inItsWords(text)))
	}
	return s.engine.migrator(goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true),
		goose.WithTableName(of.noted), goose.WithAllowOutofOrder(of.noted == additions.noted))
}

// inItsWords is a step in the SQL of the engine.
func (s *Store) inItsWords(text string) string {
	return strings.NewReplacer("{{serial key}}", s.engine.serialKey(),
		"{{address of identity}}", s.engine.addressOfIdentity()).Replace(text)
}

// read returns the embedded steps by their versions, which are the numbers before the underscores of the
// files' names.
func (of series) read() (map[int64]string, error) {
	files, err := fs.ReadDir(of.files, of.folder)
	if err != nil {
		return nil, err
	}
	steps := map[int64]string{}
	for _, file := range files {
		number, _, _ := strings.Cut(file.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the migration %s has no number: %w", file.Name(), err)
		}
		text, err := of.files.ReadFile(of.folder + "/" + file.Name())
		if err != nil {
			return nil, err
		}
		steps[version] = string(text)
	}
	return steps, nil
}

// step is a step of a series. The indexes of an addition are made apart, in their own time.
func (s *Store) step(of series, version int64, text string) *goose.Migration {
	if of.noted == additions.noted {
		var rest []string
		for _, statement := range statements(text) {
			if _, makes := indexOf(statement); !makes {
				rest = append(rest, statement)
			}
		}
		text = strings.Join(rest, ";\n")
	}
	up := func(ctx context.Context, transaction *sql.Tx) error {
		if err := s.engine.hasten(ctx, transaction); err != nil {
			return err
		}
		return of.runOnce(ctx, transaction, version, text)
	}
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: up}, nil)
}

// runOnce runs text unless another process was faster: on SQLite, two that start at once both find that it
// is due, and the second gets to write when the first is done.
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
