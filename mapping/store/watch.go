package store

import (
	"context"
	"sync"

	"vexa-sso/mapping"
)

// audience are those who want to hear of revocations.
type audience struct {
	mu        sync.Mutex
	listeners map[*func(mapping.Revocation)]struct{}
}

// Watch has fn called with every revocation that anybody publishes from now on, in this process or another, once each and in
// order, until ctx is done. It returns at once. fn is called by the goroutine that follows the log, within moments of the
// commit; it must not block, nor call the store: while it does, no revocation gets through, and the store counts as lost.
//
// Entries that were missed, because this process slept longer than the log goes back or because an older state of the
// database was restored, come as one of kind [mapping.RevokeEverything].
func (s *Store) Watch(ctx context.Context, fn func(mapping.Revocation)) {
	s.audience.admit(ctx, fn)
}

func (a *audience) admit(ctx context.Context, fn func(mapping.Revocation)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listeners == nil {
		a.listeners = map[*func(mapping.Revocation)]struct{}{}
	}
	a.listeners[&fn] = struct{}{}
	context.AfterFunc(ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.listeners, &fn)
	})
}

// tell calls everybody who listens.
func (a *audience) tell(r mapping.Revocation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for fn := range a.listeners {
		(*fn)(r)
	}
}
