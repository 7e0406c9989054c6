package proxy

import (
	"context"
	"maps"
	"sync"
	"time"
)

const touchEvery = time.Minute // how exact it is when somebody was last seen

// lastUse gathers when credentials were last used, to be written many at once.
type lastUse struct {
	mu       sync.Mutex
	sessions map[string]time.Time // by session id
}

func newLastUse() *lastUse { return &lastUse{sessions: make(map[string]time.Time)} }

// touch notes that a credential was used, at most once a minute.
func (u *lastUse) touch(c *caller, now time.Time) {
	last := c.seen.Load()
	if now.Unix()-last < int64(touchEvery/time.Second) || !c.seen.CompareAndSwap(last, now.Unix()) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if c.credential == bySession {
		u.sessions[c.credentialID] = now
	}
}

// flush writes what has gathered. What cannot be written now is kept for the next time.
func (u *lastUse) flush(ctx context.Context, store SessionStore) error {
	u.mu.Lock()
	sessions := u.sessions
	u.sessions = make(map[string]time.Time)
	u.mu.Unlock()
	if len(sessions) == 0 {
		return nil
	}
	err := store.TouchSessions(ctx, sessions)
	if err == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(sessions, func(id string, at time.Time) bool { return !u.sessions[id].Before(at) })
	maps.Copy(u.sessions, sessions)
	return err
}
