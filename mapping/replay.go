package mapping

import (
	"context"
	"fmt"
	"time"
)

// ReplayTx is the part of a transaction that is about tokens that providers call us with, each of which is
// good once.
type ReplayTx interface {
	// Spend notes that a provider's token was used, until it is too old to be used again. Spent says whether
	// it was.
	Spent(provider, jti string) (bool, error)
	Spend(provider, jti string, until time.Time) error
}

// Spent says whether a token that a provider called with, such as a logout token, was used before: its jti is
// then a replay (OpenID Connect Back-Channel Logout 1.0, section 2.6).
func (a *Accounts) Spent(ctx context.Context, provider, jti string) (spent bool, err error) {
	err = a.store.View(ctx, func(tx Tx) error {
		spent, err = tx.Spent(provider, jti)
		return err
	})
	if err != nil {
		return false, asError(fmt.Errorf("look whether a provider's token was used: %w", err))
	}
	return spent, nil
}

// Spend notes that a token that a provider called with was used. The note is kept until the token would not
// be accepted anyway.
func (a *Accounts) Spend(ctx context.Context, provider, jti string, until time.Time) error {
	return asError(a.change(ctx, "note that a provider's token was used", func(c *change) error {
		return c.Spend(provider, jti, until)
	}))
}
