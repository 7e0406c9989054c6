package store

import "vexa-sso/mapping"

const selectKey = `SELECT id, account_id, vexa_user_id, scopes, state, vexa_token_id, sealed, created_at,
	expires_at, attempts, retry_at, revoked_at FROM keys `

func scanKey(row scanner) (k mapping.Key, err error) {
	err = row.Scan(&k.ID, &k.AccountID, &k.VexaUserID, &k.Scopes, &k.State, &k.VexaTokenID, &k.Sealed,
		moment{&k.CreatedAt}, moment{&k.ExpiresAt}, &k.Attempts, moment{&k.RetryAt}, moment{&k.RevokedAt})
	return k, err
}

func (t *tx) Key(id string) (mapping.Key, error) {
	return owned(t, func() (mapping.Key, error) {
		return one(t, "reading the key", scanKey, selectKey+`WHERE id = $1`, id)
	}, func(k mapping.Key) string { return k.AccountID })
}

func (t *tx) Keys(accountID string) ([]mapping.Key, error) {
	if err := t.lockOwner(accountID); err != nil {
		return nil, err
	}
	return many(t, "reading the keys of an account", scanKey,
		selectKey+`WHERE account_id = $1 ORDER BY created_at, id`, accountID)
}

// PutKey implements [mapping.Tx]. The account must have been read before.
func (t *tx) PutKey(k mapping.Key) error {
	if err := t.holds("writing the key", k.AccountID); err != nil {
		return err
	}
	_, err := t.exec("writing the key", `
		INSERT INTO keys (id, account_id, vexa_user_id, scopes, state, vexa_token_id, sealed, created_at,
			expires_at, attempts, retry_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id, vexa_user_id = excluded.vexa_user_id,
			scopes = excluded.scopes,
			state = excluded.state, vexa_token_id = excluded.vexa_token_id, sealed = excluded.sealed,
				created_at = excluded.created_at,
			expires_at = excluded.expires_at, attempts = excluded.attempts, retry_at = excluded.retry_at,
				revoked_at = excluded.revoked_at`,
		k.ID, k.AccountID, k.VexaUserID, string(k.Scopes), string(k.State),
		k.VexaTokenID, k.Sealed, micros(k.CreatedAt),
		micros(k.ExpiresAt), int64(k.Attempts), micros(k.RetryAt), micros(k.RevokedAt))
	return err
}

// DeleteKey implements [mapping.Tx]; a key that is not there is deleted already.
func (t *tx) DeleteKey(id string) error {
	_, err := t.exec("deleting the key", `DELETE FROM keys WHERE id = $1`, id)
	return err
}
