package mapping_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// personal is a token of a person for all that they have.
func personal(scopes rule.Scopes) mapping.NewToken {
	return mapping.NewToken{
		Kind: mapping.TokenPersonal, Name: "backup script", Scopes: scopes, Lifetime: 30 * 24 * time.Hour,
		Address: "192.0.2.7", TraceID: "trace-1",
	}
}

// token makes a token that is expected to be made.
func (w *world) token(a *mapping.Accounts, acc mapping.Account, n mapping.NewToken) (mapping.Token, string) {
	w.t.Helper()
	token, value, err := a.CreateToken(w.t.Context(), acc.ID, n, acc.ID)
	if err != nil {
		w.t.Fatalf("create a token: %v", err)
	}
	return token, value
}

func access(value string) [32]byte {
	hash, ok := mapping.ParseTokenValue(mapping.AccessValue, value)
	if !ok {
		panic("not an access value: " + value)
	}
	return hash
}

func refresh(value string) [32]byte {
	hash, ok := mapping.ParseTokenValue(mapping.RefreshValue, value)
	if !ok {
		panic("not a refresh value: " + value)
	}
	return hash
}

// opens says whether a value is good for a token now.
func (w *world) opens(a *mapping.Accounts, value string) bool {
	w.t.Helper()
	_, _, err := a.TokenByValue(w.t.Context(), access(value))
	if err != nil && !errors.Is(err, mapping.ErrNotFound) {
		w.t.Fatal(err)
	}
	return err == nil
}

// live are the scope sets that an account has active keys of.
func (w *world) live(acc mapping.Account) (sets []rule.Scopes) {
	w.t.Helper()
	for _, k := range w.keys(mapping.KeyActive) {
		if k.AccountID == acc.ID {
			sets = append(sets, k.Scopes)
		}
	}
	slices.Sort(sets)
	return sets
}

// useToken asks for the key that a token is good for.
func (w *world) useToken(a *mapping.Accounts, value string) (rule.Scopes, error) {
	w.t.Helper()
	token, acc, err := a.TokenByValue(w.t.Context(), access(value))
	if err != nil {
		return "", err
	}
	g := a.Decide(acc).Grant
	scopes := token.Scopes.Intersect(g.Scopes)
	_, _, _, err = a.Key(w.t.Context(), acc, g, scopes)
	return scopes, err
}

// A token is for its account, its scopes and its time; what is stored of it opens nothing.
func TestCreateToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	n := personal("tx")
	n.Name = "  backup script  "
	token, value := w.token(a, acc, n)

	got, owner, err := w.replica().TokenByValue(t.Context(), access(value))
	if err != nil || got != token || owner.ID != acc.ID {
		t.Errorf("%+v of %s, %v", got, owner.ID, err)
	}
	want := mapping.Token{
		ID: token.ID, AccountID: acc.ID, Kind: mapping.TokenPersonal, Name: "backup script", Scopes: "tx",
		CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(30 * 24 * time.Hour),
	}
	if token != want || token.ID == "" {
		t.Errorf("%+v, want %+v", token, want)
	}
	for what, hash := range map[string][32]byte{"nothing": {}, "unknown": {1}} {
		if _, _, err := a.TokenByValue(t.Context(), hash); !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := a.TokenOfRefresh(t.Context(), access(value)); !errors.Is(err, mapping.ErrNotFound) {
		t.Errorf("an access value as a refresh value: %v", err)
	}
	e := w.events(mapping.EventTokenCreated)
	if len(e) != 1 || e[0].CredentialID != token.ID || e[0].Address != "192.0.2.7" ||
		e[0].TraceID != "trace-1" || e[0].Actor != acc.ID || e[0].Account != acc.ID {
		t.Errorf("audit: %+v", e)
	}
	w.clock.advance(30*24*time.Hour - time.Microsecond)
	if !w.opens(a, value) {
		t.Error("over before its time")
	}
	w.clock.advance(time.Microsecond)
	if w.opens(a, value) {
		t.Error("lives longer than its time")
	}
	if tokens, err := a.TokensOf(t.Context(), acc.ID); err != nil || len(tokens) != 0 {
		t.Errorf("expired, and still listed: %v, %v", tokens, err)
	}
}

