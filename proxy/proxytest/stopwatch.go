// Package proxytest is what the tests of the edge and of the whole bridge share.
package proxytest

import (
	"sync"
	"testing"
	"time"
)

// Promised is within how long a revocation takes effect everywhere (S5).
const Promised = time.Second

// Stopwatch measures how long something takes, less what the machine withheld from this process meanwhile: a promise about time is
// held to what the process could do, and not to what else runs beside it.
type Stopwatch struct {
	began time.Time

	mu       sync.Mutex
	withheld time.Duration
	ticked   time.Time
}

// tick is how often a stopwatch sees whether the machine lets it run.
const tick = 5 * time.Millisecond

// Start starts a stopwatch. It runs until the test ends.
func Start(t testing.TB) *Stopwatch {
	now := time.Now()
	s := &Stopwatch{began: now, ticked: now}
	ticks := time.NewTicker(tick)
	ends, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ends:
				return
			case <-ticks.C:
				s.note(time.Now())
			}
		}
	}()
	t.Cleanup(func() {
		ticks.Stop()
		close(ends)
		<-ended
	})
	return s
}

// note books how late a tick is, and returns all that was booked.
func (s *Stopwatch) note(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.withheld += max(0, now.Sub(s.ticked)-2*tick) // one tick late is nothing
	s.ticked = now
	return s.withheld
}

// Took returns how long it has been since Start, less what was withheld. It is for saying how long something took when that has
// just ended.
func (s *Stopwatch) Took() time.Duration {
	now := time.Now()
	return now.Sub(s.began) - s.note(now)
}
