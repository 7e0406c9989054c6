package keyring

import (
	"testing"
)

// A ring that was replaced seals with the new primary key, opens what either sealed, and takes no ring that
// could not.
func TestReplace(t *testing.T) {
	t.Parallel()
	old, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := Rotate(old)
	if err != nil {
		t.Fatal(err)
	}
	load := func(text []byte) *Ring {
		t.Helper()
		r, err := Load(text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r, next := load(old), load(rotated)
	before, err := r.Seal(VexaKey, []byte("secret"), []byte("place"))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Replace(load(stranger)); err == nil {
		t.Error("a ring that opens nothing of what is sealed is taken")
	}
	if err := r.Replace(next); err != nil {
		t.Fatal(err)
	}
	after, err := r.Seal(VexaKey, []byte("secret"), []byte("place"))
	if err != nil {
		t.Fatal(err)
	}
	if r.ID() != next.ID() || !r.Stale(before) || r.Stale(after) {
		t.Errorf("id %s, want %s; sealed before is stale: %v; after: %v", r.ID(), next.ID(), r.Stale(before),
			r.Stale(after))
	}
	for _, sealed := range [][]byte{before, after} {
		if opened, err := r.Open(VexaKey, sealed, []byte("place")); err != nil || string(opened) != "secret" {
			t.Errorf("%q, %v", opened, err)
		}
	}
}
