package store

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

func TestAccounts(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		ada, bob := account("ada", 2), account("bob", 1)
		bare := mapping.Account{ID: "bare", Subject: "oidc:https://idp.example#1", Kind: oidc.Service}
		put(t, s, ada, bob, bare)

		view(t, s, func(tx mapping.Tx) error {
			for _, want := range []mapping.Account{ada, bob, bare} {
				byID, err := tx.Account(want.ID)
				if err != nil {
					return err
				}
				bySubject, err := tx.AccountBySubject(want.Subject)
				if err != nil {
					return err
				}
				if diff := cmp.Diff(want, byID) + cmp.Diff(want, bySubject); diff != "" {
					t.Error(diff)
				}
			}
			all, err := tx.AccountsAfter(mapping.Place{}, 10)
			if err != nil {
				return err
			}
			if diff := cmp.Diff([]mapping.Account{bare, bob, ada}, all); diff != "" {
				t.Errorf("all, by creation: %s", diff)
			}
			ofUser, err := tx.AccountsByVexaUser(7)
			if err != nil {
				return err
			}
			ofEmail, err := tx.AccountsByVexaEmail("ada@acme.example")
			if err != nil {
				return err
			}
			if diff := cmp.Diff([]mapping.Account{bob, ada}, ofUser) +
				cmp.Diff([]mapping.Account{ada}, ofEmail); diff != "" {
				t.Error(diff)
			}
			for _, id := range []string{"", "ADA", "nobody"} {
				if _, err := tx.Account(id); !errors.Is(err, mapping.ErrNotFound) {
					t.Errorf("account %q: %v", id, err)
				}
				if _, err := tx.AccountBySubject(id); !errors.Is(err, mapping.ErrNotFound) {
					t.Errorf("subject %q: %v", id, err)
				}
			}
			return nil
		})

		ada.Status, ada.Identity.Groups, ada.VexaUserID, ada.Intended, ada.ProvenAt = mapping.Active, nil, 9,
			false, at(50)
		put(t, s, ada)
		view(t, s, func(tx mapping.Tx) error {
			got, err := tx.Account("ada")
			if diff := cmp.Diff(ada, got); diff != "" {
				t.Errorf("replaced: %s", diff)
			}
			return err
		})
	})
}

// S3: one subject, one account, whoever wins the race.
func TestSubjectIsUnique(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0))
		twin := account("twin", 1)
		twin.Subject = account("ada", 0).Subject

		err := s.Update(t.Context(), func(tx mapping.Tx) error { return tx.PutAccount(twin) })
		if !errors.Is(err, mapping.ErrConflict) || errors.Is(err, mapping.ErrStoreUnavailable) {
			t.Errorf("a second account of the subject: %v", err)
		}
		if strings.Contains(err.Error(), "acme") { // errors go to logs, and do not name people
			t.Errorf("the error carries values: %v", err)
		}
		err = s.Update(t.Context(), func(tx mapping.Tx) error {
			tx.PutAccount(twin)
			return tx.PutAccount(account("bob", 2))
		})
		if !errors.Is(err, mapping.ErrConflict) {
			t.Errorf("a transaction whose conflict was ignored: %v", err)
		}
		err = s.Update(t.Context(), func(tx mapping.Tx) error {
			if err := tx.PutAccount(account("eve", 2)); err != nil {
				return err
			}
			tx.PutAccount(twin)
			return nil
		})
		if !errors.Is(err, mapping.ErrConflict) {
			t.Errorf("a transaction that ended with an ignored conflict: %v", err)
		}
		view(t, s, func(tx mapping.Tx) error {
			all, err := tx.AccountsAfter(mapping.Place{}, 10)
			if len(all) != 1 {
				t.Errorf("there are %d accounts", len(all))
			}
			return err
		})
	})
}

