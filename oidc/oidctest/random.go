package oidctest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"sync"
)

// random turns the reader that a double was given into identifiers. It serialises reads, so the reader need
// not be safe for concurrent use.
type random struct {
	mu     sync.Mutex
	source io.Reader
}

// bytes panics when the reader runs dry: a double without randomness cannot say anything true, and only
// whoever configured it can mend that.
func (r *random) bytes(n int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(r.source, b); err != nil {
		panic(fmt.Sprintf("oidctest: reading %d random bytes: %v", n, err))
	}
	return b
}

// token is n random bytes in base64url: 32 bytes are 43 characters.
func (r *random) token(n int) string { return base64.RawURLEncoding.EncodeToString(r.bytes(n)) }

// guid is a random version 4 UUID.
func (r *random) guid() string { return guid(r.bytes(16)) }

// between is a number in [low, high).
func (r *random) between(low, high int) int {
	n := new(big.Int).SetBytes(r.bytes(8))
	return low + int(n.Mod(n, big.NewInt(int64(high-low))).Int64())
}

// guid formats 16 bytes as a version 4 UUID.
func guid(b []byte) string {
	b = append([]byte(nil), b[:16]...)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// derivedGUID is the same UUID for the same name, so that objects keep their ids when a double is restarted.
func derivedGUID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return guid(sum[:16])
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// derivedOktaID is an Okta-shaped id, a three-letter prefix and 17 characters, the same for the same name.
func derivedOktaID(prefix, name string) string {
	sum := sha256.Sum256([]byte(name))
	id := []byte(prefix)
	for _, b := range sum[:17] {
		id = append(id, base62[int(b)%len(base62)])
	}
	return string(id)
}
