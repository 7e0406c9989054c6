package store

import (
	"testing"
	"time"
)

// Each replica says what it runs, until it leaves; one that was killed is forgotten in time.
func TestReplicas(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		one, two := db.open(t), db.open(t)
		said := func(since time.Time) map[string]string {
			t.Helper()
			all, err := two.Replicas(t.Context(), since)
			if err != nil {
				t.Fatal(err)
			}
			runs := map[string]string{}
			for _, r := range all {
				runs[r.Holder] = r.Runs
			}
			return runs
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(one.Announce(t.Context(), "a"))
		must(two.Announce(t.Context(), "b"))
		must(one.Announce(t.Context(), "c"))
		if got := said(at(0)); len(got) != 2 || got[one.Holder()] != "c" || got[two.Holder()] != "b" {
			t.Errorf("they run %v", got)
		}
		db.clock.Advance(2 * time.Minute)
		must(two.Announce(t.Context(), "d"))
		if got := said(at(1)); len(got) != 1 || got[two.Holder()] != "d" {
			t.Errorf("of late they run %v", got)
		}
		db.clock.Advance(replicaGone)
		must(two.Announce(t.Context(), "e"))
		if got := said(at(0)); len(got) != 1 {
			t.Errorf("one that is gone is remembered: %v", got)
		}
		must(two.Leave(t.Context()))
		if got := said(at(0)); len(got) != 0 {
			t.Errorf("one that left is there: %v", got)
		}
	})
}
