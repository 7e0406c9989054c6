package keyring

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// newTestRing returns a ring that is made for the test, and its file.
func newTestRing(t *testing.T) (*Ring, []byte) {
	t.Helper()
	file, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return r, file
}

// What is sealed opens for the same purpose in the same place, and nowhere else (F2, F4).
func TestSealedForOnePurposeAndPlace(t *testing.T) {
	t.Parallel()
	r, _ := newTestRing(t)
	rapid.Check(t, func(t *rapid.T) {
		plaintext := rapid.SliceOf(rapid.Byte()).Draw(t, "plaintext")
		place := rapid.SliceOf(rapid.Byte()).Draw(t, "place")
		otherPlace := rapid.SliceOf(rapid.Byte()).Draw(t, "other place")
		purpose := rapid.SampledFrom(purposes).Draw(t, "purpose")

		sealed, err := r.Seal(purpose, plaintext, place)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range purposes {
			for _, place2 := range [][]byte{place, otherPlace} {
				opened, err := r.Open(p, sealed, place2)
				if p == purpose && bytes.Equal(place, place2) {
					if err != nil || !bytes.Equal(opened, plaintext) {
						t.Fatalf("opened %x, %v; want %x", opened, err, plaintext)
					}
				} else if !errors.Is(err, ErrNotSealedByThisRing) {
					t.Fatalf("%s in %x opened as %s in %x: %v", purpose, place, p, place2, err)
				}
			}
		}
	})
}

// S2: what is sealed does not show.
func TestSealedDoesNotShow(t *testing.T) {
	t.Parallel()
	r, _ := newTestRing(t)
	secret := []byte("vxa_user_canary0123456789")
	sealed, err := r.Seal(VexaKey, secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, secret) {
		t.Fatal("the sealed value contains the secret")
	}
	if len(sealed) != len(secret)+33 {
		t.Errorf("sealing adds %d bytes, doc.go says 33", len(sealed)-len(secret))
	}
}

func TestOpenRefusesEveryChange(t *testing.T) {
	t.Parallel()
	r, _ := newTestRing(t)
	sealed, err := r.Seal(VexaKey, []byte("secret"), []byte("place"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		changed := slices.Clone(sealed)
		changed[i] ^= 1
		if _, err := r.Open(VexaKey, changed, []byte("place")); !errors.Is(err, ErrNotSealedByThisRing) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := r.Open(VexaKey, sealed[:i], []byte("place")); !errors.Is(err, ErrNotSealedByThisRing) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
}

func TestUnknownPurpose(t *testing.T) {
	t.Parallel()
	r, _ := newTestRing(t)
	if _, err := r.Seal("tea", nil, nil); err == nil || !strings.Contains(err.Error(), `"tea"`) {
		t.Errorf("Seal: %v", err)
	}
	if _, err := r.Open("tea", nil, nil); err == nil || errors.Is(err, ErrNotSealedByThisRing) {
		t.Errorf("Open: %v", err)
	}
}

func TestRotationKeepsOldValues(t *testing.T) {
	t.Parallel()
	first, file := newTestRing(t)
	old, err := first.Seal(VexaKey, []byte("old"), nil)
	if err != nil {
		t.Fatal(err)
	}

	rings := []*Ring{first}
	for range 3 {
		if file, err = Rotate(file); err != nil {
			t.Fatal(err)
		}
		r, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		previous := rings[len(rings)-1]
		if r.ID() == previous.ID() || slices.Contains(previous.IDs(), r.ID()) {
			t.Fatalf("the primary is still %s", r.ID())
		}
		for _, id := range previous.IDs() {
			if !slices.Contains(r.IDs(), id) {
				t.Fatalf("rotation lost %s", id)
			}
		}
		if opened, err := r.Open(VexaKey, old, nil); err != nil || string(opened) != "old" {
			t.Fatalf("after a rotation: %q, %v", opened, err)
		}
		fresh, err := r.Seal(VexaKey, []byte("new"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := previous.Open(VexaKey, fresh, nil); !errors.Is(err, ErrNotSealedByThisRing) {
			t.Fatalf("the ring before the rotation opens what the new primary sealed: %v", err)
		}
		rings = append(rings, r)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	r, file := newTestRing(t)
	again, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.ID()) != 16 || r.ID() != again.ID() || !slices.Equal(r.IDs(), []string{r.ID()}) {
		t.Errorf("ID %q, again %q, IDs %q", r.ID(), again.ID(), r.IDs())
	}
	if other, _ := newTestRing(t); other.ID() == r.ID() {
		t.Error("two rings have one ID")
	}
	if bytes.Contains(file, []byte(r.ID())) {
		t.Error("the ID is in the file: it must not show any of it")
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	r, _ := newTestRing(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			place := []byte{byte(i)}
			for range 50 {
				sealed, err := r.Seal(ProviderToken, place, place)
				if err != nil {
					t.Error(err)
					return
				}
				if opened, err := r.Open(ProviderToken, sealed, place); err != nil ||
					!bytes.Equal(opened, place) {
					t.Errorf("%x, %v", opened, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// What the newest key sealed is told from what an older one did, for every purpose.
func TestStale(t *testing.T) {
	t.Parallel()
	before, file := newTestRing(t)
	rotated, err := Rotate(file)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Load(rotated)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range purposes {
		old, err := before.Seal(p, []byte("secret"), nil)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := after.Seal(p, []byte("secret"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if before.Stale(old) || !after.Stale(old) || after.Stale(fresh) || !before.Stale(fresh) {
			t.Errorf("%s: %v %v %v %v",
				p, before.Stale(old), after.Stale(old), after.Stale(fresh), before.Stale(fresh))
		}
	}
	if !after.Stale(nil) {
		t.Error("nothing was sealed by the primary")
	}
}
