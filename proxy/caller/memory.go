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
	// of one kind that are remembered; those who were not seen for the longest are forgotten first
	maxCallers = 20_000
	refusalTTL = time.Second // how long a refusal is remembered
)

// credentialKey finds a caller by what they showed: never by the credential itself, and so that a warm
// request pays for neither codec nor signature nor database.
type credentialKey struct {
	hash [32]byte // SHA-256 of the credential as it came

	// Of a bearer token: who found it good, and by which rules (D7). A provider is one set of issuers and
	// audiences, which never changes.
	provider *oidc.Provider
	rules    *rule.Rules
}

// hashOf is the SHA-256 of a credential. What has the usual length is hashed without an allocation.
func hashOf(shown string) [32]byte {
	var short [2048]byte
	if len(shown) > len(short) {
		return sha256.Sum256([]byte(shown))
	}
	return sha256.Sum256(short[:copy(short[:], shown)])
}

// callers remembers who stands behind credentials of one kind, and for a moment which were refused.
type callers struct {
	entries  *lru.Cache[credentialKey, *Caller]
	refusals *lru.Cache[credentialKey, refusal]
	loading  singleflight.Group

	// epoch counts what was dropped. A load that saw it move may have read what is no
	// longer true, and reads again.
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

// get returns the caller from memory.
func (s *callers) get(key credentialKey, now time.Time) (*Caller, bool) {
	c, ok := s.entries.Get(key)
	return c, ok && !c.ended.Load() && (c.Until.IsZero() || now.Before(c.Until))
}

// load brings the caller into memory, once for all who wait for it. What read says is
// nobody is an error of its own.
func (s *callers) load(
	ctx context.Context, key credentialKey, read func(context.Context) (*Caller, error),
) (*Caller, error) {
	for {
		epoch := s.epoch.Load()
		// Whoever asks first reads for all; their going away must not fail the others. Nobody joins a read
		// that began before something was dropped: what it brings may have been true only then.
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

// reread reads a caller, who goes on where they were: looking afresh gives nobody more requests.
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

// refuse remembers for a moment that a credential is none, so that whoever shows it
// again and again costs nothing.
func (s *callers) refuse(key credentialKey, err error, now time.Time) {
	s.refusals.Add(key, refusal{err, now.Add(refusalTTL)})
}

// refusal is why a credential was refused a moment ago; nil if it wasn't.
func (s *callers) refusal(key credentialKey, now time.Time) error {
	if r, ok := s.refusals.Get(key); ok && now.Before(r.until) {
		return r.err
	}
	return nil
}

// wasValid reports whether the credential is in memory, even if it is due for another look.
func (s *callers) wasValid(key credentialKey) bool { return s.entries.Contains(key) }

// forget drops one caller from memory.
func (s *callers) forget(key credentialKey) { s.entries.Remove(key) }

// end ends credentials of an account: one of them, or all when id is empty.
func (s *callers) end(account, id string) {
	s.drop(account, id, func(c *Caller) { c.ended.Store(true) })
}

// dropAccount forgets what was remembered of an account, so that the next request looks again.
func (s *callers) dropAccount(account string) { s.drop(account, "", func(*Caller) {}) }

// dropAll forgets everything.
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

// memory is who is remembered, by the kind of their credential: a flood of one kind
// drives nobody of another out.
type memory struct {
	sessions, tokens, bearers, natives *callers
}

func newMemory() memory { return memory{newCallers(), newCallers(), newCallers(), newCallers()} }

func (m memory) each(do func(*callers)) {
	for _, s := range []*callers{m.sessions, m.tokens, m.bearers, m.natives} {
		do(s)
	}
}

// End forgets what has ended: one credential of an account, or all when id is empty. Who is being served with
// it is told by Caller.Ended.
func (i *Identifier) End(account, id string) { i.memory.each(func(s *callers) { s.end(account, id) }) }

// Reload has the next request of an account look at it afresh.
func (i *Identifier) Reload(account string) {
	i.memory.each(func(s *callers) { s.dropAccount(account) })
}

// ReloadAll has the next request of everybody look at them afresh.
func (i *Identifier) ReloadAll() { i.memory.each((*callers).dropAll) }
