package authserver

import (
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// shownValue is a value that a program shows, by its hash, and what for. Another client's value is refused to
// who shows it, and good for whose it is.
type shownValue struct {
	path, grant, client string
	hash                [32]byte
}

// refusal is the answer to a value that will never be good again for who shows it.
type refusal struct {
	answer  *oidc.Error
	unknown bool // to the store too: so it was made up, or ended long ago
}

func (r *refusal) Error() string { return r.answer.Error() }
func (r *refusal) Unwrap() error { return r.answer }

const (
	// for which a refused value is answered without a look into the store (negative caching)
	refusalTTL = time.Minute
	// refused values that are remembered; the one that was shown least lately is forgotten first
	maxRefused = 10_000
)

// refusedValues is a negative cache: a program with a value that was refused may show it over and over, and
// takes nothing from its neighbours.
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

// answer is that of a value which was refused a moment ago, else nil.
func (r refusedValues) answer(value shownValue, now time.Time) *oidc.Error {
	if found, ok := r.cache.Get(value); ok && now.Before(found.until) {
		return found.answer
	}
	return nil
}

// lookUp answers a value that has the shape of one of ours, with what look finds in the store. Only values
// that the store does not know are counted, by address: their checksum is right, so they come from somebody
// who makes them up, or few at a time from programs whose values ended (S12).
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
