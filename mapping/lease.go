package mapping

import (
	"context"
	"errors"
	"time"
)

// Lease is the right to do one thing at a time over all replicas. It is one of seconds, which its holder
// renews while the work goes on: what a process leaves undone that is killed, another may take up soon.
// Writes under it go through a transaction that checks its fence: a holder that lost it writes nothing more.
type Lease struct {
	Name   string
	Holder string
	Fence  int64
	Until  time.Time
}

const (
	leaseTime  = 4 * time.Second // after the death of its holder
	leaseRenew = time.Second
)

// lease acquires a lease and renews it until release gives it back, also when ctx is done.
func (l *ledger) lease(ctx context.Context, name string) (lease Lease, release func(), err error) {
	lease, err = l.store.AcquireLease(ctx, name, leaseTime)
	if err != nil {
		return Lease{}, nil, err
	}
	return lease, l.hold(ctx, lease).release, nil
}

// heldLease is a lease that this process renews until it is released: by release, or in the last transaction
// under it (releaseIn).
type heldLease struct {
	Lease
	ledger   *ledger
	ctx      context.Context
	stop     func() // renewing it
	returned bool
}

// hold begins to renew a lease that was acquired.
func (l *ledger) hold(ctx context.Context, lease Lease) *heldLease {
	ctx = context.WithoutCancel(ctx)
	renewing, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		l.renewLease(renewing, lease)
	}()
	return &heldLease{Lease: lease, ledger: l, ctx: ctx, stop: func() {
		cancel()
		<-stopped
	}}
}

// releaseIn gives the lease back in a transaction. Who runs it says when it is committed (returned).
func (h *heldLease) releaseIn(c *change) error {
	return ignoring(ErrLeaseLost, c.ReleaseLease(h.Lease))
}

// release gives the lease back, unless that is done. A lease that there is not is given back already.
func (h *heldLease) release() {
	if h == nil {
		return
	}
	h.stop()
	if !h.returned {
		h.ledger.giveBack(h.ctx, h.Lease)
	}
}

// renewLease renews a lease until ctx is done or another has it. While the store is away nobody else can take
// it either, and it is tried again.
func (l *ledger) renewLease(ctx context.Context, lease Lease) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.after(leaseRenew):
		}
		if errors.Is(l.store.RenewLease(ctx, lease, leaseTime), ErrLeaseLost) {
			return // the work finds out when it writes
		}
	}
}

// leaseFor acquires a lease that is not renewed: for work of which a second time at the same moment would do
// harm that no fence prevents.
func (l *ledger) leaseFor(
	ctx context.Context, name string, ttl time.Duration,
) (lease Lease, release func(), err error) {
	lease, err = l.store.AcquireLease(ctx, name, ttl)
	if err != nil {
		return Lease{}, nil, err
	}
	return lease, func() { l.giveBack(context.WithoutCancel(ctx), lease) }, nil
}

func (l *ledger) giveBack(ctx context.Context, lease Lease) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := l.store.ReleaseLease(ctx, lease); err != nil && !errors.Is(err, ErrLeaseLost) {
		l.log.WarnContext(ctx, "lease not given back; it will expire", "lease", lease.Name, "error", err)
	}
}
