package mapping

import (
	"encoding/base32"
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"time"
)

// random gives out randomness, to one caller at a time: a source that tests give need not be safe for
// concurrent use.
type random struct {
	mu     sync.Mutex
	source io.Reader
}

// id returns 26 characters that nobody can guess and that sort in no order.
func (r *random) id() string {
	var b [16]byte
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := io.ReadFull(r.source, b[:]); err != nil {
		panic("mapping: no randomness: " + err.Error()) // crypto/rand never fails; without it no id is safe
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// upTo is a random duration from zero to d.
func (r *random) upTo(d time.Duration) time.Duration {
	var b [8]byte
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := io.ReadFull(r.source, b[:]); err != nil || d <= 0 {
		return 0
	}
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(d))
}

// tokenValue makes the secret string of a token, as NewTokenValue does.
func (r *random) tokenValue(prefix string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return NewTokenValue(r.source, prefix)
}
