package bridge_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
)

// timers are what the looks at Vexa wait on. Time passes when the test says so.
type timers struct {
	mu      sync.Mutex
	now     time.Duration
	waiting []timer
	set     int // ever
}

type timer struct {
	due time.Duration
	c   chan time.Time
}

func (ts *timers) after(d time.Duration) <-chan time.Time {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.set++
	c := make(chan time.Time, 1)
	ts.waiting = append(ts.waiting, timer{ts.now + d, c})
	return c
}

// pass lets time pass. Whoever is woken does what it has to do, and waits again, before more of it passes.
func (ts *timers) pass(t *testing.T, d time.Duration) {
	t.Helper()
	ts.mu.Lock()
	until := ts.now + d
	ts.mu.Unlock()
	for {
		ts.mu.Lock()
		slices.SortFunc(ts.waiting, func(a, b timer) int { return int(a.due - b.due) })
		if len(ts.waiting) == 0 || ts.waiting[0].due > until {
			ts.now = until
			ts.mu.Unlock()
			return
		}
		next, set := ts.waiting[0], ts.set
		ts.now, ts.waiting = next.due, ts.waiting[1:]
		ts.mu.Unlock()
		next.c <- time.Time{}
		waitFor(t, "the look at Vexa", func() bool {
			ts.mu.Lock()
			defer ts.mu.Unlock()
			return ts.set > set
		})
	}
}

// load are people who ask for what only 0.12 has, and for what both have, all the time.
type load struct {
	asked atomic.Int64
	ends  atomic.Bool
	all   sync.WaitGroup
}

func startLoad(r *replica) *load {
	l := &load{}
	b := r.signIn("okta", ada)
	for range 4 {
		l.all.Go(func() {
			for !l.ends.Load() {
				for _, path := range []string{"/agent/sessions", "/meetings"} {
					_, _ = b.try("GET", path, "") // while Vexa is replaced some fail
				}
				l.asked.Add(1)
			}
		})
	}
	return l
}

// more waits until everybody has come round once more, and whatever was under way is over.
func (l *load) more(t *testing.T) {
	t.Helper()
	since := l.asked.Load()
	waitFor(t, "more load", func() bool { return l.asked.Load() >= since+12 })
}

// suspend is done by an admin, from another process.
func (w *world) suspend(who string) {
	w.t.Helper()
	cfg, err := w.load()
	must(w.t, err)
	admin, err := bridge.OpenAdmin(w.t.Context(), cfg)
	must(w.t, err)
	defer admin.Close()
	account, err := admin.Accounts.Find(w.t.Context(), who)
	must(w.t, err)
	_, err = admin.Accounts.Suspend(w.t.Context(), account.ID, mapping.Suspension{Reason: "left"}, "an admin")
	must(w.t, err)
}

// S4: a Vexa that is upgraded, or rolled back, under a bridge that goes on: a minute later no request goes by
// the table of the other generation, in either direction, and the outbox knows how long a deleted key lives.
func TestUpgradeAndRollbackUnderLoad(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ from, to string }{
		{vexatest.Generation010, vexatest.Generation012}, {vexatest.Generation012, vexatest.Generation010},
	} {
		t.Run(test.from+" to "+test.to, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, generation(test.from))
			ts := &timers{}
			r := w.serve(func(o *bridge.Options) { o.After = ts.after })
			waitFor(t, "the first looks", func() bool {
				ts.mu.Lock()
				defer ts.mu.Unlock()
				return len(ts.waiting) == 2
			})
			l := startLoad(r)
			defer func() { l.ends.Store(true); l.all.Wait() }()
			l.more(t)
			// Before a 0.10 nothing is forwarded that its table does not have; 0.12 refuses that itself.
			agentIsServed := func() bool {
				return slices.ContainsFunc(w.vexa.GatewayWire().Requests(), func(r vexatest.Request) bool {
					return strings.HasPrefix(r.Target, "/agent/")
				})
			}
			if agentIsServed() != (test.from == vexatest.Generation012) {
				t.Fatal("the table at first is that of another generation")
			}

			w.vexa.Become(test.to)
			ts.pass(t, time.Minute)
			l.more(t) // what was decided before arrives
			w.vexa.GatewayWire().Forget()
			l.more(t)
			if agentIsServed() != (test.to == vexatest.Generation012) {
				t.Error("requests go by the table of a generation that is gone")
			}

			b := r.signIn("okta", tim)
			if res := b.get("/meetings"); res.status != http.StatusOK {
				t.Error(res)
			}
			w.suspend(tim)
			r.waitFor("the key to be deleted", func() bool {
				return strings.Contains(r.log.String(), "key_revoked")
			})
			if strings.Contains(r.log.String(), "dead at gateway") != (test.to == vexatest.Generation010) {
				t.Error("the outbox goes by a generation that is gone")
			}
		})
	}
}
