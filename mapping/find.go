package mapping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vexa-sso/oidc/address"
)

// Find returns the account that an admin means: by its id, its canonical subject or the email of its
// identity, proven or not. An email may be that of several identities; which one is meant is then the admin's
// to say, so the error names them. ErrNotFound: there is none.
func (a *Accounts) Find(ctx context.Context, who string) (found Account, err error) {
	who = strings.TrimSpace(who)
	err = a.store.View(ctx, func(tx Tx) error {
		found, err = tx.Account(who)
		if errors.Is(err, ErrNotFound) {
			found, err = tx.AccountBySubject(who)
		}
		if errors.Is(err, ErrNotFound) && strings.Contains(who, "@") {
			found, err = findByEmail(tx, who)
		}
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return Account{}, fmt.Errorf("no account is %q, by id, subject or email: %w", brief(who), ErrNotFound)
	case err != nil:
		return Account{}, asError(fmt.Errorf("look for the account: %w", err))
	}
	return found, nil
}

func findByEmail(tx Tx, email string) (Account, error) {
	wanted, err := address.Email(email)
	if err != nil {
		return Account{}, ErrNotFound
	}
	all, err := tx.AccountsByAddress(wanted)
	if err != nil {
		return Account{}, err
	}
	var ids []string
	var found Account
	for _, acc := range all {
		have, err := address.Email(emailOf(acc))
		if err == nil && have == wanted {
			found = acc
			ids = append(ids, acc.ID)
		}
	}
	switch len(ids) {
	case 0:
		return Account{}, ErrNotFound
	case 1:
		return found, nil
	}
	return Account{}, &Objection{
		fmt.Sprintf("%s is the email of %d accounts", brief(wanted), len(ids)),
		"name one of them by its id: " + strings.Join(ids, ", "),
	}
}

func emailOf(acc Account) string {
	if acc.Identity.Email != "" {
		return acc.Identity.Email
	}
	return acc.Identity.UnprovenEmail
}

// AccountBySubject returns the account of a canonical subject, for a provider that calls about somebody.
// ErrNotFound: there is none.
func (a *Accounts) AccountBySubject(ctx context.Context, subject string) (acc Account, err error) {
	err = a.store.Read(ctx, func(tx Tx) error {
		acc, err = tx.AccountBySubject(subject)
		return err
	})
	if err != nil {
		return Account{}, asError(fmt.Errorf("look for the account that a provider named: %w", err))
	}
	return acc, nil
}

// AccountsByEmail returns the accounts of a provider whose proven email an address is, for a provider that
// calls to end their access (S17). Where it is nobody's now, those whose proven email it was last: what was
// changed at the provider since is not known here yet. None for what is no address.
func (a *Accounts) AccountsByEmail(ctx context.Context, provider, email string) (found []Account, err error) {
	email, err = address.Email(email)
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
	others := func(acc Account) bool { return acc.Identity.Email != email }
	if slices.ContainsFunc(found, func(acc Account) bool { return !others(acc) }) {
		return slices.DeleteFunc(found, others), nil
	}
	claims := func(acc Account) bool { return acc.Identity.UnprovenEmail == email }
	return slices.DeleteFunc(found, claims), nil
}

// AccountsByVexaUser returns the accounts that are bound to a Vexa user, whatever their status. There is more
// than one only where an admin has approved it.
func (a *Accounts) AccountsByVexaUser(ctx context.Context, vexaUserID int64) (found []Account, err error) {
	err = a.store.Read(ctx, func(tx Tx) error {
		found, err = tx.AccountsByVexaUser(vexaUserID)
		return err
	})
	if err != nil {
		return nil, asError(fmt.Errorf("look for the accounts of a Vexa user: %w", err))
	}
	return found, nil
}

// noteEmail keeps the address by which the account's provider may name it: the proven one.
func (c *change) noteEmail(acc Account) error {
	if acc.Identity.Email == "" {
		return nil
	}
	return c.AddEmail(acc.ID, acc.Identity.Email)
}

// KeysOf returns the keys of an account, the oldest first, without what is sealed in them.
func (a *Accounts) KeysOf(ctx context.Context, accountID string) ([]Key, error) {
	return a.keys.of(ctx, accountID)
}

func (ks *vexaKeys) of(ctx context.Context, accountID string) (keys []Key, err error) {
	err = ks.store.View(ctx, func(tx Tx) error {
		keys, err = tx.Keys(accountID)
		return err
	})
	if err != nil {
		return nil, asError(fmt.Errorf("list the keys: %w", err))
	}
	for i := range keys {
		keys[i].Sealed = nil
	}
	return keys, nil
}
