package authserver

import (
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// shownValue is the key of the negative cache: the hash of a code or token, and what it was sent for. Another
// client's value is refused to who sends it, and still good for its own client.
type shownValue struct {
	path, grant, client string
	hash                [32]byte
}

// refusal is the error of a value that will never be good again for who sends it.
type refusal struct {
	answer  *oidc.Error
	unknown bool // the store does not know it: it was made up, or ended long ago
}

func (r *refusal) Error() string { return r.answer.Error() }
func (r *refusal) Unwrap() error { return r.answer }

const (
	// how long a refusal is cached
	refusalTTL = time.Minute
	// entries of the negative cache
	maxRefused = 10_000
)

// refusedValues is a negative cache: a program that repeats a refused value costs no look into the store, and
// takes nothing from its neighbours' limit.
type refusedValues struct {
	cache *lru.Cache[shownValue, refusedValue]
}

type refusedValue struct {
	answer *oidc.Error
	until  time.Time
}

func newRefusedValues() refusedValues {
	found, err := lru.New[shownValue, refusedValue](maxRefused)
	if err != nil {
		panic(err) // only for a size below one
	}
	return refusedValues{found}
}

// answer returns the cached error of a value, or nil.
func (r refusedValues) answer(value shownValue, now time.Time) *oidc.Error {
	if found, ok := r.cache.Get(value); ok && now.Before(found.until) {
		return found.answer
	}
	return nil
}

// lookUp calls look for a value that has the shape of one of ours, unless its refusal is cached. Values that
// the store does not know are limited by address: their checksum is right, so they come from somebody who
// makes them up, or few at a time from programs whose values ended (S12).
func (s *Server) lookUp(c call, hash [32]byte, look func() (any, error)) (any, error) {
	value := shownValue{c.Request().URL.Path, c.form.get("grant_type"), c.client.ID, hash}
	if known := s.refused.answer(value, s.now()); known != nil {
		return nil, &refusal{answer: known}
	}
	address := addressKey(c.Address())
	if wait := s.bounds.unknownValues.wait(s.now(), address); wait > 0 {
		return nil, &rateLimited{wait}
	}
	body, err := look()
	if found, ok := errors.AsType[*refusal](err); ok {
		s.refused.cache.Add(value, refusedValue{found.answer, s.now().Add(refusalTTL)})
		if found.unknown {
			s.bounds.unknownValues.take(s.now(), address)
		}
	}
	return body, err
}
