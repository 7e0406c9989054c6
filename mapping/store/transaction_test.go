package store

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"vexa-sso/mapping"
)

func TestUpdateIsAllOrNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		heard := hear(t, s)
		oops := errors.New("oops")
		err := s.Update(t.Context(), func(tx mapping.Tx) error {
			if err := tx.PutAccount(account("ada", 0)); err != nil {
				return err
			}
			if err := tx.Publish(mapping.Revocation{Account: "rolled back"}); err != nil {
				return err
			}
			if _, err := tx.Account("ada"); err != nil {
				t.Errorf("a transaction does not see what it wrote: %v", err)
			}
			return oops
		})
		if err != oops {
			t.Errorf("the error came back as %v", err)
		}
		view(t, s, func(tx mapping.Tx) error {
			if _, err := tx.Account("ada"); !errors.Is(err, mapping.ErrNotFound) {
				t.Errorf("after the rollback: %v", err)
			}
			return nil
		})

		update(t, s, func(tx mapping.Tx) error {
			return tx.Publish(mapping.Revocation{Account: "committed"})
		})
		if r := next(t, heard); r.Account != "committed" {
			t.Errorf("heard of %+v", r)
		}
	})
}

// Transactions that read and then write what depends on it come out as if they had run one after another,
// also from two processes. S6
func TestUpdatesAreSerialisable(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		const workers, rounds = 4, 15
		stores := []*Store{db.open(t), db.open(t)}
		counter := account("counter", 0)
		counter.Reason = "0"
		put(t, stores[0], counter)

		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() {
				for range rounds {
					err := stores[i%2].Update(t.Context(), func(tx mapping.Tx) error {
						a, err := tx.Account("counter")
						if err != nil {
							return err
						}
						n, err := strconv.Atoi(a.Reason)
						if err != nil {
							return err
						}
						a.Reason = strconv.Itoa(n + 1)
						return tx.PutAccount(a)
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		view(t, stores[1], func(tx mapping.Tx) error {
			a, err := tx.Account("counter")
			if a.Reason != strconv.Itoa(workers*rounds) {
				t.Errorf("counted to %s instead of %d", a.Reason, workers*rounds)
			}
			return err
		})
	})
}

// Two transactions that each look whether the other's account is there and otherwise write their own (write
// skew) must not both get through.
func TestNoWriteSkew(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		stores := []*Store{db.open(t), db.open(t)}
		var wg sync.WaitGroup
		for i, id := range []string{"ada", "bob"} {
			wg.Go(func() {
				err := stores[i].Update(t.Context(), func(tx mapping.Tx) error {
					taken, err := tx.AccountsByVexaUser(7)
					if err != nil || len(taken) > 0 {
						return err
					}
					return tx.PutAccount(account(id, 0))
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		view(t, stores[0], func(tx mapping.Tx) error {
			taken, err := tx.AccountsByVexaUser(7)
			if len(taken) != 1 {
				t.Errorf("%d accounts have the Vexa user", len(taken))
			}
			return err
		})
	})
}

func TestViewSeesOneState(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		put(t, s, account("ada", 0))
		view(t, s, func(tx mapping.Tx) error {
			if _, err := tx.Account("ada"); err != nil {
				return err
			}
			put(t, other, account("bob", 0))
			if _, err := tx.Account("bob"); !errors.Is(err, mapping.ErrNotFound) {
				t.Errorf("a view sees what was written after it began: %v", err)
			}
			return nil
		})
		err := s.View(t.Context(), func(tx mapping.Tx) error { return tx.PutAccount(account("eve", 0)) })
		if err == nil {
			t.Error("a view wrote")
		}
		put(t, s, account("eve", 0)) // and the connection is as good as before
	})
}

// A caller who loses interest learns that, and not that the store is down.
func TestCancelledCaller(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		ctx, cancel := context.WithCancel(t.Context())
		var runs atomic.Int32
		err := s.Update(ctx, func(tx mapping.Tx) error {
			runs.Add(1)
			cancel()
			return tx.PutAccount(account("ada", 0))
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, mapping.ErrStoreUnavailable) ||
			runs.Load() != 1 {
			t.Errorf("after %d runs: %v", runs.Load(), err)
		}
		put(t, s, account("ada", 0))
	})
}
