package cache

import (
	"fmt"
	"testing"
)

// S5: whoever reads hears of every drop that concerns them and began after their read did, also of one that
// is not done yet.
func TestDropsConcernAnAccount(t *testing.T) {
	t.Parallel()
	d := NewDrops()
	began := d.Last()
	d.Account("tim", func() {
		if !d.Since("tim", began) {
			t.Error("something of the account goes, and who reads is not told")
		}
		if d.Last() != began {
			t.Error("a read that begins before all is gone counts as one that began after")
		}
	})
	if !d.Since("tim", began) || d.Since("tim", d.Last()) {
		t.Error("a drop concerns other reads than those that began before it")
	}
	d.All(func() {})
	for _, account := range []string{"tim", "ada", ""} {
		if !d.Since(account, began) || d.Since(account, d.Last()) {
			t.Errorf("a drop of everything does not concern %q as it should", account)
		}
	}
}

// Drops of others concern nobody, but for those few who share both marks with them.
func TestDropsOfOthersConcernNobody(t *testing.T) {
	t.Parallel()
	d, strangers := NewDrops(), 0
	for i := range 300 {
		d.Account(fmt.Sprint("other ", i), func() {})
	}
	for i := range 1000 {
		if d.Since(fmt.Sprint("account ", i), 0) {
			strangers++
		}
	}
	if strangers > 2 { // one in ten such runs has one
		t.Errorf("%d of 1,000 accounts would be read again because of 300 others", strangers)
	}
}
