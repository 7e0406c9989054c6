package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
)

// workforce is a provider that takes a while to answer, of many people whose refresh tokens rotate.
type workforce struct {
	takes time.Duration

	mu     sync.Mutex
	people map[string]oidc.Identity // by their newest token
	asked  int
	reused []string
}

func (c *workforce) Refresh(_ context.Context, token string, _ oidc.Identity) (*oidc.SignIn, error) {
	c.mu.Lock()
	id, good := c.people[token]
	c.asked++
	if !good {
		c.reused = append(c.reused, token)
	}
	delete(c.people, token)
	c.mu.Unlock()
	time.Sleep(c.takes)
	c.mu.Lock()
	defer c.mu.Unlock()
	next := fmt.Sprint(token, "'")
	c.people[next] = id
	return &oidc.SignIn{Identity: id, RefreshToken: next}, nil
}

func (c *workforce) option(_ *mapping.Config, deps *mapping.Deps) {
	deps.Directories = map[string]mapping.Directory{"okta": c}
}

// arrive makes so many people, each with a session and a refresh grant that is due.
func (c *workforce) arrive(w *world, many int) {
	w.t.Helper()
	c.people = map[string]oidc.Identity{}
	w.clock.advance(12 * time.Minute)
	if err := w.store.Update(w.t.Context(), func(tx mapping.Tx) (err error) {
		for i := range many {
			id, token := person(fmt.Sprintf("p%04d", i)), fmt.Sprint("rt-", i)
			c.people[token] = id
			sealed, failed := w.ring.Seal("provider-token", []byte(token), []byte(id.Name))
			err = errors.Join(err, failed, tx.PutAccount(mapping.Account{
				ID: id.Name, Provider: "okta", Subject: id.Subject, Kind: oidc.User, Identity: id,
				Status: mapping.Active, CreatedAt: w.clock.Now(),
				ProvenAt: w.clock.Now().Add(-12 * time.Minute),
			}), tx.PutRefreshGrant(mapping.RefreshGrant{
				AccountID: id.Name, Provider: "okta", Sealed: sealed, RenewAt: w.clock.Now(),
			}))
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	for i := range many {
		name := person(fmt.Sprintf("p%04d", i)).Name
		w.session(mapping.Account{ID: name}, "s-"+name)
	}
}

// counting counts the transactions of the replicas that work on it.
type counting struct {
	mapping.Store
	n *atomic.Int64
}

func (c counting) Update(ctx context.Context, fn func(mapping.Tx) error) error {
	c.n.Add(1)
	return c.Store.Update(ctx, fn)
}

func (c counting) View(ctx context.Context, fn func(mapping.Tx) error) error {
	c.n.Add(1)
	return c.Store.View(ctx, fn)
}

func (c counting) Read(ctx context.Context, fn func(mapping.Tx) error) error {
	c.n.Add(1)
	return c.Store.Read(ctx, fn)
}

func (c counting) AcquireLease(
	ctx context.Context, name string, ttl time.Duration,
) (mapping.Lease, error) {
	c.n.Add(1)
	return c.Store.AcquireLease(ctx, name, ttl)
}

func (c counting) ReleaseLease(ctx context.Context, l mapping.Lease) error {
	c.n.Add(1)
	return c.Store.ReleaseLease(ctx, l)
}

// D12: however many are due at once, replicas share them: the provider is asked once about each, and a
// renewal costs no more than two transactions.
func TestReplicasShareWhatIsDue(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, w *world) {
		const people = 80
		c := &workforce{takes: time.Millisecond}
		c.arrive(w, people)
		var transactions atomic.Int64
		var renewing errgroup.Group
		for _, s := range []mapping.Store{w.store, w.open()} {
			a := w.replica(on(counting{s, &transactions}), c.option)
			renewing.Go(func() error { return a.RenewProofs(t.Context()) })
		}
		if err := renewing.Wait(); err != nil {
			t.Fatal(err)
		}
		renew(t, w.replica(c.option)) // what one found claimed by the other, and went home
		if c.asked != people || len(c.reused) > 0 {
			t.Errorf("asked %d times about %d, again with %v", c.asked, people, c.reused)
		}
		if n := transactions.Load(); n > 2*people {
			t.Errorf("%d transactions for %d renewals", n, people)
		}
		for i := range people {
			id := person(fmt.Sprintf("p%04d", i)).Name
			if now := w.account(id); !now.ProvenAt.Equal(w.clock.Now()) {
				t.Errorf("%s was left out", id)
			}
		}
	})
}

// Renewals are as far apart as what is due allows, so that requests come first: few are done in a moment,
// many within an eighth of session.renew.
func TestPaceOfRenewals(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t), &workforce{}
	c.arrive(w, 40)
	for renew, want := range map[time.Duration]time.Duration{
		15 * time.Minute: 32 * 50 * time.Millisecond, // not slower
		4 * time.Second:  4 * time.Second / 8 * 32 / 40,
	} {
		var waited time.Duration
		a := w.replica(c.option, func(cfg *mapping.Config, deps *mapping.Deps) {
			cfg.Renew = renew
			deps.After = func(d time.Duration) <-chan time.Time { waited += d; return soon(d) }
		})
		if err := a.RenewProofs(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waited < want || waited > want+8*50*time.Millisecond {
			t.Errorf("renewed each %s: waited %s, want %s", renew, waited, want)
		}
		w.clock.advance(12 * time.Minute)
	}
}

// A replica of an older version knows leases and no claims: neither asks while the other does (D12).
func TestOlderReplicaBeside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	w.clock.advance(12 * time.Minute)
	lease, err := w.store.AcquireLease(t.Context(), "proof:"+acc.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	renew(t, a)
	if d.times() != 0 {
		t.Fatal("asked while another has the lease")
	}
	if err := w.store.ReleaseLease(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Minute)
	d.hold, d.arrived = make(chan struct{}), make(chan struct{}, 1)
	done := make(chan error)
	go func() { done <- a.RenewProofs(context.Background()) }()
	<-d.arrived
	w.view(func(tx mapping.Tx) error {
		p, err := tx.RefreshGrant(acc.ID)
		if !p.RenewAt.After(w.clock.Now().Add(30 * time.Second)) {
			t.Errorf("an older replica finds it due at %s", p.RenewAt)
		}
		return err
	})
	close(d.hold)
	if err := <-done; err != nil || d.times() != 1 {
		t.Errorf("asked %d times, %v", d.times(), err)
	}
}

// D12: a replica that stood still for so long that its claim may be over before the answer does not ask.
func TestClaimIsTooOld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	w.clock.advance(12 * time.Minute)
	claimed := false
	renew(t, w.replica(d.option, func(_ *mapping.Config, deps *mapping.Deps) {
		deps.Store = &disk{Store: deps.Store, step: func(at string) error {
			if at == "after Update" && !claimed {
				claimed = true
				w.clock.advance(31 * time.Second)
			}
			return nil
		}}
	}))
	if d.times() != 0 {
		t.Error("asked")
	}
	w.clock.advance(29 * time.Second)
	renew(t, a)
	if now := w.account(acc.ID); d.times() != 1 || !now.ProvenAt.Equal(w.clock.Now()) {
		t.Errorf("asked %d times, proven at %s", d.times(), now.ProvenAt)
	}
}

