package mapping_test

import (
	"errors"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc/oidctest"
)

// A rotated key is replaced everywhere at once, also by one that lives shorter; the old one is good for a
// moment longer and then deleted at Vexa.
func TestRotateKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, elsewhere := w.replica(), w.replica()
	heard := listen(t, w)
	w.store.Watch(t.Context(), elsewhere.Apply)
	acc := w.signIn(a, person("ada"))
	old, oldID := w.mustKey(elsewhere, acc)
	w.clock.advance(time.Minute)
	w.rule(rule.Rule{
		Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
		Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}, KeyLifetime: time.Hour},
	})
	minted, err := a.RotateKeys(t.Context(), acc.ID, oldID, "grace")
	if err != nil || len(minted) != 1 || minted[0] == oldID {
		t.Fatal(minted, err)
	}
	heard.wait(t, func(r mapping.Revocation) bool { return r.Reason == "keys rotated" })
	if secret, id := w.mustKey(elsewhere, acc); secret == old || id != minted[0] {
		t.Errorf("elsewhere still %s", id)
	}
	if len(w.vexa.Tokens()) != 2 {
		t.Errorf("the old one did not survive its replacement: %+v", w.vexa.Tokens())
	}
	deleteAfter := func(d time.Duration, tokens int) {
		t.Helper()
		w.clock.advance(d)
		if waiting, err := a.DeleteRevoked(t.Context()); waiting != 0 || err != nil {
			t.Errorf("%d waiting, %v", waiting, err)
		}
		if oldest, err := a.OldestRevocation(t.Context()); !oldest.IsZero() || err != nil {
			t.Errorf("its grace counts as waiting: since %v, %v", oldest, err)
		}
		if got := w.vexa.Tokens(); len(got) != tokens || got[len(got)-1].Secret == old {
			t.Errorf("%+v", got)
		}
	}
	deleteAfter(mapping.DefaultKeyGrace-time.Second, 2)
	deleteAfter(time.Second, 1) // and not when it is next reconciled
}

// The grace is what the configuration says, of a key that is renewed as well; it is over at once when access
// is. S5
func TestKeyGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica(func(cfg *mapping.Config, _ *mapping.Deps) { cfg.KeyGrace = 30 * time.Minute })
	acc := w.signIn(a, person("ada"))
	elsewhere := w.replica()
	w.store.Watch(t.Context(), elsewhere.Apply)
	w.mustKey(a, acc)
	w.mustKey(a, acc) // it is in use
	old, _ := w.mustKey(elsewhere, acc)
	w.clock.advance(rule.DefaultKeyLifetime * 3 / 4)
	if err := a.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	oidctest.WaitFor(t, "the new key elsewhere", func() bool {
		now, _ := w.mustKey(elsewhere, acc)
		return now != old
	})
	left := func(tokens int) {
		t.Helper()
		if _, err := a.DeleteRevoked(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.vexa.Tokens(); len(got) != tokens {
			t.Errorf("%d tokens, want %d", len(got), tokens)
		}
	}
	left(2)
	w.clock.advance(29 * time.Minute)
	left(2)
	w.clock.advance(time.Minute)
	left(1)

	if _, err := a.RotateKeys(t.Context(), acc.ID, "", "grace"); err != nil {
		t.Fatal(err)
	}
	left(2)
	if err := a.Revoke(t.Context(), suspend(acc), "grace"); err != nil {
		t.Fatal(err)
	}
	left(0)
}

func TestRotateKeysObjections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	if minted, err := a.RotateKeys(t.Context(), acc.ID, "", "grace"); len(minted) != 0 || err != nil {
		t.Errorf("without keys: %v, %v", minted, err)
	}
	_, id := w.mustKey(a, acc)
	if _, err := a.RotateKeys(t.Context(), acc.ID, "another", "grace"); !errors.Is(err, mapping.ErrNotFound) {
		t.Errorf("a key that there is not: %v", err)
	}
	w.allow("tx")
	if _, err := a.RotateKeys(t.Context(), acc.ID, id, "grace"); !objection(err) {
		t.Errorf("a key that is too wide: %v", err)
	}
	if err := a.Revoke(t.Context(), suspend(acc), "grace"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.RotateKeys(t.Context(), acc.ID, "", "grace"); code(err) != mapping.CodeSuspended ||
		len(w.vexa.Tokens()) != 1 {
		t.Errorf("suspended: %v", err)
	}
}
