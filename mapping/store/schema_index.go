package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// indexLimit is how long an index may take. One of a million rows takes a second or two, on PostgreSQL twice
// as long as it would if others could not write meanwhile.
const indexLimit = 10 * time.Minute

// bringSchemaUp makes the tables, and the indexes of the additions.
func (s *Store) bringSchemaUp(ctx context.Context) error {
	soon, cancel := context.WithTimeoutCause(ctx, s.patience.open, errTooSlow)
	defer cancel()
	if err := s.migrate(soon); err != nil {
		return s.judge(soon, err)
	}
	return s.completeIndexes(ctx, additions)
}

// completeIndexes makes the indexes of additions that are not there, or not complete.
func (s *Store) completeIndexes(ctx context.Context, of series) error {
	ctx, cancel := context.WithTimeoutCause(ctx, indexLimit, errTooSlow)
	defer cancel()
	due, err := s.dueIndexes(ctx, of)
	if err != nil || len(due) == 0 {
		return s.judge(ctx, err)
	}
	return s.judge(ctx, s.engine.alone(ctx, func() error { return s.makeIndexes(ctx, of) }))
}

// index is one of an addition.
type index struct{ name, table, statement string }

var makesIndex = regexp.MustCompile(`^CREATE (?:UNIQUE )?INDEX (\w+)\s+ON (\w+) `)

// indexOf returns the index that a statement makes, if it makes one.
func indexOf(statement string) (index, bool) {
	found := makesIndex.FindStringSubmatch(statement)
	if found == nil {
		return index{}, false
	}
	return index{name: found[1], table: found[2], statement: statement}, true
}

// dueIndexes returns those that are to be made, in the order of the additions.
func (s *Store) dueIndexes(ctx context.Context, of series) (due []index, err error) {
	complete, err := s.engine.indexes(ctx)
	if err != nil {
		return nil, err
	}
	steps, err := of.read()
	if err != nil {
		return nil, err
	}
	for _, version := range slices.Sorted(maps.Keys(steps)) {
		for _, statement := range statements(s.inItsWords(steps[version])) {
			if i, makes := indexOf(statement); makes && !complete[i.name] {
				due = append(due, i)
			}
		}
	}
	return due, nil
}

// makeIndexes looks again what is due: another process may have been faster.
func (s *Store) makeIndexes(ctx context.Context, of series) error {
	due, err := s.dueIndexes(ctx, of)
	if err != nil {
		return err
	}
	for _, i := range due {
		begun := time.Now()
		if err := s.engine.makeIndex(ctx, i); err != nil {
			return fmt.Errorf("making the index %s: %w", i.name, err)
		}
		s.log.Info("index of the store made", "index", i.name, "took", time.Since(begun))
	}
	return nil
}

var comment = regexp.MustCompile(`--[^\n]*`)

// statements returns what an addition says, without comments.
func statements(text string) (all []string) {
	for statement := range strings.SplitSeq(comment.ReplaceAllString(text, ""), ";") {
		if statement = strings.TrimSpace(statement); statement != "" {
			all = append(all, statement)
		}
	}
	return all
}

func readIndexes(ctx context.Context, db *sql.DB, query string) (map[string]bool, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]bool{}
	for rows.Next() {
		var name string
		var complete bool
		if err := rows.Scan(&name, &complete); err != nil {
			return nil, err
		}
		found[name] = complete
	}
	return found, rows.Err()
}
