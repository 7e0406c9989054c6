package store

import "vexa-sso/mapping"

// The table keeps the name that it began with: a refresh grant is what proves somebody anew.
const selectRefreshGrant = `SELECT account_id, provider, sealed, renew_at, attempts, unanswered,
	steady FROM proofs `

func scanRefreshGrant(row scanner) (p mapping.RefreshGrant, err error) {
	err = row.Scan(&p.AccountID, &p.Provider, &p.Sealed, moment{&p.RenewAt}, &p.Attempts, &p.Unanswered,
		&p.Steady)
	return p, err
}

func (t *tx) RefreshGrant(accountID string) (mapping.RefreshGrant, error) {
	if err := t.lockOwner(accountID); err != nil {
		return mapping.RefreshGrant{}, err
	}
	return one(t, "reading the refresh grant", scanRefreshGrant,
		selectRefreshGrant+`WHERE account_id = $1`, accountID)
}

func (t *tx) PutRefreshGrant(p mapping.RefreshGrant) error {
	if err := t.holds("writing the refresh grant", p.AccountID); err != nil {
		return err
	}
	_, err := t.exec("writing the refresh grant", `
		INSERT INTO proofs (account_id, provider, sealed, renew_at, attempts, unanswered, steady)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (account_id) DO UPDATE SET provider = excluded.provider, sealed = excluded.sealed,
			renew_at = excluded.renew_at, attempts = excluded.attempts, unanswered = excluded.unanswered,
			steady = excluded.steady`,
		p.AccountID, p.Provider, p.Sealed, micros(p.RenewAt), int64(p.Attempts), p.Unanswered, p.Steady)
	return err
}

// DeleteRefreshGrant implements [mapping.Tx]; a refresh grant that is not there is deleted already.
func (t *tx) DeleteRefreshGrant(accountID string) error {
	if err := t.holds("deleting the refresh grant", accountID); err != nil {
		return err
	}
	_, err := t.exec("deleting the refresh grant", `DELETE FROM proofs WHERE account_id = $1`, accountID)
	return err
}
