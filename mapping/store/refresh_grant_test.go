package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vexa-sso/mapping"
	"vexa-sso/proxy/caller"
)

func TestProofs(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0), account("bob", 0))
		ada := mapping.RefreshGrant{
			AccountID: "ada", Provider: "okta", Sealed: []byte{1, 0, 255}, RenewAt: at(20), Attempts: 3,
			Unanswered: true, Steady: true,
		}
		bob := mapping.RefreshGrant{AccountID: "bob", Provider: "okta", Sealed: []byte{2}, RenewAt: at(10)}
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.PutRefreshGrant(ada), tx.PutRefreshGrant(bob))
		})
		ada.Sealed, ada.RenewAt, ada.Attempts = []byte{9}, at(33), 0
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.PutRefreshGrant(ada), tx.DeleteRefreshGrant("bob"),
				tx.DeleteRefreshGrant("bob"))
		})
		view(t, s, func(tx mapping.Tx) error {
			got, err := tx.RefreshGrant("ada")
			if diff := cmp.Diff(ada, got); diff != "" {
				t.Error(diff)
			}
			if _, missing := tx.RefreshGrant("bob"); !errors.Is(missing, mapping.ErrNotFound) {
				t.Errorf("deleted: %v", missing)
			}
			return err
		})
	})
}

func TestEmails(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		elsewhere := account("cid", 2)
		elsewhere.Provider = "entra"
		put(t, s, account("ada", 1), account("bob", 0), elsewhere)
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.AddEmail("ada", "a@acme.example"), tx.AddEmail("ada", "a@acme.example"),
				tx.AddEmail("ada", "new@acme.example"),
				tx.AddEmail("bob", "a@acme.example"), tx.AddEmail("cid", "a@acme.example"))
		})
		view(t, s, func(tx mapping.Tx) error {
			for email, want := range map[string][]string{
				"a@acme.example": {"bob", "ada"}, "new@acme.example": {"ada"}, "": nil, "A@acme.example": nil,
			} {
				found, err := tx.AccountsByEmail("okta", email)
				if err != nil {
					return err
				}
				var ids []string
				for _, a := range found {
					ids = append(ids, a.ID)
				}
				if diff := cmp.Diff(want, ids); diff != "" {
					t.Errorf("%q: %s", email, diff)
				}
			}
			return nil
		})
	})
}

func TestSpentTokens(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		spent := func(provider, jti string) (yes bool) {
			view(t, s, func(tx mapping.Tx) (err error) { yes, err = tx.Spent(provider, jti); return err })
			return yes
		}
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.Spend("okta", "one", at(5)), tx.Spend("okta", "one", at(5)),
				tx.Spend("okta", "two", at(9)))
		})
		if !spent("okta", "one") || !spent("okta", "two") || spent("entra", "one") || spent("okta", "three") {
			t.Error("tokens are mixed up")
		}
		update(t, s, func(tx mapping.Tx) error { return tx.Spend("okta", "three", at(9)) })
		db.clock.Advance(6 * time.Minute)
		purge(t, s)
		if spent("okta", "one") || !spent("okta", "two") || !spent("okta", "three") {
			t.Error("not those that expired were forgotten")
		}
	})
}

func TestSessionIsRenewed(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		put(t, s, account("ada", 0))
		one := session("s1", "ada", 0)
		create(t, s, one)
		for i, ask := range []struct {
			at    int
			by    *Store
			first bool
		}{{20, s, true}, {20, other, false}, {34, other, false}, {35, other, true}, {36, s, false}} {
			first, err := ask.by.AskOnce(t.Context(), "s1", at(ask.at), at(ask.at-15))
			if err != nil || first != ask.first {
				t.Errorf("asking for the %d. time: %v, %v", i, first, err)
			}
		}
		if first, err := s.AskOnce(t.Context(), "nobody", at(20), at(5)); first || err != nil {
			t.Errorf("a session that is not: %v, %v", first, err)
		}
		one.SID, one.SealedIDToken, one.LogoutHint = "sid-2", []byte{7}, "hint-2"
		changed := one
		changed.ExpiresAt, changed.AuthTime = at(900), at(900) // are not renewed
		if err := errors.Join(s.RenewSession(t.Context(), changed),
			s.RenewSession(t.Context(), caller.Session{ID: "nobody"})); err != nil {
			t.Error(err)
		}
		got, err := s.SessionByHash(t.Context(), one.Hash)
		if diff := cmp.Diff(one, got.Session); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}
