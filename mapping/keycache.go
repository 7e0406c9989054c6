package mapping

import (
	"sync/atomic"
	"time"

	"vexa-sso/mapping/cache"
	"vexa-sso/mapping/rule"
)

// openKey is a key whose secret is open in memory.
type openKey struct {
	id      string
	account string
	scopes  rule.Scopes
	secret  string
	renew   time.Time // from here on it is replaced in the background
	expires time.Time // it is not used any more
	stale   bool      // it was sealed by another key of the ring than it would be now

	settled atomic.Bool // nothing of its account was forgotten while it was read: it may be given out
	used    atomic.Bool // asked for since it was opened
}

// keyCache holds the open keys of those who used them last. A hit takes the lock of the LRU and no other, and
// allocates nothing; to forget costs what an account has.
type keyCache struct {
	keys  *cache.LRU[keyCacheKey, *openKey]
	drops *cache.Drops // of what was forgotten
}

type keyCacheKey struct {
	account string
	scopes  rule.Scopes
}

// openKeySize is about how many bytes an open key takes, besides its entry in the cache.
const openKeySize = 350

func newKeyCache(size int) *keyCache {
	return &keyCache{
		keys:  cache.New[keyCacheKey, *openKey](max(size, 1) * (openKeySize + cache.EntryBytes)),
		drops: cache.NewDrops(),
	}
}

// get returns the key of the account with exactly these scopes, if it still holds.
func (c *keyCache) get(account string, scopes rule.Scopes, now time.Time) (*openKey, bool) {
	k, ok := c.keys.Get(keyCacheKey{account, scopes})
	if !ok || !k.settled.Load() || !now.Before(k.expires) {
		return nil, false
	}
	if !k.used.Load() { // most hits only read: the line stays in every core's cache
		k.used.Store(true)
	}
	return k, true
}

// put caches a key. began is drops.Last from before the key was read: if something of its account was
// forgotten since, perhaps this very one, it is not cached.
func (c *keyCache) put(k *openKey, began int64) {
	at := keyCacheKey{k.account, k.scopes}
	c.keys.Add(at, k, k.account, openKeySize)
	if c.drops.Since(k.account, began) {
		c.keys.Remove(at)
	} else {
		k.settled.Store(true)
	}
}

func (c *keyCache) forget(account string, gone func(*openKey) bool) {
	c.drops.Account(account, func() { c.keys.RemoveOf(account, gone) })
}

func (c *keyCache) forgetAccount(account string) {
	c.forget(account, func(*openKey) bool { return true })
}

func (c *keyCache) forgetAll() { c.drops.All(c.keys.Clear) }

func (c *keyCache) forgetKey(account, id string) {
	c.forget(account, func(k *openKey) bool { return k.id == id })
}

// forgetStray forgets a key of which the store does not say whose it was: it was deleted so long ago that
// hardly anybody has it open. It looks at all that there are.
func (c *keyCache) forgetStray(id string) {
	for _, k := range c.keys.Values() {
		if k.id == id {
			c.forgetKey(k.account, id)
		}
	}
}

// dueForRenewal returns the keys that are in use and should be replaced.
func (c *keyCache) dueForRenewal(now time.Time) []*openKey {
	var due []*openKey
	for _, k := range c.keys.Values() {
		if k.used.Load() && !now.Before(k.renew) && now.Before(k.expires) {
			due = append(due, k)
		}
	}
	return due
}
