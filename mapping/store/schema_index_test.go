package store

import (
	"database/sql"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"vexa-sso/mapping/store/storetest"
)

// indexed is a series with indexes of a table that is there.
var indexed = series{"additions", "unused", fstest.MapFS{"additions/0001_x.sql": &fstest.MapFile{Data: []byte(`
	-- How they are found; by name, too.
	CREATE INDEX things_by_name ON things (name);
	CREATE UNIQUE INDEX things_by_id ON things (id);`)}}}

// things makes a table with so many rows.
func things(t *testing.T, s *Store, rows int) {
	t.Helper()
	statement(t, s.engine.writers(), `CREATE TABLE things (id BIGINT, name TEXT)`)
	statement(t, s.engine.writers(), `INSERT INTO things WITH RECURSIVE n(i) AS (
		SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT i, 'x' || i FROM n`, rows)
}

func statement(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}

// newDatabase is for an index of many rows: it waits for all transactions of its database.
func newDatabase(t *testing.T) *database { return &database{storetest.Database(t), newClock()} }

// Processes that start at once make each index once, and one that somebody dropped is made again.
func TestIndexesAreMade(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		things(t, s, 20)
		for _, was := range []string{"nothing", "all", "one"} {
			if was == "one" {
				statement(t, s.engine.writers(), `DROP INDEX things_by_id`)
			}
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					if err := s.completeIndexes(t.Context(), indexed); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if due, err := s.dueIndexes(t.Context(), indexed); err != nil || len(due) > 0 {
				t.Errorf("there was %s: %v is not made, %v", was, due, err)
			}
		}
	})
}

// An index that was left incomplete, because who made it was killed, is made again.
func TestIncompleteIndexIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := newDatabase(t).open(t)
	things(t, s, fewRows)
	for range 2 {
		if err := s.completeIndexes(t.Context(), indexed); err != nil {
			t.Fatal(err)
		}
		if due, err := s.dueIndexes(t.Context(), indexed); err != nil || len(due) > 0 {
			t.Fatalf("%v is not made, %v", due, err)
		}
		statement(t, s.engine.writers(), `UPDATE pg_index SET indisvalid = FALSE
			WHERE indexrelid = 'things_by_name'::regclass`)
	}
}

// While an index of many rows is made, others write.
func TestNobodyWaitsForAnIndex(t *testing.T) {
	t.Parallel()
	s := newDatabase(t).open(t)
	things(t, s, fewRows)
	slow, err := s.engine.writers().Begin() // somebody who has the index wait
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Rollback()
	if _, err := slow.Exec(`INSERT INTO things VALUES (0, 'slow')`); err != nil {
		t.Fatal(err)
	}
	made := make(chan error, 1)
	go func() { made <- s.completeIndexes(t.Context(), indexed) }()
	await(t, "the index is being made", func() bool {
		var waiting bool
		err := s.engine.readers().QueryRow(`SELECT count(*) > 0 FROM pg_stat_activity
			WHERE query LIKE 'CREATE INDEX CONCURRENTLY things_by_name%' AND wait_event_type = 'Lock'`).
			Scan(&waiting)
		return err == nil && waiting
	})
	statement(t, s.engine.writers(), `INSERT INTO things VALUES (-1, 'meanwhile')`)
	if err := slow.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-made; err != nil {
		t.Fatal(err)
	}
}

// A change of a table that somebody reads for long gives up soon, so that nobody waits behind it, and is
// tried again.
func TestChangeWaitsForNoReader(t *testing.T) {
	t.Parallel()
	s := newPostgres(t).open(t)
	things(t, s, 1)
	backup, err := s.engine.readers().Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Rollback()
	if _, err := backup.Exec(`SELECT * FROM things`); err != nil {
		t.Fatal(err)
	}
	change, err := s.engine.writers().Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer change.Rollback()
	if err := s.engine.hasten(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	_, err = change.Exec(`ALTER TABLE things ADD COLUMN more BIGINT NOT NULL DEFAULT 0`)
	if s.engine.busy(err) == 0 {
		t.Errorf("a change that has to wait: %v", err)
	}
}

// Tables, columns and indexes of an addition are told apart by their statements.
func TestAdditionsMakeNoIndexWithTheTable(t *testing.T) {
	t.Parallel()
	for _, one := range []string{"CREATE INDEX a ON b (c)", "CREATE UNIQUE INDEX a\n\tON b (c)"} {
		if i, makes := indexOf(one); !makes || i.name != "a" || i.table != "b" {
			t.Errorf("%q makes %v, %v", one, i, makes)
		}
	}
	err := fs.WalkDir(schemaFiles, additions.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := schemaFiles.ReadFile(path)
		for _, one := range statements(string(text)) {
			if _, makes := indexOf(one); makes != strings.Contains(one, " INDEX ") {
				t.Errorf("%s: whether this makes an index cannot be told:\n%s", path, one)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
