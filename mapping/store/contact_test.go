package store

import (
	"database/sql"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"

	"vexa-sso/mapping"
	"vexa-sso/mapping/store/storetest"
)

var shortLimits = limits{
	open: time.Minute, read: 200 * time.Millisecond, list: 200 * time.Millisecond,
	write: 200 * time.Millisecond, hurried: 200 * time.Millisecond, tail: 200 * time.Millisecond,
}

// mustFail asserts that no call gets through, and that each says why in the word that callers act on.
func mustFail(t *testing.T, s *Store) {
	t.Helper()
	begun := oidctest.StartStopwatch(t)
	defer func() {
		// a hung call would take the 20 s of testLimits, or forever
		if took := begun.Took(); took > 10*time.Second {
			t.Errorf("six calls failed only after %v", took)
		}
	}()
	_, lease := s.AcquireLease(t.Context(), "mint", time.Minute)
	_, byHash := s.SessionByHash(t.Context(), [32]byte{})
	_, events := s.Events(t.Context(), EventFilter{})
	for call, err := range map[string]error{
		"Update": s.Update(t.Context(), func(tx mapping.Tx) error {
			return tx.PutAccount(account("ada", 0))
		}),
		"View": s.View(
			t.Context(), func(tx mapping.Tx) error {
				_, err := tx.AccountsAfter(mapping.Place{}, 1)
				return err
			},
		),
		"AcquireLease":  lease,
		"SessionByHash": byHash,
		"Purge":         s.Purge(t.Context(), mapping.Retention{}),
		"Events":        events,
	} {
		if !errors.Is(err, mapping.ErrStoreUnavailable) || errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// S5, S10: what was cached may be served for the grace, by the clock, and not a moment longer; when the store
// is back, so is everything else.
func lose(t *testing.T, db *database, s *Store, cut, mend func()) {
	t.Helper()
	if err := s.Healthy(); err != nil || !s.Usable() {
		t.Fatalf("at first: %v", err)
	}
	cut()
	await(t, "the loss is noticed", func() bool { return s.Healthy() != nil })
	if err := s.Healthy(); !errors.Is(err, mapping.ErrStoreUnavailable) {
		t.Errorf("unhealthy in other words: %v", err)
	}
	mustFail(t, s)

	lost := s.LastContact()
	db.clock.Advance(30*time.Second - db.clock.Now().Sub(lost))
	if !s.Usable() {
		t.Error("not usable at the end of the grace")
	}
	db.clock.Advance(time.Microsecond)
	if s.Usable() {
		t.Error("usable after the grace")
	}

	mend()
	await(t, "the store is back", func() bool { return s.Healthy() == nil })
	if !s.Usable() || !s.LastContact().Equal(db.clock.Now()) {
		t.Errorf("last contact was at %v", s.LastContact())
	}
	heard := hear(t, s)
	publish(t, s, mapping.Revocation{Account: "ada"})
	next(t, heard)
}

func TestFileIsRemoved(t *testing.T) {
	t.Parallel()
	db := newSQLite(t)
	s := db.open(t)
	path := strings.TrimPrefix(db.url, "sqlite:")
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	lose(t, db, s, func() { move(path, path+".away") }, func() { move(path+".away", path) })

	move(path, path+".away")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustFail(t, s) // another file of that name is not our store
	move(path+".away", path)
}

func TestServerIsLost(t *testing.T) {
	t.Parallel()
	db := newPostgres(t)
	wire := storetest.NewWire(t, db.url)
	patience := shortLimits
	patience.write, patience.tail = 500*time.Millisecond, 500*time.Millisecond
	s := db.openWith(t, wire.URL, patience)
	t.Run("refused", func(t *testing.T) { lose(t, db, s, wire.Cut, wire.Mend) })
	t.Run("silent", func(t *testing.T) { lose(t, db, s, wire.Freeze, wire.Mend) })
}

// Connections that the server ends, as when it restarts, are replaced without anybody noticing.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	db := newPostgres(t)
	wire := storetest.NewWire(t, db.url)
	s := db.openWith(t, wire.URL, testLimits)
	heard := hear(t, s)
	put(t, s, account("ada", 0))
	wire.Cut()
	wire.Mend()
	view(t, s, func(tx mapping.Tx) error { _, err := tx.Account("ada"); return err })
	publish(t, s, mapping.Revocation{Account: "ada"})
	if r := next(t, heard); r.Account != "ada" {
		t.Errorf("heard of %+v", r)
	}
}

// S10: whoever needs several writes of a store that takes none waits for one of them. A second later each has
// its whole time again.
func TestStoreThatTakesNoWritesIsWaitedForOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		patience := testLimits
		patience.write, patience.hurried = 500*time.Millisecond, -1 // nothing is done in no time
		s, other := db.openWith(t, db.url, patience), db.open(t)
		put(t, other, account("ada", 0))
		write := func() error {
			return s.Update(t.Context(), func(tx mapping.Tx) error {
				return tx.PutAccount(account("ada", 0))
			})
		}
		update(t, other, func(tx mapping.Tx) error { // holds the row, and in SQLite the file
			if err := tx.PutAccount(account("ada", 0)); err != nil {
				return err
			}
			if err := write(); !errors.Is(err, mapping.ErrStoreUnavailable) {
				t.Errorf("while another holds it: %v", err)
			}
			return nil
		})
		if err := write(); !errors.Is(err, mapping.ErrStoreUnavailable) {
			t.Errorf("it was waited for again: %v", err)
		}
		db.clock.Advance(-time.Hour) // set back: there is no telling how long ago it was
		if err := write(); err != nil {
			t.Errorf("after the clock was set back: %v", err)
		}
		db.clock.Advance(time.Hour)
		db.clock.Advance(hurry)
		if err := write(); err != nil {
			t.Errorf("a second later: %v", err)
		}
	})
}

