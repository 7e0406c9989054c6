package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// replicasCommand has people use three replicas behind haproxy while these are restarted one after another,
// while the key ring is rotated, and while the database fails over: nobody is signed out (S13), and nobody
// whose access ended is answered after a second (S5).
func replicasCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("load replicas", flag.ContinueOnError)
	program := flags.String("program", "", "`PATH` of the build")
	before := flags.String("before", "", "`PATH` of an older build, to upgrade from; optional")
	accounts := flags.Int("accounts", 2000, "how many people there are")
	only := flags.String("steps", "restart,ring,failover", "which `steps` are taken")
	if err := flags.Parse(args); err != nil {
		return err
	}
	first := *program
	if *before != "" {
		first = *before
	}
	starting, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	c, err := newCluster(starting, first, *accounts)
	if err != nil {
		return err
	}
	defer c.close()
	t := &trial{cluster: c, to: clientOf(func() string { return c.front })}
	stop := t.begin(ctx)
	for _, s := range t.steps(*program) {
		if !strings.Contains(*only, s.name) && s.name != "rest" {
			continue
		}
		if err := t.take(ctx, s); err != nil {
			stop()
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	stop()
	return t.verdict()
}

// step is what happens to the replicas. During an outage requests that need the database may fail.
type step struct {
	name   string
	outage bool
	do     func(context.Context) error
}

func (t *trial) steps(program string) []step {
	quiet := step{"rest", false, func(ctx context.Context) error { rest(ctx, 3*time.Second); return nil }}
	return []step{
		quiet,
		{"restart", false, func(ctx context.Context) error { return t.roll(ctx, program) }},
		{"ring", false, t.rotate},
		{"failover", true, t.failOver},
		quiet,
	}
}

// settling is how long after an outage replicas have to find the database again.
const settling = 5 * time.Second

// trial is people at work, and what went wrong for them.
type trial struct {
	*cluster
	to *http.Client

	newcomer atomic.Int64
	outage   atomic.Bool
	step     atomic.Pointer[string]

	mu     sync.Mutex
	counts map[string]int
	wrong  []string
}

// begin starts people who work; stop ends it.
func (t *trial) begin(ctx context.Context) (stop func()) {
	t.counts = map[string]int{}
	t.newcomer.Store(int64(t.vexa.known / 4))
	starting := "start"
	t.step.Store(&starting)
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { t.work(ctx, 10*(i+1)) })
	}
	for range 6 {
		all.Go(func() { t.comeAndGo(ctx) })
	}
	all.Go(func() { t.suspend(ctx) })
	return func() { cancel(); all.Wait() }
}

// take does a step and gives the replicas time to settle.
func (t *trial) take(ctx context.Context, s step) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	t.step.Store(&s.name)
	t.outage.Store(s.outage)
	began := time.Now()
	err := s.do(ctx)
	fmt.Printf("%s took %.1f s\n", s.name, time.Since(began).Seconds())
	rest(ctx, settling)
	t.outage.Store(false)
	return err
}

func (t *trial) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[*t.step.Load()+": "+what]++
}

// broken notes what must not happen.
func (t *trial) broken(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.wrong) < 50 {
		when := time.Now().Format("15:04:05.000 ") + *t.step.Load() + ": "
		t.wrong = append(t.wrong, when+fmt.Sprintf(format, args...))
	}
}

// failed notes what may not happen unless the database is away.
func (t *trial) failed(format string, args ...any) {
	if t.outage.Load() {
		t.count("failed while the database was away")
		return
	}
	t.broken(format, args...)
}

func (t *trial) verdict() error {
	for _, what := range slices.Sorted(maps.Keys(t.counts)) {
		fmt.Printf("%-60s %6d\n", what, t.counts[what])
	}
	for _, w := range t.wrong {
		fmt.Println("WRONG", w)
	}
	if len(t.wrong) > 0 {
		return errors.New("what must always hold did not")
	}
	return nil
}

