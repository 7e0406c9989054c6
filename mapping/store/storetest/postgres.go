// Package storetest finds the tests of the store, and of what stands on it, a PostgreSQL of their own, and takes it from them again.
package storetest

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// Postgres makes a schema of its own for the test, and returns the URL of the server that VEXA_SSO_TEST_POSTGRES names, with that
// schema in it. Where none is named, the test is skipped.
func Postgres(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv("VEXA_SSO_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("VEXA_SSO_TEST_POSTGRES names no PostgreSQL server (a postgres:// URL whose user may create schemas)")
	}
	server, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	schema := "test_" + strings.ToLower(rand.Text())
	if _, err := server.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := server.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
		server.Close()
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
