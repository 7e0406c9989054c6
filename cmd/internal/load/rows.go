package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"vexa-sso/mapping/keyring"
)

// table is what a table of the store holds about people. The columns are those that have been there since its
// beginning or have no default: what came later is filled as it is for rows that an older program writes.
type table struct {
	name    string
	columns []string
	rows    func(p *population, i int) ([][]any, error)
}

// population is people as rows, at one moment.
type population struct {
	people
	ring *keyring.Ring
	now  time.Time
}

// Who has what, by number. All numbers that end in 0 have everything.
func alive(i int) bool    { return i%10 < 3 }  // a session in use
func idle(i int) bool     { return i%10 == 3 } // one that nobody has used for long
func hasToken(i int) bool { return i%5 == 0 }
func hasKey(i int) bool   { return alive(i) || hasToken(i) }
func hasGrant(i int) bool { return i%10 < 6 }
func hasPin(i int) bool   { return i%10 == 7 }

func (p *population) ago(d time.Duration) int64 { return p.now.Add(-d).UnixMicro() }

// within is a moment in the span before now, by number.
func (p *population) within(what string, i int, span time.Duration) int64 {
	return p.ago(time.Duration(rand.New(p.source(what, i)).Int64N(int64(span))))
}

func (p *population) tokenName(i int) string {
	return "vsso:load:" + p.account(i) + ":" + p.id("key", i)
}

func lengthPrefixed(parts ...string) (joined string) {
	for _, part := range parts {
		joined += fmt.Sprintf("%d:%s", len(part), part)
	}
	return joined
}

var tables = []table{
	{"accounts", []string{
		"id", "provider", "subject", "kind", "identity", "status", "reason", "vexa_email", "vexa_user_id",
		"intended", "created_at", "proven_at",
	}, accountRows},
	{"emails", []string{"account_id", "email"}, emailRows},
	{"sessions", []string{
		"hash", "id", "account_id", "provider", "sid", "auth_time", "created_at", "last_seen", "expires_at",
		"sealed_id_token", "logout_hint",
	}, sessionRows},
	{"proofs", []string{"account_id", "provider", "sealed", "renew_at", "attempts"}, grantRows},
	{"tokens", []string{
		"id", "account_id", "kind", "client", "name", "scopes", "created_at", "expires_at", "used_at",
		"used_from",
	}, tokenRows},
	{"token_values", []string{
		"hash", "token_id", "refresh", "generation", "created_at", "expires_at",
	}, tokenValueRows},
	{"keys", []string{
		"id", "account_id", "vexa_user_id", "scopes", "state", "vexa_token_id", "sealed", "created_at",
		"expires_at", "attempts", "retry_at", "revoked_at",
	}, keyRows},
	{"pins", []string{"subject", "vexa_email", "vexa_user_id", "actor", "created_at"}, pinRows},
	{"events", []string{"at", "event", "account_id", "body"}, eventRows},
	{"leases", []string{"name", "holder", "fence", "until"}, leaseRows},
}

func accountRows(p *population, i int) ([][]any, error) {
	who := p.person(i)
	identity, err := json.Marshal(p.identity(who))
	return [][]any{{
		p.account(i), who.provider, p.subject(who), "user", string(identity), "active", "", who.email,
		int64(i) + 1, false, p.within("created", i, 365*24*time.Hour), p.within("proven", i, 10*time.Minute),
	}}, err
}

func emailRows(p *population, i int) ([][]any, error) {
	return [][]any{{p.account(i), p.person(i).email}}, nil
}

func sessionRows(p *population, i int) ([][]any, error) {
	if !alive(i) && !idle(i) {
		return nil, nil
	}
	seen, began := p.within("seen", i, 30*time.Minute), p.ago(time.Hour)
	if idle(i) {
		seen, began = p.ago(6*time.Hour), p.ago(7*time.Hour)
	}
	hash := sha256.Sum256([]byte(p.sessionID(i)))
	return [][]any{{
		hash[:], p.id("session", i), p.account(i), p.person(i).provider, p.id("sid", i), began, began, seen,
		p.ago(-16 * time.Hour), nil, "",
	}}, nil
}

func grantRows(p *population, i int) ([][]any, error) {
	if !hasGrant(i) {
		return nil, nil
	}
	sealed, err := p.ring.Seal(keyring.ProviderToken, []byte(refreshToken(i, 0)), []byte(p.account(i)))
	due := p.within("due", i, 8*time.Hour) + (9 * time.Hour).Microseconds() // in 1 to 9 hours
	return [][]any{{p.account(i), p.person(i).provider, sealed, due, int64(0)}}, err
}

func tokenRows(p *population, i int) ([][]any, error) {
	if !hasToken(i) {
		return nil, nil
	}
	return [][]any{{
		p.id("token", i), p.account(i), "personal", "", "notebook", "bot,tx", p.ago(24 * time.Hour),
		p.ago(-60 * 24 * time.Hour), p.within("used", i, time.Hour), "192.0.2.7",
	}}, nil
}

func tokenValueRows(p *population, i int) ([][]any, error) {
	if !hasToken(i) {
		return nil, nil
	}
	hash := sha256.Sum256([]byte(p.tokenValue(i)))
	return [][]any{{
		hash[:], p.id("token", i), false, int64(0), p.ago(24 * time.Hour), p.ago(-60 * 24 * time.Hour),
	}}, nil
}

func keyRows(p *population, i int) ([][]any, error) {
	if !hasKey(i) {
		return nil, nil
	}
	account, id := p.account(i), p.id("key", i)
	sealed, err := p.ring.Seal(keyring.VexaKey, []byte(vexaKeyOf(int64(i)+1)),
		[]byte(lengthPrefixed(account, id)))
	return [][]any{{
		id, account, int64(i) + 1, "bot,tx", "active", int64(i) + 1, sealed, p.ago(time.Hour),
		p.ago(-23 * time.Hour), int64(0), int64(0), int64(0),
	}}, err
}

func pinRows(p *population, i int) ([][]any, error) {
	if !hasPin(i) {
		return nil, nil
	}
	who := p.person(i)
	return [][]any{{p.subject(who), who.email, int64(i) + 1, "cli:admin", p.ago(time.Hour)}}, nil
}

func eventRows(p *population, i int) ([][]any, error) {
	var rows [][]any
	for n, event := range []string{"account_bound", "sign_in"} {
		at := p.within(event, i, 30*24*time.Hour)
		body, err := json.Marshal(map[string]any{
			"id": p.id(event, i), "at": time.UnixMicro(at).UTC(), "event": event, "account": p.account(i),
			"provider": p.person(i).provider, "rules": []string{"staff"}, "address": "192.0.2.7",
			"took_ms": 40 + n,
		})
		if err != nil {
			return nil, err
		}
		rows = append(rows, []any{at, event, p.account(i), string(body)})
	}
	return rows, nil
}

func leaseRows(p *population, i int) ([][]any, error) {
	if !hasKey(i) {
		return nil, nil
	}
	return [][]any{{"mint:" + p.account(i), "", int64(3), int64(0)}}, nil
}
