package store

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vexa-sso/mapping"
)

// Processes that start at once on an empty database all come up.
func TestOpenAtOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				s, err := open(t.Context(), Config{URL: db.url}, Env{Now: db.clock.Now}, testLimits)
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s := db.open(t)
		place, err := s.endOfLog(t.Context())
		if err != nil || place != 1 {
			t.Errorf("the migration ran more than once: the log ends at %d, %v", place, err)
		}
	})
}

// A process that found a migration due and then had to wait for another that ran it does not run it again.
func TestMigrationRunsOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		transaction, err := s.engine.writers().Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer transaction.Rollback()
		if err := migrations.runOnce(t.Context(), transaction, 1, `DROP TABLE sessions`); err != nil {
			t.Fatal(err)
		}
		if _, err := transaction.Exec(`SELECT 1 FROM sessions`); err != nil {
			t.Errorf("it ran again: %v", err)
		}
	})
}

func TestReopen(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		view(t, db.open(t), func(tx mapping.Tx) error { _, err := tx.Account("ada"); return err })
	})
}

// An older program keeps its hands off tables that it does not know.
func TestNewerTablesAreRefused(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		err := s.write(t.Context(), func(tx *tx) error {
			_, err := tx.exec("test",
				`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(t.Context(), Config{URL: db.url}, Env{})
		if err == nil || !strings.Contains(err.Error(), "newer vexa-sso") ||
			errors.Is(err, mapping.ErrStoreUnavailable) {
			t.Errorf("opened tables from the future: %v", err)
		}
	})
}

func TestMemory(t *testing.T) {
	t.Parallel()
	db := &database{"sqlite::memory:", newClock()}
	one, two := db.open(t), db.open(t)
	heard := hear(t, one)
	put(t, one, account("ada", 0))
	publish(t, one, mapping.Revocation{Account: "ada"})
	next(t, heard)
	view(t, one, func(tx mapping.Tx) error { _, err := tx.Account("ada"); return err })
	view(t, two, func(tx mapping.Tx) error {
		if _, err := tx.Account("ada"); !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("two stores in memory are one: %v", err)
		}
		return nil
	})
}

func TestSQLiteFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b%20?#c.db")
	db := &database{"sqlite:" + path, newClock()}
	put(t, db.open(t), account("ada", 0))
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

// S5: what was committed is on the disk, in a journal that readers do not wait for.
func TestSQLitePragmas(t *testing.T) {
	t.Parallel()
	s := newSQLite(t).open(t)
	for _, pool := range []*sql.DB{s.engine.writers(), s.engine.readers()} {
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1",
		} {
			var got string
			if err := pool.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %q, %v; want %q", pragma, got, err, want)
			}
		}
	}
}

// S2, S11: what cannot work says so, and never shows the password.
func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for url, says := range map[string]string{
		"":                              "store.url is neither SQLite nor PostgreSQL",
		"mysql://u:canary@db/x":         "store.url is neither SQLite nor PostgreSQL",
		"sqlite:":                       "names no file",
		"sqlite:/nowhere/at/all/x.db":   "directory that vexa-sso may write to",
		"sqlite:" + t.TempDir():         "opening the SQLite store",
		"postgres://u:can ary@:x/%zz":   "store.url is not the address",
		"postgres://u:canary@db:port/x": "store.url is not the address",
		"postgres://u:canary@127.0.0.1:1/x?sslmode=disable": "store unavailable",
	} {
		_, err := Open(t.Context(), Config{URL: url}, Env{})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "canary") ||
			strings.Contains(err.Error(), "can ary") {
			t.Errorf("%s: %v", url, err)
		}
	}
	_, err := Open(t.Context(),
		Config{URL: "postgres://u@127.0.0.1:1/x", NotifyURL: "postgres://u:canary@db:port/x"}, Env{})
	if err == nil || !strings.Contains(err.Error(), "store.notify_url") ||
		strings.Contains(err.Error(), "canary") {
		t.Errorf("notify_url: %v", err)
	}
}

func TestNotADatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{URL: "sqlite:" + path}, Env{})
	if err == nil || errors.Is(err, mapping.ErrStoreUnavailable) ||
		!strings.Contains(err.Error(), "not a database") {
		t.Errorf("a text file: %v", err) // waiting does not help
	}
}
