package mapping

import (
	"context"
	"errors"
	"time"
)

// lease acquires a lease. release gives it back, also when ctx is done.
func (l *ledger) lease(
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

// Lease is the right to do one thing at a time over all replicas. Writes under it go through a transaction
// that checks it.
type Lease struct {
	Name   string
	Holder string
	Fence  int64
	Until  time.Time
}
