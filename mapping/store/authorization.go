package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/authserver"
)

var _ authserver.Store = (*Store)(nil)

const selectAuthorization = `SELECT hash, kind, COALESCE(user_code, ''), account_id, status, asked, expires_at
	FROM authorizations `

func scanAuthorization(row scanner) (authserver.Authorization, error) {
	a, err := scanStored(row)
	return a.Authorization, err
}

// storedAuthorization has the JSON as it is stored, perhaps by a program of another version.
type storedAuthorization struct {
	authserver.Authorization
	asked string
}

func scanStored(row scanner) (a storedAuthorization, err error) {
	if err := row.Scan(hash{&a.Hash}, &a.Kind, &a.UserCode, &a.AccountID, &a.Status, &a.asked,
		moment{&a.ExpiresAt}); err != nil {
		return a, err
	}
	if err := json.Unmarshal([]byte(a.asked), &a.Asked); err != nil {
		return a, fmt.Errorf("a stored authorization is not JSON: %w", err)
	}
	return a, nil
}

// AddAuthorization implements [authserver.Store].
func (s *Store) AddAuthorization(ctx context.Context, a authserver.Authorization, most int) error {
	asked, err := marshalAsked(a)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		if err := t.lockOwner(a.AccountID); err != nil {
			return err
		}
		if err := t.lockName("authorizations of kind:" + string(a.Kind)); err != nil {
			return err
		}
		open, err := one(t, "counting open authorizations", scanCount, `
			SELECT count(*) FROM authorizations WHERE kind = $1 AND status IN ($2, $3) AND expires_at > $4`,
			a.Kind, authserver.StatusPending, authserver.StatusApproved, micros(s.now()))
		if err != nil {
			return err
		}
		if open >= most {
			return authserver.ErrTooMany
		}
		if err := t.checkDecision("", a.Asked.DecidedBy, s.now()); err != nil {
			return err
		}
		_, err = t.exec("writing the authorization", `
			INSERT INTO authorizations (hash, kind, user_code, account_id, status, asked, expires_at)
			VALUES ($1, $2, NULLIF($3, ''), $4, $5, $6, $7)`,
			a.Hash[:], a.Kind, a.UserCode, a.AccountID, a.Status, asked, micros(a.ExpiresAt))
		return err
	})
}

func scanCount(row scanner) (n int, err error) {
	err = row.Scan(&n)
	return n, err
}

// AuthorizationByUserCode implements [authserver.Store].
func (s *Store) AuthorizationByUserCode(
	ctx context.Context, code string,
) (a authserver.Authorization, err error) {
	if code == "" {
		return a, fmt.Errorf("reading the authorization: %w", mapping.ErrNotFound)
	}
	err = s.ask(ctx, func(t *tx) (err error) {
		a, err = one(t, "reading the authorization", scanAuthorization,
			selectAuthorization+`WHERE user_code = $1`, code)
		return err
	})
	return a, err
}

// ChangeAuthorization implements [authserver.Store]. It writes only over what it has read: of two who redeem
// one code at the same moment, the second sees that it is redeemed.
func (s *Store) ChangeAuthorization(
	ctx context.Context, hash [32]byte, change func(*authserver.Authorization) error,
) error {
	return s.write(ctx, func(t *tx) error {
		was, err := one(t, "reading the authorization", scanStored,
			selectAuthorization+`WHERE hash = $1`, hash[:])
		if err != nil {
			return err
		}
		a := was.Authorization
		if err := change(&a); err != nil {
			return err
		}
		if err := t.lockOwner(a.AccountID); err != nil {
			return err
		}
		if err := t.checkDecision(was.Asked.DecidedBy, a.Asked.DecidedBy, s.now()); err != nil {
			return err
		}
		asked, err := marshalAsked(a)
		if err != nil {
			return err
		}
		n, err := t.exec("writing the authorization", `
			UPDATE authorizations SET account_id = $1, status = $2, asked = $3, expires_at = $4
			WHERE hash = $5 AND account_id = $6 AND status = $7 AND asked = $8`,
			a.AccountID, a.Status, asked, micros(a.ExpiresAt), hash[:], was.AccountID, was.Status, was.asked)
		if err == nil && n != 1 {
			err = t.raced("writing the authorization")
		}
		return err
	})
}

func marshalAsked(a authserver.Authorization) (string, error) {
	asked, err := json.Marshal(a.Asked)
	if err != nil {
		return "", fmt.Errorf("writing the authorization: %w", err)
	}
	return string(asked), nil
}

// checkDecision checks the session of a decision that is about to be stored, and not that of an earlier one.
func (t *tx) checkDecision(before, by string, at time.Time) error {
	if by == before {
		return nil
	}
	return t.CheckSession(by, at)
}

func (t *tx) DeleteAuthorizations(accountID string) error {
	if err := t.holds("deleting the authorizations of an account", accountID); err != nil {
		return err
	}
	_, err := t.exec("deleting the authorizations of an account",
		`DELETE FROM authorizations WHERE account_id = $1`, accountID)
	return err
}
