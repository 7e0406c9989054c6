package mapping_test

import (
	"errors"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
)

// A rotated key is replaced everywhere at once, also by one that lives shorter; the old one is good for a moment longer and then
// deleted at Vexa.
func TestRotateKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, elsewhere := w.replica(), w.replica()
	heard := listen(t, w)
	w.store.Watch(t.Context(), elsewhere.Apply)
	acc := w.signIn(a, person("ada"))
	old, oldID := w.mustKey(elsewhere, acc)
	w.clock.advance(time.Minute)
	w.rule(mapping.Rule{Name: "staff", Match: mapping.Match{Groups: []string{"staff"}}, Grant: &mapping.GrantSpec{Scopes: []string{"bot", "tx"}, KeyLifetime: time.Hour}})
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
	w.clock.advance(6 * time.Minute)
	if _, err := a.Reconcile(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if tokens := w.vexa.Tokens(); len(tokens) != 1 || tokens[0].Secret == old {
		t.Errorf("%+v", tokens)
	}
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
	if _, err := a.RotateKeys(t.Context(), acc.ID, "", "grace"); code(err) != mapping.CodeSuspended || len(w.vexa.Tokens()) != 1 {
		t.Errorf("suspended: %v", err)
	}
}

// After a rotation of the ring, resealed keys open with the newest secret alone.
func TestReseal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before, err := keyring.Generate()
	if err != nil {
		t.Fatal(err)
	}
	after, err := keyring.Rotate(before)
	if err != nil {
		t.Fatal(err)
	}
	ring := func(text []byte) func(*mapping.Config, *mapping.Deps) {
		loaded, err := keyring.Load(text)
		if err != nil {
			t.Fatal(err)
		}
		return func(_ *mapping.Config, d *mapping.Deps) { d.Ring = loaded }
	}
	old := w.replica(ring(before))
	acc := w.signIn(old, person("ada"))
	secret, _ := w.mustKey(old, acc)
	revoked := w.signIn(old, person("tim"))
	w.mustKey(old, revoked)
	if err := old.Revoke(t.Context(), suspend(revoked), "grace"); err != nil {
		t.Fatal(err)
	}

	was := w.keys(mapping.KeyActive)[0].Sealed
	if sealed, lost, err := w.replica(ring(after)).Reseal(t.Context()); sealed != 1 || lost != 0 || err != nil {
		t.Errorf("%d sealed, %d lost, %v", sealed, lost, err)
	}
	if is := w.keys(mapping.KeyActive)[0].Sealed; string(is) == string(was) {
		t.Error("it is as it was")
	}
	if _, _, err := old.Reseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sealed, lost, err := old.Reseal(t.Context()); sealed != 0 || lost != 1 || err != nil {
		t.Errorf("by the old ring alone: %d sealed, %d lost, %v", sealed, lost, err)
	}
	if got, _ := w.mustKey(w.replica(ring(after)), acc); got != secret {
		t.Error("the key is another")
	}
}
