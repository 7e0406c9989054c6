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
func (s *Store) AcquireLease(ctx context.Context, name string, ttl time.Duration) (mapping.Lease, error) {
	var lease mapping.Lease
	err := s.write(ctx, func(t *tx) error {
		now := s.now()
		until := now.Add(ttl).Truncate(time.Microsecond).UTC()
		fence, err := one(t, "taking the lease "+name, scanNumber, `
			INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, 1, $3)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1,
				until = excluded.until WHERE leases.until <= $4
			RETURNING fence`, name, s.holder, micros(until), micros(now))
		if errors.Is(err, mapping.ErrNotFound) {
			return fmt.Errorf("taking the lease %s: %w", name, mapping.ErrLeaseHeld)
		}
		lease = mapping.Lease{Name: name, Holder: s.holder, Fence: fence, Until: until}
		return err
	})
	if err != nil {
		return mapping.Lease{}, err
	}
	return lease, nil
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
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("releasing the lease "+l.Name,
			`UPDATE leases SET until = 0 WHERE name = $1 AND holder = $2 AND fence = $3 AND until > 0`,
			l.Name, l.Holder, l.Fence)
		if err == nil && n == 0 {
			err = fmt.Errorf("releasing the lease %s: %w", l.Name, mapping.ErrLeaseLost)
		}
		return err
	})
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
