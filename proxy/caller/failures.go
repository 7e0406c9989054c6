package caller

import (
	"context"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const maxAddresses = 10_000 // addresses in the LRU

// Failures bounds what made-up credentials of one address cost (S12), without locking out whoever shares the
// address with those who make them up. An address from which many came that were not valid is not refused:
// its requests take turns, so that few of them cost something at a time, and a good one gets its own.
type Failures struct {
	c         FailuresConfig
	byAddress *lru.Cache[string, *rate.Limiter]

	mu    sync.Mutex
	turns map[string]*turns
}

// FailuresConfig is how many failures make an address take turns, and how those go.
type FailuresConfig struct {
	PerSecond rate.Limit // failures that are nobody's business …
	Burst     int        // … and so many at once
	AtOnce    int        // requests of one address that have their turn
	Waiting   int        // and that wait for it, at most
	Patience  time.Duration
}

// turns are the requests of one address that take turns.
type turns struct {
	free  chan struct{}
	users int // that have a turn or wait for one
}

// NewFailures returns bounds under which no address has failed yet.
func NewFailures(c FailuresConfig) *Failures {
	byAddress, err := lru.New[string, *rate.Limiter](maxAddresses)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &Failures{c: c, byAddress: byAddress, turns: map[string]*turns{}}
}

// TooMany reports whether so many failures came from an address lately that it takes turns.
func (f *Failures) TooMany(address string, now time.Time) bool {
	limiter, ok := f.byAddress.Get(addressKey(address))
	return ok && limiter.TokensAt(now) < 1
}

// Count counts failures from an address.
func (f *Failures) Count(address string, now time.Time, many int) {
	at := addressKey(address)
	limiter, ok := f.byAddress.Get(at)
	if !ok {
		limiter = rate.NewLimiter(f.c.PerSecond, f.c.Burst)
		f.byAddress.Add(at, limiter)
	}
	for range many { // one by one: AllowN(now, many) takes nothing when there are fewer left
		limiter.AllowN(now, 1)
	}
}

// Turn waits for the turn of a request, at once where its address takes none. ok is false where too many wait
// already, or it waited too long.
func (f *Failures) Turn(ctx context.Context, address string, now time.Time) (done func(), ok bool) {
	if !f.TooMany(address, now) {
		return func() {}, true
	}
	key := addressKey(address)
	t, ok := f.join(key)
	if !ok {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, f.c.Patience)
	defer cancel()
	select {
	case t.free <- struct{}{}:
		return func() { <-t.free; f.leave(key, t) }, true
	case <-ctx.Done():
		f.leave(key, t)
		return nil, false
	}
}

func (f *Failures) join(key string) (*turns, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.turns[key]
	if t == nil {
		t = &turns{free: make(chan struct{}, f.c.AtOnce)}
		f.turns[key] = t
	}
	if t.users >= f.c.AtOnce+f.c.Waiting {
		return nil, false
	}
	t.users++
	return t, true
}

func (f *Failures) leave(key string, t *turns) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(f.turns, key)
	}
}

// addressKey returns the key of an address: an IPv6 /64 counts as one.
func addressKey(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Is4() || addr.Is4In6() {
		return address
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
