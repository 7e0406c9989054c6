package oidctest

import (
	"sync"
	"time"
)

// Clock is a clock that tests move. The zero Clock runs like the real one, from wherever it was moved to. One
// that NewClock made, and one that was stopped, stands still between two moves, however long the test takes.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration // of the real one, while it runs
	at    time.Time     // where it stands; zero: it runs
}

// NewClock makes a clock that stands still.
func NewClock(at time.Time) *Clock { return &Clock{at: at} }

// Now is what time it is.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	if c.at.IsZero() {
		return time.Now().Add(c.ahead)
	}
	return c.at
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
	if !c.at.IsZero() {
		c.at = c.at.Add(d)
	}
}

// Stop lets the clock stand still from now on.
func (c *Clock) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.now()
}