// work is somebody who signs in once, and has a token, and goes on with both for as long as it takes.
func (t *trial) work(ctx context.Context, i int) {
	browser, err := signIn(ctx, t.to, i)
	if err != nil {
		t.broken("%v", err)
		return
	}
	for _, c := range []caller{browser, t.token(i)} {
		go func() {
			for ctx.Err() == nil {
				status, err := use(ctx, t.to, c)
				switch {
				case ctx.Err() != nil:
				case status == http.StatusOK:
					t.count("requests answered")
				case status >= 300 && status < 500:
					t.broken("somebody is refused whose access did not end: %d", status)
				default:
					t.failed("a request: %d %v", status, err)
				}
				rest(ctx, 20*time.Millisecond)
			}
		}()
	}
	<-ctx.Done()
}

// comeAndGo signs newcomers in and out.
func (t *trial) comeAndGo(ctx context.Context) {
	for ctx.Err() == nil {
		i := t.oktas(4 * int(t.newcomer.Add(1)))
		c, err := signIn(ctx, t.to, i)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.failed("a sign-in: %v", err)
			rest(ctx, 100*time.Millisecond)
			continue
		}
		t.count("sign-ins")
		if status, err := use(ctx, t.to, c); status != http.StatusOK && ctx.Err() == nil {
			t.failed("the first request after a sign-in: %d %v", status, err)
		}
		if err := signOut(ctx, t.to, c); err != nil {
			if ctx.Err() == nil {
				t.failed("%v", err)
			}
			continue
		}
		t.count("sign-outs")
		t.mustBeDead(ctx, c)
	}
}

// suspend suspends people who are here, by the command line, and resumes nobody.
func (t *trial) suspend(ctx context.Context) {
	for i := 200; ctx.Err() == nil && i < t.vexa.known; i += 10 {
		c, err := t.cookie(i)
		if err != nil {
			t.broken("%v", err)
			return
		}
		if status, _ := use(ctx, t.to, c); status != http.StatusOK {
			rest(ctx, 300*time.Millisecond)
			continue
		}
		_, err = t.nodes[i/10%len(t.nodes)].replica.command(ctx, "accounts", "suspend", t.person(i).email,
			"--reason", "they left")
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			t.failed("%v", err)
		default:
			t.count("suspensions")
			t.mustBeDead(ctx, c)
			t.mustBeDead(ctx, t.token(i))
		}
		rest(ctx, 300*time.Millisecond)
	}
}

// mustBeDead asks for something with what ended, a second after it did: no replica answers.
func (t *trial) mustBeDead(ctx context.Context, c caller) {
	rest(ctx, time.Second)
	for range 2 * replicasOfCluster {
		if status, _ := use(ctx, t.to, c); status == http.StatusOK && ctx.Err() == nil {
			t.broken("somebody is answered a second after their access ended (S5)")
			return
		}
	}
}

// roll restarts the replicas one after another, by that program.
func (t *trial) roll(ctx context.Context, program string) error {
	for number := range t.nodes {
		if err := t.restart(ctx, number, program); err != nil {
			return err
		}
		rest(ctx, time.Second) // for haproxy to see it
	}
	return nil
}

// rotate adds a key to the ring, brings it to every replica, and lets it seal when all have it.
func (t *trial) rotate(ctx context.Context) error {
	for _, do := range []string{"add", "promote"} {
		first := t.nodes[0]
		if _, err := first.replica.command(ctx, "keyring", do); err != nil {
			return err
		}
		text, err := os.ReadFile(first.ring)
		if err != nil {
			return err
		}
		for _, n := range t.nodes[1:] {
			rest(ctx, time.Second) // a secret does not come to all machines at once
			if err := os.WriteFile(n.ring+".new", text, 0o600); err != nil {
				return err
			}
			if err := os.Rename(n.ring+".new", n.ring); err != nil {
				return err
			}
		}
		rest(ctx, 3*time.Second)
	}
	return nil
}
