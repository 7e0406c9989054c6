package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"vexa-sso/mapping"
)

// AppendEvent implements [mapping.Tx].
func (t *tx) AppendEvent(e mapping.Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("writing the audit event %s: %w", e.ID, err)
	}
	_, err = t.exec("writing the audit event",
		`INSERT INTO events (at, event, account_id, body) VALUES ($1, $2, $3, $4)`,
		micros(e.At), e.Event, e.Account, string(body))
	return err
}

// EventFilter chooses audit events. Its zero value chooses the latest maxEvents.
type EventFilter struct {
	Account string    // only of this account
	Event   string    // only of this kind, one of mapping's Event… constants
	Since   time.Time // none before
	Limit   int       // at most so many, the latest; 0 or more than 10,000: 10,000
}

const maxEvents = 10_000

// Events returns the audit events that the filter chooses, the latest first.
func (s *Store) Events(ctx context.Context, f EventFilter) (found []mapping.Event, err error) {
	query, args := f.query()
	err = s.ask(ctx, func(t *tx) (err error) {
		found, err = many(t, "reading audit events", scanEvent, query, args...)
		return err
	})
	return found, err
}

func (f EventFilter) query() (string, []any) {
	conditions, args := []string{"at >= $1"}, []any{micros(f.Since)}
	if f.Account != "" {
		args = append(args, f.Account)
		conditions = append(conditions, fmt.Sprintf("account_id = $%d", len(args)))
	}
	if f.Event != "" {
		args = append(args, f.Event)
		conditions = append(conditions, fmt.Sprintf("event = $%d", len(args)))
	}
	limit := f.Limit
	if limit <= 0 || limit > maxEvents {
		limit = maxEvents
	}
	return fmt.Sprintf(`SELECT body FROM events WHERE %s ORDER BY seq DESC LIMIT %d`,
		strings.Join(conditions, " AND "), limit), args
}

func scanEvent(row scanner) (e mapping.Event, err error) {
	var body []byte
	if err := row.Scan(&body); err != nil {
		return e, err
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return e, fmt.Errorf("a stored audit event: %w", err)
	}
	return e, nil
}
