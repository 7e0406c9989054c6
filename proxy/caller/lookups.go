package caller

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"vexa-sso/proxy/exchange"
)

const (
	// reads of the store at a time, by kind of credential: together they leave connections to it for those
	// who write, and none takes those of another kind
	sessionReads, tokenReads, bearerReads, nativeReads = 8, 4, 2, 1

	maxLookups     = 1000            // of a kind that are under way or wait for their turn
	lookupPatience = 5 * time.Second // for the turn
)

// lookups are the look-ups of callers that are not cached: one for each credential, however many requests
// wait for it, and so many at a time that a storm of them, as after a start, slows nobody down but itself
// (S12).
type lookups struct {
	turns chan struct{}

	mu       sync.Mutex
	underWay map[credentialKey]*lookup
}

// lookup is one look-up. Its result is there when done is closed.
type lookup struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int // requests that wait for it; guarded by lookups.mu

	began  int64 // the last drop before the store was read
	caller *Caller
	err    error
}

func newLookups(atATime int) *lookups {
	return &lookups{turns: make(chan struct{}, atATime), underWay: map[credentialKey]*lookup{}}
}

// do waits for the look-up of a credential, and begins it where there is none. It goes on until nobody waits
// for it any more: that the request which began it has gone fails no other. The error is that of a look-up
// that did not come to an end.
func (u *lookups) do(
	ctx context.Context, key credentialKey, read func(context.Context, *lookup) (*Caller, error),
) (*lookup, error) {
	l, err := u.join(ctx, key, read)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.done:
		return l, nil
	case <-ctx.Done():
		u.leave(key, l)
		return nil, exchange.Refuse("store_unavailable", "") // nobody reads it
	}
}

func (u *lookups) join(
	ctx context.Context, key credentialKey, read func(context.Context, *lookup) (*Caller, error),
) (*lookup, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if l := u.underWay[key]; l != nil {
		l.waiting++
		return l, nil
	}
	if len(u.underWay) >= maxLookups {
		return nil, exchange.Fail("store_unavailable", errTooManyLookups)
	}
	l := &lookup{done: make(chan struct{}), waiting: 1}
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	u.underWay[key] = l
	go u.run(ctx, key, l, read)
	return l, nil
}

var errTooManyLookups = errors.New("too many credentials are being looked up at this moment")

func (u *lookups) run(
	ctx context.Context, key credentialKey, l *lookup, read func(context.Context, *lookup) (*Caller, error),
) {
	defer u.ends(key, l)
	defer func() {
		if p := recover(); p != nil { // as net/http does it for a request
			l.caller, l.err = nil, fmt.Errorf("panic in a look-up: %v\n%s", p, debug.Stack())
		}
	}()
	l.caller, l.err = read(ctx, l)
}

func (u *lookups) ends(key credentialKey, l *lookup) {
	u.mu.Lock()
	u.drop(key, l)
	u.mu.Unlock()
	l.cancel()
	close(l.done)
}

// leave is called by who waits no longer. The last one ends the look-up; who comes then begins another.
func (u *lookups) leave(key credentialKey, l *lookup) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if l.waiting--; l.waiting == 0 {
		l.cancel()
		u.drop(key, l)
	}
}

func (u *lookups) drop(key credentialKey, l *lookup) {
	if u.underWay[key] == l {
		delete(u.underWay, key)
	}
}

// inTurn calls read when it is its turn to read the store.
func (u *lookups) inTurn(
	ctx context.Context, read func(context.Context) (*Caller, error),
) (*Caller, error) {
	late := time.NewTimer(lookupPatience)
	defer late.Stop()
	select {
	case u.turns <- struct{}{}:
		defer func() { <-u.turns }()
		return read(ctx)
	case <-ctx.Done():
		return nil, exchange.Refuse("store_unavailable", "") // nobody waits for it any more
	case <-late.C:
		return nil, exchange.Fail("store_unavailable", errTooManyLookups)
	}
}
