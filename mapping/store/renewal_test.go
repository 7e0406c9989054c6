package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping"
)

// claim claims at that minute, and says whose refresh grants.
func claim(t *testing.T, s *Store, minutes, look, take int) (ids []string, looked int) {
	t.Helper()
	claimed, looked, err := tryClaim(t.Context(), s, minutes, look, take)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range claimed {
		ids = append(ids, r.Grant.AccountID)
	}
	return ids, looked
}

func tryClaim(
	ctx context.Context, s *Store, minutes, look, take int,
) (claimed []mapping.Renewal, looked int, err error) {
	err = s.Update(ctx, func(tx mapping.Tx) (err error) {
		claimed, looked, err = tx.ClaimRenewals(mapping.RenewalClaim{
			Provider: "okta", Now: at(minutes), Until: at(minutes + 1), LookAgain: at(minutes + 4),
			UsedSince: at(minutes - 30), ProvenSince: at(minutes - 15), Look: look, Take: take,
		})
		return err
	})
	return claimed, looked, err
}

func grantDue(accountID string, minutes int) mapping.RefreshGrant {
	return mapping.RefreshGrant{
		AccountID: accountID, Provider: "okta", Sealed: []byte("of " + accountID), RenewAt: at(minutes),
	}
}

func putGrants(t *testing.T, s *Store, grants ...mapping.RefreshGrant) {
	t.Helper()
	update(t, s, func(tx mapping.Tx) (err error) {
		for _, p := range grants {
			err = errors.Join(err, tx.PutRefreshGrant(p))
		}
		return err
	})
}

// grantOf returns a refresh grant, or none.
func grantOf(t *testing.T, s *Store, accountID string) (p mapping.RefreshGrant, there bool) {
	t.Helper()
	view(t, s, func(tx mapping.Tx) (err error) {
		if p, err = tx.RefreshGrant(accountID); errors.Is(err, mapping.ErrNotFound) {
			return nil
		}
		there = true
		return err
	})
	return p, there
}

// What somebody needs is claimed, the longest due first, and so is what a token needs. What nobody needs now
// is put off, and deleted only when nobody can be signing in.
func TestClaimsOfWhatIsNeeded(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		for i, id := range []string{"used", "idle", "token", "over", "none", "new", "later", "other"} {
			proven := account(id, 60)
			if id == "none" {
				proven.ProvenAt = at(0)
			}
			put(t, s, proven)
			p := grantDue(id, 10+i)
			switch id {
			case "other":
				p.Provider = "entra"
			case "later":
				p.RenewAt = at(71)
			}
			putGrants(t, s, p)
		}
		create(t, s, session("s1", "used", 45), session("s2", "idle", 30), session("s3", "later", 45))
		update(t, s, func(tx mapping.Tx) error {
			return errors.Join(tx.PutToken(token("t1", "token", 20)), tx.PutToken(token("t2", "over", 5)))
		})
		ids, looked := claim(t, s, 70, 9, 9)
		if diff := cmp.Diff([]string{"used", "token"}, ids); diff != "" || looked != 6 {
			t.Errorf("looked at %d: %s", looked, diff)
		}
		for id, want := range map[string]time.Time{
			"used": at(71), "token": at(71), "idle": at(74), "over": at(74), "new": at(74), "later": at(71),
			"other": at(17),
		} {
			if p, there := grantOf(t, s, id); !there || !p.RenewAt.Equal(want) {
				t.Errorf("%s: there %v, looked at again at %s, want %s", id, there, p.RenewAt, want)
			}
		}
		if _, there := grantOf(t, s, "none"); there {
			t.Error("what nobody needs is kept")
		}
		if ids, looked := claim(t, s, 70, 9, 9); len(ids)+looked != 0 {
			t.Errorf("claimed twice: %v, looked at %d", ids, looked)
		}
	})
}

// A claim tells what was before it, with the account, and writes down that the provider is asked, unless its
// tokens stay the same. Who dies with it leaves it to others when its time is over.
func TestClaimOfTheDead(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		put(t, s, account("ada", 0), account("bob", 0), account("eve", 0))
		steady, asked := grantDue("bob", 11), grantDue("eve", 12)
		steady.Steady, asked.Unanswered, asked.Attempts = true, true, 3
		putGrants(t, s, grantDue("ada", 10), steady, asked)
		create(t, s, session("s1", "ada", 0), session("s2", "bob", 0), session("s3", "eve", 0))
		claimed, _, err := tryClaim(t.Context(), s, 20, 9, 9)
		want := []mapping.Renewal{
			{Grant: grantDue("ada", 10), Account: account("ada", 0), Until: at(21)},
			{Grant: steady, Account: account("bob", 0), Until: at(21)},
			{Grant: asked, Account: account("eve", 0), Until: at(21)},
		}
		if diff := cmp.Diff(want, claimed); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		if ids, _ := claim(t, other, 20, 9, 9); ids != nil {
			t.Errorf("%v are claimed already", ids)
		}
		claimed, _, err = tryClaim(t.Context(), other, 21, 9, 9)
		for _, r := range claimed {
			if want := r.Grant.AccountID != "bob"; r.Grant.Unanswered != want {
				t.Errorf("%s: in doubt %v, want %v", r.Grant.AccountID, r.Grant.Unanswered, want)
			}
		}
		if err != nil || len(claimed) != 3 {
			t.Errorf("%d left by the dead, %v", len(claimed), err)
		}
	})
}

