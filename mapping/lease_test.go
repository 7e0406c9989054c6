package mapping_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
)

// renewals counts how often leases were renewed.
type renewals struct {
	mapping.Store
	count atomic.Int64
}

func (r *renewals) RenewLease(ctx context.Context, l mapping.Lease, ttl time.Duration) error {
	err := r.Store.RenewLease(ctx, l, ttl)
	r.count.Add(1)
	return err
}

// S6: however long a mint takes, nobody else takes its lease while its holder lives.
func TestLeaseIsHeldWhileAMintGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var counted *renewals
	a := w.replica(func(_ *mapping.Config, d *mapping.Deps) {
		counted = &renewals{Store: d.Store}
		d.Store = counted
		d.After = func(time.Duration) <-chan time.Time { return time.After(time.Millisecond) }
	})
	acc := w.signIn(a, person("ada"))
	until := make(chan struct{})
	held := w.vexa.Inject(vexatest.Fault{
		Method: "POST", Path: "/admin/", Effect: vexatest.HoldBefore, Until: until,
	})
	minted := make(chan error, 1)
	go func() {
		_, _, err := w.key(a, acc)
		minted <- err
	}()
	if err := held.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		w.clock.advance(3 * time.Second)
		since := counted.count.Load()
		oidctest.WaitFor(t, "a renewal", func() bool { return counted.count.Load() >= since+2 })
		_, err := w.store.AcquireLease(t.Context(), "mint:"+acc.ID+":bot,tx", time.Minute)
		if !errors.Is(err, mapping.ErrLeaseHeld) {
			t.Fatalf("another could mint, too: %v", err)
		}
	}
	close(until)
	if err := <-minted; err != nil {
		t.Fatal(err)
	}
	if n := len(w.vexa.Tokens()); n != 1 {
		t.Errorf("%d tokens", n)
	}
}

// S6: a mint that was killed keeps its person out for the time of a lease, which is seconds, and no longer.
func TestKilledMintIsTakenUpWithinSeconds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acc := w.signIn(w.replica(), person("ada"))
	p := &process{}
	dying := w.replica(p.option, func(_ *mapping.Config, d *mapping.Deps) {
		d.Vexa = &wires{d.Vexa, func(at string) error {
			if at == "before Mint" {
				p.mu.Lock()
				p.died = at
				p.mu.Unlock()
			}
			return p.step(at)
		}}
	})
	if _, _, err := w.key(dying, acc); err == nil || p.died == "" {
		t.Fatalf("it lives: %v", err)
	}
	name := "mint:" + acc.ID + ":bot,tx"
	if _, err := w.store.AcquireLease(t.Context(), name, time.Minute); !errors.Is(err, mapping.ErrLeaseHeld) {
		t.Fatalf("the dead held nothing: %v", err)
	}
	w.clock.advance(4 * time.Second)
	w.mustKey(w.replica(), acc)
}
