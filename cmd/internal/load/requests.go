package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// tripsOf does something several times and returns the medians of what went over a wire and of the time.
func tripsOf(name string, w *wire, times int, do func() error) ([]figure, error) {
	var trips, transactions []int
	var took []time.Duration
	for range times {
		var err error
		began := time.Now()
		went := w.during(func() { err = do() })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		took = append(took, time.Since(began))
		trips, transactions = append(trips, went.RoundTrips), append(transactions, went.Transactions)
	}
	return []figure{
		{name + " round trips", float64(median(trips)), ""},
		{name + " transactions", float64(median(transactions)), ""},
		{name + " p50", millis(median(took)), "ms"},
	}, nil
}

// good makes a request that has to be answered well.
func good(ctx context.Context, to *http.Client, c caller) error {
	status, err := use(ctx, to, c)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d", status)
	}
	return err
}

func measureCold(ctx context.Context, s *site) (all []figure, err error) {
	to := s.replicas[0].client()
	defer to.CloseIdleConnections()
	byCookie, err := tripsOf("cold request, cookie:", s.wires[0], 15, func() error {
		c, err := s.cookie(s.next())
		if err != nil {
			return err
		}
		return good(ctx, to, c)
	})
	if err != nil {
		return nil, err
	}
	byToken, err := tripsOf("cold request, token:", s.wires[0], 15, func() error {
		return good(ctx, to, s.token(s.next()))
	})
	return append(byCookie, byToken...), err
}

func measureSignIn(ctx context.Context, s *site) ([]figure, error) {
	to := s.replicas[0].client()
	defer to.CloseIdleConnections()
	var newcomers []caller
	first, err := tripsOf("first sign-in:", s.wires[0], 15, func() error {
		c, err := signIn(ctx, to, s.new())
		newcomers = append(newcomers, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	mint, err := tripsOf("first request of a newcomer:", s.wires[0], len(newcomers), func() error {
		c := newcomers[0]
		newcomers = newcomers[1:]
		return good(ctx, to, c)
	})
	if err != nil {
		return nil, err
	}
	again, err := tripsOf("returning sign-in:", s.wires[0], 15, func() error {
		_, err := signIn(ctx, to, s.next())
		return err
	})
	return append(append(first, mint...), again...), err
}

// measureParallel signs people in at all replicas, so many at a time.
func measureParallel(ctx context.Context, s *site) (all []figure, err error) {
	for _, parallel := range []int{1, 8, 64} {
		crowd := s.newCrowd()
		before, cpu, began := s.traffic(), s.cpu(), time.Now()
		crowd.signIn(ctx, parallel, 6*time.Second)
		seconds, used, went := time.Since(began).Seconds(), s.cpu()-cpu, s.traffic().since(before)
		each := max(1, float64(crowd.done.Load()))
		label := fmt.Sprintf("sign-ins with a request, %d in parallel: ", parallel)
		all = append(
			all, figure{label + "throughput", float64(crowd.done.Load()) / seconds, "/s"},
			figure{label + "failed", float64(crowd.failed.Load()), ""},
			figure{label + "aborts each", float64(went.Errors["40001"]+went.Errors["40P01"]) / each, ""},
			figure{label + "transactions each", float64(went.Transactions) / each, ""},
			figure{label + "new connections", float64(went.Connections), ""},
			figure{label + "processor each", millis(used) / each, "ms"},
		)
	}
	return all, nil
}

// crowd are newcomers and those who return, half of each. Each asks Vexa for something after the sign-in: for
// a newcomer that mints a key.
type crowd struct {
	site         *site
	clients      []*http.Client // of each replica
	mu           sync.Mutex
	turn         int
	done, failed atomic.Int64
}

func (s *site) newCrowd() *crowd {
	c := &crowd{site: s}
	for _, r := range s.replicas {
		c.clients = append(c.clients, r.client())
	}
	return c
}

// next is who comes, and to which replica.
func (c *crowd) next() (person int, to *http.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	to = c.clients[c.turn/2%len(c.clients)]
	if c.turn%2 == 0 {
		return c.site.new(), to
	}
	return c.site.next(), to
}

func (c *crowd) signIn(ctx context.Context, parallel int, span time.Duration) {
	began := time.Now()
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			for time.Since(began) < span && ctx.Err() == nil {
				person, to := c.next()
				browser, err := signIn(ctx, to, person)
				if err == nil {
					err = good(ctx, to, browser)
				}
				if err != nil {
					c.failed.Add(1)
				} else {
					c.done.Add(1)
				}
			}
		})
	}
	all.Wait()
	for _, to := range c.clients {
		to.CloseIdleConnections()
	}
}

// coldTimes are of cold requests one after another, for at most 20 s; what takes longer than 10 s counts as
// that.
func coldTimes(ctx context.Context, s *site, times int) (took []time.Duration, failed int, err error) {
	to := s.replicas[0].client()
	defer to.CloseIdleConnections()
	began := time.Now()
	for len(took) < times && time.Since(began) < 20*time.Second {
		c, err := s.cookie(s.next())
		if err != nil {
			return nil, 0, err
		}
		patient, cancel := context.WithTimeout(ctx, 10*time.Second)
		start := time.Now()
		if err := good(patient, to, c); err != nil {
			failed++
		}
		cancel()
		took = append(took, time.Since(start))
	}
	return took, failed, nil
}

func measureColdUnder(ctx context.Context, s *site) (all []figure, err error) {
	for _, way := range []struct {
		name  string
		delay time.Duration
		rate  int
	}{
		{"quiet", 0, 0},
		{"20 revocations/s", 0, 20},
		{"100 revocations/s", 0, 100},
		{"10 ms database", 10 * time.Millisecond, 0},
		{"10 ms database, 20 revocations/s", 10 * time.Millisecond, 20},
		{"10 ms database, 100 revocations/s", 10 * time.Millisecond, 100},
	} {
		noisy, quiet := context.WithCancel(ctx)
		var noise sync.WaitGroup
		if way.rate > 0 {
			noise.Go(func() { s.revokeStrangers(noisy, way.rate) })
		}
		s.wires[0].setDelay(way.delay)
		took, failed, err := coldTimes(ctx, s, 40)
		s.wires[0].setDelay(0)
		quiet()
		noise.Wait()
		if err != nil {
			return all, err
		}
		all = append(
			all, figure{"cold look-up, " + way.name + ": p50", millis(median(took)), "ms"},
			figure{"cold look-up, " + way.name + ": p95", millis(quantile(took, 0.95)), "ms"},
			figure{"cold look-up, " + way.name + ": failed", float64(failed), ""},
		)
	}
	return all, nil
}
