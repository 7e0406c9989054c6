package store

import (
	"time"

	"vexa-sso/mapping"
)

// KeepEnded implements [mapping.EndedTokenTx]. The values of a tool that have expired before its grant ended
// are not kept: there may be many, and their programs have newer ones.
func (t *tx) KeepEnded(tokenID string, ended mapping.EndedToken, keep time.Duration) error {
	_, err := t.exec("keeping that a token ended", `
		INSERT INTO ended_values (hash, token_id, cause, ended_at, until)
		SELECT hash, token_id, CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS BIGINT) FROM token_values
		WHERE token_id = $1 AND refresh = $5 AND expires_at >= $3
		ON CONFLICT (hash) DO NOTHING`,
		tokenID, string(ended.Cause), micros(ended.At), micros(ended.At.Add(keep)), false)
	return err
}

func scanEnded(row scanner) (e mapping.EndedToken, err error) {
	err = row.Scan(&e.Cause, moment{&e.At})
	return e, err
}

func (t *tx) EndedValue(hash [32]byte) (mapping.EndedToken, error) {
	return one(t, "reading how a token ended", scanEnded,
		`SELECT cause, ended_at FROM ended_values WHERE hash = $1`, hash[:])
}
