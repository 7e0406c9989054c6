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
	lease, giveBack, err := l.leaseFor(ctx, name, leaseTime)
	if err != nil {
		return Lease{}, nil, err
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		l.renewLease(renewing, lease)
	}()
	return lease, func() {
		stop()
		<-stopped
		giveBack()
	}, nil
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
	return lease, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := l.store.ReleaseLease(ctx, lease); err != nil && !errors.Is(err, ErrLeaseLost) {
			l.log.WarnContext(ctx, "lease not given back; it will expire", "lease", name, "error", err)
		}
	}, nil
}
