package store

import (
	"errors"
	"testing"

	"vexa-sso/mapping"
)

func TestNativeKeyNotes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0), account("bob", 0))
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.NoteNativeKey("ada", at(1)), tx.NoteNativeKey("ada", at(2)))
		})
		view(t, s, func(tx mapping.Tx) error {
			if noted, err := tx.NativeKeyNoted("ada"); err != nil || !noted.Equal(at(2)) {
				t.Errorf("noted at %v, %v", noted, err)
			}
			if noted, err := tx.NativeKeyNoted("bob"); err != nil || !noted.IsZero() {
				t.Errorf("noted at %v without a note, %v", noted, err)
			}
			return nil
		})
		err := s.Update(t.Context(), func(tx mapping.Tx) error { return tx.NoteNativeKey("nobody", at(1)) })
		if !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("a note of no account: %v", err)
		}
	})
}

// The version before kept the notes among the tokens of providers: they are found, and what a
// provider's tokens were is left.
func TestNativeKeyNotesOfVersion5(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0))
		days := 48 * 60
		err := s.write(t.Context(), func(tx *tx) error {
			return errors.Join(tx.Spend("native keys", "ada 2026-02-28", at(days-1440)),
				tx.Spend("native keys", "ada 2026-03-01", at(days)),
				tx.Spend("native keys", "gone 2026-03-01", at(days)),
				tx.Spend("okta", "ada 2026-03-01", at(days)))
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, back := range []string{
			`DROP INDEX proofs_by_provider`,
			`DROP INDEX accounts_by_creation`, `DROP INDEX accounts_by_status`,
			`DROP INDEX accounts_by_address`,
			`DROP INDEX pins_by_vexa_user`, `DROP INDEX keys_due`, `DROP INDEX keys_waiting`,
			`DROP INDEX holds_due`, `DROP INDEX holds_waiting`, `DROP INDEX sessions_by_creation`,
			`DROP INDEX tokens_by_creation`, `DROP INDEX leases_by_time`,
			`DROP INDEX authorizations_by_account`,
			`DROP TABLE ended_values`, `ALTER TABLE proofs DROP COLUMN unanswered`,
			`ALTER TABLE proofs DROP COLUMN steady`,
			`DROP TABLE native_key_notes`, `DELETE FROM goose_db_version WHERE version_id >= 6`,
		} {
			if _, err := s.engine.writers().ExecContext(t.Context(), back); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		view(t, db.open(t), func(tx mapping.Tx) error {
			if noted, err := tx.NativeKeyNoted("ada"); err != nil || !noted.Equal(at(0)) {
				t.Errorf("noted at %v, %v", noted, err)
			}
			for provider, want := range map[string]bool{"native keys": false, "okta": true} {
				if spent, err := tx.Spent(provider, "ada 2026-03-01"); err != nil || spent != want {
					t.Errorf("%s: %v, %v", provider, spent, err)
				}
			}
			return nil
		})
	})
}
