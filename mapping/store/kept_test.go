package store

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every table of the schema is on the page that says what is kept, how long, and how it goes; and no other
// is.
func TestEveryTableHasARow(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../deploy/docs/kept.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows, tables []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(string(page), -1) {
		rows = append(rows, row[1])
	}
	db := newSQLite(t).open(t)
	found, err := db.engine.readers().QueryContext(t.Context(),
		`SELECT name FROM sqlite_master WHERE type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var name string
		if err := found.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, "sqlite_") && name != "goose_db_version" {
			tables = append(tables, name)
		}
	}
	slices.Sort(rows)
	slices.Sort(tables)
	if !slices.Equal(rows, tables) || found.Err() != nil {
		t.Errorf("the page has %q, the schema %q, %v", rows, tables, found.Err())
	}
}
