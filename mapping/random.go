package mapping

import (
	"encoding/base32"
	"encoding/binary"
	"io"
	"strings"
	"time"
)

// newID returns 26 characters that nobody can guess and that sort in no order.
func (a *Accounts) newID() string {
	var b [16]byte
	a.randMu.Lock()
	defer a.randMu.Unlock()
	if _, err := io.ReadFull(a.rand, b[:]); err != nil {
		panic("mapping: no randomness: " + err.Error()) // crypto/rand never fails; without it no id is safe
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// upTo is a random duration from zero to d.
func (a *Accounts) upTo(d time.Duration) time.Duration {
	var b [8]byte
	a.randMu.Lock()
	defer a.randMu.Unlock()
	if _, err := io.ReadFull(a.rand, b[:]); err != nil || d <= 0 {
		return 0
	}
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(d))
}
