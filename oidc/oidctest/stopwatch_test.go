package oidctest

import (
	"testing"
	"time"
)

// What the process could have done counts in full, and what it was kept from does not.
func TestStopwatch(t *testing.T) {
	now := time.Unix(1000, 0)
	m := &meter{ticked: now}
	for range 100 { // half a second, in time
		now = now.Add(tick)
		m.note(now)
	}
	if got := m.until(now); got != 0 {
		t.Errorf("%s withheld by a machine that was always there", got)
	}
	now = now.Add(3 * time.Second)
	for _, when := range []string{"before the tick", "after it"} {
		if got := m.until(now); got != 3*time.Second-2*tick {
			t.Errorf("%s: %s withheld, of three seconds", when, got)
		}
		m.note(now)
	}
}

// Many stopwatches look at one machine, until the last of them stops.
func TestStopwatches(t *testing.T) {
	t.Run("some", func(t *testing.T) {
		for range 3 {
			if took := StartStopwatch(t).Took(); took < 0 || took > Promised {
				t.Errorf("took %s", took)
			}
		}
		if machine.watching != 3 {
			t.Errorf("%d are watching", machine.watching)
		}
	})
	if machine.watching != 0 {
		t.Errorf("%d are watching still", machine.watching)
	}
}