// S2: values are in no file, no log and no event.
func TestTokenValuesAreNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	_, value := w.token(a, acc, personal("tx"))
	first := w.grantTool(a, acc, "bot,tx")
	second := w.refreshed(a, first)
	if _, err := a.RefreshTool(t.Context(), refresh(second.Refresh), "cli"); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	if _, err := a.RefreshTool(t.Context(), refresh(first.Refresh), "cli"); !errors.Is(
		err, mapping.ErrTokenReused,
	) {
		t.Fatal(err)
	}
	files, err := filepath.Glob(w.db + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	everywhere := w.log.String()
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		everywhere += string(content)
	}
	hash := access(value)
	if !strings.Contains(everywhere, string(hash[:])) {
		t.Error("not even the hash is there: the test looks in the wrong place")
	}
	for _, secret := range []string{value, first.Access, first.Refresh, second.Access, second.Refresh} {
		if strings.Contains(everywhere, secret[5:40]) {
			t.Errorf("%s is written down", secret[:5])
		}
	}
}

// S12: what a token may be is bounded, and who may have one.
func TestTokenIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	service := program("0oanightly")
	service.Groups = []string{"staff"}
	w.rule(
		rule.Rule{
			Name: "staff", Match: rule.Match{Groups: []string{"staff"}, Kind: []oidc.Kind{oidc.User}},
			Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}},
		},
		rule.Rule{
			Name: "jobs", Match: rule.Match{Kind: []oidc.Kind{oidc.Service}, Providers: []string{"okta"}},
			Grant: &rule.GrantSpec{Scopes: []string{"tx"}, VexaEmail: "jobs@acme.example"},
		},
	)
	job, err := a.Present(t.Context(), shown(service, w.clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what    string
		account string
		change  func(*mapping.NewToken)
		want    string
	}{
		{"too much", acc.ID, func(n *mapping.NewToken) { n.Scopes = "browser,tx" }, mapping.CodeScopeMissing},
		{"nothing", acc.ID, func(n *mapping.NewToken) { n.Scopes = "" }, "scope"},
		{"for ever", acc.ID, func(n *mapping.NewToken) { n.Lifetime = 90*24*time.Hour + 1 }, "90 days"},
		{"already over", acc.ID, func(n *mapping.NewToken) { n.Lifetime = -time.Hour }, "earlier end"},
		{"no name", acc.ID, func(n *mapping.NewToken) { n.Name = " \t" }, "name"},
		{"two lines", acc.ID, func(n *mapping.NewToken) { n.Name = "a\nb" }, "one line"},
		{"an escape", acc.ID, func(n *mapping.NewToken) { n.Name = "a\x1b[2J" }, "one line"},
		{"a text that turns round", acc.ID, func(n *mapping.NewToken) { n.Name = "a\u202eb" }, "one line"},
		{"a novel", acc.ID, func(n *mapping.NewToken) {
			n.Name = strings.Repeat("ä", 101)
		}, "100 characters"},
		{"no kind", acc.ID, func(n *mapping.NewToken) { n.Kind = "" }, "kind"},
		{"a tool that has no client", acc.ID, func(n *mapping.NewToken) {
			n.Kind = mapping.TokenTool
		}, "kind"},
		{"a client that is no tool", acc.ID, func(n *mapping.NewToken) { n.Client = "cli" }, "kind"},
		{"nobody", "nobody", func(*mapping.NewToken) {}, "not found"},
		{"a program", job.ID, func(*mapping.NewToken) {}, "identity provider issues"},
	} {
		n := personal("tx")
		test.change(&n)
		if _, value, err := a.CreateToken(t.Context(), test.account, n, "ada"); err == nil || value != "" ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.what, err)
		}
	}
	longest := personal("tx")
	longest.Lifetime, longest.Name = 0, strings.Repeat("ä", 100)
	if token, _ := w.token(a, acc, longest); !token.ExpiresAt.Equal(w.clock.Now().Add(90 * 24 * time.Hour)) {
		t.Errorf("lives until %s", token.ExpiresAt)
	}
}

