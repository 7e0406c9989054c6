package store

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
)

func token(id, accountID string, minutes int) mapping.Token {
	return mapping.Token{
		ID: id, AccountID: accountID, Kind: mapping.TokenTool, Client: "cli",
		Name: "Ł " + id, Scopes: "bot,tx",
		CreatedAt: at(minutes), ExpiresAt: at(minutes + 60), UsedAt: at(minutes + 1), UsedFrom: "192.0.2.7",
	}
}

func value(name, tokenID string, refresh bool, generation int64, minutes int) mapping.TokenValue {
	v := mapping.TokenValue{
		TokenID: tokenID, Refresh: refresh, Generation: generation, CreatedAt: at(minutes),
		ExpiresAt: at(minutes + 10),
	}
	copy(v.Hash[:], name)
	return v
}

func TestTokens(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0), account("bob", 0))
		old, young, bobs := token("t1", "ada", 0), token("t2", "ada", 10), token("t3", "bob", 5)
		young.Kind, young.Client, young.UsedAt, young.UsedFrom = mapping.TokenPersonal, "", time.Time{}, ""
		update(t, s, func(tx mapping.Tx) error {
			for _, one := range []mapping.Token{old, young, bobs} {
				if err := tx.PutToken(one); err != nil {
					return err
				}
			}
			return nil
		})
		is := func(what string, got any, err error, want any) {
			t.Helper()
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v %s", what, err, diff)
			}
		}
		view(t, s, func(tx mapping.Tx) error {
			got, err := tx.Token("t2")
			is("one", got, err, young)
			all, err := tx.Tokens("ada")
			is("an account's", all, err, []mapping.Token{young, old})
			all, err = tx.TokensExpired(at(65), mapping.Place{}, 10)
			is("those that are over", all, err, []mapping.Token{old, bobs})
			all, err = tx.TokensExpired(at(65), mapping.Place{}, 1)
			is("one that is over", all, err, []mapping.Token{old})
			all, err = tx.TokensExpired(at(65), mapping.Place{At: old.ExpiresAt, ID: old.ID}, 10)
			is("the next that is over", all, err, []mapping.Token{bobs})
			if _, err := tx.Token("unknown"); !errors.Is(err, mapping.ErrNotFound) {
				t.Errorf("an unknown one: %v", err)
			}
			return nil
		})
		old.Name, old.Scopes = "renamed", "tx"
		update(t, s, func(tx mapping.Tx) error {
			if err := tx.PutToken(old); err != nil {
				return err
			}
			return tx.TouchTokens(map[string]mapping.TokenUse{
				"t1": {At: at(0), From: "late"}, "t2": {At: at(11), From: "2001:db8::1"},
				"unknown": {At: at(11)},
			})
		})
		young.UsedAt, young.UsedFrom = at(11), "2001:db8::1"
		view(t, s, func(tx mapping.Tx) error {
			all, err := tx.Tokens("ada")
			is("touched", all, err, []mapping.Token{young, old})
			return nil
		})
		update(t, s, func(tx mapping.Tx) error {
			if err := tx.TouchTokens(nil); err != nil {
				return err
			}
			if err := tx.DeleteToken("unknown"); err != nil {
				t.Errorf("deleting an unknown token: %v", err)
			}
			return tx.DeleteToken("t1")
		})
		view(t, s, func(tx mapping.Tx) error {
			all, err := tx.Tokens("ada")
			is("left", all, err, []mapping.Token{young})
			return nil
		})
	})
}

func TestTokenValues(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s := db.open(t)
		put(t, s, account("ada", 0))
		values := []mapping.TokenValue{
			value("a1", "t1", false, 1, 0), value("r1", "t1", true, 1, 0), value("r2", "t1", true, 2, 5),
			value("r2b", "t1", true, 2, 6), value("other", "t2", true, 7, 1),
		}
		update(t, s, func(tx mapping.Tx) error {
			for _, id := range []string{"t1", "t2"} {
				if err := tx.PutToken(token(id, "ada", 0)); err != nil {
					return err
				}
			}
			for _, v := range values {
				if err := tx.PutTokenValue(v); err != nil {
					return err
				}
			}
			return nil
		})
		again, stray := values[0], value("x", "unknown", false, 1, 0)
		if err := s.Update(t.Context(), func(tx mapping.Tx) error {
			return tx.PutTokenValue(again)
		}); !errors.Is(err, mapping.ErrConflict) {
			t.Errorf("a value twice: %v", err)
		}
		if err := s.Update(t.Context(), func(tx mapping.Tx) error {
			return tx.PutTokenValue(stray)
		}); !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("a value of no token: %v", err)
		}
		view(t, s, func(tx mapping.Tx) error {
			for _, want := range values {
				got, err := tx.TokenValue(want.Hash)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v %s", err, diff)
				}
			}
			if _, err := tx.TokenValue([32]byte{}); !errors.Is(err, mapping.ErrNotFound) {
				t.Errorf("an unknown value: %v", err)
			}
			g, err := tx.LatestGeneration("t1")
			if want := (mapping.Generation{Number: 2, Began: at(5), Values: 2}); err != nil || g != want {
				t.Errorf("%+v, %v", g, err)
			}
			g, err = tx.Generation("t1", 2)
			if want := (mapping.Generation{Number: 2, Began: at(5), Values: 2}); err != nil || g != want {
				t.Errorf("%+v, %v", g, err)
			}
			if _, err := tx.Generation("t1", 3); !errors.Is(err, mapping.ErrNotFound) {
				t.Errorf("one that there is not: %v", err)
			}
			if _, err := tx.LatestGeneration("unknown"); !errors.Is(err, mapping.ErrNotFound) {
				t.Errorf("of no token: %v", err)
			}
			return nil
		})
		left := func(want string) {
			t.Helper()
			var names []string
			view(t, s, func(tx mapping.Tx) error {
				names = nil
				for _, v := range values {
					if _, err := tx.TokenValue(v.Hash); err == nil {
						names = append(names, strings.TrimRight(string(v.Hash[:]), "\x00"))
					}
				}
				return nil
			})
			if got := strings.Join(names, " "); got != want {
				t.Errorf("left are %q, want %q", got, want)
			}
		}
		update(t, s, func(tx mapping.Tx) error { return tx.ForgetTokenValues("t1", 2) })
		left("r2 r2b other")
		db.clock.Advance(15*time.Minute + time.Microsecond)
		purge(t, s)
		left("r2b")
		update(t, s, func(tx mapping.Tx) error { return tx.DeleteToken("t1") })
		left("")
	})
}

