package bridge

import (
	"context"
	"errors"
	"testing"
	"time"
)

// waitingSince is an outbox.
type waitingSince struct {
	at  time.Time
	err error
}

func (w waitingSince) OldestRevocation(context.Context) (time.Time, error) { return w.at, w.err }

// S5: readyz says ok while revocations are confirmed, and not when one has waited for longer than a call that
// failed and was made again, nor when nobody knows.
func TestRevocationsThatWaitAreNotOK(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		waitingSince
		ok bool
	}{
		{"none", waitingSince{}, true},
		{"just now", waitingSince{at: now.Add(-3 * time.Second)}, true},
		{"for 20 s", waitingSince{at: now.Add(-20 * time.Second)}, false},
		{"for 40 s", waitingSince{at: now.Add(-40 * time.Second)}, false},
		{"nobody knows", waitingSince{err: errors.New("store unavailable")}, false},
	} {
		err := revocationsConfirmed(test.waitingSince, func() time.Time { return now })(t.Context())
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
