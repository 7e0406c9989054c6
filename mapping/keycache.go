package mapping

import (
	"sync/atomic"
	"time"

	"vexa-sso/mapping/rule"

	lru "github.com/hashicorp/golang-lru/v2"
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

	used atomic.Bool // asked for since it was opened
}

// keyCache holds the open keys of those who used them last. A hit takes the lock of the LRU and no other, and
// allocates nothing.
type keyCache struct {
	keys  *lru.Cache[keyCacheKey, *openKey]
	epoch atomic.Uint64 // counts the times that something was forgotten
}

type keyCacheKey struct {
	account string
	scopes  rule.Scopes
}

func newKeyCache(size int) *keyCache {
	keys, err := lru.New[keyCacheKey, *openKey](max(size, 1))
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &keyCache{keys: keys}
}

// get returns the key of the account with exactly these scopes, if it still holds.
func (c *keyCache) get(account string, scopes rule.Scopes, now time.Time) (*openKey, bool) {
	k, ok := c.keys.Get(keyCacheKey{account, scopes})
	if !ok || !now.Before(k.expires) {
		return nil, false
	}
	if !k.used.Load() { // most hits only read: the line stays in every core's cache
		k.used.Store(true)
	}
	return k, true
}

// put caches a key. epoch is that of the cache before the key was read: if it has changed, keys were
// forgotten meanwhile, perhaps this very one, and it is not cached.
func (c *keyCache) put(k *openKey, epoch uint64) {
	at := keyCacheKey{k.account, k.scopes}
	c.keys.Add(at, k)
	if c.epoch.Load() != epoch {
		c.keys.Remove(at)
	}
}

func (c *keyCache) forget(drop func(*openKey) bool) {
	c.epoch.Add(1)
	for _, at := range c.keys.Keys() {
		if k, ok := c.keys.Peek(at); ok && drop(k) {
			c.keys.Remove(at)
		}
	}
}

func (c *keyCache) forgetAccount(account string) {
	c.forget(func(k *openKey) bool { return k.account == account })
}

func (c *keyCache) forgetKey(id string) { c.forget(func(k *openKey) bool { return k.id == id }) }

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
