package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vexa-sso/mapping"
)

const tokenColumns = `tokens.id, tokens.account_id, tokens.kind, tokens.client, tokens.name, tokens.scopes,
	tokens.created_at, tokens.expires_at, tokens.used_at, tokens.used_from`

const selectToken = `SELECT ` + tokenColumns + ` FROM tokens `

func scanToken(row scanner) (t mapping.Token, err error) {
	err = row.Scan(tokenTargets(&t)...)
	return t, err
}

// tokenTargets is where the tokenColumns are read into.
func tokenTargets(t *mapping.Token) []any {
	return []any{
		&t.ID, &t.AccountID, &t.Kind, &t.Client, &t.Name, &t.Scopes,
		moment{&t.CreatedAt},
		moment{&t.ExpiresAt},
		moment{&t.UsedAt},
		&t.UsedFrom,
	}
}

func (t *tx) Token(id string) (mapping.Token, error) {
	return owned(t, func() (mapping.Token, error) {
		return one(t, "reading the token", scanToken, selectToken+`WHERE id = $1`, id)
	}, func(k mapping.Token) string { return k.AccountID })
}

func (t *tx) Tokens(accountID string) ([]mapping.Token, error) {
	if err := t.lockOwner(accountID); err != nil {
		return nil, err
	}
	return many(t, "reading the tokens of an account", scanToken,
		selectToken+`WHERE account_id = $1 ORDER BY created_at DESC, id`, accountID)
}

// PutToken implements [mapping.Tx]. The account must have been read before.
func (t *tx) PutToken(k mapping.Token) error {
	if err := t.holds("writing the token", k.AccountID); err != nil {
		return err
	}
	_, err := t.exec("writing the token", `
		INSERT INTO tokens (id, account_id, kind, client, name, scopes, created_at, expires_at, used_at,
			used_from)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id, kind = excluded.kind,
			client = excluded.client, name = excluded.name,
			scopes = excluded.scopes, created_at = excluded.created_at, expires_at = excluded.expires_at,
				used_at = excluded.used_at,
			used_from = excluded.used_from`,
		k.ID, k.AccountID, string(k.Kind), k.Client, k.Name, string(k.Scopes), micros(k.CreatedAt),
		micros(k.ExpiresAt), micros(k.UsedAt), k.UsedFrom)
	return err
}

// DeleteToken implements [mapping.Tx]; a token that is not there is deleted already.
func (t *tx) DeleteToken(id string) error {
	if _, err := t.exec("deleting the values of a token",
		`DELETE FROM token_values WHERE token_id = $1`, id); err != nil {
		return err
	}
	_, err := t.exec("deleting the token", `DELETE FROM tokens WHERE id = $1`, id)
	return err
}

func (t *tx) TouchTokens(used map[string]mapping.TokenUse) error {
	if len(used) == 0 {
		return nil
	}
	var rows []string
	var args []any
	// in one order, so that replicas do not lock rows crosswise
	for i, id := range slices.Sorted(maps.Keys(used)) {
		rows = append(rows, fmt.Sprintf("($%d, CAST($%d AS BIGINT), $%d)", 3*i+1, 3*i+2, 3*i+3))
		args = append(args, id, micros(used[id].At), used[id].From)
	}
	_, err := t.exec("touching tokens", `
		WITH used (id, at, place) AS (VALUES `+strings.Join(rows, ", ")+`)
		UPDATE tokens SET used_at = used.at, used_from = used.place FROM used WHERE tokens.id = used.id
			AND tokens.used_at < used.at`, args...)
	return err
}

const valueColumns = `token_values.hash, token_values.token_id, token_values.refresh, token_values.generation,
	token_values.created_at, token_values.expires_at`

func scanTokenValue(row scanner) (v mapping.TokenValue, err error) {
	err = row.Scan(valueTargets(&v)...)
	return v, err
}

// valueTargets is where the valueColumns are read into.
func valueTargets(v *mapping.TokenValue) []any {
	return []any{
		hash{&v.Hash}, &v.TokenID, &v.Refresh, &v.Generation, moment{&v.CreatedAt}, moment{&v.ExpiresAt},
	}
}

// The token and its owner come along, in one round trip: whoever looks for a value wants to know whose it is.
const selectTokenInUse = `SELECT ` + valueColumns + `, ` + tokenColumns + `, ` + accountColumns + `
	FROM token_values JOIN tokens ON tokens.id = token_values.token_id
	JOIN accounts ON accounts.id = tokens.account_id `

func scanTokenInUse(row scanner) (u mapping.TokenInUse, err error) {
	err = row.Scan(slices.Concat(valueTargets(&u.Value), tokenTargets(&u.Token),
		accountTargets(&u.Account))...)
	return u, err
}

func (t *tx) TokenInUse(hash [32]byte) (mapping.TokenInUse, error) {
	return one(t, "reading the token of a value", scanTokenInUse,
		selectTokenInUse+`WHERE token_values.hash = $1`, hash[:])
}

func (t *tx) TokenValue(hash [32]byte) (mapping.TokenValue, error) {
	found, err := t.tokenValue(hash)
	if err != nil || !t.writes {
		return found, err
	}
	if _, err := t.Token(found.TokenID); err != nil { // it locks the account
		return found, err
	}
	return t.tokenValue(hash)
}

func (t *tx) tokenValue(hash [32]byte) (mapping.TokenValue, error) {
	return one(t, "reading the value of a token", scanTokenValue, `SELECT `+valueColumns+` FROM token_values
		WHERE hash = $1`, hash[:])
}

// PutTokenValue implements [mapping.Tx]. A value is written once: mapping.ErrConflict when there is one of
// that hash, mapping.ErrNotFound when there is no such token.
func (t *tx) PutTokenValue(v mapping.TokenValue) error {
	_, err := t.exec("writing the value of a token", `
		INSERT INTO token_values (hash, token_id, refresh, generation, created_at, expires_at) VALUES ($1, $2,
			$3, $4, $5, $6)`,
		v.Hash[:], v.TokenID, v.Refresh, v.Generation, micros(v.CreatedAt), micros(v.ExpiresAt))
	return err
}

func scanGeneration(row scanner) (g mapping.Generation, err error) {
	err = row.Scan(&g.Number, moment{&g.Began}, &g.Values)
	return g, err
}

func (t *tx) LatestGeneration(tokenID string) (mapping.Generation, error) {
	return one(t, "reading the newest values of a token", scanGeneration, `
		SELECT generation, min(created_at), count(*) FROM token_values WHERE token_id = $1 AND refresh = $2
		GROUP BY generation ORDER BY generation DESC LIMIT 1`, tokenID, true)
}

func (t *tx) Generation(tokenID string, number int64) (mapping.Generation, error) {
	return one(t, "reading earlier values of a token", scanGeneration, `
		SELECT generation, min(created_at), count(*) FROM token_values WHERE token_id = $1 AND refresh = $2
			AND generation = $3
		GROUP BY generation`, tokenID, true, number)
}

func (t *tx) ForgetTokenValues(tokenID string, before int64) error {
	_, err := t.exec("forgetting old values of a token",
		`DELETE FROM token_values WHERE token_id = $1 AND generation < $2`, tokenID, before)
	return err
}
