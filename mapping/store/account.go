package store

import (
	"encoding/json"
	"fmt"

	"vexa-sso/mapping"
)

const selectAccount = `SELECT id, provider, subject, kind, identity, status, reason, vexa_email, vexa_user_id,
	intended, created_at, proven_at,
	EXISTS (SELECT 1 FROM pins WHERE pins.subject = accounts.subject) FROM accounts `

func scanAccount(row scanner) (a mapping.Account, err error) {
	var identity []byte
	err = row.Scan(&a.ID, &a.Provider, &a.Subject, &a.Kind, &identity, &a.Status, &a.Reason, &a.VexaEmail,
		&a.VexaUserID, &a.Intended, moment{&a.CreatedAt}, moment{&a.ProvenAt}, &a.Pinned)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(identity, &a.Identity); err != nil {
		return a, fmt.Errorf("the stored identity of account %s: %w", a.ID, err)
	}
	return a, nil
}

func (t *tx) Account(id string) (mapping.Account, error) {
	return one(t, "reading the account", scanAccount, selectAccount+`WHERE id = $1`, id)
}

func (t *tx) AccountBySubject(subject string) (mapping.Account, error) {
	return one(t, "reading the account of a subject", scanAccount,
		selectAccount+`WHERE subject = $1`, subject)
}

func (t *tx) AccountsByVexaUser(vexaUserID int64) ([]mapping.Account, error) {
	return many(t, "reading the accounts of a Vexa user", scanAccount,
		selectAccount+`WHERE vexa_user_id = $1 ORDER BY created_at, id`, vexaUserID)
}

func (t *tx) AccountsByVexaEmail(vexaEmail string) ([]mapping.Account, error) {
	return many(t, "reading the accounts of a Vexa address", scanAccount,
		selectAccount+`WHERE vexa_email = $1 ORDER BY created_at, id`, vexaEmail)
}

func (t *tx) Accounts() ([]mapping.Account, error) {
	return many(t, "reading all accounts", scanAccount, selectAccount+`ORDER BY created_at, id`)
}

// PutAccount implements [mapping.Tx]. Whether the account is pinned is not written with it: the pins say
// that. mapping.ErrConflict when another account has that subject.
func (t *tx) PutAccount(a mapping.Account) error {
	identity, err := json.Marshal(a.Identity)
	if err != nil {
		return fmt.Errorf("writing the identity of account %s: %w", a.ID, err)
	}
	_, err = t.exec("writing the account", `
		INSERT INTO accounts (id, provider, subject, kind, identity, status, reason, vexa_email, vexa_user_id,
			intended, created_at, proven_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (id) DO UPDATE SET provider = excluded.provider, subject = excluded.subject,
			kind = excluded.kind,
			identity = excluded.identity, status = excluded.status, reason = excluded.reason,
				vexa_email = excluded.vexa_email,
			vexa_user_id = excluded.vexa_user_id, intended = excluded.intended,
				created_at = excluded.created_at, proven_at = excluded.proven_at`,
		a.ID, a.Provider, a.Subject, string(a.Kind), string(identity), string(a.Status),
		a.Reason, a.VexaEmail, a.VexaUserID,
		a.Intended, micros(a.CreatedAt), micros(a.ProvenAt))
	return err
}
