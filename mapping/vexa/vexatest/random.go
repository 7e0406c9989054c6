package vexatest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
)

// random hands out what the services draw from Python's secrets and uuid.
type random struct {
	mu     sync.Mutex
	source io.Reader
}

func newRandom(source io.Reader) *random {
	if source == nil {
		source = rand.Reader
	}
	return &random{source: source}
}

func (r *random) bytes(n int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(r.source, b); err != nil {
		_, _ = rand.Read(b) // a source that has run dry must not make two secrets equal
	}
	return b
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// text returns n letters and digits.
func (r *random) text(n int) string {
	var text []byte
	for len(text) < n {
		for _, b := range r.bytes(n) {
			if b < 248 && len(text) < n { // 4 × 62: no letter is likelier than another
				text = append(text, alphanumeric[int(b)%len(alphanumeric)])
			}
		}
	}
	return string(text)
}

// hex32 is uuid4().hex, which Vexa uses for trace ids.
func (r *random) hex32() string { return hex.EncodeToString(r.bytes(16)) }

func (r *random) uuid() string {
	b := r.bytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
