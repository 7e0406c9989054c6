package store

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vexa-sso/mapping"
)

// S6: one holder at a time, over all processes.
func TestLeaseHasOneHolder(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		stores := []*Store{db.open(t), db.open(t)}
		var wg sync.WaitGroup
		var acquired atomic.Int32
		for i := range 8 {
			wg.Go(func() {
				l, err := stores[i%2].AcquireLease(t.Context(), "mint", time.Minute)
				switch {
				case err == nil:
					acquired.Add(1)
					if l.Name != "mint" || l.Fence < 1 || !l.Until.Equal(at(1)) {
						t.Errorf("the lease is %+v", l)
					}
				case !errors.Is(err, mapping.ErrLeaseHeld):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if acquired.Load() != 1 {
			t.Errorf("%d acquired the lease", acquired.Load())
		}
		if _, err := stores[0].AcquireLease(t.Context(), "another", time.Minute); err != nil {
			t.Errorf("a lease of another name: %v", err)
		}
	})
}

func TestLeaseLife(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		acquire := func(s *Store) mapping.Lease {
			t.Helper()
			l, err := s.AcquireLease(t.Context(), "mint", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		first := acquire(s)
		if _, err := s.AcquireLease(t.Context(), "mint", time.Minute); !errors.Is(err, mapping.ErrLeaseHeld) {
			t.Errorf("the holder again: %v", err)
		}
		if err := s.ReleaseLease(t.Context(), first); err != nil {
			t.Error(err)
		}
		second := acquire(other)
		if err := s.ReleaseLease(t.Context(), first); !errors.Is(err, mapping.ErrLeaseLost) {
			t.Errorf("released again: %v", err)
		}
		if _, err := s.AcquireLease(t.Context(), "mint", time.Minute); !errors.Is(err, mapping.ErrLeaseHeld) {
			t.Errorf("an old release took the lease from its new holder: %v", err)
		}
		db.clock.Advance(time.Minute - time.Microsecond)
		if _, err := s.AcquireLease(t.Context(), "mint", time.Minute); !errors.Is(err, mapping.ErrLeaseHeld) {
			t.Errorf("just before it expires: %v", err)
		}
		db.clock.Advance(time.Microsecond)
		third := acquire(s)
		if err := s.ReleaseLease(t.Context(), first); !errors.Is(err, mapping.ErrLeaseLost) {
			t.Errorf("released by an earlier lease of the same holder: %v", err)
		}
		if !(first.Fence < second.Fence && second.Fence < third.Fence) {
			t.Errorf("the fences are %d, %d, %d", first.Fence, second.Fence, third.Fence)
		}
	})
}

// S6: what an earlier holder still wants to write is refused once somebody took over, or it was given back.
func TestStaleHolderCannotWrite(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		under := func(l mapping.Lease, id string) error {
			return s.Update(t.Context(), func(tx mapping.Tx) error {
				if err := tx.CheckLease(l); err != nil {
					return err
				}
				return tx.PutAccount(account(id, 0))
			})
		}
		l, err := s.AcquireLease(t.Context(), "mint", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := under(l, "in time"); err != nil {
			t.Error(err)
		}
		db.clock.Advance(time.Minute)
		if err := under(l, "expired, and nobody took over"); err != nil {
			t.Error(err)
		}
		theirs, err := other.AcquireLease(t.Context(), "mint", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := under(l, "taken over"); !errors.Is(err, mapping.ErrLeaseLost) {
			t.Errorf("a lease that another has: %v", err)
		}
		forged := theirs
		forged.Holder = l.Holder
		if err := under(forged, "forged"); !errors.Is(err, mapping.ErrLeaseLost) {
			t.Errorf("another's fence: %v", err)
		}
		if err := other.ReleaseLease(t.Context(), theirs); err != nil {
			t.Error(err)
		}
		if err := under(theirs, "given back"); !errors.Is(err, mapping.ErrLeaseLost) {
			t.Errorf("a lease that was given back: %v", err)
		}
		if err := under(mapping.Lease{Name: "never"}, "never"); !errors.Is(err, mapping.ErrLeaseLost) {
			t.Errorf("a lease that never was: %v", err)
		}
		view(t, s, func(tx mapping.Tx) error {
			all, err := tx.AccountsAfter(mapping.Place{}, 10_000)
			if len(all) != 2 {
				t.Errorf("written: %v", all)
			}
			return err
		})
	})
}

// S6: once the lease was checked, nobody takes it over before the transaction is through.
func TestCheckedLeaseIsHeldToTheEnd(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		l, err := s.AcquireLease(t.Context(), "mint", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		put(t, other, account("bob", 0)) // so that it is connected
		taken := make(chan error, 1)
		update(t, s, func(tx mapping.Tx) error {
			if err := tx.CheckLease(l); err != nil {
				return err
			}
			db.clock.Advance(2 * time.Minute)
			go func() {
				_, err := other.AcquireLease(t.Context(), "mint", time.Minute)
				taken <- err
			}()
			select {
			case err := <-taken:
				t.Fatalf("taken over in the middle of the transaction: %v", err)
			case <-time.After(300 * time.Millisecond): // it waits
			}
			return tx.PutAccount(account("ada", 0))
		})
		if err := <-taken; err != nil {
			t.Error(err)
		}
	})
}

// S6: a lease lives for as long as its holder renews it, and not after another has it.
func TestLeaseIsRenewed(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		acquire := func(s *Store) (mapping.Lease, error) {
			return s.AcquireLease(t.Context(), "mint", 4*time.Second)
		}
		l, err := acquire(s)
		if err != nil {
			t.Fatal(err)
		}
		renew := func() error { return s.RenewLease(t.Context(), l, 4*time.Second) }
		for range 3 {
			db.clock.Advance(3 * time.Second)
			if err := renew(); err != nil {
				t.Fatal(err)
			}
			if _, err := acquire(other); !errors.Is(err, mapping.ErrLeaseHeld) {
				t.Fatalf("while it is renewed: %v", err)
			}
		}
		db.clock.Advance(5 * time.Second)
		if err := renew(); err != nil {
			t.Errorf("late, and nobody has it: %v", err)
		}
		db.clock.Advance(4 * time.Second)
		if _, err := acquire(other); err != nil {
			t.Fatal(err)
		}
		if err := renew(); !errors.Is(err, mapping.ErrLeaseLost) {
			t.Errorf("another has it: %v", err)
		}
		if err := s.ReleaseLease(t.Context(), l); !errors.Is(err, mapping.ErrLeaseLost) {
			t.Errorf("given back by who lost it: %v", err)
		}
		if err := renew(); !errors.Is(err, mapping.ErrLeaseLost) {
			t.Errorf("after it was lost: %v", err)
		}
	})
}
