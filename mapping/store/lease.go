package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vexa-sso/mapping"
)

// AcquireLease implements [mapping.Store]. Time is told by the clock of whoever asks: the clocks of replicas
// should agree to well under a ttl. Where they don't, the fence still keeps the earlier holder from writing.
func (s *Store) AcquireLease(
	ctx context.Context, name string, ttl time.Duration,
) (lease mapping.Lease, err error) {
	err = s.write(ctx, func(t *tx) (err error) {
		lease, err = t.AcquireLease(name, ttl)
		return err
	})
	return lease, err
}

// AcquireLease implements [mapping.Tx]. The fence is the time, or one more than the last: so it grows from
// holder to holder, also where the row of one that was free for long has been deleted in between.
func (t *tx) AcquireLease(name string, ttl time.Duration) (mapping.Lease, error) {
	now := t.store.now()
	until := now.Add(ttl).Truncate(time.Microsecond).UTC()
	fence, err := one(t, "taking the lease "+name, scanNumber, `
		INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
			fence = CASE WHEN leases.fence < excluded.fence THEN excluded.fence ELSE leases.fence + 1 END
			WHERE leases.until <= $3
		RETURNING fence`, name, t.store.holder, micros(now), micros(until))
	if errors.Is(err, mapping.ErrNotFound) {
		return mapping.Lease{}, fmt.Errorf("taking the lease %s: %w", name, mapping.ErrLeaseHeld)
	}
	if err != nil {
		return mapping.Lease{}, err
	}
	return mapping.Lease{Name: name, Holder: t.store.holder, Fence: fence, Until: until}, nil
}

// RenewLease implements [mapping.Store].
func (s *Store) RenewLease(ctx context.Context, l mapping.Lease, ttl time.Duration) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("renewing the lease "+l.Name,
			`UPDATE leases SET until = $1 WHERE name = $2 AND holder = $3 AND fence = $4 AND until > 0`,
			micros(s.now().Add(ttl)), l.Name, l.Holder, l.Fence)
		if err == nil && n == 0 {
			err = fmt.Errorf("renewing the lease %s: %w", l.Name, mapping.ErrLeaseLost)
		}
		return err
	})
}

// ReleaseLease implements [mapping.Store]; mapping.ErrLeaseLost when it was not ours any more, which is as
// good.
func (s *Store) ReleaseLease(ctx context.Context, l mapping.Lease) error {
	return s.write(ctx, func(t *tx) error { return t.ReleaseLease(l) })
}

// ReleaseLease implements [mapping.Tx].
func (t *tx) ReleaseLease(l mapping.Lease) error {
	n, err := t.exec("releasing the lease "+l.Name,
		`UPDATE leases SET until = 0 WHERE name = $1 AND holder = $2 AND fence = $3 AND until > 0`,
		l.Name, l.Holder, l.Fence)
	if err == nil && n == 0 {
		err = fmt.Errorf("releasing the lease %s: %w", l.Name, mapping.ErrLeaseLost)
	}
	return err
}

// CheckLease implements [mapping.Tx]. It writes the lease's row without changing it: whoever wants to take
// the lease over has to wait until this transaction is through. That its time is up does not matter while
// nobody has: a machine that is busy for seconds is still alone.
func (t *tx) CheckLease(l mapping.Lease) error {
	n, err := t.exec("checking the lease "+l.Name,
		`UPDATE leases SET fence = fence WHERE name = $1 AND holder = $2 AND fence = $3 AND until > 0`,
		l.Name, l.Holder, l.Fence)
	if err == nil && n == 0 {
		err = fmt.Errorf("checking the lease %s: %w", l.Name, mapping.ErrLeaseLost)
	}
	return err
}

func scanNumber(row scanner) (n int64, err error) {
	err = row.Scan(&n)
	return n, err
}
