package mapping

import (
	"context"
	"fmt"
	"time"

	"vexa-sso/mapping/rule"
)

// AccountBySubject returns the account of a canonical subject, for a provider that calls about somebody. ErrNotFound: there is
// none.
func (a *Accounts) AccountBySubject(ctx context.Context, subject string) (acc Account, err error) {
	err = a.store.View(ctx, func(tx Tx) error {
		acc, err = tx.AccountBySubject(subject)
		return err
	})
	if err != nil {
		return Account{}, asError(fmt.Errorf("look for the account that a provider named: %w", err))
	}
	return acc, nil
}

// AccountsByEmail returns the accounts of a provider that bear an address, or ever did: a provider that calls to end
// somebody's access may know them by one that we have seen replaced. None for what is no address.
func (a *Accounts) AccountsByEmail(ctx context.Context, provider, email string) (found []Account, err error) {
	email, err = rule.CanonicalEmail(email)
	if err != nil {
		return nil, nil
	}
	err = a.store.View(ctx, func(tx Tx) error {
		found, err = tx.AccountsByEmail(provider, email)
		return err
	})
	if err != nil {
		return nil, asError(fmt.Errorf("look for the accounts that a provider named: %w", err))
	}
	return found, nil
}

// Spent says whether a token that a provider called with was used before. Spend notes that it was, until a replay of it would
// not be accepted anyway.
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

// Spend is described at Spent.
func (a *Accounts) Spend(ctx context.Context, provider, jti string, until time.Time) error {
	return asError(a.change(ctx, "note that a provider's token was used", func(c *change) error { return c.Spend(provider, jti, c.now, until) }))
}
