package cache

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// LRU holds values that belong to accounts, up to a number of bytes: beyond it goes what was asked for least
// lately. It is safe for concurrent use. A hit takes one lock and allocates nothing.
type LRU[K comparable, V any] struct {
	mu        sync.Mutex
	most      int
	bytes     int
	entries   *simplelru.LRU[K, *entry[K, V]]
	byAccount map[string]*entry[K, V] // the first of each account's
}

// entry is a value in the LRU, and in the list of its account.
type entry[K comparable, V any] struct {
	key        K
	value      V
	account    string
	bytes      int
	prev, next *entry[K, V]
}

// EntryBytes is about what an entry takes besides its value: in the LRU, in its map and in the index.
const EntryBytes = 450

// New returns an empty LRU that holds up to so many bytes, by what is said of each entry.
func New[K comparable, V any](bytes int) *LRU[K, V] {
	c := &LRU[K, V]{most: bytes}
	c.reset()
	return c
}

func (c *LRU[K, V]) reset() {
	var err error
	c.entries, err = simplelru.NewLRU(math.MaxInt, func(_ K, e *entry[K, V]) { c.unlink(e) })
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	c.byAccount, c.bytes = map[string]*entry[K, V]{}, 0
}

// Add adds a value, in the place of another with that key. bytes is what it takes, without EntryBytes.
func (c *LRU[K, V]) Add(key K, value V, account string, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
	e := &entry[K, V]{key: key, value: value, account: account, bytes: bytes + EntryBytes}
	c.link(e)
	c.entries.Add(key, e)
	for c.bytes > c.most {
		c.entries.RemoveOldest()
	}
}

func (c *LRU[K, V]) link(e *entry[K, V]) {
	c.bytes += e.bytes
	if e.next = c.byAccount[e.account]; e.next != nil {
		e.next.prev = e
	}
	c.byAccount[e.account] = e
}

func (c *LRU[K, V]) unlink(e *entry[K, V]) {
	c.bytes -= e.bytes
	switch {
	case e.prev != nil:
		e.prev.next = e.next
	case e.next != nil:
		c.byAccount[e.account] = e.next
	default:
		delete(c.byAccount, e.account)
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
}

// Get returns the value with that key, which is then the one that was asked for last.
func (c *LRU[K, V]) Get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries.Get(key); ok {
		return e.value, true
	}
	return value, false
}

// Peek is Get of somebody who does not use the value.
func (c *LRU[K, V]) Peek(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries.Peek(key); ok {
		return e.value, true
	}
	return value, false
}

// Remove removes the value with that key.
func (c *LRU[K, V]) Remove(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
}

// RemoveOf removes those values of an account for which gone returns true.
func (c *LRU[K, V]) RemoveOf(account string, gone func(V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.byAccount[account]; e != nil; {
		next := e.next
		if gone(e.value) {
			c.entries.Remove(e.key)
		}
		e = next
	}
}

// Clear removes everything.
func (c *LRU[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset()
}

// Values returns all values, those first that were asked for least lately.
func (c *LRU[K, V]) Values() []V {
	c.mu.Lock()
	defer c.mu.Unlock()
	values := make([]V, 0, c.entries.Len())
	for _, e := range c.entries.Values() {
		values = append(values, e.value)
	}
	return values
}
