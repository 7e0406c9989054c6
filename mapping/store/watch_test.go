package store

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"

	"github.com/google/go-cmp/cmp"

	"vexa-sso/mapping"
	"vexa-sso/mapping/store/storetest"
)

func publish(t *testing.T, s *Store, revocations ...mapping.Revocation) {
	t.Helper()
	update(t, s, func(tx mapping.Tx) error {
		for _, r := range revocations {
			if err := tx.Publish(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// S5: every process hears of what any process revoked, once and in order, well within a second.
func TestEveryProcessHears(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		here, there := db.open(t), db.open(t)
		publish(t, here, mapping.Revocation{Account: "before anybody listened", At: at(0)})
		late := db.open(t)
		await(t, "read up to now", func() bool { return here.Healthy() == nil && there.Healthy() == nil })
		heard := map[string]<-chan mapping.Revocation{"late": hear(t, late)}

		want := []mapping.Revocation{
			{At: at(1), Kind: mapping.RevokeSession, Account: "ada", Session: "s1", Reason: "signed out"},
			{At: at(2), Kind: mapping.RevokeAccount, Account: "bob", Reason: "suspended"},
			{Kind: mapping.RevokeGrant, Account: "eve"},
		}
		publish(t, here, want[0], want[1])
		publish(t, there, want[2])
		for who, ch := range heard {
			last := int64(0)
			for _, w := range want {
				got := next(t, ch)
				if got.Seq <= last {
					t.Errorf("%s heard %d after %d", who, got.Seq, last)
				}
				last, w.Seq = got.Seq, got.Seq
				if diff := cmp.Diff(w, got); diff != "" {
					t.Errorf("%s heard %s", who, diff)
				}
			}
		}

		heard = map[string]<-chan mapping.Revocation{"here": hear(t, here), "there": hear(t, there)}
		fence := mapping.Revocation{Account: "fence"}
		publish(t, here, fence)
		for who, ch := range heard {
			for got := next(t, ch); got.Account != "fence"; got = next(t, ch) {
			}
			begun := oidctest.StartStopwatch(t)
			publish(t, here, mapping.Revocation{Account: who})
			for got := next(t, ch); got.Account != who; got = next(t, ch) {
			}
			if took := begun.Took(); took > oidctest.Promised {
				t.Errorf("%s heard after %v", who, took)
			}
		}
	})
}

// Entries that are committed at the same time by several processes get through, each once, to each of them.
func TestNoEntryIsLostInARace(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		const workers, rounds = 4, 10
		stores := []*Store{db.open(t), db.open(t)}
		heard := []<-chan mapping.Revocation{hear(t, stores[0]), hear(t, stores[1])}
		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() {
				for j := range rounds {
					err := stores[i%2].Update(t.Context(), func(tx mapping.Tx) error {
						return tx.Publish(mapping.Revocation{Account: fmt.Sprint(i, ".", j)})
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		publish(t, stores[0], mapping.Revocation{Account: "end"})
		for _, ch := range heard {
			last, seen := int64(0), map[string]int{}
			for r := next(t, ch); r.Account != "end"; r = next(t, ch) {
				if r.Seq <= last {
					t.Errorf("heard %d after %d", r.Seq, last)
				}
				last = r.Seq
				seen[r.Account]++
			}
			if len(seen) != workers*rounds {
				t.Errorf("heard of %d entries, published %d", len(seen), workers*rounds)
			}
			for entry, times := range seen {
				if times != 1 {
					t.Errorf("heard of %s %d times", entry, times)
				}
			}
		}
	})
}

func TestLongLogIsReadInPieces(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		heard := hear(t, other)
		var many []mapping.Revocation
		for i := range 2*logBatch + 1 {
			many = append(many, mapping.Revocation{Account: fmt.Sprint(i)})
		}
		publish(t, s, many...)
		for i := range many {
			if r := next(t, heard); r.Account != fmt.Sprint(i) {
				t.Fatalf("heard of %s instead of %d", r.Account, i)
			}
		}
	})
}

// S5: being busy is not being away. While the log grows as fast as it is read, so that its end is never in
// sight, a replica that follows it knows of everything that was revoked up to a moment ago, and serves.
func TestLogThatNeverStandsStill(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		batch := make([]mapping.Revocation, logBatch)
		for i := range batch {
			batch[i].Account = fmt.Sprint(i)
		}
		const rounds = 10
		heard, done := 0, make(chan struct{})
		s.Watch(t.Context(), func(mapping.Revocation) {
			if heard++; heard%logBatch == 0 && heard <= rounds*logBatch {
				publish(t, other, batch...)
				db.clock.Advance(5 * time.Second) // 50 in all, and the grace is 30
			}
			if heard%logBatch == 0 && !s.Usable() {
				t.Errorf("away after %d entries: the last contact is %s ago", heard,
					db.clock.Now().Sub(s.LastContact()))
			}
			if heard == (rounds+2)*logBatch {
				close(done)
			}
		})
		publish(t, other, append(batch, batch...)...)
		<-done
		await(t, "the end of the log", func() bool { return s.LastContact().Equal(db.clock.Now()) })
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		ctx, cancel := context.WithCancel(t.Context())
		s.Watch(ctx, func(r mapping.Revocation) { t.Errorf("still told of %+v", r) })
		heard := hear(t, s)
		cancel()
		await(t, "the watch has ended", func() bool {
			s.subscribers.mu.Lock()
			defer s.subscribers.mu.Unlock()
			return len(s.subscribers.listeners) == 1
		})
		publish(t, s, mapping.Revocation{Account: "ada"})
		next(t, heard)
	})
}

// S5: a replica that missed entries drops everything that it cached, rather than keep what was revoked.
func TestMissedEntriesAreEverything(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		read := func(place int64) (entries []string, next int64, missed bool) {
			t.Helper()
			err := s.ask(t.Context(), func(tx *tx) error {
				found, after, _, gap, err := tx.readLog(place)
				for _, r := range found {
					entries = append(entries, r.Account)
				}
				next, missed = after, gap
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return entries, next, missed
		}
		start, err := s.endOfLog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		publish(t, s, mapping.Revocation{Account: "old", At: at(0)})
		_, old, _ := read(start)
		publish(t, s, mapping.Revocation{Account: "newer", At: at(10)})
		publish(t, s, mapping.Revocation{Account: "by a clock that is behind", At: at(5)})

		db.clock.Advance(logRetention + 7*time.Minute)
		if err := s.pruneLog(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, _, missed := read(start); !missed || len(got) != 2 || got[0] != "newer" {
			t.Errorf("after a nap: %q, missed is %v", got, missed)
		}
		if got, _, missed := read(old); !missed || len(got) != 2 {
			t.Errorf("after a shorter nap: %q, missed is %v", got, missed)
		}

		db.clock.Advance(time.Hour)
		if err := s.pruneLog(t.Context()); err != nil {
			t.Fatal(err)
		}
		end, err := s.endOfLog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, next, missed := read(end); missed || len(got) != 0 || next != end {
			t.Errorf("at the end of the pruned log: %q, %d, missed is %v", got, next, missed)
		}
		if _, next, missed := read(end + 7); !missed || next != end {
			t.Errorf("after an older state was restored: place %d, missed is %v", next, missed)
		}
	})
}

// The tail itself tells of the gap: here the whole log is replaced under its feet.
func TestTailTellsOfAGap(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		heard := hear(t, s)
		err := other.write(t.Context(), func(tx *tx) error {
			if _, err := tx.exec("test", `DELETE FROM revocations`); err != nil {
				return err
			}
			return tx.Publish(mapping.Revocation{Account: "ada"})
		})
		if err != nil {
			t.Fatal(err)
		}
		if r := next(t, heard); r.Kind != mapping.RevokeEverything {
			t.Errorf("heard first of %+v", r)
		}
		if r := next(t, heard); r.Account != "ada" {
			t.Errorf("heard then of %+v", r)
		}
	})
}

// Where store.url leads through a pooler, the tail and the migrations take the direct way.
func TestNotifyURL(t *testing.T) {
	t.Parallel()
	db := newPostgres(t)
	pooled, direct := storetest.NewWire(t, db.url), storetest.NewWire(t, db.url)
	s, err := open(t.Context(), Config{URL: pooled.URL, NotifyURL: direct.URL},
		Env{Now: db.clock.Now}, testLimits)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	heard := hear(t, s)
	publish(t, s, mapping.Revocation{Account: "ada"})
	next(t, heard)

	direct.Cut()
	await(t, "the loss of the direct way is noticed", func() bool { return s.Healthy() != nil })
	put(t, s, account("ada", 0))
	direct.Mend()
	await(t, "the tail is back", func() bool { return s.Healthy() == nil })
}
