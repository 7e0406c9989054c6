package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"vexa-sso/mapping"
)

// explainPlan returns how the engine would run a query with these parameters: a line a step. On PostgreSQL it
// is asked with sequential scans made costly, so that a small table does not hide a missing index: what still
// reads a whole table has no other way.
func explainPlan(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	conn, err := s.engine.writers().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	explain := "EXPLAIN QUERY PLAN "
	if _, ok := s.engine.(*postgresEngine); ok {
		explain = "EXPLAIN "
		for _, way := range []string{"enable_seqscan", "enable_bitmapscan"} {
			if _, err := conn.ExecContext(t.Context(), "SET "+way+" = off"); err != nil {
				t.Fatal(err)
			}
			defer conn.ExecContext(context.WithoutCancel(t.Context()), "RESET "+way)
		}
	}
	rows, err := conn.QueryContext(t.Context(), explain+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	return readPlan(t, rows)
}

func readPlan(t *testing.T, rows *sql.Rows) string {
	t.Helper()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan []string
	for rows.Next() {
		into := make([]any, len(columns))
		for i := range into {
			into[i] = new(any)
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, fmt.Sprint(*into[len(into)-1].(*any)))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

// wholeTable is a step that reads a table or an index from end to end: SCAN on SQLite, where a search by an
// index is SEARCH; Seq Scan, or an index scan without a condition, on PostgreSQL.
var wholeTable = regexp.MustCompile(`(?m)Seq Scan on|^SCAN `)

// asked are the queries that a Store runs, with their parameters.
type asked struct {
	queryer
	queries *[]question
}

type question struct {
	query string
	args  []any
}

func (a asked) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	*a.queries = append(*a.queries, question{query, args})
	return a.queryer.QueryContext(ctx, query, args...)
}

func (a asked) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	*a.queries = append(*a.queries, question{query, args})
	return a.queryer.ExecContext(ctx, query, args...)
}

// No read of one person, of what is due, and of a page of a list reads a whole table.
func TestNoWholeTableOnThePathOfAPerson(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0), account("bob", 1))
		subject := account("ada", 0).Subject
		place := mapping.Place{At: at(0), ID: "ada"}
		for name, read := range map[string]func(*tx) error{
			"account":            func(t *tx) error { return only(t.Account("ada")) },
			"by subject":         func(t *tx) error { return only(t.AccountBySubject(subject)) },
			"by address":         func(t *tx) error { return only(t.AccountsByAddress("ada@acme.example")) },
			"by proven email":    func(t *tx) error { return only(t.AccountsByEmail("okta", "a@b.example")) },
			"by Vexa user":       func(t *tx) error { return only(t.AccountsByVexaUser(7)) },
			"by Vexa email":      func(t *tx) error { return only(t.AccountsByVexaEmail("a@b.example")) },
			"accounts by id":     func(t *tx) error { return only(t.AccountsOf([]string{"ada", "bob"})) },
			"page of accounts":   func(t *tx) error { return only(t.AccountsAfter(place, 10)) },
			"keys":               func(t *tx) error { return only(t.Keys("ada")) },
			"keys of accounts":   func(t *tx) error { return only(t.KeysOf([]string{"ada"})) },
			"page of keys":       func(t *tx) error { return only(t.KeysAfter("active", place, 10)) },
			"keys due":           func(t *tx) error { return only(t.KeysDue(at(0), 10)) },
			"bot blocks due":     func(t *tx) error { return only(t.BotBlocksDue(at(0), 10)) },
			"oldest to tell":     func(t *tx) error { return only(t.OldestToTell(at(0))) },
			"longest due":        func(t *tx) error { return only(t.LongestDue(at(0))) },
			"tokens":             func(t *tx) error { return only(t.Tokens("ada")) },
			"tokens of accounts": func(t *tx) error { return only(t.TokensOf([]string{"ada"})) },
			"tokens expired":     func(t *tx) error { return only(t.TokensExpired(at(0), place, 10)) },
			"page of pins":       func(t *tx) error { return only(t.PinsAfter("x", 10)) },
			"pins of subjects":   func(t *tx) error { return only(t.PinsOf([]string{"x"})) },
			"end of sessions":    func(t *tx) error { return only(t.DeleteSessions("ada")) },
			"authorizations":     func(t *tx) error { return t.DeleteAuthorizations("ada") },
			"pin of a user": func(t *tx) error {
				if _, err := t.PinOfUser(7, "x"); !errors.Is(err, mapping.ErrNotFound) {
					return err
				}
				return nil
			},
		} {
			var queries []question
			err := s.write(t.Context(), func(tx *tx) error {
				tx.rows = asked{tx.rows, &queries}
				return errors.Join(only(tx.Account("ada")), read(tx))
			})
			if err != nil || len(queries) == 0 {
				t.Fatalf("%s: %d queries, %v", name, len(queries), err)
			}
			for _, q := range queries {
				if plan := explainPlan(t, s, q.query, q.args...); wholeTable.MatchString(plan) {
					t.Errorf("%s reads a whole table:\n%s\n%s", name, q.query, plan)
				}
			}
		}
	})
}

func only[T any](_ T, err error) error { return err }

// What is purged, and how late it is, is found by when it was due.
func TestPurgeFindsWhatIsDue(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		for _, p := range perishables(at(0), mapping.Retention{}) {
			query := fmt.Sprintf(`SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT 10`,
				p.key, p.table, p.due(), p.column)
			if plan := explainPlan(t, s, query, micros(p.before)); wholeTable.MatchString(plan) ||
				strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort") {
				t.Errorf("%s by %s is not found by an index:\n%s", p.table, p.column, plan)
			}
		}
	})
}
