package mapping_test

import (
	"context"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/oidc/oidctest"
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

	if err := keep(t.Context(), old, acc, "rt-1"); err != nil {
		t.Fatal(err)
	}

	was := w.keys(mapping.KeyActive)[0].Sealed
	if sealed, lost, err := w.replica(ring(after)).Reseal(t.Context()); sealed != 2 ||
		lost != 0 || err != nil {
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
		p, err := tx.RefreshGrant(acc.ID)
		if err != nil {
			return err
		}
		if token, err := newest.Open(keyring.ProviderToken, p.Sealed,
			[]byte(acc.ID)); string(token) != "rt-1" {
			t.Errorf("the refresh grant is another: %v", err)
		}
		return nil
	})
}

// What is in use is sealed again by the way: what was opened with an older key of the ring does not need it
// the next time.
func TestResealByTheWay(t *testing.T) {
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
	older, err := keyring.Load(before)
	if err != nil {
		t.Fatal(err)
	}
	newest, err := keyring.Load(after)
	if err != nil {
		t.Fatal(err)
	}
	w.ring = older
	a, d, acc := proven(w)
	secret, _ := w.mustKey(a, acc)
	d.set(func() { d.silent = true }) // a provider that gives no other token to seal

	w.ring = newest
	b := w.replica(d.option)
	if got, _ := w.mustKey(b, acc); got != secret {
		t.Fatal("another key")
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	w.clock.advance(12 * time.Minute)
	sealed := func() (fresh bool) {
		w.view(func(tx mapping.Tx) error {
			p, err := tx.RefreshGrant(acc.ID)
			if err != nil {
				return err
			}
			keys, err := tx.Keys(acc.ID)
			fresh = len(keys) == 1 && !newest.Stale(keys[0].Sealed) && !newest.Stale(p.Sealed)
			return err
		})
		return fresh
	}
	if !oidctest.Await(sealed) {
		t.Error("still sealed by the older key")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got, _ := w.mustKey(w.replica(), acc); got != secret {
		t.Error("the key is another")
	}
	w.due(acc)
	asked := d.times()
	if renew(t, w.replica(d.option)); d.times() != asked+1 {
		t.Error("the refresh grant is not the provider's any more")
	}
}
