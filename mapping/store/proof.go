package store

import (
	"time"

	"vexa-sso/mapping"
)

const selectProof = `SELECT account_id, provider, sealed, renew_at, attempts FROM proofs `

func scanProof(row scanner) (p mapping.Proof, err error) {
	err = row.Scan(&p.AccountID, &p.Provider, &p.Sealed, moment{&p.RenewAt}, &p.Attempts)
	return p, err
}

func (t *tx) Proof(accountID string) (mapping.Proof, error) {
	return one(t, "reading the proof", scanProof, selectProof+`WHERE account_id = $1`, accountID)
}

func (t *tx) ProofsDue(now, usedSince time.Time, most int) ([]mapping.Proof, error) {
	return many(t, "reading the proofs that are due", scanProof, selectProof+`
		WHERE renew_at <= $1 AND (
			EXISTS (SELECT 1 FROM sessions WHERE sessions.account_id = proofs.account_id AND sessions.expires_at > $1 AND sessions.last_seen >= $2)
			OR EXISTS (SELECT 1 FROM tokens WHERE tokens.account_id = proofs.account_id AND tokens.expires_at > $1))
		ORDER BY renew_at, account_id LIMIT $3`, micros(now), micros(usedSince), most)
}

func (t *tx) PutProof(p mapping.Proof) error {
	_, err := t.exec("writing the proof", `
		INSERT INTO proofs (account_id, provider, sealed, renew_at, attempts) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id) DO UPDATE SET provider = excluded.provider, sealed = excluded.sealed, renew_at = excluded.renew_at,
			attempts = excluded.attempts`,
		p.AccountID, p.Provider, p.Sealed, micros(p.RenewAt), int64(p.Attempts))
	return err
}

// DeleteProof implements [mapping.Tx]; a proof that is not there is deleted already.
func (t *tx) DeleteProof(accountID string) error {
	_, err := t.exec("deleting the proof", `DELETE FROM proofs WHERE account_id = $1`, accountID)
	return err
}

func (t *tx) PurgeProofs(dueBefore time.Time) (int, error) {
	n, err := t.exec("purging proofs", `
		DELETE FROM proofs WHERE renew_at < $1
			AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.account_id = proofs.account_id)
			AND NOT EXISTS (SELECT 1 FROM tokens WHERE tokens.account_id = proofs.account_id)`, micros(dueBefore))
	return int(n), err
}
