package store

import (
	"fmt"
	"sync/atomic"
	"time"

	"vexa-sso/mapping"
)

// leastGrace is the shortest grace: the log is looked at once a second, and a look may take that long.
const leastGrace = 2 * time.Second

// contact remembers the latest time until which everything revoked is known: the tail has read the log as far
// as it went then, and handed it on. Each request asks, so it is two atomic loads.
type contact struct {
	grace   time.Duration
	last    atomic.Int64          // Unix microseconds
	failure atomic.Pointer[error] // of the latest look at the log; nil when that was good
}

// made notes that the store answered, and says whether that is news.
func (c *contact) made(at time.Time) (news bool) {
	c.last.Store(at.UnixMicro())
	return c.failure.Swap(nil) != nil
}

// lost notes that the store did not answer, and says whether that is news.
func (c *contact) lost(err error) (news bool) { return c.failure.Swap(&err) == nil }

// LastContact returns the latest time until which this process knows of everything that was revoked.
func (s *Store) LastContact() time.Time { return time.UnixMicro(s.contact.last.Load()).UTC() }

// Usable says whether what was read from the store before may still be served: LastContact is no longer ago
// than the grace (S5). It costs next to nothing.
func (s *Store) Usable() bool { return s.now().Sub(s.LastContact()) <= s.contact.grace }

// Healthy returns nil while the store answers, or else an error that wraps [mapping.ErrStoreUnavailable] and
// says why not.
func (s *Store) Healthy() error {
	if failure := s.contact.failure.Load(); failure != nil {
		return unreachable(*failure)
	}
	if silent := s.now().Sub(s.LastContact()); silent > max(s.contact.grace, leastGrace) {
		return fmt.Errorf("%w: no answer for %s", mapping.ErrStoreUnavailable, silent.Truncate(time.Second))
	}
	return nil
}
