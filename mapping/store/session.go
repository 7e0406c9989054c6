package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/caller"
)

const sessionColumns = `sessions.hash, sessions.id, sessions.account_id, sessions.provider, sessions.sid,
	sessions.auth_time, sessions.created_at, sessions.last_seen, sessions.expires_at, sessions.sealed_id_token,
	sessions.logout_hint`

const selectSession = `SELECT ` + sessionColumns + ` FROM sessions `

func scanSession(row scanner) (s caller.Session, err error) {
	err = row.Scan(sessionTargets(&s)...)
	return s, err
}

// sessionTargets is where the sessionColumns are read into.
func sessionTargets(s *caller.Session) []any {
	return []any{
		hash{&s.Hash},
		&s.ID, &s.AccountID, &s.Provider, &s.SID,
		moment{&s.AuthTime},
		moment{&s.CreatedAt},
		moment{&s.LastSeen},
		moment{&s.ExpiresAt},
		&s.SealedIDToken, &s.LogoutHint,
	}
}

// hash reads a stored SHA-256.
type hash struct{ into *[32]byte }

// Scan implements sql.Scanner.
func (h hash) Scan(stored any) error {
	b, ok := stored.([]byte)
	if !ok || copy(h.into[:], b) != len(h.into) {
		return fmt.Errorf("a stored hash is a %T of %d bytes", stored, len(b))
	}
	return nil
}

// The account comes along, in one round trip: whoever looks for a session wants to know who that is.
const selectSignedIn = `SELECT ` + sessionColumns + `, ` + accountColumns + `,
	EXISTS (SELECT 1 FROM proofs WHERE proofs.account_id = accounts.id)
	FROM sessions JOIN accounts ON accounts.id = sessions.account_id `

func scanSignedIn(row scanner) (s caller.SignedIn, err error) {
	err = row.Scan(slices.Concat(sessionTargets(&s.Session), accountTargets(&s.Account),
		[]any{&s.RenewsInBackground})...)
	return s, err
}

