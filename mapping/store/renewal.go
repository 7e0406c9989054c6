package store

import (
	"fmt"
	"strings"
	"time"

	"vexa-sso/mapping"
)

// RenewalsDue implements [mapping.Tx]. It goes from one provider to the next, and to the front of what is due
// of each, by the index: it costs the same however many refresh grants there are.
func (t *tx) RenewalsDue(now time.Time, atMost int) ([]mapping.RenewalsDue, error) {
	scan := func(row scanner) (due mapping.RenewalsDue, err error) {
		err = row.Scan(&due.Provider, moment{&due.Since}, &due.Count)
		return due, err
	}
	return many(t, "looking for refresh grants that are due", scan, renewalsDueQuery, micros(now), atMost)
}

// A provider's part of the index is written as a range of both columns, and nowhere as provider = $1: that
// would let PostgreSQL go by the time alone, past all that is due of another provider.
const renewalsDueQuery = `
	WITH RECURSIVE known (provider) AS (
		SELECT min(provider) FROM proofs
		UNION ALL
		SELECT (SELECT min(provider) FROM proofs WHERE proofs.provider > known.provider) FROM known
			WHERE known.provider IS NOT NULL)
	SELECT provider,
		COALESCE((SELECT p.renew_at FROM proofs p WHERE (p.provider, p.renew_at) >= (known.provider, 0)
			AND (p.provider, p.renew_at) <= (known.provider, $1) ORDER BY p.provider, p.renew_at LIMIT 1), 0),
		(SELECT count(*) FROM (SELECT 1 FROM proofs p WHERE (p.provider, p.renew_at) >= (known.provider, 0)
			AND (p.provider, p.renew_at) <= (known.provider, $1) LIMIT $2) AS due)
	FROM known WHERE provider IS NOT NULL`

// candidate is a refresh grant that is due, and what becomes of it.
type candidate struct {
	mapping.RefreshGrant
	needed bool // by a session that is used, or a token
	over   bool // nobody will ever need it
}

// ClaimRenewals implements [mapping.Tx]. The rows at the front of the index are looked at, whatever they are,
// and what nobody needs leaves it: it cannot stand in the way of the rest. Rows on which another replica is
// at work, and those of accounts that somebody is changing, are left to be looked at later, and not waited
// for.
func (t *tx) ClaimRenewals(c mapping.RenewalClaim) (claimed []mapping.Renewal, looked int, err error) {
	found, err := t.renewalCandidates(c)
	if err != nil {
		return nil, 0, err
	}
	var due []mapping.RefreshGrant
	var ask, later, over []string
	for _, one := range found {
		switch {
		case one.needed && len(ask) == c.Take: // another time
		case one.needed:
			ask, due = append(ask, one.AccountID), append(due, one.RefreshGrant)
		case one.over:
			over = append(over, one.AccountID)
		default:
			later = append(later, one.AccountID)
		}
	}
	// What a provider is asked with is marked by the claim itself: it is asked at once (RenewalClaim).
	if err := t.eachOf(ask, "claiming refresh grants", `UPDATE proofs SET renew_at = $1,
		unanswered = (unanswered OR NOT steady) WHERE account_id IN `, micros(c.Until)); err != nil {
		return nil, 0, err
	}
	if err := t.eachOf(later, "putting off refresh grants that nobody needs now",
		`UPDATE proofs SET renew_at = $1 WHERE account_id IN `, micros(c.LookAgain)); err != nil {
		return nil, 0, err
	}
	if err := t.eachOf(over, "deleting refresh grants that nobody needs",
		`DELETE FROM proofs WHERE renew_at <= $1 AND account_id IN `, micros(c.Now)); err != nil {
		return nil, 0, err
	}
	claimed, err = t.renewals(due, c.Until)
	return claimed, len(found), err
}

