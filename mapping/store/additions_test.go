package store

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vexa-sso/mapping"
)

// Each statement of an addition is one of these, and nothing else.
var (
	addsTable  = regexp.MustCompile(`^CREATE TABLE (\w+) \(`)
	addsIndex  = regexp.MustCompile(`^CREATE (UNIQUE )?INDEX \w+\s+ON (\w+) `)
	addsColumn = regexp.MustCompile(
		`^ALTER TABLE \w+ ADD COLUMN \w+\s+\w+ (NOT NULL )?DEFAULT (\d+|TRUE|FALSE|NULL|'[^']*')$`)

	reference = regexp.MustCompile(`REFERENCES (\w+) \(\w+\)( ON DELETE CASCADE)?`)
)

// onlyAdds says whether a program that does not know of a statement can live with it. It could not if a row
// that it writes had to be unique, or one that it deletes were held by another table.
func onlyAdds(statement string, own map[string]bool) bool {
	if table := addsTable.FindStringSubmatch(statement); table != nil {
		own[table[1]] = true
		return !slices.ContainsFunc(reference.FindAllStringSubmatch(statement, -1), func(to []string) bool {
			return !own[to[1]] && to[2] == ""
		})
	}
	if index := addsIndex.FindStringSubmatch(statement); index != nil {
		return index[1] == "" || own[index[2]]
	}
	return addsColumn.MatchString(statement)
}

// A program that does not know an addition goes on beside one that does.
func TestAdditionsOnlyAdd(t *testing.T) {
	t.Parallel()
	steps, err := additions.read()
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]bool{}
	for _, version := range slices.Sorted(maps.Keys(steps)) {
		for _, statement := range statements(steps[version]) {
			if !onlyAdds(statement, own) {
				t.Errorf("%04d: this does not only add, and belongs into %s:\n%s", version,
					migrations.folder, statement)
			}
		}
	}
}

func TestWhatOnlyAdds(t *testing.T) {
	t.Parallel()
	for statement, adds := range map[string]bool{
		"CREATE TABLE own (id TEXT PRIMARY KEY)":                         true,
		"CREATE TABLE x (id TEXT REFERENCES own (id))":                   true,
		"CREATE TABLE x (id TEXT REFERENCES keys (id))":                  false,
		"CREATE TABLE x (y TEXT REFERENCES keys (id) ON DELETE CASCADE)": true,
		"ALTER TABLE keys ADD COLUMN x BIGINT DEFAULT random()":          false,
		"CREATE UNIQUE INDEX own_by_id ON own (id)":                      true,
		"CREATE INDEX keys_by_x ON keys (x) WHERE x > 0":                 true,
		"ALTER TABLE keys ADD COLUMN x BIGINT NOT NULL DEFAULT 0":        true,
		"ALTER TABLE keys ADD COLUMN x TEXT DEFAULT ''":                  true,
		"CREATE UNIQUE INDEX keys_by_x ON keys (x)":                      false,
		"ALTER TABLE keys ADD COLUMN x BIGINT NOT NULL":                  false,
		"ALTER TABLE keys ADD COLUMN x BIGINT DEFAULT 0 REFERENCES y":    false,
		"ALTER TABLE keys DROP COLUMN x":                                 false,
		"ALTER TABLE keys RENAME TO x":                                   false,
		"DROP TABLE keys":                                                false,
		"UPDATE keys SET x = 1":                                          false,
		"INSERT INTO own VALUES (1)":                                     false,
		"CREATE TRIGGER x AFTER INSERT ON keys BEGIN SELECT 1":           false,
	} {
		if got := onlyAdds(statement, map[string]bool{"own": true}); got != adds {
			t.Errorf("%s: %v", statement, got)
		}
	}
}

// The numbers of both folders are one sequence: no number is given twice.
func TestStepsAreOneSequence(t *testing.T) {
	t.Parallel()
	taken := map[string]string{}
	for _, of := range []series{migrations, additions} {
		files, err := fs.ReadDir(of.files, of.folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			number, _, _ := strings.Cut(file.Name(), "_")
			if other := taken[number]; other != "" {
				t.Errorf("%s and %s have one number", other, file.Name())
			}
			taken[number] = file.Name()
		}
	}
	if numbers := slices.Sorted(maps.Keys(taken)); numbers[0] != "0001" {
		t.Errorf("the numbers are %v", numbers)
	}
}

// A program that knows fewer additions than the store has had opens and serves it; one that knows more adds
// them, whatever the order.
func TestAdditionsOfOthers(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		update := func(query string) {
			t.Helper()
			if err := s.write(t.Context(), func(tx *tx) error {
				_, err := tx.exec("test", query)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		update(`INSERT INTO vexa_sso_additions (version_id, is_applied) VALUES (9999, TRUE)`)
		update(`ALTER TABLE accounts ADD COLUMN of_the_future BIGINT NOT NULL DEFAULT 7`)
		update(`DROP TABLE replicas`)
		update(`DELETE FROM vexa_sso_additions WHERE version_id = 11`)

		older := db.open(t)
		put(t, older, account("ada", 0))
		view(t, older, func(tx mapping.Tx) error { _, err := tx.Account("ada"); return err })
		update(`INSERT INTO replicas (holder, runs, seen_at) VALUES ('a', '{}', 1)`)
	})
}
