package proxytest

import (
	"sync"
	"time"
)

// Clock runs like a real one, from wherever it was moved to.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

// Now is what time it is.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}
