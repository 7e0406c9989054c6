package store

import (
	"errors"
	"time"

	"vexa-sso/mapping"
)

// NativeKeyNoted implements [mapping.Tx].
func (t *tx) NativeKeyNoted(accountID string) (time.Time, error) {
	if err := t.lockOwner(accountID); err != nil {
		return time.Time{}, err
	}
	at, err := one(t, "reading when a Vexa key was last noted", scanMoment,
		`SELECT noted_at FROM native_key_notes WHERE account_id = $1`, accountID)
	if errors.Is(err, mapping.ErrNotFound) {
		return time.Time{}, nil
	}
	return at, err
}

// NoteNativeKey implements [mapping.Tx]; mapping.ErrNotFound when there is no such account.
func (t *tx) NoteNativeKey(accountID string, at time.Time) error {
	_, err := t.exec("noting a Vexa key", `
		INSERT INTO native_key_notes (account_id, noted_at) VALUES ($1, $2)
		ON CONFLICT (account_id) DO UPDATE SET noted_at = excluded.noted_at`, accountID, micros(at))
	return err
}

func scanMoment(row scanner) (at time.Time, err error) {
	err = row.Scan(moment{&at})
	return at, err
}
