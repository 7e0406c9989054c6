package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/caller"
)

// A list is read page by page: each page is one query, which finds its rows by an index, so that a list of a
// million takes no more memory than one of a thousand, and no query runs out of time. What is made or ends
// while a list is read may be in it or not.

// listPage is how many rows are read at once.
const listPage = 500

// Owner is whose something is, for people.
type Owner struct {
	Subject  string `json:"subject"`
	Email    string `json:"email"`
	Unproven string `json:"unproven_email"`
	Name     string `json:"name"`
}

// Owned is something with whose it is.
type Owned[T any] struct {
	Item  T
	Owner Owner
}

// ListedAccount is an account in a list. LastUsed is filled in where the filter asks for it.
type ListedAccount struct {
	mapping.Account
	LastUsed time.Time
}

// AccountFilter chooses accounts. Its zero value chooses all.
type AccountFilter struct {
	Status   mapping.Status
	Provider string
	Search   string // part of the name, an email or the subject, whatever the case

	// UnusedSince leaves out whom anybody has used since: a session or a token of theirs, or a sign-in. Of
	// who was signed out everywhere, it is the last event in the audit that counts.
	UnusedSince time.Time
}

// ListAccounts returns the accounts that the filter chooses, the oldest first.
func (s *Store) ListAccounts(ctx context.Context, f AccountFilter) iter.Seq2[ListedAccount, error] {
	query, scan := selectAccount, func(row scanner) (a ListedAccount, err error) {
		a.Account, err = scanAccount(row)
		return a, err
	}
	if !f.UnusedSince.IsZero() {
		query, scan = selectUsedAccount, scanUsedAccount
	}
	var args []any
	if f.Status != "" {
		args = append(args, string(f.Status))
		query += `WHERE status = $1 AND `
	} else {
		query += `WHERE `
	}
	place := func(a ListedAccount) mapping.Place { return mapping.Place{At: a.CreatedAt, ID: a.ID} }
	all := pages(ctx, s, "listing accounts", query, "created_at", "id", false, args, scan, place)
	return func(yield func(ListedAccount, error) bool) {
		for a, err := range all {
			if (err != nil || f.fits(a)) && !yield(a, err) {
				return
			}
		}
	}
}

func (f AccountFilter) fits(a ListedAccount) bool {
	if f.Provider != "" && a.Provider != f.Provider ||
		!f.UnusedSince.IsZero() && !a.LastUsed.Before(f.UnusedSince) {
		return false
	}
	if f.Search == "" {
		return true
	}
	for _, text := range []string{
		a.Identity.Name, a.Identity.Email, a.Identity.UnprovenEmail, a.VexaEmail, a.Subject,
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(f.Search)) {
			return true
		}
	}
	return false
}

// selectUsedAccount also finds when somebody was last here, by all that says so.
var selectUsedAccount = strings.Replace(selectAccount, ` FROM accounts `, `,
	COALESCE((SELECT max(last_seen) FROM sessions WHERE sessions.account_id = accounts.id), 0),
	COALESCE((SELECT max(used_at) FROM tokens WHERE tokens.account_id = accounts.id), 0),
	CASE WHEN proven_at > 0 THEN proven_at ELSE COALESCE((SELECT at FROM events
		WHERE events.account_id = accounts.id ORDER BY seq DESC LIMIT 1), 0) END FROM accounts `, 1)

func scanUsedAccount(row scanner) (a ListedAccount, err error) {
	var seen, used, proven time.Time
	a.Account, err = scanAccount(withMore{row, []any{moment{&seen}, moment{&used}, moment{&proven}}})
	a.LastUsed = a.CreatedAt
	for _, at := range []time.Time{seen, used, proven} {
		if at.After(a.LastUsed) {
			a.LastUsed = at
		}
	}
	return a, err
}

// withMore is a row with more columns than who scans it knows.
type withMore struct {
	row  scanner
	more []any
}

func (w withMore) Scan(into ...any) error { return w.row.Scan(append(into, w.more...)...) }

// scanOwned reads a row that ends with the subject and the identity of whose it is.
func scanOwned[T any](scan func(scanner) (T, error)) func(scanner) (Owned[T], error) {
	return func(row scanner) (o Owned[T], err error) {
		var identity []byte
		var subject string
		if o.Item, err = scan(withMore{row, []any{&subject, &identity}}); err != nil {
			return o, err
		}
		if err := json.Unmarshal(identity, &o.Owner); err != nil {
			return o, fmt.Errorf("a stored identity: %w", err)
		}
		o.Owner.Subject = subject
		return o, nil
	}
}