// Who gets nothing gets no token either.
func TestTokenNeedsAStanding(t *testing.T) {
	t.Parallel()
	for code, end := range map[string]func(*world, *mapping.Accounts, mapping.Account) error{
		mapping.CodeSuspended: func(w *world, a *mapping.Accounts, acc mapping.Account) error {
			return a.Revoke(w.t.Context(), suspend(acc), "grace")
		},
		mapping.CodeUnauthenticated: func(w *world, a *mapping.Accounts, acc mapping.Account) error {
			return a.SignOutEverywhere(w.t.Context(), acc.ID, "lost laptop", "ada")
		},
		mapping.CodePendingApproval: func(w *world, a *mapping.Accounts, acc mapping.Account) error {
			return w.store.Update(w.t.Context(), func(tx mapping.Tx) error {
				acc.Status, acc.Reason = mapping.Pending, "the Vexa user is taken"
				return tx.PutAccount(acc)
			})
		},
		rule.CodeNotMapped: func(w *world, _ *mapping.Accounts, _ mapping.Account) error {
			w.rule(rule.Rule{
				Name: "others", Match: rule.Match{Groups: []string{"others"}},
				Grant: &rule.GrantSpec{Scopes: []string{"tx"}},
			})
			return nil
		},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.replica()
			acc := w.signIn(a, person("ada"))
			if err := end(w, a, acc); err != nil {
				t.Fatal(err)
			}
			if _, _, err := a.CreateToken(t.Context(), acc.ID, personal("tx"), "ada"); mustCode(err) != code {
				t.Errorf("a personal one: %v", err)
			}
			if _, err := a.GrantTool(t.Context(), acc.ID, tool("tx"), "ada"); mustCode(err) != code {
				t.Errorf("a tool's: %v", err)
			}
		})
	}
}

// S12: an account has so many tokens and no more; those that are over do not count.
func TestTokensOfAnAccountAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	for i := range 50 {
		n := personal("tx")
		n.Name = fmt.Sprint("job ", i)
		w.token(a, acc, n)
		w.grantTool(a, acc, "tx")
	}
	_, _, err := a.CreateToken(t.Context(), acc.ID, personal("tx"), "ada")
	if o := new(mapping.Objection); !errors.As(err, &o) || !strings.Contains(o.Message, "100 tokens") {
		t.Fatalf("one more: %v", err)
	}
	w.token(a, w.signIn(a, person("tim")), personal("tx"))
	w.clock.advance(31 * 24 * time.Hour)
	w.token(a, w.signIn(a, person("ada")), personal("tx"))
}

