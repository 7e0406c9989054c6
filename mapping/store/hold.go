package store

import (
	"database/sql"

	"vexa-sso/mapping"
)

const selectHold = `SELECT vexa_user_id, vexa_email, account_id, state, former_bots, foreign_tokens, since, attempts, retry_at FROM holds `

func scanHold(row scanner) (h mapping.Hold, err error) {
	var former sql.NullInt64
	err = row.Scan(&h.VexaUserID, &h.VexaEmail, &h.AccountID, &h.State, &former, &h.ForeignTokens, moment{&h.Since}, &h.Attempts, moment{&h.RetryAt})
	if former.Valid {
		h.FormerBots = new(int(former.Int64))
	}
	return h, err
}

func (t *tx) Hold(vexaUserID int64) (mapping.Hold, error) {
	return one(t, "reading the hold", scanHold, selectHold+`WHERE vexa_user_id = $1`, vexaUserID)
}

func (t *tx) Holds() ([]mapping.Hold, error) {
	return many(t, "reading all holds", scanHold, selectHold+`ORDER BY since, vexa_user_id`)
}

func (t *tx) PutHold(h mapping.Hold) error {
	var former sql.NullInt64
	if h.FormerBots != nil {
		former = sql.NullInt64{Int64: int64(*h.FormerBots), Valid: true}
	}
	_, err := t.exec("writing the hold", `
		INSERT INTO holds (vexa_user_id, vexa_email, account_id, state, former_bots, foreign_tokens, since, attempts, retry_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (vexa_user_id) DO UPDATE SET vexa_email = excluded.vexa_email, account_id = excluded.account_id, state = excluded.state,
			former_bots = excluded.former_bots, foreign_tokens = excluded.foreign_tokens, since = excluded.since, attempts = excluded.attempts,
			retry_at = excluded.retry_at`,
		h.VexaUserID, h.VexaEmail, h.AccountID, string(h.State), former, h.ForeignTokens, micros(h.Since), int64(h.Attempts), micros(h.RetryAt))
	return err
}

// DeleteHold implements [mapping.Tx]; a hold that is not there is deleted already.
func (t *tx) DeleteHold(vexaUserID int64) error {
	_, err := t.exec("deleting the hold", `DELETE FROM holds WHERE vexa_user_id = $1`, vexaUserID)
	return err
}