// ofOwners makes a SELECT of one table one that says whose each row is.
func ofOwners(selects, table string) string {
	return strings.Replace(selects, ` FROM `+table+` `, `,
		(SELECT subject FROM accounts WHERE accounts.id = account_id),
		(SELECT identity FROM accounts WHERE accounts.id = account_id) FROM `+table+` `, 1)
}

// Session, Token and Key return what has that id, or [mapping.ErrNotFound]; Key without what is sealed in it.
func (s *Store) Session(ctx context.Context, id string) (found caller.Session, err error) {
	err = s.ask(ctx, func(t *tx) (err error) {
		found, err = one(t, "reading the session", scanSession, selectSession+`WHERE id = $1`, id)
		return err
	})
	return found, err
}

// Token is as Session.
func (s *Store) Token(ctx context.Context, id string) (found mapping.Token, err error) {
	err = s.ask(ctx, func(t *tx) (err error) {
		found, err = t.Token(id)
		return err
	})
	return found, err
}

// Key is as Session.
func (s *Store) Key(ctx context.Context, id string) (found mapping.Key, err error) {
	err = s.ask(ctx, func(t *tx) (err error) {
		found, err = t.Key(id)
		return err
	})
	found.Sealed = nil
	return found, err
}

// ListSessions returns all sessions and whose they are, the oldest first.
func (s *Store) ListSessions(ctx context.Context) iter.Seq2[Owned[caller.Session], error] {
	return pages(ctx, s, "listing sessions", ofOwners(selectSession, "sessions")+`WHERE `,
		"created_at", "id", false, nil, scanOwned(scanSession), func(o Owned[caller.Session]) mapping.Place {
			return mapping.Place{At: o.Item.CreatedAt, ID: o.Item.ID}
		})
}

// ListTokens returns all tokens that have not expired and whose they are, the newest first.
func (s *Store) ListTokens(ctx context.Context) iter.Seq2[Owned[mapping.Token], error] {
	now := s.now()
	all := pages(ctx, s, "listing tokens", ofOwners(selectToken, "tokens")+`WHERE `, "created_at", "id", true,
		nil, scanOwned(scanToken), func(o Owned[mapping.Token]) mapping.Place {
			return mapping.Place{At: o.Item.CreatedAt, ID: o.Item.ID}
		})
	return func(yield func(Owned[mapping.Token], error) bool) {
		for t, err := range all {
			if (err != nil || t.Item.Live(now)) && !yield(t, err) {
				return
			}
		}
	}
}

// ListKeys returns all keys and whose they are, without what is sealed in them: those that are being minted,
// then the active, then those to be deleted, the oldest first.
func (s *Store) ListKeys(ctx context.Context) iter.Seq2[Owned[mapping.Key], error] {
	return func(yield func(Owned[mapping.Key], error) bool) {
		for _, state := range []mapping.KeyState{mapping.KeyMinting, mapping.KeyActive, mapping.KeyRevoking} {
			of := pages(ctx, s, "listing keys", ofOwners(selectKey, "keys")+`WHERE state = $1 AND `,
				"created_at", "id", false, []any{string(state)}, scanOwned(scanKey),
				func(o Owned[mapping.Key]) mapping.Place {
					return mapping.Place{At: o.Item.CreatedAt, ID: o.Item.ID}
				})
			for key, err := range of {
				key.Item.Sealed = nil
				if !yield(key, err) || err != nil {
					return
				}
			}
		}
	}
}

// pages returns the rows of a query by a time and a text that together are unique, page by page. The query
// ends with WHERE, and with AND where it has conditions of its own, whose parameters are args.
func pages[T any](
	ctx context.Context, s *Store, doing, query, time, id string, latestFirst bool, args []any,
	scan func(scanner) (T, error), place func(T) mapping.Place,
) iter.Seq2[T, error] {
	way, order, bound, last := `>`, ``, int64(0), ""
	if latestFirst {
		way, order, bound = `<`, ` DESC`, math.MaxInt64
	}
	n := len(args)
	query += fmt.Sprintf(`(%s, %s) %s ($%d, $%d) ORDER BY %s%s, %s%s LIMIT %d`,
		time, id, way, n+1, n+2, time, order, id, order, listPage)
	return func(yield func(T, error) bool) {
		for {
			var page []T
			err := s.ask(ctx, func(t *tx) (err error) {
				page, err = many(t, doing, scan, query, append(args[:n:n], bound, last)...)
				return err
			})
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
			if len(page) < listPage {
				return
			}
			at := place(page[len(page)-1])
			bound, last = micros(at.At), at.ID
		}
	}
}