// Revoking a token ends it everywhere, is in the log for all replicas, and takes the keys with it that only
// it needed.
func TestRevokeToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, other := w.replica(), w.replica()
	acc := w.signIn(a, person("ada"))
	w.mustKey(a, acc)
	one, value := w.token(a, acc, personal("tx"))
	_, twin := w.token(a, acc, personal("tx"))
	wide, whole := w.token(a, acc, personal("bot,tx"))
	for _, v := range []string{value, twin, whole} {
		if _, err := w.useToken(other, v); err != nil {
			t.Fatal(err)
		}
	}
	heard := listen(t, w)
	end := func(token mapping.Token) {
		t.Helper()
		r := mapping.Revocation{
			Kind: mapping.RevokeToken, Account: acc.ID, Token: token.ID, Reason: "not needed",
			Address: "192.0.2.9", TraceID: "trace-2",
		}
		if err := a.Revoke(t.Context(), r, "ada"); err != nil {
			t.Fatal(err)
		}
		heard.wait(t, func(said mapping.Revocation) bool {
			return said.Kind == mapping.RevokeToken && said.Account == acc.ID && said.Token == token.ID &&
				said.Session == "" && said.At.Equal(w.clock.Now())
		})
		other.Apply(r)
	}
	end(one)
	if w.opens(other, value) || !w.opens(other, twin) || !w.opens(other, whole) {
		t.Error("the wrong one ended")
	}
	if got := w.live(acc); !slices.Equal(got, []rule.Scopes{"bot,tx", "tx"}) {
		t.Errorf("keys of %v; the twin still needs tx", got)
	}
	end(wide)
	if got := w.live(acc); !slices.Equal(got, []rule.Scopes{"bot,tx", "tx"}) {
		t.Errorf("keys of %v; sessions still need bot,tx", got)
	}
	tokens, err := a.TokensOf(t.Context(), acc.ID)
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%v, %v", tokens, err)
	}
	end(tokens[0])
	if got := w.live(acc); !slices.Equal(got, []rule.Scopes{"bot,tx"}) {
		t.Errorf("keys of %v", got)
	}
	if _, err := a.DeleteRevoked(t.Context()); err != nil || len(w.ourTokens()) != 1 {
		t.Errorf("%d at Vexa, %v", len(w.ourTokens()), err)
	}
	if e := w.events(mapping.EventTokenRevoked); len(e) != 3 || e[2].CredentialID != one.ID ||
		e[2].Actor != "ada" || e[2].Reason != "not needed" || e[2].Address != "192.0.2.9" ||
		e[2].TraceID != "trace-2" {
		t.Errorf("audit: %+v", e)
	}
	// Not twice, and not another's.
	tim := w.signIn(a, person("tim"))
	his, _ := w.token(a, tim, personal("tx"))
	for _, r := range []mapping.Revocation{
		{Account: acc.ID, Token: one.ID},
		{Account: acc.ID, Token: his.ID},
		{Account: "nobody", Token: his.ID},
	} {
		r.Kind = mapping.RevokeToken
		if err := a.Revoke(t.Context(), r, "ada"); !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// Whatever ends an account ends its tokens, in the same breath, and nothing brings them back.
func TestTokensEndWithTheirOwner(t *testing.T) {
	t.Parallel()
	causes := map[string]mapping.TokenCause{
		"suspended": mapping.CauseSuspended, "revoked": mapping.CauseSuspended,
		"signed out everywhere": mapping.CauseSignedOut, "gone at the provider": mapping.CauseAccessEnded,
	}
	for what, end := range map[string]func(*world, *mapping.Accounts, *directory, mapping.Account) error{
		"suspended": func(w *world, a *mapping.Accounts, _ *directory, acc mapping.Account) error {
			_, err := a.Suspend(w.t.Context(), acc.ID, mapping.Suspension{Reason: "left"}, "grace")
			return err
		},
		"revoked": func(w *world, a *mapping.Accounts, _ *directory, acc mapping.Account) error {
			return a.Revoke(w.t.Context(), suspend(acc), "grace")
		},
		"signed out everywhere": func(
			w *world, a *mapping.Accounts, _ *directory, acc mapping.Account,
		) error {
			return a.SignOutEverywhere(w.t.Context(), acc.ID, "lost laptop", "ada")
		},
		"gone at the provider": func(
			w *world, a *mapping.Accounts, d *directory, acc mapping.Account,
		) error {
			d.set(func() { d.refuse = gone() })
			w.due(acc)
			return a.RenewProofs(w.t.Context())
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, d, acc := proven(w)
			token, value := w.token(a, acc, personal("tx"))
			granted := w.grantTool(a, acc, "bot,tx")
			if _, err := w.useToken(a, value); err != nil {
				t.Fatal(err)
			}
			heard, at := listen(t, w), w.clock.Now()
			if err := end(w, a, d, acc); err != nil {
				t.Fatal(err)
			}
			heard.wait(t, func(r mapping.Revocation) bool {
				return r.Kind == mapping.RevokeAccount && r.Account == acc.ID
			})
			over := func() {
				t.Helper()
				for _, shown := range []string{value, granted.Access} {
					_, _, err := a.TokenByValue(t.Context(), access(shown))
					ended, ok := errors.AsType[*mapping.EndedToken](err)
					if !ok || !ended.At.Equal(at) || ended.Cause != causes[what] {
						t.Errorf("a token says %v", err)
					}
				}
				if _, err := a.RefreshTool(t.Context(), refresh(granted.Refresh), "cli"); !errors.Is(
					err, mapping.ErrNotFound,
				) {
					t.Errorf("refreshed: %v", err)
				}
			}
			over()
			if len(w.live(acc)) != 0 {
				t.Errorf("keys of %v", w.live(acc))
			}
			var told []string
			for _, e := range w.events(mapping.EventTokenRevoked) {
				told = append(told, e.CredentialID)
			}
			if len(told) != 2 || !slices.Contains(told, token.ID) ||
				!slices.Contains(told, granted.Token.ID) {
				t.Errorf("the audit tells of %v", told)
			}
			if w.account(acc.ID).Status == mapping.Suspended {
				if err := a.Resume(t.Context(), acc.ID, "grace"); err != nil {
					t.Fatal(err)
				}
			}
			d.set(func() { d.refuse = nil })
			w.signIn(a, person("ada"))
			over()
		})
	}
}

