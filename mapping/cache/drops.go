package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// marks is how many marks a Drops has, of which each account has two: by chance both are also those of others
// who were dropped during a read of theirs. Of a hundred drops, that makes one reader in 27,000 read again.
// They take 256 KiB.
const marks = 1 << 15

// Drops numbers the drops of what is cached, and remembers the last one of each account, in a space that does
// not grow with their number. It is safe for concurrent use; to ask it costs a few atomic loads.
type Drops struct {
	mu   sync.Mutex // of who drops: one after another
	seed maphash.Seed

	last atomic.Int64 // the number of the last drop that is done
	all  atomic.Int64 // of the last drop of everything
	of   [marks]atomic.Int64
}

// NewDrops returns a Drops of nothing.
func NewDrops() *Drops { return &Drops{seed: maphash.MakeSeed()} }

// Last returns the number of the last drop that is done: what is read from here on does not have what it
// dropped.
func (d *Drops) Last() int64 { return d.last.Load() }

// Since reports whether something of an account was dropped after the drop with that number, or is being
// dropped now. False, once a value is where a later drop would find it, means that the value is still true.
func (d *Drops) Since(account string, number int64) bool {
	one, two := d.marksOf(account)
	return one.Load() > number && two.Load() > number || d.all.Load() > number
}

func (d *Drops) marksOf(account string) (one, two *atomic.Int64) {
	hash := maphash.String(d.seed, account)
	return &d.of[hash%marks], &d.of[hash>>32%marks]
}

// Account calls drop, which drops something of an account.
func (d *Drops) Account(account string, drop func()) {
	one, two := d.marksOf(account)
	d.do(drop, one, two)
}

// All calls drop, which drops everything.
func (d *Drops) All(drop func()) { d.do(drop, &d.all) }

// do has the marks come first, and the number last: whoever adds something, and finds no mark, has it
// dropped; and whoever notes the number, and finds something that is dropped only then, finds the marks later
// than it.
func (d *Drops) do(drop func(), marks ...*atomic.Int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	number := d.last.Load() + 1
	for _, mark := range marks {
		mark.Store(number)
	}
	drop()
	d.last.Store(number)
}
