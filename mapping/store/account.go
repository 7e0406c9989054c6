package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"vexa-sso/mapping"
)

const accountColumns = `accounts.id, accounts.provider, accounts.subject, accounts.kind, accounts.identity,
	accounts.status, accounts.reason, accounts.vexa_email, accounts.vexa_user_id, accounts.intended,
	accounts.created_at, accounts.proven_at,
	EXISTS (SELECT 1 FROM pins WHERE pins.subject = accounts.subject)`

const selectAccount = `SELECT ` + accountColumns + ` FROM accounts `

func scanAccount(row scanner) (a mapping.Account, err error) {
	err = row.Scan(accountTargets(&a)...)
	return a, err
}

// accountTargets is where the accountColumns are read into.
func accountTargets(a *mapping.Account) []any {
	return []any{
		&a.ID, &a.Provider, &a.Subject, &a.Kind, &storedIdentity{a},
		&a.Status, &a.Reason, &a.VexaEmail, &a.VexaUserID, &a.Intended,
		moment{&a.CreatedAt},
		moment{&a.ProvenAt},
		&a.Pinned,
	}
}

// storedIdentity reads the JSON of an account's identity.
type storedIdentity struct{ account *mapping.Account }

// Scan implements sql.Scanner.
func (i *storedIdentity) Scan(stored any) error {
	var text []byte
	switch stored := stored.(type) {
	case string:
		text = []byte(stored)
	case []byte:
		text = stored
	default:
		return fmt.Errorf("a stored identity is a %T", stored)
	}
	if err := json.Unmarshal(text, &i.account.Identity); err != nil {
		return fmt.Errorf("the stored identity of account %s: %w", i.account.ID, err)
	}
	return nil
}

func (t *tx) Account(id string) (mapping.Account, error) {
	if t.writes {
		if _, err := t.lockAccount("locking the account", "id", id); err != nil {
			return mapping.Account{}, err
		}
	}
	return one(t, "reading the account", scanAccount, selectAccount+`WHERE id = $1`, id)
}

// AccountBySubject implements [mapping.Tx]. Where there is no account, the subject is locked, and looked for
// again: who held it may just have made one.
func (t *tx) AccountBySubject(subject string) (mapping.Account, error) {
	if !t.writes {
		return t.readBySubject(subject)
	}
	const doing = "locking the account of a subject"
	id, err := t.lockAccount(doing, "subject", subject)
	if errors.Is(err, mapping.ErrNotFound) && !t.store.engine.oneWriter() &&
		!t.isLocked(subjectLock(subject)) {
		if err := t.lockName(subjectLock(subject)); err != nil {
			return mapping.Account{}, err
		}
		id, err = t.lockAccount(doing, "subject", subject)
	}
	if err != nil {
		return mapping.Account{}, err
	}
	return t.Account(id)
}

func (t *tx) readBySubject(subject string) (mapping.Account, error) {
	return one(t, "reading the account of a subject", scanAccount,
		selectAccount+`WHERE subject = $1`, subject)
}

func (t *tx) AccountsByVexaUser(vexaUserID int64) ([]mapping.Account, error) {
	if err := t.lockName(vexaUserLock(vexaUserID)); err != nil {
		return nil, err
	}
	return many(t, "reading the accounts of a Vexa user", scanAccount,
		selectAccount+`WHERE vexa_user_id = $1 ORDER BY created_at, id`, vexaUserID)
}

func (t *tx) AccountsByVexaEmail(vexaEmail string) ([]mapping.Account, error) {
	if err := t.lockName(vexaEmailLock(vexaEmail)); err != nil {
		return nil, err
	}
	return many(t, "reading the accounts of a Vexa address", scanAccount,
		selectAccount+`WHERE vexa_email = $1 ORDER BY created_at, id`, vexaEmail)
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
	if err == nil {
		t.lockedNow(accountLock(a.ID)) // by having been written
	}
	return err
}