func TestKeys(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0), account("bob", 0))
		key := func(id, accountID string, state mapping.KeyState, minutes int) mapping.Key {
			return mapping.Key{
				ID: id, AccountID: accountID, VexaUserID: 1 << 40,
				Scopes: rule.NewScopes("tx", "bot"), State: state, VexaTokenID: 9,
				Sealed: []byte{0, 1, 255}, CreatedAt: at(minutes), ExpiresAt: at(99), Attempts: 3,
				RetryAt: at(98), RevokedAt: at(97),
			}
		}
		newer, older := key("k1", "ada", mapping.KeyActive, 2), key("k2", "ada", mapping.KeyActive, 1)
		bobs := mapping.Key{ID: "k3", AccountID: "bob", State: mapping.KeyMinting}
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.PutKey(newer), tx.PutKey(older), tx.PutKey(bobs))
		})

		view(t, s, func(tx mapping.Tx) error {
			adas, err := tx.Keys("ada")
			if err != nil {
				return err
			}
			active, err := tx.KeysAfter(mapping.KeyActive, mapping.Place{}, 10)
			if err != nil {
				return err
			}
			bare, err := tx.Key("k3")
			if err != nil {
				return err
			}
			want := []mapping.Key{older, newer}
			if diff := cmp.Diff(want, adas) + cmp.Diff(want, active) + cmp.Diff(bobs, bare); diff != "" {
				t.Error(diff)
			}
			return nil
		})

		older.State, older.Sealed = mapping.KeyRevoking, nil
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.PutKey(older), tx.DeleteKey("k1"), tx.DeleteKey("k1"),
				tx.DeleteKey("never"))
		})
		view(t, s, func(tx mapping.Tx) error {
			if _, err := tx.Key("k1"); !errors.Is(err, mapping.ErrNotFound) {
				t.Errorf("a deleted key: %v", err)
			}
			got, err := tx.Key("k2")
			if diff := cmp.Diff(older, got); diff != "" {
				t.Errorf("replaced: %s", diff)
			}
			return err
		})
	})
}

func TestEvents(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		full := mapping.Event{
			ID: "e3", At: at(3), Event: mapping.EventKeyMinted, Actor: "ada", Account: "ada",
			Provider: "okta", Reason: "rotation",
			Rules: []string{"staff"}, CredentialID: "s1", VexaUserID: 1, VexaTokenID: 2, Address: "192.0.2.1",
			TraceID: "t", TookMS: 12,
		}
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.AppendEvent(
				mapping.Event{ID: "e1", At: at(1), Event: mapping.EventSignIn, Account: "ada"},
			), tx.AppendEvent(mapping.Event{ID: "e2", At: at(2), Event: mapping.EventSignIn, Account: "bob"}),
				tx.AppendEvent(full), tx.AppendEvent(mapping.Event{
					ID: "e4", At: at(3), Event: mapping.EventSignOut, Account: "ada",
				}))
		})

		ids := func(f EventFilter) (ids []string) {
			events, err := s.Events(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				ids = append(ids, e.ID)
			}
			return ids
		}
		for _, test := range []struct {
			filter EventFilter
			want   []string
		}{
			{EventFilter{}, []string{"e4", "e3", "e2", "e1"}},
			{EventFilter{Limit: 2}, []string{"e4", "e3"}},
			{EventFilter{Account: "ada"}, []string{"e4", "e3", "e1"}},
			{EventFilter{Event: mapping.EventSignIn}, []string{"e2", "e1"}},
			{EventFilter{Event: mapping.EventSignIn, Account: "ada", Since: at(1)}, []string{"e1"}},
			{EventFilter{Since: at(2), Limit: -1}, []string{"e4", "e3", "e2"}},
			{EventFilter{Account: "' OR 1=1 --"}, nil},
		} {
			if got := ids(test.filter); !slices.Equal(got, test.want) {
				t.Errorf("%+v: %q, want %q", test.filter, got, test.want)
			}
		}
		events, err := s.Events(t.Context(), EventFilter{Event: mapping.EventKeyMinted})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]mapping.Event{full}, events); diff != "" {
			t.Error(diff)
		}

		db.clock.Advance(time.Hour + 3*time.Minute)
		purge(t, s)
		if !slices.Equal(ids(EventFilter{}), []string{"e4", "e3"}) {
			t.Errorf("there are %q", ids(EventFilter{}))
		}
	})
}

func TestMeta(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		if _, err := s.Meta(t.Context(), "key rings"); !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("before it was noted: %v", err)
		}
		for _, want := range []string{"0123", "4567 0123"} {
			if err := s.SetMeta(t.Context(), "key rings", want); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Meta(t.Context(), "key rings"); err != nil || got != want {
				t.Errorf("noted %q, found %q, %v", want, got, err)
			}
		}
	})
}
