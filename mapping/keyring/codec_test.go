package keyring

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/securecookie"

	"vexa-sso/oidc/oidctest"
)

func newClock() *oidctest.Clock {
	return oidctest.NewClock(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
}

func TestCodecCarriesWhatGorillaCarries(t *testing.T) {
	t.Parallel()
	r, _ := newTestRing(t)
	codec := r.Codec(SessionCookie, time.Hour, newClock().Now)

	encoded, err := securecookie.EncodeMulti("s", "opaque-id", codec)
	if err != nil {
		t.Fatal(err)
	}
	var id string
	if err := securecookie.DecodeMulti("s", encoded, &id, codec); err != nil || id != "opaque-id" {
		t.Errorf("the id came back as %q, %v", id, err)
	}

	encoded, err = securecookie.EncodeMulti("s", map[any]any{"n": 1, "s": "x"}, codec)
	if err != nil {
		t.Fatal(err)
	}
	values := map[any]any{}
	if err := securecookie.DecodeMulti("s", encoded, &values, codec); err != nil || values["n"] != 1 ||
		values["s"] != "x" {
		t.Errorf("the values came back as %v, %v", values, err)
	}
}

// A cookie value is good for its own name, its own purpose and its time only. D6, F2
func TestCodecBinds(t *testing.T) {
	t.Parallel()
	r, file := newTestRing(t)
	other, _ := newTestRing(t)
	c := newClock()
	encoded, err := r.Codec(SessionCookie, time.Hour, c.Now).Encode("s", "id")
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := Rotate(file)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := Load(rotated)
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		what  string
		codec securecookie.Codec
		name  string
		value string
		want  error
	}{
		{"as it is", r.Codec(SessionCookie, time.Hour, c.Now), "s", encoded, nil},
		{"after a rotation", newer.Codec(SessionCookie, time.Hour, c.Now), "s", encoded, nil},
		{
			"under another name", r.Codec(SessionCookie, time.Hour, c.Now), "t", encoded,
			ErrNotSealedByThisRing,
		},
		{
			"for another purpose", r.Codec(SignInAttempt, time.Hour, c.Now), "s", encoded,
			ErrNotSealedByThisRing,
		},
		{
			"with another ring", other.Codec(SessionCookie, time.Hour, c.Now), "s", encoded,
			ErrNotSealedByThisRing,
		},
		{"at its last moment", r.Codec(SessionCookie, time.Hour,
			oidctest.NewClock(c.Now().Add(time.Hour)).Now), "s", encoded, nil},
		{"a moment later", r.Codec(SessionCookie, time.Hour,
			oidctest.NewClock(c.Now().Add(time.Hour+time.Microsecond)).Now), "s", encoded, ErrCookieExpired},
		{"on a clock that is behind", r.Codec(SessionCookie, time.Hour,
			oidctest.NewClock(c.Now().Add(-time.Minute)).Now), "s", encoded, nil},
	}
	for _, test := range tests {
		var id string
		if err := test.codec.Decode(test.name, test.value, &id); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.what, err, test.want)
		}
	}
}

// Values of the store and of cookies do not pass for each other, of one purpose and place. F2
func TestCookieIsNoSeal(t *testing.T) {
	t.Parallel()
	r, _ := newTestRing(t)
	sealed, err := seal(r.keys.Load().cookies, SessionCookie, []byte("x"), []byte("s"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open(SessionCookie, sealed, []byte("s")); !errors.Is(err, ErrNotSealedByThisRing) {
		t.Errorf("a cookie's value opened as a record: %v", err)
	}
}

// D10, S12: whatever a client sends as a cookie is refused, at no cost.
func TestCodecRefusesStrangers(t *testing.T) {
	t.Parallel()
	r, _ := newTestRing(t)
	codec := r.Codec(SessionCookie, time.Hour, newClock().Now)
	for _, value := range []string{
		"", "AA", "=", "\xff\xfe", strings.Repeat("A", 3800),
		strings.Repeat("A", 1<<20), "a b", "AQ==", "%41",
	} {
		var id string
		if err := codec.Decode("s", value, &id); !errors.Is(err, ErrNotSealedByThisRing) {
			t.Errorf("%.20q: %v", value, err)
		}
	}
	if _, err := codec.Encode("s", strings.Repeat("x", 4000)); err == nil ||
		!strings.Contains(err.Error(), "3800") {
		t.Errorf("a value that no browser keeps was encoded: %v", err)
	}
}

func FuzzCodecDecode(f *testing.F) {
	file, err := Generate()
	if err != nil {
		f.Fatal(err)
	}
	r, err := Load(file)
	if err != nil {
		f.Fatal(err)
	}
	codec := r.Codec(SessionCookie, time.Hour, newClock().Now)
	good, err := codec.Encode("s", "id")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good + "\n")
	f.Fuzz(func(t *testing.T, value string) {
		var id string
		if err := codec.Decode("s", value, &id); err == nil && value != good {
			t.Errorf("%q was taken for one of ours", value)
		}
	})
}