// PutSession implements [caller.SessionTx]: mapping.ErrConflict when there is such a session already.
func (t *tx) PutSession(s caller.Session) error {
	if err := t.holds("writing the session", s.AccountID); err != nil {
		return err
	}
	_, err := t.exec("writing the session", `
		INSERT INTO sessions (hash, id, account_id, provider, sid, auth_time, created_at, last_seen,
			expires_at, sealed_id_token, logout_hint)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		s.Hash[:], s.ID, s.AccountID, s.Provider, s.SID, micros(s.AuthTime), micros(s.CreatedAt),
		micros(s.LastSeen), micros(s.ExpiresAt), s.SealedIDToken, s.LogoutHint)
	return err
}

// SessionByHash implements [proxy.SessionStore].
func (s *Store) SessionByHash(ctx context.Context, hash [32]byte) (found caller.SignedIn, err error) {
	err = s.ask(ctx, func(t *tx) (err error) {
		found, err = one(t, "reading the session", scanSignedIn,
			selectSignedIn+`WHERE sessions.hash = $1`, hash[:])
		return err
	})
	return found, err
}

// Sessions returns all sessions, the oldest first.
func (s *Store) Sessions(ctx context.Context) ([]caller.Session, error) {
	return s.sessionsWhere(ctx, ``)
}

// SessionsOf returns the sessions of an account, the oldest first.
func (s *Store) SessionsOf(ctx context.Context, accountID string) ([]caller.Session, error) {
	return s.sessionsWhere(ctx, `WHERE account_id = $1`, accountID)
}

// SessionsBySID returns the sessions that a provider knows by that session id; none for the
// empty id, which is no id.
func (s *Store) SessionsBySID(ctx context.Context, provider, sid string) ([]caller.Session, error) {
	if sid == "" {
		return nil, nil
	}
	return s.sessionsWhere(ctx, `WHERE provider = $1 AND sid = $2`, provider, sid)
}

func (s *Store) sessionsWhere(
	ctx context.Context, where string, args ...any,
) (found []caller.Session, err error) {
	err = s.ask(ctx, func(t *tx) (err error) {
		found, err = many(t, "reading sessions", scanSession,
			selectSession+where+` ORDER BY created_at, id`, args...)
		return err
	})
	return found, err
}

// TouchSessions implements [proxy.SessionStore]. A time that is older than what is stored changes nothing.
func (s *Store) TouchSessions(ctx context.Context, seen map[string]time.Time) error {
	ids := slices.Sorted(maps.Keys(seen)) // in one order, so that replicas do not lock rows crosswise
	for batch := range slices.Chunk(ids, touchBatch) {
		err := s.write(ctx, func(t *tx) error { return t.touch(batch, seen) })
		if err != nil {
			return err
		}
	}
	return nil
}

// touchBatch is how many sessions one statement touches: SQLite and PostgreSQL take
// at least 32,000 parameters.
const touchBatch = 1000

func (t *tx) touch(ids []string, seen map[string]time.Time) error {
	rows, args := make([]string, len(ids)), make([]any, 0, 2*len(ids))
	for i, id := range ids {
		rows[i] = fmt.Sprintf("($%d, CAST($%d AS BIGINT))", 2*i+1, 2*i+2)
		args = append(args, id, micros(seen[id]))
	}
	_, err := t.exec("touching sessions", `
		WITH seen (id, at) AS (VALUES `+strings.Join(rows, ", ")+`)
		UPDATE sessions SET last_seen = seen.at FROM seen WHERE sessions.id = seen.id
			AND sessions.last_seen < seen.at`, args...)
	return err
}

// AskOnce implements [proxy.SessionStore].
func (s *Store) AskOnce(ctx context.Context, id string, now, since time.Time) (first bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err := t.exec("noting that a session is renewed",
			`UPDATE sessions SET asked_at = $1 WHERE id = $2 AND asked_at <= $3`, micros(now),
			id, micros(since))
		first = n > 0
		return err
	})
	return first, err
}

// RenewSession implements [proxy.SessionStore].
func (s *Store) RenewSession(ctx context.Context, session caller.Session) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("renewing the session",
			`UPDATE sessions SET sid = $1, sealed_id_token = $2, logout_hint = $3 WHERE id = $4`,
			session.SID, session.SealedIDToken, session.LogoutHint, session.ID)
		return err
	})
}

func (t *tx) CheckSession(id string, at time.Time) error {
	n, err := one(t, "checking the session", scanCount,
		`SELECT count(*) FROM sessions WHERE id = $1 AND expires_at > $2`, id, micros(at))
	if err == nil && n == 0 {
		err = mapping.ErrSessionEnded
	}
	return err
}

func (t *tx) DeleteSession(id string) error {
	n, err := t.exec("deleting the session", `DELETE FROM sessions WHERE id = $1`, id)
	if err == nil && n == 0 {
		err = fmt.Errorf("deleting the session: %w", mapping.ErrNotFound)
	}
	return err
}

func (t *tx) DeleteSessions(accountID string) (int, error) {
	if err := t.holds("deleting the sessions of an account", accountID); err != nil {
		return 0, err
	}
	n, err := t.exec("deleting the sessions of an account",
		`DELETE FROM sessions WHERE account_id = $1`, accountID)
	return int(n), err
}

// DeleteOldestSessions implements [mapping.Tx].
func (t *tx) DeleteOldestSessions(accountID string, keep int) ([]string, error) {
	oldest, err := many(t, "looking for sessions beyond the most", scanText, `
		SELECT id FROM sessions WHERE account_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000 OFFSET $2`,
		accountID, keep)
	if err != nil {
		return nil, err
	}
	for _, id := range oldest {
		if err := t.DeleteSession(id); err != nil && !errors.Is(err, mapping.ErrNotFound) { // purged
			return nil, err
		}
	}
	return oldest, nil
}
