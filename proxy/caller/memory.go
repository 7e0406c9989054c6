package caller

import (
	"context"
	"crypto/sha256"
	"errors"
	"runtime/debug"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"vexa-sso/mapping/cache"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
	"vexa-sso/proxy/exchange"
)

const (
	// bytes of callers in memory at most, by kind of credential. A session takes 6 to 7 KiB (size.go): there
	// is room for more than 100,000.
	sessionBytes, tokenBytes, bearerBytes, nativeBytes = 896 << 20, 384 << 20, 128 << 20, 16 << 20

	allBytes = sessionBytes + tokenBytes + bearerBytes + nativeBytes

	maxRefusals = 20_000      // entries of each negative cache
	refusalTTL  = time.Second // of its entries

	// reads of a credential's caller until a request gives up: each but the first comes of a revocation of
	// that account during the one before
	maxReads = 4
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
	entries  *cache.LRU[credentialKey, *Caller]
	refusals *lru.Cache[credentialKey, refusal]
	drops    *cache.Drops // of all kinds
	lookups  *lookups     // under way
}

type refusal struct {
	err   error
	until time.Time
}

func newCallers(bytes int, drops *cache.Drops, lookups *lookups) *callers {
	refused, err := lru.New[credentialKey, refusal](maxRefusals)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &callers{
		entries: cache.New[credentialKey, *Caller](bytes), refusals: refused, drops: drops, lookups: lookups,
	}
}

// get returns a cached caller.
func (s *callers) get(key credentialKey, now time.Time) (*Caller, bool) {
	c, ok := s.entries.Get(key)
	return c, ok && c.settled.Load() && !c.ended.Load() && (c.Until.IsZero() || now.Before(c.Until))
}

// load reads a caller into the cache, once for all who wait for it. What was read counts unless something of
// that account was dropped since the read began: it may have been true only before (S5). Whoever joins a read
// that others began asks for the time since its beginning, and not since their own, for the drop may lie
// between. Nobody reads again because of somebody else's revocation.
func (s *callers) load(
	ctx context.Context, key credentialKey, read func(context.Context) (*Caller, error),
) (*Caller, error) {
	for range maxReads {
		asked := s.drops.Last()
		l, err := s.lookups.do(ctx, key, func(ctx context.Context, l *lookup) (*Caller, error) {
			return s.readInto(ctx, key, l, read)
		})
		switch {
		case err != nil:
			return nil, err
		case l.err == nil && !s.drops.Since(l.caller.Account.ID, l.began):
			return l.caller, nil
		case l.err != nil && l.began >= asked:
			return nil, l.err
		}
		// Or it is a refusal, nobody knows whose, and something was dropped after that read began and before
		// we came: perhaps its reason.
	}
	return nil, exchange.Fail("store_unavailable", errRestless)
}

var errRestless = errors.New("the account was revoked or changed during every look-up")

// readInto reads a caller into the cache. They keep their rate limiter: being read again gives nobody more
// requests. A drop that the question after it does not find comes later, and finds the entry.
func (s *callers) readInto(
	ctx context.Context, key credentialKey, l *lookup, read func(context.Context) (*Caller, error),
) (*Caller, error) {
	l.began = s.drops.Last()
	c, err := read(ctx)
	if err != nil {
		return nil, err
	}
	if was, ok := s.entries.Peek(key); ok {
		c.limiter = was.limiter
	}
	s.entries.Add(key, c, c.Account.ID, c.size())
	if s.drops.Since(c.Account.ID, l.began) {
		s.entries.Remove(key)
	} else {
		c.settled.Store(true)
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
func (s *callers) wasValid(key credentialKey) bool {
	_, ok := s.entries.Peek(key)
	return ok
}

// forget drops one caller.
func (s *callers) forget(key credentialKey) { s.entries.Remove(key) }

// memory is the caches of callers, one for each kind of credential, so that a flood of one kind evicts nobody
// of another, and waits in a queue of its own.
type memory struct {
	sessions, tokens, bearers, natives *callers

	drops *cache.Drops
}

func newMemory() memory {
	drops, limit := cache.NewDrops(), debug.SetMemoryLimit(-1) // as it is; it changes nothing
	of := func(bytes, reads int) *callers {
		return newCallers(withinLimit(bytes, limit), drops, newLookups(reads))
	}
	return memory{
		sessions: of(sessionBytes, sessionReads), tokens: of(tokenBytes, tokenReads),
		bearers: of(bearerBytes, bearerReads), natives: of(nativeBytes, nativeReads), drops: drops,
	}
}

// withinLimit returns how many of the bytes of one kind there is room for: all kinds together take at most
// half of the process's memory limit (GOMEMLIMIT).
func withinLimit(bytes int, limit int64) int {
	if limit/2 >= allBytes {
		return bytes
	}
	return int(float64(bytes) / allBytes * float64(limit/2))
}

func (m memory) each(do func(*callers)) {
	for _, s := range []*callers{m.sessions, m.tokens, m.bearers, m.natives} {
		do(s)
	}
}

// drop drops the callers of an account for which gone returns true. It costs what is cached of the account.
func (m memory) drop(account string, gone func(*Caller) bool) {
	m.drops.Account(account, func() {
		m.each(func(s *callers) { s.entries.RemoveOf(account, gone) })
	})
}

// end marks as ended and drops the callers with one credential of an account, or with all when id is empty.
func (m memory) end(account, id string) {
	m.drop(account, func(c *Caller) bool {
		if id != "" && c.CredentialID != id {
			return false
		}
		c.ended.Store(true)
		return true
	})
}

// reload drops the callers of an account, so that its next request reads them again.
func (m memory) reload(account string) { m.drop(account, func(*Caller) bool { return true }) }

// reloadAll drops everything.
func (m memory) reloadAll() {
	m.drops.All(func() {
		m.each(func(s *callers) {
			s.entries.Clear()
			s.refusals.Purge()
		})
	})
}

// End marks as ended and drops from the cache one credential of an account, or all when id is empty. A
// request or stream that is being served with it is told by [Caller.Ended].
func (i *Identifier) End(account, id string) { i.memory.end(account, id) }

// Changes returns the number of the last time that callers were dropped. Who identifies a caller, and hears
// from ChangedSince, once a revocation would find what they do, that nothing of the account has changed since
// that number, knows that no revocation came in between.
func (i *Identifier) Changes() int64 { return i.memory.drops.Last() }

// ChangedSince reports whether callers of an account were dropped since Changes was that number.
func (i *Identifier) ChangedSince(account string, number int64) bool {
	return i.memory.drops.Since(account, number)
}

// Reload drops the callers of an account from the cache.
func (i *Identifier) Reload(account string) { i.memory.reload(account) }

// ReloadAll drops all callers from the cache.
func (i *Identifier) ReloadAll() { i.memory.reloadAll() }
