package caller

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/exchange"
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

// S12: what makes an address take turns is what was made up. A program whose token is paused, has ended or
// has expired goes on asking, and slows nobody down who shares its address.
func TestPausedIsNotMadeUp(t *testing.T) {
	i, now := emptyIdentifier(t), time.Unix(1_000_000, 0)
	asks := func(code exchange.Code, address string) {
		for n := range 2 * failuresConfig.Burst {
			ex := &exchange.Exchange{Address: address, Start: now}
			r := httptest.NewRequest(http.MethodGet, "/bots", nil)
			key := cookieKey(fmt.Sprint(code, n))
			_, err := i.lookUp(ex, r, i.memory.tokens, key, func(context.Context) (*Caller, error) {
				return nil, exchange.Refuse(code, "")
			})
			if exchange.AsProblem(err).Code != code {
				t.Fatalf("%v", err)
			}
		}
	}
	for n, code := range []exchange.Code{"proof_stale", "token_ended", "token_expired", "suspended"} {
		address := fmt.Sprintf("192.0.2.%d", n)
		if asks(code, address); i.failures.TooMany(address, now) {
			t.Errorf("%s makes an address take turns", code)
		}
	}
	if asks("token_invalid", "192.0.2.9"); !i.failures.TooMany("192.0.2.9", now) {
		t.Error("what is made up does not")
	}
}
