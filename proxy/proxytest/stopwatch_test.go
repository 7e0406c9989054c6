package proxytest

import (
	"testing"
	"time"
)

// What the process could have done counts in full, and what it was kept from does not.
func TestStopwatch(t *testing.T) {
	began := time.Unix(1000, 0)
	s := &Stopwatch{began: began, ticked: began}
	now := began
	for range 100 { // half a second, in time
		now = now.Add(tick)
		s.note(now)
	}
	if got := s.note(now); got != 0 {
		t.Errorf("%s withheld by a machine that was always there", got)
	}
	now = now.Add(3 * time.Second)
	if got := s.note(now); got != 3*time.Second-2*tick {
		t.Errorf("%s withheld, of three seconds", got)
	}
}
