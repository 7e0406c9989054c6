package keyring

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Replicas that take the steps of a rotation one after another open at each moment what any of them seals.
func TestRotationOverReplicas(t *testing.T) {
	t.Parallel()
	file, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	load := func(file []byte) *Ring {
		t.Helper()
		r, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := load(file)
	slow, fast := load(file), load(file)
	agree := func(when string) {
		t.Helper()
		for _, pair := range [][2]*Ring{{slow, fast}, {fast, slow}, {first, slow}, {first, fast}} {
			sealed, err := pair[0].Seal(VexaKey, []byte("secret"), []byte("place"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := pair[1].Open(VexaKey, sealed, []byte("place"))
			if err != nil || string(got) != "secret" {
				t.Errorf("%s: %q, %v", when, got, err)
			}
		}
	}
	added, id, err := Add(file)
	if err != nil {
		t.Fatal(err)
	}
	steps := [][]byte{added}
	promoted, same, err := Promote(added)
	if err != nil || same != id {
		t.Fatalf("%s was added, and %s promoted, %v", id, same, err)
	}
	steps = append(steps, promoted)
	for _, step := range steps {
		for _, r := range []*Ring{fast, slow} {
			if err := r.Replace(load(step)); err != nil {
				t.Fatal(err)
			}
			agree("while the file spreads")
		}
	}
	if fast.ID() != id || !slices.Contains(fast.IDs(), first.ID()) {
		t.Errorf("the keys are %v, and should be %s and %s", fast.IDs(), id, first.ID())
	}

	if _, _, err := Add(added); err == nil || !strings.Contains(err.Error(), "keyring promote") {
		t.Errorf("a second key is added: %v", err)
	}
	for _, none := range [][]byte{file, promoted} {
		if _, _, err := Promote(none); err == nil || !strings.Contains(err.Error(), "keyring add") {
			t.Errorf("nothing was added, and is promoted: %v", err)
		}
	}

	// who has not got the key says which it lacks
	sealed, err := fast.Seal(VexaKey, []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = first.Open(VexaKey, sealed, nil)
	if !errors.Is(err, ErrNotSealedByThisRing) || !strings.Contains(err.Error(), first.ID()) ||
		!strings.Contains(err.Error(), `lacks the one with "keyId": `) {
		t.Errorf("a key that is not in the ring: %v", err)
	}
	if _, err = fast.Open(VexaKey, sealed, []byte("elsewhere")); !errors.Is(err, ErrNotSealedByThisRing) ||
		strings.Contains(err.Error(), "lacks") {
		t.Errorf("a value in another's place: %v", err)
	}
}
