// Package storetest finds the tests of the store, and of what stands on it, a PostgreSQL of their own, and
// takes it from them again.
package storetest

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// Postgres makes a schema of its own for the test, and returns the URL of a server with that schema in it:
// of the one that VEXA_SSO_TEST_POSTGRES names, or of one that is started for this process. Where there is
// no PostgreSQL, the test is skipped.
func Postgres(t testing.TB) string {
	t.Helper()
	address, db := connect(t)
	schema := "test_" + strings.ToLower(rand.Text())
	must(t, db, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { must(t, db, "DROP SCHEMA "+schema+" CASCADE") })
	query := address.Query()
	query.Set("search_path", schema)
	address.RawQuery = query.Encode()
	return address.String()
}

// Database makes a database of its own for the test, where a schema is not enough: locks, and transactions
// that others wait for, are those of a database.
func Database(t testing.TB) string {
	t.Helper()
	address, db := connect(t)
	name := "test_" + strings.ToLower(rand.Text())
	must(t, db, "CREATE DATABASE "+name)
	t.Cleanup(func() { must(t, db, "DROP DATABASE "+name+" WITH (FORCE)") })
	address.Path = "/" + name
	return address.String()
}

// connect returns the URL of the server, and an administrator's connection to it.
func connect(t testing.TB) (*url.URL, *sql.DB) {
	t.Helper()
	dsn := os.Getenv("VEXA_SSO_TEST_POSTGRES")
	if dsn == "" {
		var err error
		if dsn, err = server(); errors.Is(err, errNone) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	address, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return address, db
}

func must(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Error(err)
	}
}
