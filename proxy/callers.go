package proxy

import (
	"context"
	"fmt"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

const maxCallers = 20_000 // of one kind that are remembered; those who were not seen for the longest are forgotten first

// credentialKey finds a caller by what they showed: never by the credential itself, and so that a warm request pays for neither
// codec nor database.
type credentialKey struct {
	hash [32]byte // SHA-256 of the credential as it came
}

// callers remembers who stands behind credentials of one kind.
type callers struct {
	known   *lru.Cache[credentialKey, *caller]
	loading singleflight.Group

	// epoch counts what was dropped. A load that saw it move may have read what is no longer true, and reads again.
	epoch atomic.Int64
}

func newCallers() *callers {
	known, err := lru.New[credentialKey, *caller](maxCallers)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &callers{known: known}
}

// get returns the caller from memory.
func (s *callers) get(key credentialKey) (*caller, bool) {
	c, ok := s.known.Get(key)
	return c, ok && !c.ended.Load()
}

// find returns the caller, from memory where it can, else by load, once for all who wait for it. What load says is nobody is an
// error of its own.
func (s *callers) find(ctx context.Context, key credentialKey, load func(context.Context) (*caller, error)) (*caller, error) {
	if c, ok := s.get(key); ok {
		return c, nil
	}
	for {
		epoch := s.epoch.Load()
		// Whoever asks first reads for all; their going away must not fail the others. Nobody joins a read that began before
		// something was dropped: what it brings may have been true only then.
		flight := fmt.Sprintf("%x %d", key.hash, epoch)
		found, err, _ := s.loading.Do(flight, func() (any, error) { return load(context.WithoutCancel(ctx)) })
		if err != nil {
			return nil, err
		}
		if s.epoch.Load() != epoch {
			continue
		}
		c := found.(*caller)
		s.known.Add(key, c)
		if s.epoch.Load() == epoch && !c.ended.Load() {
			return c, nil
		}
		s.known.Remove(key)
	}
}

// forget drops one caller from memory.
func (s *callers) forget(key credentialKey) { s.known.Remove(key) }

// end ends credentials of an account: one of them, or all when id is empty.
func (s *callers) end(account, id string) {
	s.drop(account, id, func(c *caller) { c.ended.Store(true) })
}

// refresh forgets what was remembered of an account, so that the next request looks again.
func (s *callers) refresh(account string) { s.drop(account, "", func(*caller) {}) }

// refreshAll forgets everything.
func (s *callers) refreshAll() {
	s.epoch.Add(1)
	s.known.Purge()
}

func (s *callers) drop(account, id string, each func(*caller)) {
	s.epoch.Add(1)
	for _, key := range s.known.Keys() {
		c, ok := s.known.Peek(key)
		if !ok || c.account.ID != account || (id != "" && c.credentialID != id) {
			continue
		}
		each(c)
		s.known.Remove(key)
	}
}

// known is who is remembered, by the kind of their credential.
type known struct {
	sessions *callers
}

func newKnown() known { return known{sessions: newCallers()} }

func (k known) each(do func(*callers)) {
	do(k.sessions)
}
