package keyring

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
)

// maxCookieChars bounds an encoded cookie value, both ways. Browsers keep no cookie whose name, value and
// attributes together are longer than 4096 bytes (RFC 6265, section 6.1).
const maxCookieChars = 3800

// ErrCookieExpired means that a cookie value is genuine and too old.
var ErrCookieExpired = errors.New("the cookie value has expired")

// Codec returns the codec with which gorilla/sessions puts values into cookies: encrypted and authenticated,
// and bound to the cookie's name and to p (RFC 6265 cookies move freely between names, hosts and paths; these
// values do not). A value decodes for maxAge after it was encoded, by the clock now; later Decode returns
// [ErrCookieExpired], and for whatever this ring did not encode under that name and purpose,
// [ErrNotSealedByThisRing].
//
// Values are encoded by gob, as gorilla does. Nothing is decoded before it has proven to be ours.
func (r *Ring) Codec(p Purpose, maxAge time.Duration, now func() time.Time) securecookie.Codec {
	return &codec{ring: r, purpose: p, maxAge: maxAge, now: now}
}

// codec encodes a value as base64url(sealed(8 bytes of Unix microseconds, big-endian, then the value)).
type codec struct {
	ring    *Ring
	purpose Purpose
	maxAge  time.Duration
	now     func() time.Time
}

// Encode implements securecookie.Codec.
func (c *codec) Encode(name string, value any) (string, error) {
	content, err := securecookie.GobEncoder{}.Serialize(value)
	if err != nil {
		return "", fmt.Errorf("encoding the cookie %s: %w", name, err)
	}
	stamped := binary.BigEndian.AppendUint64(nil, uint64(c.now().UnixMicro()))
	sealed, err := seal(c.ring.keys.Load().cookies, c.purpose, append(stamped, content...), []byte(name))
	if err != nil {
		return "", fmt.Errorf("encoding the cookie %s: %w", name, err)
	}
	encoded := base64.RawURLEncoding.EncodeToString(sealed)
	if len(encoded) > maxCookieChars {
		return "", fmt.Errorf(
			"encoding the cookie %s: its value takes %d characters, and a browser keeps at most %d",
			name, len(encoded), maxCookieChars,
		)
	}
	return encoded, nil
}

// Decode implements securecookie.Codec.
func (c *codec) Decode(name, encoded string, into any) error {
	if len(encoded) > maxCookieChars {
		return fmt.Errorf("decoding the cookie %s: longer than %d characters: %w", name, maxCookieChars,
			ErrNotSealedByThisRing)
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") { // which the decoder skips
		return fmt.Errorf("decoding the cookie %s: not base64url: %w", name, ErrNotSealedByThisRing)
	}
	stamped, err := open(c.ring.keys.Load().cookies, c.purpose, sealed, []byte(name))
	if err != nil {
		return fmt.Errorf("decoding the cookie %s: %w", name, err)
	}
	if len(stamped) < 8 {
		return fmt.Errorf("decoding the cookie %s: %w", name, ErrNotSealedByThisRing)
	}
	encodedAt := time.UnixMicro(int64(binary.BigEndian.Uint64(stamped)))
	if c.now().After(encodedAt.Add(c.maxAge)) {
		return fmt.Errorf("decoding the cookie %s: %w", name, ErrCookieExpired)
	}
	if err := (securecookie.GobEncoder{}).Deserialize(stamped[8:], into); err != nil {
		return fmt.Errorf("decoding the cookie %s: %w", name, err)
	}
	return nil
}
