package mapping_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store"
	"vexa-sso/oidc"
)

// S3: whatever accounts and pins there are, moving an org's subjects keeps one account for each person: the
// same account, with the same Vexa user, found by the new subject and by no old one; everybody else is left
// alone; and when anything collides, nothing moves at all.
func TestRekeyKeepsOneAccountPerPerson(t *testing.T) {
	t.Parallel()
	const from, to = "okta:https://old.okta.com/", "okta:https://new.okta.com/"
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		s, err := store.Open(context.Background(),
			store.Config{URL: "sqlite:" + filepath.Join(dir, fmt.Sprint(run))}, store.Env{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		a := mapping.NewAccounts(mapping.Config{Instance: "prod"}, mapping.Deps{
			Store: s, Rules: new(rule.Live), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		subject := rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{
				from, to, "okta:https://old.okta.company/", "oidc:https://old.okta.com#",
			}).Draw(t, "prefix") +
				rapid.StringMatching(`00u[a-c]{1,2}`).Draw(t, "id")
		})
		before := rapid.SliceOfDistinct(subject, rapid.ID).Draw(t, "accounts")
		pinned := rapid.SliceOfDistinct(subject, rapid.ID).Draw(t, "pins")
		err = s.Update(context.Background(), func(tx mapping.Tx) error {
			for i, subject := range before {
				acc := mapping.Account{
					ID: fmt.Sprint("a", i), Subject: subject, Provider: "okta", Kind: oidc.User,
					Status: mapping.Active, VexaUserID: int64(i + 1),
					Identity: oidc.Identity{Subject: subject},
				}
				if err := tx.PutAccount(acc); err != nil {
					return err
				}
			}
			for i, subject := range pinned {
				if err := tx.PutPin(mapping.Pin{
					Subject: subject, VexaEmail: "x@acme.example", VexaUserID: int64(i + 1),
				}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}

		collides := false
		known := map[string]bool{}
		for _, one := range append(append([]string{}, before...), pinned...) {
			known[one] = true
		}
		for one := range known {
			if rest, ok := strings.CutPrefix(one, from); ok && known[to+rest] {
				collides = true
			}
		}
		moved := func(subject string) string {
			if rest, ok := strings.CutPrefix(subject, from); ok {
				return to + rest
			}
			return subject
		}
		_, err = a.Rekey(context.Background(), mapping.Rekeying{From: from, To: to}, "grace", nobodyAsks)
		if collides != (err != nil) {
			t.Fatalf("collides %v, %v", collides, err)
		}
		if collides {
			moved = func(subject string) string { return subject }
		}
		err = s.View(context.Background(), func(tx mapping.Tx) error {
			all, err := tx.AccountsAfter(mapping.Place{}, 1000)
			if len(all) != len(before) {
				t.Errorf("%d accounts became %d", len(before), len(all))
			}
			for i, subject := range before {
				acc, err := tx.AccountBySubject(moved(subject))
				if err != nil || acc.ID != fmt.Sprint("a", i) || acc.VexaUserID != int64(i+1) ||
					acc.Identity.Subject != acc.Subject {
					t.Errorf("%s is %+v, %v", moved(subject), acc, err)
				}
			}
			for i, subject := range pinned {
				pin, err := tx.Pin(moved(subject))
				if err != nil || pin.VexaUserID != int64(i+1) {
					t.Errorf("the pin of %s is %+v, %v", moved(subject), pin, err)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func nobodyAsks(mapping.Rekeyed) error { return nil }

// A person who comes under the new subject is who they were.
func TestSignInAfterRekey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	if _, err := a.Rekey(t.Context(), mapping.Rekeying{
		From: "okta:https://acme.okta.com/", To: "okta:https://new.okta.com/",
	}, "grace", nobodyAsks); err != nil {
		t.Fatal(err)
	}
	id := person("ada")
	id.Subject = "okta:https://new.okta.com/00uada"
	if again := w.signIn(a, id); again.ID != acc.ID || again.VexaUserID != acc.VexaUserID ||
		again.Status != mapping.Active {
		t.Errorf("%+v became %+v", acc, again)
	}
	if events := w.events(mapping.EventAccountRekeyed); len(events) != 1 || events[0].Actor != "grace" ||
		!strings.Contains(events[0].Reason, "acme.okta.com") {
		t.Errorf("%+v", events)
	}
}
