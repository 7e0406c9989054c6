package store

import (
	"database/sql"

	"vexa-sso/mapping"
)

// The table keeps the name that it began with.
const selectBotBlock = `SELECT vexa_user_id, vexa_email, account_id, state, former_bots, foreign_tokens,
	since, attempts, retry_at FROM holds `

func scanBotBlock(row scanner) (b mapping.BotBlock, err error) {
	var former sql.NullInt64
	err = row.Scan(&b.VexaUserID, &b.VexaEmail, &b.AccountID, &b.State, &former, &b.ForeignTokens,
		moment{&b.Since}, &b.Attempts, moment{&b.RetryAt})
	if former.Valid {
		b.FormerBots = new(int(former.Int64))
	}
	return b, err
}

func (t *tx) BotBlock(vexaUserID int64) (mapping.BotBlock, error) {
	if err := t.lockName(vexaUserLock(vexaUserID)); err != nil {
		return mapping.BotBlock{}, err
	}
	return one(t, "reading the bot block", scanBotBlock, selectBotBlock+`WHERE vexa_user_id = $1`, vexaUserID)
}

func (t *tx) PutBotBlock(b mapping.BotBlock) error {
	var former sql.NullInt64
	if b.FormerBots != nil {
		former = sql.NullInt64{Int64: int64(*b.FormerBots), Valid: true}
	}
	_, err := t.exec("writing the bot block", `
		INSERT INTO holds (vexa_user_id, vexa_email, account_id, state, former_bots, foreign_tokens, since,
			attempts, retry_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (vexa_user_id) DO UPDATE SET vexa_email = excluded.vexa_email,
			account_id = excluded.account_id, state = excluded.state,
			former_bots = excluded.former_bots, foreign_tokens = excluded.foreign_tokens,
				since = excluded.since, attempts = excluded.attempts,
			retry_at = excluded.retry_at`,
		b.VexaUserID, b.VexaEmail, b.AccountID, string(b.State), former, b.ForeignTokens, micros(b.Since),
		int64(b.Attempts), micros(b.RetryAt))
	return err
}

// DeleteBotBlock implements [mapping.Tx]; a block that is not there is deleted already.
func (t *tx) DeleteBotBlock(vexaUserID int64) error {
	_, err := t.exec("deleting the bot block", `DELETE FROM holds WHERE vexa_user_id = $1`, vexaUserID)
	return err
}
