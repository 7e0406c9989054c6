package store

import "time"

func (t *tx) Spent(provider, jti string) (bool, error) {
	n, err := one(t, "looking for a token that was used", scanNumber,
		`SELECT count(*) FROM spent_tokens WHERE provider = $1 AND jti = $2`, provider, jti)
	return n > 0, err
}

func (t *tx) Spend(provider, jti string, until time.Time) error {
	_, err := t.exec("noting a token that was used", `
		INSERT INTO spent_tokens (provider, jti, until) VALUES ($1, $2, $3) ON CONFLICT (provider,
			jti) DO NOTHING`, provider, jti, micros(until))
	return err
}