// What is purged is purged to the end, though in batches.
func TestPurgeInBatches(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		update(t, s, func(tx mapping.Tx) error {
			for i := range 2*purgeBatch + 1 {
				err := tx.AppendEvent(mapping.Event{ID: strconv.Itoa(i), Event: "e", At: at(0)})
				if err != nil {
					return err
				}
			}
			return tx.AppendEvent(mapping.Event{ID: "young", Event: "e", At: at(2)})
		})
		db.clock.Advance(time.Hour + time.Minute)
		purge(t, s)
		if left, err := s.Events(t.Context(), EventFilter{}); len(left) != 1 || err != nil {
			t.Errorf("%d are left, %v", len(left), err)
		}
	})
}

// The limits in force keep a sign-in below two seconds.
func TestPatienceWithWrites(t *testing.T) {
	t.Parallel()
	if total := usualLimits.write + usualLimits.hurried; total >= 2*time.Second {
		t.Errorf("who signs in waits for %v", total)
	}
}

// S10: nobody waits for a store that does not answer.
func TestBusyStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	db := newSQLite(t)
	s := db.openWith(t, db.url, shortLimits)
	other, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(db.url, "sqlite:")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	hold, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx mapping.Tx) error { return tx.PutAccount(account("ada", 0)) })
	if !errors.Is(err, mapping.ErrStoreUnavailable) || !strings.Contains(err.Error(), errTooSlow.Error()) {
		t.Errorf("while another process writes and writes: %v", err)
	}
	if err := hold.Rollback(); err != nil {
		t.Fatal(err)
	}
	put(t, s, account("ada", 0))
}

func TestClosed(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		mustFail(t, s)
		if err := s.Healthy(); !errors.Is(err, mapping.ErrStoreUnavailable) {
			t.Errorf("closed and healthy: %v", err)
		}
		db.clock.Advance(31 * time.Second)
		if s.Usable() {
			t.Error("closed and usable")
		}
	})
}

// S5: a tail that is stuck counts as lost.
func TestStuckListenerCountsAsLost(t *testing.T) {
	t.Parallel()
	db := newSQLite(t)
	s := db.open(t)
	stuck, release := make(chan struct{}), make(chan struct{})
	s.Watch(t.Context(), func(mapping.Revocation) { close(stuck); <-release })
	publish(t, s, mapping.Revocation{Account: "ada"})
	<-stuck
	db.clock.Advance(31 * time.Second)
	if s.Usable() || !errors.Is(s.Healthy(), mapping.ErrStoreUnavailable) {
		t.Errorf("usable is %v, healthy says %v", s.Usable(), s.Healthy())
	}
	close(release)
	await(t, "the tail is back", func() bool { return s.Usable() && s.Healthy() == nil })
}