// renewalCandidates locks refresh grants that are due and their accounts, and says what they are.
func (t *tx) renewalCandidates(c mapping.RenewalClaim) ([]candidate, error) {
	scan := func(row scanner) (one candidate, err error) {
		err = row.Scan(&one.AccountID, &one.Provider, &one.Sealed, moment{&one.RenewAt}, &one.Attempts,
			&one.Unanswered, &one.Steady, &one.needed, &one.over)
		return one, err
	}
	return many(t, "looking at refresh grants that are due", scan, renewalsQuery+t.skippingLocked(),
		c.Provider, micros(c.Now), micros(c.UsedSince), micros(c.ProvenSince), c.Look)
}

// What an account has is asked by LIMIT 1, and not by EXISTS, for which PostgreSQL may read all sessions of
// everybody first.
const renewalsQuery = `
	SELECT p.account_id, p.provider, p.sealed, p.renew_at, p.attempts, p.unanswered, p.steady,
		(SELECT 1 FROM sessions s WHERE s.account_id = p.account_id
				AND s.expires_at > $2 AND s.last_seen >= $3 LIMIT 1) IS NOT NULL
			OR (SELECT 1 FROM tokens k WHERE k.account_id = p.account_id
				AND k.expires_at > $2 LIMIT 1) IS NOT NULL,
		a.proven_at < $4
			AND (SELECT 1 FROM sessions s WHERE s.account_id = p.account_id LIMIT 1) IS NULL
			AND (SELECT 1 FROM tokens k WHERE k.account_id = p.account_id LIMIT 1) IS NULL
	FROM proofs p JOIN accounts a ON a.id = p.account_id
	WHERE (p.provider, p.renew_at) >= ($1, 0) AND (p.provider, p.renew_at) <= ($1, $2)
	ORDER BY p.provider, p.renew_at LIMIT $5`

// skippingLocked has a query lock what it finds, so that no other replica finds it and nobody changes it
// meanwhile, and pass over what is locked. SQLite has one writer, and nothing to lock.
func (t *tx) skippingLocked() string {
	if t.store.engine.oneWriter() {
		return ""
	}
	return ` FOR NO KEY UPDATE OF p, a SKIP LOCKED`
}

// eachOf runs a statement that ends in IN for some accounts; none is no statement.
func (t *tx) eachOf(accountIDs []string, doing, statement string, at int64) error {
	if len(accountIDs) == 0 {
		return nil
	}
	list, args := parameters(2, accountIDs)
	_, err := t.exec(doing, statement+list, append([]any{at}, args...)...)
	return err
}

// renewals puts the accounts to the refresh grants that were claimed.
func (t *tx) renewals(due []mapping.RefreshGrant, until time.Time) ([]mapping.Renewal, error) {
	if len(due) == 0 {
		return nil, nil
	}
	var ids []string
	for _, p := range due {
		ids = append(ids, p.AccountID)
	}
	list, args := parameters(1, ids)
	accounts, err := many(t, "reading the accounts of refresh grants", scanAccount,
		selectAccount+`WHERE id IN `+list, args...)
	if err != nil {
		return nil, err
	}
	named := map[string]mapping.Account{}
	for _, a := range accounts {
		named[a.ID] = a
	}
	var claimed []mapping.Renewal
	for _, p := range due {
		claimed = append(claimed, mapping.Renewal{Grant: p, Account: named[p.AccountID], Until: until})
	}
	return claimed, nil
}

func (t *tx) LeasesHeld(names []string, now time.Time) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	scan := func(row scanner) (name string, err error) {
		err = row.Scan(&name)
		return name, err
	}
	list, args := parameters(2, names)
	return many(t, "looking for leases", scan, `SELECT name FROM leases WHERE until > $1 AND name IN `+list,
		append([]any{micros(now)}, args...)...)
}

// parameters writes values as a list of parameters, numbered from first.
func parameters(first int, values []string) (list string, args []any) {
	var numbers []string
	for i, v := range values {
		numbers, args = append(numbers, fmt.Sprintf("$%d", first+i)), append(args, v)
	}
	return "(" + strings.Join(numbers, ", ") + ")", args
}
