package store

import "vexa-sso/mapping"

func (t *tx) AddEmail(accountID, email string) error {
	if err := t.holds("noting an address", accountID); err != nil {
		return err
	}
	_, err := t.exec("noting an address",
		`INSERT INTO emails (account_id, email) VALUES ($1, $2) ON CONFLICT (account_id, email) DO NOTHING`,
		accountID, email)
	return err
}

func (t *tx) AccountsByEmail(provider, email string) ([]mapping.Account, error) {
	return many(t, "reading the accounts that bore an address", scanAccount, selectAccount+`
		WHERE provider = $1 AND id IN (SELECT account_id FROM emails WHERE email = $2) ORDER BY created_at,
			id`, provider, email)
}
