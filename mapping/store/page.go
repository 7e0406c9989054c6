package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"vexa-sso/mapping"
)

// AccountsByAddress implements [mapping.PageTx].
func (t *tx) AccountsByAddress(email string) ([]mapping.Account, error) {
	quoted, err := json.Marshal(email) // as it stands in the identity: & is \u0026 there
	if err != nil {
		return nil, fmt.Errorf("reading the accounts of an address: %w", err)
	}
	return many(t, "reading the accounts of an address", scanAccount,
		selectAccount+`WHERE `+t.store.engine.addressOfIdentity()+` = $1 ORDER BY created_at, id`,
		strings.Trim(string(quoted), `"`))
}

func (t *tx) AccountsAfter(p mapping.Place, most int) ([]mapping.Account, error) {
	return many(t, "reading accounts", scanAccount, selectAccount+`
		WHERE (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3`, micros(p.At), p.ID, most)
}

func (t *tx) AccountsOf(ids []string) ([]mapping.Account, error) {
	return several(t, "reading accounts", scanAccount, selectAccount+`WHERE id IN `, ids)
}

func (t *tx) AccountsOfSubjects(subjects []string) ([]mapping.Account, error) {
	return several(t, "reading the accounts of subjects", scanAccount,
		selectAccount+`WHERE subject IN `, subjects)
}

func (t *tx) TokensOf(accountIDs []string) ([]mapping.Token, error) {
	return several(t, "reading the tokens of accounts", scanToken,
		selectToken+`WHERE account_id IN `, accountIDs)
}

func (t *tx) KeysOf(accountIDs []string) ([]mapping.Key, error) {
	return several(t, "reading the keys of accounts", scanKey, selectKey+`WHERE account_id IN `, accountIDs)
}

func (t *tx) KeysAfter(s mapping.KeyState, p mapping.Place, most int) ([]mapping.Key, error) {
	return many(t, "reading the keys in a state", scanKey, selectKey+`
		WHERE state = $1 AND (created_at, id) > ($2, $3) ORDER BY created_at, id LIMIT $4`,
		string(s), micros(p.At), p.ID, most)
}

func (t *tx) PinsAfter(subject string, most int) ([]mapping.Pin, error) {
	return many(t, "reading pins", scanPin,
		selectPin+`WHERE subject > $1 ORDER BY subject LIMIT $2`, subject, most)
}

func (t *tx) PinsOf(subjects []string) ([]mapping.Pin, error) {
	return several(t, "reading the pins of subjects", scanPin, selectPin+`WHERE subject IN `, subjects)
}

func (t *tx) PinOfUser(vexaUserID int64, lessSubject string) (mapping.Pin, error) {
	return one(t, "reading who is pinned to a Vexa user", scanPin, selectPin+`
		WHERE vexa_user_id = $1 AND subject <> $2 ORDER BY created_at, subject LIMIT 1`,
		vexaUserID, lessSubject)
}

func (t *tx) TokensExpired(now time.Time, p mapping.Place, most int) ([]mapping.Token, error) {
	return many(t, "reading the tokens that have expired", scanToken, selectToken+`
		WHERE expires_at <= $1 AND (expires_at, id) > ($2, $3) ORDER BY expires_at, id LIMIT $4`,
		micros(now), micros(p.At), p.ID, most)
}

// several reads the rows of which a column is one of some texts. The query ends where their list begins.
func several[T any](
	t *tx, doing string, scan func(scanner) (T, error), query string, among []string,
) ([]T, error) {
	if len(among) == 0 {
		return nil, nil
	}
	places, args := make([]string, len(among)), make([]any, len(among))
	for i, one := range among {
		places[i], args[i] = fmt.Sprintf("$%d", i+1), one
	}
	return many(t, doing, scan, query+`(`+strings.Join(places, ", ")+`)`, args...)
}
