package store

import (
	"errors"
	"testing"
	"time"

	"vexa-sso/mapping"
)

// How a token ended is known by its access values, and forgotten in time.
func TestEndedTokens(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0))
		access, expired, refresh := value("a", "t1", false, 1, 0), value("b", "t1", false, 1, -30),
			value("c", "t1", true, 1, 0)
		ended := mapping.EndedToken{Cause: mapping.CauseSignedOut, At: at(5)}
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.PutToken(token("t1", "ada", 0)), tx.PutTokenValue(access),
				tx.PutTokenValue(expired), tx.PutTokenValue(refresh),
				tx.KeepEnded("t1", ended, time.Hour), tx.KeepEnded("t1", ended, time.Hour),
				tx.DeleteToken("t1"))
		})
		knows := func(hash [32]byte, want bool) {
			t.Helper()
			err := s.View(t.Context(), func(tx mapping.Tx) error {
				got, err := tx.EndedValue(hash)
				if err == nil && (got.Cause != ended.Cause || !got.At.Equal(ended.At)) {
					t.Errorf("it ended %+v", got)
				}
				return err
			})
			if want && err != nil || !want && !errors.Is(err, mapping.ErrNotFound) {
				t.Errorf("known %v: %v", want, err)
			}
		}
		db.clock.Advance(65 * time.Minute)
		purge(t, s)
		knows(access.Hash, true)
		knows(expired.Hash, false)
		knows(refresh.Hash, false)
		db.clock.Advance(time.Microsecond)
		purge(t, s)
		knows(access.Hash, false)
	})
}