// However many replicas claim at the same time, each grant is claimed once, and all are (D12).
func TestClaimsNeverOverlap(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		const people = 150
		replicas := []*Store{db.open(t), db.open(t)}
		crowd(t, replicas[0], people)
		var mu sync.Mutex
		got := map[string]int{}
		var claiming errgroup.Group
		for i := range 6 {
			claiming.Go(func() error {
				for {
					claimed, _, err := tryClaim(context.Background(), replicas[i%2], 0, 8, 8)
					mu.Lock()
					for _, r := range claimed {
						got[r.Grant.AccountID]++
					}
					done := len(got) == people
					mu.Unlock()
					if err != nil || done {
						return err
					}
				}
			})
		}
		if err := claiming.Wait(); err != nil {
			t.Fatal(err)
		}
		for id, times := range got {
			if times != 1 {
				t.Errorf("%s was claimed %d times", id, times)
			}
		}
	})
}

// An account that somebody is changing is passed over, and not waited for. SQLite has one writer.
func TestClaimPassesOverWhatIsLocked(t *testing.T) {
	t.Parallel()
	db := newPostgres(t)
	s, other := db.open(t), db.open(t)
	put(t, s, account("ada", 0), account("bob", 0))
	putGrants(t, s, grantDue("ada", 1), grantDue("bob", 2))
	create(t, s, session("s1", "ada", 0), session("s2", "bob", 0))
	if err := s.Update(t.Context(), func(tx mapping.Tx) error {
		if err := tx.PutAccount(account("ada", 0)); err != nil {
			return err
		}
		if ids, _ := claim(t, other, 10, 9, 9); !slices.Equal(ids, []string{"bob"}) {
			t.Errorf("claimed %v", ids)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if ids, _ := claim(t, other, 10, 9, 9); !slices.Equal(ids, []string{"ada"}) {
		t.Errorf("claimed %v", ids)
	}
}

// Whatever is at the front of what is due, a claim gets past it in a few looks.
func TestClaimsGetPastWhatNobodyNeeds(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		crowd(t, s, 1000)
		exec(t, s, `DELETE FROM sessions`)
		exec(t, s, `UPDATE accounts SET proven_at = 1 WHERE id < 'p0500'`)
		put(t, s, account("ada", 0))
		putGrants(t, s, grantDue("ada", 0))
		create(t, s, session("s1", "ada", 0))
		look := 8
		for looks := 1; ; looks++ {
			ids, looked := claim(t, s, 0, look, 8)
			if slices.Equal(ids, []string{"ada"}) {
				break
			}
			if looks > 5 || looked != look {
				t.Fatalf("look %d: at %d, claimed %v", looks, looked, ids)
			}
			look = min(4*looked, 512)
		}
		view(t, s, func(tx mapping.Tx) error {
			due, err := tx.RenewalsDue(at(0), 10)
			if diff := cmp.Diff([]mapping.RenewalsDue{{Provider: "okta"}}, due); diff != "" {
				t.Error(diff)
			}
			return err
		})
		if _, there := grantOf(t, s, "p0499"); there {
			t.Error("what nobody needs is kept")
		}
		if p, there := grantOf(t, s, "p0500"); !there || !p.RenewAt.Equal(at(4)) {
			t.Errorf("what a sign-in may have just made: there %v, %s", there, p.RenewAt)
		}
	})
}

func TestRenewalsDue(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		due := func(minutes int, want ...mapping.RenewalsDue) {
			t.Helper()
			view(t, s, func(tx mapping.Tx) error {
				got, err := tx.RenewalsDue(at(minutes), 2)
				slices.SortFunc(got, func(a, b mapping.RenewalsDue) int {
					return strings.Compare(a.Provider, b.Provider)
				})
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				return err
			})
		}
		due(0)
		elsewhere := grantDue("d", 30)
		elsewhere.Provider = "entra"
		put(t, s, account("a", 0), account("b", 0), account("c", 0), account("d", 0))
		putGrants(t, s, grantDue("a", 10), grantDue("b", 20), grantDue("c", 20), elsewhere)
		due(9, mapping.RenewalsDue{Provider: "entra"}, mapping.RenewalsDue{Provider: "okta"})
		due(10, mapping.RenewalsDue{Provider: "entra"},
			mapping.RenewalsDue{Provider: "okta", Since: at(10), Count: 1})
		due(30, mapping.RenewalsDue{Provider: "entra", Since: at(30), Count: 1},
			mapping.RenewalsDue{Provider: "okta", Since: at(10), Count: 2}) // not more
	})
}