// The log says which token.
func TestRevokedTokenIsPublished(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		s, other := db.open(t), db.open(t)
		heard := hear(t, other)
		r := mapping.Revocation{
			At: at(1), Kind: mapping.RevokeToken, Account: "ada", Token: "t1", Reason: "not needed",
		}
		update(t, s, func(tx mapping.Tx) error { return tx.Publish(r) })
		got := next(t, heard)
		if r.Seq = got.Seq; got != r {
			t.Errorf("heard %+v", got)
		}
	})
}

// However many processes refresh with one value at a time: each gets a pair that works, and
// all are of one generation.
func TestRefreshOnSeveralReplicas(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *database) {
		rules, problems := rule.Compile([]rule.Rule{{
			Name: "all", Match: rule.Match{Providers: []string{"okta"}},
			Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}},
		}})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		live := new(rule.Live)
		live.Replace(rules)
		replicas := make([]*mapping.Accounts, 3)
		var s *Store
		for i := range replicas {
			s = db.open(t)
			replicas[i] = mapping.NewAccounts(mapping.Config{Instance: "prod"},
				mapping.Deps{Store: s, Rules: live, Now: db.clock.Now, Log: slog.New(slog.DiscardHandler)})
		}
		ada := account("ada", 0)
		ada.Status = mapping.Active
		put(t, s, ada)
		first, err := replicas[0].GrantTool(t.Context(),
			"ada", mapping.NewToken{Kind: mapping.TokenTool, Client: "cli", Name: "Command line"}, "ada")
		if err != nil {
			t.Fatal(err)
		}
		hash, ok := mapping.ParseTokenValue(mapping.RefreshValue, first.Refresh)
		if !ok {
			t.Fatal(first.Refresh)
		}
		pairs := make([]mapping.Issued, 9)
		var asking errgroup.Group
		for i := range pairs {
			asking.Go(func() (err error) {
				pairs[i], err = replicas[i%3].RefreshTool(t.Context(), hash, "cli")
				return err
			})
		}
		if err := asking.Wait(); err != nil {
			t.Fatal(err)
		}
		view(t, s, func(tx mapping.Tx) error {
			g, err := tx.LatestGeneration(first.Token.ID)
			if g.Number != 2 || g.Values != len(pairs) {
				t.Errorf("%+v", g)
			}
			return err
		})
		for i, pair := range pairs {
			hash, _ := mapping.ParseTokenValue(mapping.AccessValue, pair.Access)
			if _, _, err := replicas[i%3].TokenByValue(t.Context(), hash); err != nil {
				t.Errorf("pair %d: %v", i, err)
			}
		}
	})
}

// S2: no byte of the file is a token's value.
func TestTokenValueIsNotStored(t *testing.T) {
	t.Parallel()
	db := newSQLite(t)
	s := db.open(t)
	ada := account("ada", 0)
	ada.Status = mapping.Active
	put(t, s, ada)
	live := new(rule.Live)
	rules, _ := rule.Compile([]rule.Rule{{
		Name: "all", Match: rule.Match{Providers: []string{"okta"}},
		Grant: &rule.GrantSpec{Scopes: []string{"tx"}},
	}})
	live.Replace(rules)
	a := mapping.NewAccounts(mapping.Config{Instance: "prod"},
		mapping.Deps{Store: s, Rules: live, Now: db.clock.Now, Log: slog.New(slog.DiscardHandler)})
	_, canary, err := a.CreateToken(t.Context(),
		"ada", mapping.NewToken{Kind: mapping.TokenPersonal, Name: "canary", Scopes: "tx"}, "ada")
	if err != nil {
		t.Fatal(err)
	}
	var dump []byte
	files, err := filepath.Glob(strings.TrimPrefix(db.url, "sqlite:") + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		dump = append(dump, content...)
	}
	hash, _ := mapping.ParseTokenValue(mapping.AccessValue, canary)
	if bytes.Contains(dump, []byte(canary[5:30])) || !bytes.Contains(dump, hash[:]) {
		t.Errorf("the value is in the files %q, or its hash is not", files)
	}
}
