package caller

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

const (
	// entries of each LRU of callers
	maxCallers = 20_000
	refusalTTL = time.Second // of the negative cache
)

// credentialKey is the key of a caller in the cache: a hash, never the credential itself; so a warm request
// pays for neither codec nor signature nor database.
type credentialKey struct {
	hash [32]byte // SHA-256 of the credential as sent

	// Of a bearer token: the provider that verified it and the rules it was decided by (D7). A provider is
	// one set of issuers and audiences, which never changes.
	provider *oidc.Provider
	rules    *rule.Rules
}

// hashOf returns the SHA-256 of a credential, without an allocation up to the usual length.
func hashOf(shown string) [32]byte {
	var short [2048]byte
	if len(shown) > len(short) {
		return sha256.Sum256([]byte(shown))
	}
	return sha256.Sum256(short[:copy(short[:], shown)])
}

// callers is a cache of callers with one kind of credential, and a negative cache of refused credentials.
type callers struct {
	entries  *lru.Cache[credentialKey, *Caller]
	refusals *lru.Cache[credentialKey, refusal]
	loading  singleflight.Group

	// epoch counts drops. A load during which it changed may have read what is no longer true, and reads
	// again.
	epoch atomic.Int64
}

type refusal struct {
	err   error
	until time.Time
}

func newCallers() *callers {
	known, err := lru.New[credentialKey, *Caller](maxCallers)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	refused, err := lru.New[credentialKey, refusal](maxCallers)
	if err != nil {
		panic(err)
	}
	return &callers{entries: known, refusals: refused}
}

// get returns a cached caller.
func (s *callers) get(key credentialKey, now time.Time) (*Caller, bool) {
	c, ok := s.entries.Get(key)
	return c, ok && !c.ended.Load() && (c.Until.IsZero() || now.Before(c.Until))
}

// load reads a caller into the cache, once for all who wait for it (singleflight).
func (s *callers) load(
	ctx context.Context, key credentialKey, read func(context.Context) (*Caller, error),
) (*Caller, error) {
	for {
		epoch := s.epoch.Load()
		// The first caller reads for all, so its cancellation must not fail the others. Nobody joins a read
		// that began before a drop (the epoch is in the key): its result may have been true only then.
		flight := fmt.Sprintf("%x %p %p %d", key.hash, key.provider, key.rules, epoch)
		found, err, _ := s.loading.Do(flight, func() (any, error) {
			return s.reread(context.WithoutCancel(ctx), key, read)
		})
		if err != nil {
			return nil, err
		}
		if s.epoch.Load() != epoch {
			continue
		}
		c := found.(*Caller)
		s.entries.Add(key, c)
		if s.epoch.Load() == epoch && !c.ended.Load() {
			return c, nil
		}
		s.entries.Remove(key)
	}
}

// reread reads a caller, who keeps their rate limiter: being read again gives nobody more requests.
func (s *callers) reread(
	ctx context.Context, key credentialKey, read func(context.Context) (*Caller, error),
) (*Caller, error) {
	c, err := read(ctx)
	if err != nil {
		return nil, err
	}
	if was, ok := s.entries.Peek(key); ok {
		c.limiter = was.limiter
	}
	return c, nil
}

// refuse adds a refusal to the negative cache, so that a client that repeats an invalid credential costs
// nothing.
func (s *callers) refuse(key credentialKey, err error, now time.Time) {
	s.refusals.Add(key, refusal{err, now.Add(refusalTTL)})
}

// refusal returns the cached refusal of a credential, or nil.
func (s *callers) refusal(key credentialKey, now time.Time) error {
	if r, ok := s.refusals.Get(key); ok && now.Before(r.until) {
		return r.err
	}
	return nil
}

// wasValid reports whether the credential is cached, even if it is due for another look.
func (s *callers) wasValid(key credentialKey) bool { return s.entries.Contains(key) }

// forget drops one caller.
func (s *callers) forget(key credentialKey) { s.entries.Remove(key) }

// end marks callers of an account as ended and drops them: those of one credential, or all when id is empty.
func (s *callers) end(account, id string) {
	s.drop(account, id, func(c *Caller) { c.ended.Store(true) })
}

// dropAccount drops the callers of an account, so that its next request reads them again.
func (s *callers) dropAccount(account string) { s.drop(account, "", func(*Caller) {}) }

// dropAll drops everything.
func (s *callers) dropAll() {
	s.epoch.Add(1)
	s.entries.Purge()
	s.refusals.Purge()
}

func (s *callers) drop(account, id string, each func(*Caller)) {
	s.epoch.Add(1)
	for _, key := range s.entries.Keys() {
		c, ok := s.entries.Peek(key)
		if !ok || c.Account.ID != account || (id != "" && c.CredentialID != id) {
			continue
		}
		each(c)
		s.entries.Remove(key)
	}
}

// memory is the caches of callers, one for each kind of credential, so that a flood of one kind evicts nobody
// of another.
type memory struct {
	sessions, tokens, bearers, natives *callers
}

func newMemory() memory { return memory{newCallers(), newCallers(), newCallers(), newCallers()} }

func (m memory) each(do func(*callers)) {
	for _, s := range []*callers{m.sessions, m.tokens, m.bearers, m.natives} {
		do(s)
	}
}

// End marks as ended and drops from the cache one credential of an account, or all when id is empty. A
// request or stream that is being served with it is told by [Caller.Ended].
func (i *Identifier) End(account, id string) { i.memory.each(func(s *callers) { s.end(account, id) }) }

// Changes returns a number that changes whenever callers are dropped. Who identifies a caller, and finds it
// unchanged once a revocation would find what they do, knows that none came in between.
func (i *Identifier) Changes() int64 { return i.memory.natives.epoch.Load() } // the last that each drops

// Reload drops the callers of an account from the cache.
func (i *Identifier) Reload(account string) {
	i.memory.each(func(s *callers) { s.dropAccount(account) })
}

// ReloadAll drops all callers from the cache.
func (i *Identifier) ReloadAll() { i.memory.each((*callers).dropAll) }