func TestLeasesHeld(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		for _, name := range []string{"a", "b"} {
			if _, err := s.AcquireLease(t.Context(), name, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		held := func(want ...string) {
			t.Helper()
			view(t, other, func(tx mapping.Tx) error {
				got, err := tx.LeasesHeld([]string{"a", "c"}, db.clock.Now())
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				return err
			})
		}
		held("a")
		db.clock.Advance(time.Minute)
		held()
	})
}

// However many refresh grants there are, of whatever provider, a claim and a look at what is due go by an
// index, on both engines.
func TestRenewalPlans(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		crowd(t, s, 9999)
		// all of one are due, and before those of the other
		exec(t, s, `UPDATE proofs SET provider = 'entra', renew_at = renew_at - 10000
			WHERE account_id > 'p5000'`)
		exec(t, s, `UPDATE proofs SET renew_at = renew_at + 1000000000 WHERE provider = 'okta'
			AND account_id > 'p0100'`)
		exec(t, s, `INSERT INTO tokens (id, account_id, kind, client, name, scopes, created_at, expires_at,
			used_at, used_from)
			SELECT id, id, 'personal', '', '', '', created_at, created_at + 1, 0, '' FROM accounts`)
		exec(t, s, `ANALYZE`)
		for _, q := range []struct {
			query string
			args  []any
		}{
			{renewalsQuery, []any{"okta", micros(at(0)), micros(at(-30)), micros(at(-15)), 8}},
			{renewalsQuery, []any{"entra", micros(at(0)), micros(at(-30)), micros(at(-15)), 512}},
			{renewalsDueQuery, []any{micros(at(0)), 500}},
		} {
			steps := planOf(t, s, q.query, q.args...)
			if scanned := regexp.MustCompile(scans).FindAllString(steps, -1); scanned != nil {
				t.Errorf("%q in\n%s", scanned, steps)
			}
			if !strings.Contains(steps, "proofs_by_provider") {
				t.Errorf("not by provider:\n%s", steps)
			}
		}
	})
}

// scans is what a plan says that reads a whole table, or sorts one.
const scans = `Seq Scan on \w+|Sort|SCAN (p|a|s|k|proofs|accounts|sessions|tokens)\b|TEMP B-TREE|` +
	`(?m)proofs_by_time.*$`

func planOf(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	explain := "EXPLAIN "
	if _, one := s.engine.(*sqliteEngine); one {
		explain = "EXPLAIN QUERY PLAN "
	}
	var steps []string
	if err := s.ask(t.Context(), func(t *tx) (err error) {
		steps, err = many(t, "explaining", scanPlan, explain+query, args...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "\n")
}

// scanPlan reads a line of a plan: its last column.
func scanPlan(row scanner) (line string, err error) {
	var id, parent, unused int
	if err = row.Scan(&id, &parent, &unused, &line); err != nil {
		err = row.Scan(&line)
	}
	return line, err
}

// crowd makes people with a session and a refresh grant that is due now. They are p0001 and so on.
func crowd(t *testing.T, s *Store, people int) {
	t.Helper()
	bytes := "BYTEA"
	if _, one := s.engine.(*sqliteEngine); one {
		bytes = "BLOB"
	}
	numbered := fmt.Sprintf(`WITH RECURSIVE n (i, id) AS (SELECT 1, 'p0001' UNION ALL
		SELECT i + 1, 'p' || substr('000' || CAST(i + 1 AS TEXT), length(CAST(i + 1 AS TEXT))) FROM n
			WHERE i < %d) `, people)
	exec(t, s, `INSERT INTO accounts (id, provider, subject, kind, identity, status, reason, vexa_email,
		vexa_user_id, intended, created_at, proven_at) `+numbered+`SELECT id, 'okta', id, 'user', '{}',
		'active', '', id, i, FALSE, CAST($1 AS BIGINT), CAST($1 AS BIGINT) FROM n`, micros(at(0)))
	exec(t, s, `INSERT INTO proofs (account_id, provider, sealed, renew_at, attempts) `+numbered+`
		SELECT id, 'okta', CAST(id AS `+bytes+`), CAST($1 AS BIGINT) - 10000 + i, 0 FROM n`, micros(at(0)))
	exec(t, s, `INSERT INTO sessions (hash, id, account_id, provider, sid, auth_time, created_at, last_seen,
		expires_at, logout_hint) `+numbered+`SELECT CAST(id AS `+bytes+`), id, id, 'okta', '', 0,
			CAST($1 AS BIGINT), CAST($1 AS BIGINT), CAST($2 AS BIGINT), ''
		FROM n`, micros(at(0)), micros(at(600)))
}

func exec(t *testing.T, s *Store, query string, args ...any) {
	t.Helper()
	if _, err := s.engine.writers().ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}
