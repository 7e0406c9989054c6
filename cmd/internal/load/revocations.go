package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// warm has a replica know so many sessions of different people.
func (s *site) warm(ctx context.Context, to *http.Client, sessions int) error {
	numbers := make(chan int)
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	for range 16 {
		all.Go(func() {
			for i := range numbers {
				if err := s.warmOne(ctx, to, i); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	for i, n := 0, 0; n < sessions && i < s.accounts; i++ {
		if alive(i) {
			numbers <- i
			n++
		}
	}
	close(numbers)
	all.Wait()
	if err := failed.Load(); err != nil {
		return fmt.Errorf("warming: %w", *err)
	}
	return nil
}

// warmOne asks again where a busy machine could not look somebody up in time.
func (s *site) warmOne(ctx context.Context, to *http.Client, i int) (err error) {
	c, err := s.cookie(i)
	for attempt := 0; err == nil && attempt < 10; attempt++ {
		if err := good(ctx, to, c); err == nil {
			return nil
		}
		rest(ctx, 200*time.Millisecond)
	}
	return cmp.Or(err, fmt.Errorf("person %d is not served", i))
}

// measureRevocation compares the processor time of a replica that follows the revocations of strangers with
// that of one that follows none, by how much it has cached.
func measureRevocation(ctx context.Context, s *site) (all []figure, err error) {
	const span = 4 * time.Second
	r := s.replicas[len(s.replicas)-1]
	to := r.client()
	defer to.CloseIdleConnections()
	for _, sessions := range []int{100, 1000, 3000, 20_000, 100_000} {
		if sessions > s.accounts*3/10 {
			break
		}
		if err := s.warm(ctx, to, sessions); err != nil {
			return all, err
		}
		idle := used(ctx, r, span, func(context.Context) {})
		following := func(rate int) time.Duration {
			return used(ctx, r, span, func(ctx context.Context) { s.revokeStrangers(ctx, rate) }) - idle
		}
		all = append(all, figure{
			fmt.Sprintf("a revocation, %d sessions cached: processor", sessions),
			float64(following(200).Microseconds()) / (200 * span.Seconds()), "µs",
		}, figure{
			fmt.Sprintf("1,000 revocations/s, %d sessions cached: share of a core", sessions),
			100 * following(1000).Seconds() / span.Seconds(), "%",
		})
	}
	return all, nil
}

// used is the processor time of a replica in a span, while f runs.
func used(ctx context.Context, r *replica, span time.Duration, f func(context.Context)) time.Duration {
	before := r.cpu()
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	f(ctx)
	<-ctx.Done()
	return r.cpu() - before
}

// conditions are what time to dead is measured under.
var conditions = []struct {
	name string
	make func(context.Context, *site)
}{
	{"quiet", func(ctx context.Context, _ *site) { <-ctx.Done() }},
	{"300 revocations/s", func(ctx context.Context, s *site) { s.revokeStrangers(ctx, 300) }},
	{"9:00 storm", func(ctx context.Context, s *site) {
		for ctx.Err() == nil {
			_, _ = s.makeDue(ctx, 4700)
			rest(ctx, 5*time.Second)
		}
	}},
	{"10 ms database", func(ctx context.Context, s *site) {
		for _, w := range s.wires {
			w.setDelay(10 * time.Millisecond)
			defer w.setDelay(0)
		}
		<-ctx.Done()
	}},
	{"LISTEN killed", func(ctx context.Context, s *site) {
		for ctx.Err() == nil {
			s.killListeners(ctx)
			rest(ctx, 300*time.Millisecond)
		}
	}},
}

// killListeners has the server end every connection that listens.
func (s *site) killListeners(ctx context.Context) {
	_, _ = s.db.ExecContext(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()
			AND (query LIKE 'LISTEN%' OR query LIKE '%FROM revocations%')`)
}

func measureDead(ctx context.Context, s *site) (all []figure, err error) {
	there := s.replicas[len(s.replicas)-1].client()
	defer there.CloseIdleConnections()
	if err := s.warm(ctx, there, 20_000); err != nil {
		return nil, err
	}
	for _, under := range conditions {
		took, failed := s.timesToDead(ctx, under.make, 100)
		label := "time to dead, " + under.name + ":"
		all = append(
			all, figure{label + " p50", millis(median(took)), "ms"},
			figure{label + " p99", millis(quantile(took, 0.99)), "ms"},
			figure{label + " worst", millis(quantile(took, 1)), "ms"},
			figure{label + " not measured", float64(failed), "times"},
		)
	}
	return all, ctx.Err()
}

// timesToDead signs people out at the first replica and asks the last until it refuses them: the time from
// when it was written down.
func (s *site) timesToDead(
	ctx context.Context, under func(context.Context, *site), times int,
) (took []time.Duration, failed int) {
	here, there := s.replicas[0].client(), s.replicas[len(s.replicas)-1].client()
	defer here.CloseIdleConnections()
	defer there.CloseIdleConnections()
	noisy, quiet := context.WithCancel(ctx)
	var noise sync.WaitGroup
	noise.Go(func() { under(noisy, s) })
	defer noise.Wait()
	defer quiet()
	rest(ctx, 300*time.Millisecond)
	var all sync.WaitGroup
	var mu sync.Mutex
	next := make(chan int)
	for range 4 {
		all.Go(func() {
			for i := range next {
				d, err := s.timeToDead(ctx, here, there, i)
				mu.Lock()
				if err != nil { // a sign-in, mostly, that a busy machine did not manage
					failed++
				} else {
					took = append(took, d)
				}
				mu.Unlock()
			}
		})
	}
	for range times {
		next <- s.new()
	}
	close(next)
	all.Wait()
	return took, failed
}

func (s *site) timeToDead(ctx context.Context, here, there *http.Client, i int) (time.Duration, error) {
	c, err := signIn(ctx, here, i)
	if err == nil {
		err = good(ctx, there, c)
	}
	if err == nil {
		err = signOut(ctx, here, c)
	}
	if err != nil {
		return 0, err
	}
	for began := time.Now(); ; rest(ctx, 2*time.Millisecond) {
		asked := time.Now()
		status, err := use(ctx, there, c)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case err != nil || status != http.StatusOK: // cut under way, or refused
			return asked.Sub(began), nil
		case time.Since(began) > time.Minute:
			return time.Minute, nil
		}
	}
}

// makeDue makes so many refresh grants of people who are here due now.
func (s *site) makeDue(ctx context.Context, grants int) (int64, error) {
	done, err := s.db.ExecContext(ctx, `UPDATE proofs SET renew_at = $1, attempts = 0 WHERE account_id IN (
		SELECT proofs.account_id FROM proofs JOIN sessions ON sessions.account_id = proofs.account_id
		WHERE proofs.provider = 'okta' AND sessions.last_seen > $2 ORDER BY proofs.account_id LIMIT $3)`,
		time.Now().UnixMicro(), time.Now().Add(-2*time.Hour).UnixMicro(), grants)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

// measureStorm makes 4,700 proofs due at once, and asks for something meanwhile.
func measureStorm(ctx context.Context, s *site) (all []figure, err error) {
	quiet, _, err := coldTimes(ctx, s, 30)
	if err != nil {
		return nil, err
	}
	before := s.provider.asked.Load()
	due, err := s.makeDue(ctx, 4700)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	var during []time.Duration
	failed := 0
	for s.provider.asked.Load()-before < due && time.Since(began) < 3*time.Minute {
		took, bad, err := coldTimes(ctx, s, 5)
		if err != nil {
			return nil, err
		}
		during, failed = append(during, took...), failed+bad
		rest(ctx, 200*time.Millisecond)
	}
	return []figure{
		{"9:00 storm: proofs", float64(due), ""},
		{"9:00 storm: took", time.Since(began).Seconds(), "s"},
		{"9:00 storm: asked", float64(s.provider.asked.Load() - before), "times"},
		{"9:00 storm: cold p50 before", millis(median(quiet)), "ms"},
		{"9:00 storm: cold p50 during", millis(median(during)), "ms"},
		{"9:00 storm: cold requests failed", float64(failed), ""},
	}, nil
}