// A token that ended says so, and why, for thirty days; one that never was is unknown.
func TestEndedTokensSaySo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	revoked, value := w.token(a, acc, personal("tx"))
	short := personal("tx")
	short.Lifetime = time.Hour
	_, expires := w.token(a, acc, short)
	r := mapping.Revocation{Kind: mapping.RevokeToken, Account: acc.ID, Token: revoked.ID}
	if err := a.Revoke(t.Context(), r, "ada"); err != nil {
		t.Fatal(err)
	}
	says := func(value string, want mapping.TokenCause) {
		t.Helper()
		_, _, err := a.TokenByValue(t.Context(), access(value))
		ended, ok := errors.AsType[*mapping.EndedToken](err)
		switch {
		case want == "" && (ok || !errors.Is(err, mapping.ErrNotFound)):
			t.Errorf("says %v", err)
		case want != "" && (!ok || ended.Cause != want):
			t.Errorf("says %v, want %s", err, want)
		}
	}
	purge := func() {
		t.Helper()
		if _, err := a.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	says(value, mapping.CauseRevoked)
	w.clock.advance(2 * time.Hour)
	says(expires, mapping.CauseExpired)
	purge()
	says(expires, mapping.CauseExpired)
	never, err := mapping.NewTokenValue(rand.Reader, mapping.AccessValue)
	if err != nil {
		t.Fatal(err)
	}
	says(never, "")
	w.clock.advance(31 * 24 * time.Hour)
	purge()
	says(value, "")
	says(expires, "")
}

// The rules decide what a token may now, whatever it was made for.
func TestTokenFollowsTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	_, narrow := w.token(a, acc, personal("tx"))
	_, whole := w.token(a, acc, personal("bot,tx"))
	use := func(value string, want rule.Scopes) {
		t.Helper()
		got, err := w.useToken(a, value)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	use(narrow, "tx")
	use(whole, "bot,tx")
	w.allow("bot")
	if _, err := a.Review(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.live(acc); len(got) != 0 {
		t.Errorf("keys of %v", got)
	}
	use(narrow, "")
	use(whole, "bot")
	w.allow("bot", "tx", "browser") // a token never has more than it was made for
	use(narrow, "tx")
	use(whole, "bot,tx")
	if _, err := a.Reconcile(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got := w.live(acc); !slices.Equal(got, []rule.Scopes{"bot,tx", "tx"}) {
		t.Errorf("keys of %v", got)
	}
}

// A token whose time is over takes its keys along: at the next clean-up at the latest.
func TestExpiredTokenTakesItsKeysAlong(t *testing.T) {
	t.Parallel()
	for what, clean := range map[string]func(*mapping.Accounts) error{
		"reconcile": func(a *mapping.Accounts) error {
			_, err := a.Reconcile(t.Context(), false)
			return err
		},
		"purge": func(a *mapping.Accounts) error { _, err := a.Purge(t.Context()); return err },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.replica()
			acc := w.signIn(a, person("ada"))
			n := personal("tx")
			n.Lifetime = time.Hour
			token, value := w.token(a, acc, n)
			if _, err := w.useToken(a, value); err != nil {
				t.Fatal(err)
			}
			if err := clean(a); err != nil || len(w.live(acc)) != 1 {
				t.Fatalf("keys of %v while it lives, %v", w.live(acc), err)
			}
			w.clock.advance(time.Hour)
			if err := clean(a); err != nil || len(w.live(acc)) != 0 {
				t.Errorf("keys of %v, %v", w.live(acc), err)
			}
			if _, err := a.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			if e := w.events(mapping.EventTokenExpired); len(e) != 1 || e[0].CredentialID != token.ID {
				t.Errorf("audit: %+v", e)
			}
			w.view(func(tx mapping.Tx) error {
				if _, err := tx.TokenValue(access(value)); !errors.Is(err, mapping.ErrNotFound) {
					t.Errorf("its value: %v", err)
				}
				return nil
			})
		})
	}
}

