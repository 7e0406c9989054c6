package store

import (
	"context"
	"sync"

	"vexa-sso/mapping"
)

// subscribers are those who want to hear of revocations.
type subscribers struct {
	mu        sync.Mutex
	listeners map[*func(mapping.Revocation)]struct{}
}

// Watch has fn called with every revocation that anybody publishes from now on, in this process or another,
// once each and in order, until ctx is done. It returns at once. fn is called by the goroutine that follows
// the log, within moments of the commit; it must not block, nor call the store: while it does, no revocation
// gets through, and the store counts as lost.
//
// Entries that were missed, because this process slept longer than the log goes back or because an older
// state of the database was restored, come as one of kind [mapping.RevokeEverything].
func (s *Store) Watch(ctx context.Context, fn func(mapping.Revocation)) {
	s.subscribers.add(ctx, fn)
}

func (s *subscribers) add(ctx context.Context, fn func(mapping.Revocation)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners == nil {
		s.listeners = map[*func(mapping.Revocation)]struct{}{}
	}
	s.listeners[&fn] = struct{}{}
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, &fn)
	})
}

// tell calls everybody who listens.
func (s *subscribers) tell(r mapping.Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for fn := range s.listeners {
		(*fn)(r)
	}
}