// S13: a refresh grant that is sealed again while its provider is asked is the same one: its successor is
// kept.
func TestSealedAgainWhileAsking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	w.clock.advance(12 * time.Minute)
	d.hold, d.arrived = make(chan struct{}), make(chan struct{}, 1)
	done := make(chan error)
	go func() { done <- a.RenewProofs(context.Background()) }()
	<-d.arrived
	if sealed, lost, err := w.replica().Reseal(t.Context()); sealed != 1 || lost != 0 || err != nil {
		t.Fatalf("%d sealed, %d lost, %v", sealed, lost, err)
	}
	close(d.hold)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	d.set(func() { d.hold = nil })
	w.clock.advance(12 * time.Minute)
	renew(t, a)
	if now := w.account(acc.ID); d.times() != 2 || d.dead || !now.ProvenAt.Equal(w.clock.Now()) {
		t.Errorf("asked %d times, dead %v, proven at %s", d.times(), d.dead, now.ProvenAt)
	}
}

// S13: where what the provider says cannot be written, its new token is written alone: the old one is dead.
func TestNewTokenIsStoredAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc := proven(w)
	failed := false
	fragile := w.replica(d.option, func(_ *mapping.Config, deps *mapping.Deps) {
		deps.Store = &disk{Store: deps.Store, step: func(at string) error {
			if at == "before Update" && d.times() > 0 && !failed {
				failed = true
				return errors.New("disk corrupt")
			}
			return nil
		}}
	})
	w.clock.advance(12 * time.Minute)
	if err := fragile.RenewProofs(t.Context()); err == nil {
		t.Error("nothing went wrong")
	}
	w.clock.advance(10 * time.Second)
	renew(t, a)
	if now := w.account(acc.ID); d.times() != 2 || d.dead || !now.ProvenAt.Equal(w.clock.Now()) {
		t.Errorf("asked %d times, dead %v, proven at %s", d.times(), d.dead, now.ProvenAt)
	}
}

// S10: a provider that wants to be left alone keeps nobody of another from being renewed, and what waits
// for it is known to be behind.
func TestProviderIsInNobodysWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, d, acc := proven(w)
	entra := &directory{silent: true}
	a := w.replica(d.option, func(_ *mapping.Config, deps *mapping.Deps) {
		deps.Directories["entra"] = entra
	})
	other := person("tim")
	other.Provider, other.Subject = "entra", "entra:public/t/o"
	entra.is = other
	tim := w.signIn(a, other)
	w.session(tim, "s2")
	if err := keep(t.Context(), a, tim, "rt-1"); err != nil {
		t.Fatal(err)
	}
	d.set(func() { d.refuse = &oidc.Error{Code: oidc.CodeProviderUnavailable, RetryAfter: time.Hour} })
	behind := func(want time.Duration) {
		t.Helper()
		if got, err := a.Behind(t.Context(), mapping.WorkRenewal); got != want || err != nil {
			t.Errorf("%s behind, %v; want %s", got, err, want)
		}
		told := fmt.Sprint(a.CheckBehind(t.Context()))
		if strings.Contains(told, mapping.WorkRenewal) != (want >= 5*time.Minute) {
			t.Errorf("%s behind, and readyz says %s", want, told)
		}
	}
	behind(0)
	w.clock.advance(12 * time.Minute)
	w.due(acc)
	w.due(tim)
	w.clock.advance(time.Minute)
	behind(time.Minute)
	renew(t, a)
	behind(0)
	w.due(acc)
	w.due(tim)
	w.clock.advance(5 * time.Minute)
	renew(t, a)
	if d.times() != 1 || entra.times() != 2 {
		t.Errorf("asked %d and %d times", d.times(), entra.times())
	}
	behind(5 * time.Minute)
}