// A key that a token has just begun to need is not taken by a clean-up that did not know of the token yet.
func TestCleanUpKnowsOfTheNewestToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	old, value := w.token(a, acc, personal("tx"))
	if _, err := w.useToken(a, value); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(30 * 24 * time.Hour)
	if w.opens(a, value) {
		t.Fatal("should be over")
	}
	w.signIn(a, person("ada"))
	g := a.Decide(w.account(acc.ID)).Grant
	// left by one that is over
	if _, _, _, err := a.Key(t.Context(), w.account(acc.ID), g, "tx"); err != nil {
		t.Fatal(err)
	}
	made := false
	slow := w.replica(func(_ *mapping.Config, deps *mapping.Deps) {
		deps.Store = &disk{Store: deps.Store, step: func(at string) error {
			if at == "before Update" && !made {
				made = true
				n := personal("tx")
				w.token(a, acc, n)
			}
			return nil
		}}
	})
	if _, err := slow.Review(t.Context()); err != nil || !made {
		t.Fatal(err)
	}
	active := 0
	for _, k := range w.keys(mapping.KeyActive) {
		if k.Scopes == "tx" && w.clock.Now().Before(k.ExpiresAt) {
			active++
		}
	}
	if active != 1 {
		t.Errorf("%d keys for the new token; the old one was %s", active, old.ID)
	}
}

// When a token was used is told by the newest word, and of tokens that there are.
func TestTouchTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	token, _ := w.token(a, acc, personal("tx"))
	other, _ := w.token(a, acc, personal("tx"))
	used := map[string]mapping.TokenUse{}
	for i := range 1200 {
		used[fmt.Sprint("unknown", i)] = mapping.TokenUse{At: w.clock.Now()}
	}
	used[token.ID] = mapping.TokenUse{
		At: w.clock.Now().Add(time.Minute), From: strings.Repeat("2001:db8::1/", 20),
	}
	if err := a.TouchTokens(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	if err := a.TouchTokens(
		t.Context(), map[string]mapping.TokenUse{token.ID: {At: w.clock.Now(), From: "192.0.2.1"}},
	); err != nil {
		t.Fatal(err)
	}
	if err := a.TouchTokens(t.Context(), nil); err != nil {
		t.Error(err)
	}
	tokens, err := a.TokensOf(t.Context(), token.AccountID)
	if other.AccountID != token.AccountID {
		more, _ := a.TokensOf(t.Context(), other.AccountID)
		tokens = append(tokens, more...)
	}
	if err != nil || len(tokens) != 2 {
		t.Fatalf("%v, %v", tokens, err)
	}
	for _, got := range tokens {
		if got.ID == other.ID && !got.UsedAt.IsZero() {
			t.Errorf("%+v was never used", got)
		}
		if got.ID == token.ID &&
			(!got.UsedAt.Equal(w.clock.Now().Add(time.Minute)) || len(got.UsedFrom) != 64) {
			t.Errorf("%+v", got)
		}
	}
}

// F9: nobody learns from what we do with a value whether it is somebody's, unless it is: known or not, it is
// looked up by its hash, once.
func TestUnknownValuesCostTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	ended, value := w.token(a, acc, personal("tx"))
	_, good := w.token(a, acc, personal("tx"))
	if err := a.Revoke(t.Context(),
		mapping.Revocation{Kind: mapping.RevokeToken, Account: acc.ID, Token: ended.ID}, "ada"); err != nil {
		t.Fatal(err)
	}
	var asked []string
	watched := w.replica(func(_ *mapping.Config, deps *mapping.Deps) {
		deps.Store = &disk{
			Store: deps.Store, step: func(at string) error { asked = append(asked, at); return nil },
		}
	})
	seen := map[string]bool{}
	for _, hash := range [][32]byte{access(good), access(value), {}, {255}} {
		asked = nil
		watched.TokenByValue(t.Context(), hash)
		seen[strings.Join(asked, ",")] = true
	}
	if len(seen) != 1 || len(asked) == 0 {
		t.Errorf("the store is asked differently: %v", seen)
	}
}

// mustCode is the code of an error that is to have one.
func mustCode(err error) string {
	if err == nil {
		return "no error"
	}
	return code(err)
}
