package mapping_test

import (
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
)

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

	if err := old.Keep(t.Context(), acc, "rt-1"); err != nil {
		t.Fatal(err)
	}

	was := w.keys(mapping.KeyActive)[0].Sealed
	if sealed, lost, err := w.replica(ring(after)).Reseal(t.Context()); sealed != 2 || lost != 0 || err != nil {
		t.Errorf("%d sealed, %d lost, %v", sealed, lost, err)
	}
	if is := w.keys(mapping.KeyActive)[0].Sealed; string(is) == string(was) {
		t.Error("it is as it was")
	}
	if sealed, lost, err := old.Reseal(t.Context()); sealed != 0 || lost != 2 || err != nil {
		t.Errorf("by the old ring alone: %d sealed, %d lost, %v", sealed, lost, err)
	}
	if got, _ := w.mustKey(w.replica(ring(after)), acc); got != secret {
		t.Error("the key is another")
	}
	newest, err := keyring.Load(after)
	if err != nil {
		t.Fatal(err)
	}
	w.view(func(tx mapping.Tx) error {
		p, err := tx.Proof(acc.ID)
		if err != nil {
			return err
		}
		if token, err := newest.Open(keyring.ProviderToken, p.Sealed, []byte(acc.ID)); string(token) != "rt-1" {
			t.Errorf("the proof is another: %v", err)
		}
		return nil
	})
}
