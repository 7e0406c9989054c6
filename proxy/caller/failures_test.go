package caller

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// S12: an address that failed often takes turns, so many at once; of more than wait the last is refused, and
// other addresses take none.
func TestTurns(t *testing.T) {
	t.Parallel()
	f := NewFailures(FailuresConfig{PerSecond: 1, Burst: 3, AtOnce: 2, Waiting: 5, Patience: time.Minute})
	now := time.Unix(1_000_000, 0)
	f.Count("192.0.2.1", now, 2)
	if f.TooMany("192.0.2.1", now) {
		t.Fatal("two of three are too many")
	}
	f.Count("192.0.2.1", now, 5)
	if !f.TooMany("192.0.2.1", now) || f.TooMany("192.0.2.2", now) ||
		f.TooMany("192.0.2.1", now.Add(2*time.Second)) {
		t.Fatal("the wrong addresses take turns")
	}
	var running, most atomic.Int64
	var all sync.WaitGroup
	goOn := make(chan struct{})
	for range 7 {
		all.Go(func() {
			done, ok := f.Turn(t.Context(), "192.0.2.1", now)
			if !ok {
				t.Error("refused while there is room")
				return
			}
			most.Store(max(most.Load(), running.Add(1)))
			<-goOn
			running.Add(-1)
			done()
		})
	}
	oidctest.WaitFor(t, "all to wait", func() bool { return f.users("192.0.2.1") == 7 })
	if _, ok := f.Turn(t.Context(), "192.0.2.1", now); ok {
		t.Error("one more than wait at most has a turn")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if done, ok := f.Turn(gone, "192.0.2.2", now); !ok {
		t.Error("another address waits")
	} else {
		done()
	}
	close(goOn)
	all.Wait()
	if most.Load() > 2 || len(f.turns) != 0 {
		t.Errorf("%d at once; %d addresses are left", most.Load(), len(f.turns))
	}
}

func (f *Failures) users(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.turns[key]; t != nil {
		return t.users
	}
	return 0
}
