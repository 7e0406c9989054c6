package mapping

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Retention says how long the store keeps what has no end of its own.
type Retention struct {
	Idle   time.Duration // a session that nobody uses
	Events time.Duration // an audit event
}

// Purge forgets what nobody needs any more: tokens that have expired, with the keys that only they needed,
// and whatever else has come to its end in the store. One replica at a time does it, a little at a time;
// where it is interrupted, it goes on the next time. It says how many tokens it forgot.
func (a *Accounts) Purge(ctx context.Context) (tokens int, err error) {
	_, release, err := a.lease(ctx, "purge")
	if errors.Is(err, ErrLeaseHeld) {
		return 0, nil
	}
	if err != nil {
		return 0, asError(fmt.Errorf("forget what nobody needs: %w", err))
	}
	defer release()
	tokens, failed := a.tokens.purge(ctx)
	if err := a.store.Purge(ctx, a.retention); err != nil {
		failed = errors.Join(failed, fmt.Errorf("forget what nobody needs: %w", err))
	}
	return tokens, asError(failed)
}
