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

// Postgres makes a schema of its own for the test, and returns the URL of a server with that schema in it: of
// the one that VEXA_SSO_TEST_POSTGRES names, or of one that is started for this process. Where there is no
// PostgreSQL, the test is skipped.
func Postgres(t testing.TB) string {
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
	schema := "test_" + strings.ToLower(rand.Text())
	if _, err := db.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	address, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	query := address.Query()
	query.Set("search_path", schema)
	address.RawQuery = query.Encode()
	return address.String()
}
