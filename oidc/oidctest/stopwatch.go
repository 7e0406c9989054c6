package oidctest

import (
	"sync"
	"time"
)

// Promised is within how long a revocation takes effect everywhere (S5).
const Promised = time.Second

// Stopwatch measures how long something takes, less what the machine withheld from this process meanwhile: a
// promise about time is held to what the process could do, and not to what else runs beside it.
type Stopwatch struct {
	began    time.Time
	withheld time.Duration // until then
}

// StartStopwatch starts a stopwatch. It runs until the test ends.
func StartStopwatch(t interface{ Cleanup(func()) }) *Stopwatch {
	now := time.Now()
	machine.watch(now)
	t.Cleanup(machine.leave)
	return &Stopwatch{now, machine.until(now)}
}

// Took returns how long it has been since Start, less what was withheld. It is for saying how long something
// took when that has just ended.
func (s *Stopwatch) Took() time.Duration {
	now := time.Now()
	return now.Sub(s.began) - (machine.until(now) - s.withheld)
}

// Withheld returns how long the machine has kept this process from running since Start.
func (s *Stopwatch) Withheld() time.Duration { return machine.until(time.Now()) - s.withheld }

// tick is how often is seen whether the machine lets us run.
const tick = 5 * time.Millisecond

// machine is what all stopwatches look at.
var machine meter

// meter books how long the machine keeps this process from running.
type meter struct {
	mu       sync.Mutex
	withheld time.Duration
	ticked   time.Time
	watching int
	stop     chan struct{}
}

// watch begins to look, if nobody does yet.
func (m *meter) watch(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watching++; m.watching > 1 {
		return
	}
	m.ticked, m.stop = now, make(chan struct{})
	go func(stop chan struct{}) {
		ticks := time.NewTicker(tick)
		defer ticks.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticks.C:
				m.note(time.Now())
			}
		}
	}(m.stop)
}

// leave ends what watch began, when it is the last.
func (m *meter) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watching--; m.watching == 0 {
		close(m.stop)
	}
}

// note books how late a tick is.
func (m *meter) note(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.withheld += m.late(now)
	m.ticked = now
}

// until is all that was withheld.
func (m *meter) until(now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.withheld + m.late(now)
}

// late is how late the next tick is; one tick is nothing.
func (m *meter) late(now time.Time) time.Duration { return max(0, now.Sub(m.ticked)-2*tick) }
