package mapping_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping"
	"vexa-sso/mapping/store/storetest"
)

// BenchmarkStorm has two replicas on one PostgreSQL renew 4,700 refresh grants that are due at once, by a
// provider that takes 50 ms, while somebody looks sessions up that no memory holds:
//
//	go test -run '^$' -bench BenchmarkStorm -benchtime 1x ./mapping
func BenchmarkStorm(b *testing.B) {
	const people = 4700
	for b.Loop() {
		w, c := newWorldOn(b, storetest.Postgres(b)), &workforce{takes: 50 * time.Millisecond}
		c.arrive(w, people)
		coldReads(b, w, people, 500*time.Millisecond) // connections
		quiet := coldReads(b, w, people, 5*time.Second)

		var transactions atomic.Int64
		var renewing errgroup.Group
		begunAgain := rollbacks(b, w)
		begun, stormy, done := time.Now(), []time.Duration(nil), make(chan struct{})
		var reading sync.WaitGroup
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					stormy = append(stormy, coldReads(b, w, people, time.Second)...)
				}
			}
		})
		for _, s := range []mapping.Store{w.store, w.open()} {
			a := w.replica(on(counting{s, &transactions}), c.option,
				func(_ *mapping.Config, deps *mapping.Deps) { deps.After = time.After })
			renewing.Go(func() error { return a.RenewProofs(b.Context()) })
		}
		if err := renewing.Wait(); err != nil {
			b.Fatal(err)
		}
		took := time.Since(begun)
		close(done)
		reading.Wait()
		b.ReportMetric(float64(rollbacks(b, w)-begunAgain)/people, "rollbacks/renewal")
		if c.asked != people || len(c.reused) > 0 {
			b.Errorf("asked %d times, %d with a token that was used", c.asked, len(c.reused))
		}
		slices.Sort(quiet)
		slices.Sort(stormy)
		at := func(all []time.Duration, percent int) float64 {
			return float64(all[len(all)*percent/100].Microseconds()) / 1000
		}
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(float64(transactions.Load())/people, "transactions/renewal")
		for _, percent := range []int{50, 99} {
			b.ReportMetric(at(quiet, percent), fmt.Sprintf("quiet-p%d-ms", percent))
			b.ReportMetric(at(stormy, percent), fmt.Sprintf("storm-p%d-ms", percent))
		}
	}
}

// coldReads looks sessions up for so long, a hundred a second, and says how long each took.
func coldReads(b *testing.B, w *world, people int, during time.Duration) (took []time.Duration) {
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		name := person(fmt.Sprintf("p%04d", rand.N(people))).Name
		begun := time.Now()
		if _, err := w.store.SessionByHash(b.Context(), sha256.Sum256([]byte("s-"+name))); err != nil {
			b.Error(err)
		}
		took = append(took, time.Since(begun))
	}
	return took
}

// rollbacks is how many transactions the server has rolled back, most of them because they lost a race.
func rollbacks(b *testing.B, w *world) (n int64) {
	db, err := sql.Open("pgx", w.url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT xact_rollback FROM pg_stat_database
		WHERE datname = current_database()`).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}
