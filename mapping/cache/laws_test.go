package cache

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// one is a value of the model: whose it is, and what it takes.
type one struct {
	account string
	bytes   int
}

// S5, S12: whatever is added, asked for, driven out and dropped, in whatever order: the LRU has what a plain
// map and a list of who was asked for last have, within its bound; and the index has exactly that, so that
// nothing of an account outlives its drop.
func TestIndexIsThatOfAPlainMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.IntRange(1, 12).Draw(rt, "entries") * (EntryBytes + 10)
		m := &model{rt: rt, most: most, cache: New[int, one](most), has: map[int]one{}}
		rt.Repeat(map[string]func(*rapid.T){
			"": m.check, "add": m.add, "get": m.get, "peek": m.peek, "remove": m.remove,
			"remove of an account": m.removeOf, "clear": m.clear,
		})
	})
}

type model struct {
	rt    *rapid.T
	most  int
	cache *LRU[int, one]
	has   map[int]one
	order []int // of keys, the one last that was asked for last
}

func (m *model) key(rt *rapid.T) int { return rapid.IntRange(0, 15).Draw(rt, "key") }

func (m *model) account(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"ada", "tim", "eve"}).Draw(rt, "account")
}

func (m *model) used(key int) {
	m.gone(key)
	m.order = append(m.order, key)
}

func (m *model) gone(key int) {
	m.order = slices.DeleteFunc(m.order, func(k int) bool { return k == key })
}

func (m *model) bytes() (n int) {
	for _, v := range m.has {
		n += v.bytes + EntryBytes
	}
	return n
}

func (m *model) add(rt *rapid.T) {
	key, v := m.key(rt), one{m.account(rt), rapid.IntRange(0, 30).Draw(rt, "bytes")}
	m.cache.Add(key, v, v.account, v.bytes)
	m.has[key] = v
	m.used(key)
	for m.bytes() > m.most {
		delete(m.has, m.order[0])
		m.order = m.order[1:]
	}
}

func (m *model) get(rt *rapid.T) {
	key := m.key(rt)
	got, ok := m.cache.Get(key)
	want, known := m.has[key]
	if got != want || ok != known {
		rt.Fatalf("%d is %v, %v, not %v, %v", key, got, ok, want, known)
	}
	if known {
		m.used(key)
	}
}

func (m *model) peek(rt *rapid.T) {
	key := m.key(rt)
	got, ok := m.cache.Peek(key)
	if want, known := m.has[key]; got != want || ok != known {
		rt.Fatalf("%d is %v, %v, not %v, %v", key, got, ok, want, known)
	}
}

func (m *model) remove(rt *rapid.T) {
	key := m.key(rt)
	m.cache.Remove(key)
	delete(m.has, key)
	m.gone(key)
}

func (m *model) removeOf(rt *rapid.T) {
	account, odd := m.account(rt), rapid.Bool().Draw(rt, "the odd ones")
	gone := func(v one) bool { return v.account == account && (!odd || v.bytes%2 == 1) }
	m.cache.RemoveOf(account, func(v one) bool {
		if v.account != account {
			rt.Fatalf("one of %s is among those of %s", v.account, account)
		}
		return gone(v)
	})
	for key, v := range m.has {
		if gone(v) {
			delete(m.has, key)
			m.gone(key)
		}
	}
}

func (m *model) clear(*rapid.T) {
	m.cache.Clear()
	m.has, m.order = map[int]one{}, nil
}

// check compares all that the LRU has, and its index.
func (m *model) check(rt *rapid.T) {
	c := m.cache
	indexed := map[int]one{}
	for account, e := range c.byAccount {
		if e == nil || e.prev != nil {
			rt.Fatalf("the list of %s has no beginning", account)
		}
		for ; e != nil; e = e.next {
			if e.account != account || e.next != nil && e.next.prev != e {
				rt.Fatalf("the list of %s is not in order", account)
			}
			indexed[e.key] = e.value
		}
	}
	if !maps.Equal(indexed, m.has) || c.entries.Len() != len(m.has) {
		rt.Fatalf("the index has %v, the LRU %d entries, the model %v", indexed, c.entries.Len(), m.has)
	}
	if !slices.Equal(c.entries.Keys(), m.order) {
		rt.Fatalf("the order is %v, not %v", c.entries.Keys(), m.order)
	}
	if c.bytes != m.bytes() || c.bytes > m.most {
		rt.Fatalf("%d bytes of %d, the model has %d", c.bytes, m.most, m.bytes())
	}
}

// S5: what an account has costs what it has to drop, however much others have: a hundred times as many
// entries make a drop no dearer.
func TestDropCostsWhatTheAccountHas(t *testing.T) {
	t.Parallel()
	looked := func(entries int) (n int) {
		c := filled(entries)
		c.RemoveOf("7", func(one) bool { n++; return true })
		return n
	}
	if few, many := looked(1_000), looked(100_000); few != 2 || many != 2 {
		t.Errorf("%d entries were looked at of 1,000, and %d of 100,000", few, many)
	}
}

// filled returns an LRU of so many entries, two of each account.
func filled(entries int) *LRU[int, one] {
	c := New[int, one](entries * (EntryBytes + 100))
	for i := range entries {
		v := one{fmt.Sprint(i / 2), 100}
		c.Add(i, v, v.account, v.bytes)
	}
	return c
}

// BenchmarkDrop measures what dropping an account costs with few entries cached, and with many: the ratio of
// both, which is about one.
func BenchmarkDrop(b *testing.B) {
	for _, entries := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(entries), func(b *testing.B) {
			c, drops := filled(entries), NewDrops()
			accounts := make([]string, entries/2)
			for i := range accounts {
				accounts[i] = fmt.Sprint(i)
			}
			b.ReportAllocs()
			for b.Loop() {
				i := rand.IntN(len(accounts))
				v := one{accounts[i], 100}
				drops.Account(v.account, func() { c.RemoveOf(v.account, func(one) bool { return true }) })
				c.Add(2*i, v, v.account, v.bytes)
			}
		})
	}
}
