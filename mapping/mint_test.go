package mapping_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/mapping/vexa/vexatest"
)

// S6, D12: 500 requests of somebody new make one user and one key.
func TestCrowdMintsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	crowd(t, w, 500, w.replica())
}

// S6: the same over two replicas.
func TestCrowdOnTwoReplicasMintsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	crowd(t, w, 100, w.replica(), w.replica())
}

func crowd(t *testing.T, w *world, size int, replicas ...*mapping.Accounts) {
	// The sign-in finds Vexa down, so that binding is up to the crowd too.
	w.vexa.Set(vexatest.AdminAPI, vexatest.Down)
	acc := w.signIn(replicas[0], person("ada"))
	w.vexa.Set(vexatest.AdminAPI, vexatest.Up)
	secrets := make([]string, size)
	var callers errgroup.Group
	for i := range secrets {
		callers.Go(func() (err error) {
			secrets[i], _, err = w.key(replicas[i%len(replicas)], acc)
			return err
		})
	}
	if err := callers.Wait(); err != nil {
		t.Fatal(err)
	}
	tokens, calls := w.vexa.Tokens(), w.vexa.Calls()
	if len(tokens) != 1 || calls.Mint != 1 || calls.UsersCreated != 1 || calls.CreateUser != 1 {
		t.Fatalf("%d tokens, %+v", len(tokens), calls)
	}
	if slices.Sort(secrets); secrets[0] != tokens[0].Secret || secrets[size-1] != tokens[0].Secret {
		t.Error("somebody got another key")
	}
}

// S6: a replica that found no key, and then waited for the lease of another that minted one, takes that one.
func TestKeyMintedJustBeforeTheLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quick := w.replica()
	acc := w.signIn(quick, person("ada"))
	var theirs string
	slow := w.replica(func(_ *mapping.Config, d *mapping.Deps) {
		d.Store = &disk{Store: d.Store, step: func(at string) error {
			if at == "before Update" && theirs == "" {
				theirs, _ = w.mustKey(quick, acc)
			}
			return nil
		}}
	})
	if secret, _ := w.mustKey(slow, acc); secret != theirs || w.vexa.Calls().Mint != 1 {
		t.Errorf("%d mints", w.vexa.Calls().Mint)
	}
}

// D8: whoever asks gets the key of their own account and scope set, however many ask at once for however
// many.
func TestEverybodyGetsTheirOwnKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	people := []string{"ada", "grace", "tim", "edsger"}
	sets := []rule.Scopes{"bot", "tx", "bot,tx"}
	accounts := map[string]mapping.Account{}
	for _, name := range people {
		accounts[name] = w.signIn(a, person(name))
	}
	var mu sync.Mutex
	secrets := map[string]string{} // secret to whose and what for
	var callers errgroup.Group
	for range 10 {
		for _, name := range people {
			for _, scopes := range sets {
				callers.Go(func() error {
					acc := accounts[name]
					secret, _, _, err := a.Key(t.Context(), acc, a.Decide(acc).Grant, scopes)
					mu.Lock()
					defer mu.Unlock()
					if was, seen := secrets[secret]; err == nil && seen && was != name+":"+string(scopes) {
						err = errors.New(was + " and " + name + ":" + string(scopes) + " share a key")
					}
					secrets[secret] = name + ":" + string(scopes)
					return err
				})
			}
		}
	}
	if err := callers.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, token := range w.vexa.Tokens() {
		name, scopes, _ := strings.Cut(secrets[token.Secret], ":")
		if accounts[name].VexaUserID != token.UserID ||
			rule.NewScopes(token.Scopes...) != rule.Scopes(scopes) {
			t.Errorf("token %+v was given to %s for %s", token, name, scopes)
		}
	}
	if len(secrets) != len(people)*len(sets) || w.vexa.Calls().Mint != len(secrets) {
		t.Errorf("%d keys, %d mints", len(secrets), w.vexa.Calls().Mint)
	}
}

func TestMintedKey(t *testing.T) { // V7
	t.Parallel()
	for _, generation := range generations {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vexatest.Generation(generation))
			bots := 5
			w.rule(rule.Rule{
				Name: "staff", Match: rule.Match{Groups: []string{"staff"}}, Grant: &rule.GrantSpec{
					Scopes: []string{"tx", "bot"}, MaxConcurrentBots: &bots, KeyLifetime: time.Hour,
				},
			})
			w.vexa.AddUser("ada@acme.example", "Ada") // with the default of bots
			a := w.replica()
			acc := w.signIn(a, person("ada"))
			g := a.Decide(acc).Grant
			secret, id, expires, err := a.Key(t.Context(), acc, g, g.Scopes)
			if err != nil {
				t.Fatal(err)
			}
			token := w.vexa.Tokens()[0]
			if token.Secret != secret || token.Name != "vsso:prod:"+acc.ID+":"+id || len(token.Name) > 100 ||
				!slices.Equal(token.Scopes, []string{"bot", "tx"}) {
				t.Errorf("%+v", token)
			}
			if left := token.ExpiresAt.Sub(w.clock.Now()); left != time.Hour ||
				!expires.Before(token.ExpiresAt) || expires.Before(w.clock.Now().Add(50*time.Minute)) {
				t.Errorf("expires in %v at Vexa, with us %v", left, expires)
			}
			if user, _ := w.vexa.User("ada@acme.example"); user.MaxConcurrentBots != 5 {
				t.Errorf("bots: %d", user.MaxConcurrentBots)
			}
			owner, err := w.client().Whoami(t.Context(), secret, "")
			if err != nil || owner.UserID != acc.VexaUserID {
				t.Errorf("%+v, %v", owner, err)
			}

			// It is kept: another process finds it in the store.
			calls := w.vexa.Calls()
			if again, againID := w.mustKey(w.replica(), acc); again != secret || againID != id ||
				w.vexa.Calls().Mint != calls.Mint {
				t.Error("another process minted another")
			}
		})
	}
}

func TestKeyOfMoreThanTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow("tx")
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	g := a.Decide(acc).Grant
	for _, scopes := range []rule.Scopes{"bot", "bot,tx", ""} {
		if _, _, _, err := a.Key(t.Context(), acc, g, scopes); code(err) != mapping.CodeScopeMissing {
			t.Errorf("%q: %v", scopes, err)
		}
	}
	if w.vexa.Calls().Mint != 0 {
		t.Error("it was minted")
	}
}

// S3: before each mint the Vexa user is compared with whom the account was bound to.
func TestVexaWasReset(t *testing.T) {
	t.Parallel()
	spoils := map[string]func(w *world, acc mapping.Account){
		"set up anew": func(w *world, _ mapping.Account) { w.vexa.Reinstall() },
		"set up anew, the id is a stranger's": func(w *world, acc mapping.Account) {
			w.vexa.Reinstall()
			for w.vexa.AddUser(
				w.t.Name()+string(rune('a'+len(w.vexa.Users())))+"@else.example", "",
			).ID < acc.VexaUserID {
			}
			stranger := w.vexa.Users()[acc.VexaUserID-1]
			w.vexa.AddToken(stranger.ID, "terminal-login", 0, "bot", "tx")
		},
		"the address was changed": func(w *world, acc mapping.Account) {
			w.vexa.SetUserEmail(acc.VexaUserID, "boss@acme.example")
		},
	}
	for name, spoil := range spoils {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.replica()
			acc := w.signIn(a, person("ada"))
			w.mustKey(a, acc)
			spoil(w, acc)
			mints, others := w.vexa.Calls().Mint, len(w.vexa.Tokens())-len(w.ourTokens())

			w.clock.advance(48 * time.Hour) // past the key's life
			if _, _, err := w.key(a, acc); code(err) != mapping.CodePendingApproval {
				t.Errorf("%v", err)
			}
			if got := w.account(acc.ID); got.Status != mapping.Pending || got.Reason == "" {
				t.Errorf("%+v", got)
			}
			if w.vexa.Calls().Mint != mints {
				t.Error("a key was minted")
			}
			if !strings.Contains(w.log.String(), `"level":"ERROR"`) {
				t.Error("no alarm")
			}
			// Cleaning up after it must not touch the tokens of those who have the ids now.
			if _, err := a.Reconcile(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			if left := len(w.keys(mapping.KeyActive)) + len(w.keys(mapping.KeyRevoking)); left != 0 ||
				len(w.vexa.Tokens())-len(w.ourTokens()) != others {
				t.Errorf("%d keys left, tokens %+v", left, w.vexa.Tokens())
			}
			// An admin's word, and all is well again.
			if acc, err := a.Approve(t.Context(), acc.ID, "grace"); err != nil {
				t.Errorf("approve: %v", err)
			} else {
				w.mustKey(a, acc)
			}
		})
	}
}

// V8, S1: a key with other scopes than asked is never used, and does not live on.
func TestMintedWithOtherScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica(func(_ *mapping.Config, d *mapping.Deps) { d.Vexa = botKeys{d.Vexa} })
	acc := w.signIn(a, person("ada"))
	if secret, _, err := w.key(a, acc); code(err) != mapping.CodeVexaUnavailable || secret != "" {
		t.Errorf("%v", err)
	}
	if n, err := a.DeleteRevoked(t.Context()); n != 0 || err != nil || len(w.vexa.Tokens()) != 0 {
		t.Errorf("%d waiting, %v, tokens %+v", n, err, w.vexa.Tokens())
	}
}

// botKeys mints as 0.10 does when it is asked in JSON.
type botKeys struct{ mapping.VexaAdmin }

func (b botKeys) Mint(
	ctx context.Context, user int64, _ []string, name string, lifetime time.Duration,
) (vexa.Minted, error) {
	return b.VexaAdmin.Mint(ctx, user, []string{"bot"}, name, lifetime)
}

// S10: the Admin API fails while we mint, in every way; nothing hangs, holders of a key notice nothing, and
// in the end there is one key.
func TestMintWhileVexaFails(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]vexatest.Fault{
		"500 before": {Effect: vexatest.FailBefore}, "500 after": {Effect: vexatest.FailAfter},
		"cut before": {Effect: vexatest.CutBefore}, "cut after": {Effect: vexatest.CutAfter},
		"503 of a proxy in front": {Effect: vexatest.FailAfter, Status: 503, Body: `{"detail":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.replica()
			holder := w.signIn(a, person("grace"))
			w.mustKey(a, holder)
			acc := w.signIn(a, person("ada"))
			fault.Method, fault.Path, fault.Times = "POST", "/admin/users/", 3
			w.vexa.Inject(fault)
			for range 3 {
				if _, _, err := w.key(a, acc); code(err) != mapping.CodeVexaUnavailable {
					t.Fatalf("%v", err)
				}
				w.mustKey(a, holder)
			}
			secret, _ := w.mustKey(a, acc)
			if tokens := w.vexa.Tokens(acc.VexaUserID); len(tokens) != 1 || tokens[0].Secret != secret {
				t.Errorf("%+v", tokens)
			}
			if left := w.keys(mapping.KeyMinting); len(left) != 0 {
				t.Errorf("intents left: %+v", left)
			}
		})
	}
	t.Run("hung", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.replica()
		acc := w.signIn(a, person("ada"))
		w.vexa.Set(vexatest.AdminAPI, vexatest.Hung)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		g := a.Decide(acc).Grant
		if _, _, _, err := a.Key(ctx, acc, g, g.Scopes); code(err) != mapping.CodeVexaUnavailable {
			t.Errorf("%v", err)
		}
		w.vexa.Set(vexatest.AdminAPI, vexatest.Up)
		w.mustKey(a, acc)
	})
}

// S10: a holder of a key needs neither the Admin API nor, for a warm key, the store.
func TestWarmKeyNeedsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	secret, _ := w.mustKey(a, acc)
	w.vexa.Set(vexatest.AdminAPI, vexatest.Down)
	w.store.Close()
	if again, _, err := w.key(a, acc); again != secret || err != nil {
		t.Errorf("%v", err)
	}
	other := acc
	other.ID = "somebody-else"
	if _, _, err := w.key(a, other); code(err) != mapping.CodeStoreUnavailable {
		t.Errorf("%v", err)
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.replica(), w.replica()
	acc, idle := w.signIn(a, person("ada")), w.signIn(a, person("tim"))
	first, firstID := w.mustKey(a, acc)
	w.mustKey(a, acc)
	w.mustKey(b, acc)
	w.mustKey(b, acc)
	w.mustKey(a, idle) // minted, and never asked for again
	if err := a.Renew(t.Context()); err != nil || w.vexa.Calls().Mint != 2 {
		t.Fatalf("renewed too soon: %v, %+v", err, w.vexa.Calls())
	}

	w.clock.advance(17 * time.Hour) // of 24
	for _, replica := range []*mapping.Accounts{a, b} {
		if err := replica.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	second, secondID := w.mustKey(a, acc)
	if again, _ := w.mustKey(b, acc); second == first || secondID == firstID || again != second ||
		w.vexa.Calls().Mint != 3 {
		t.Errorf("%d mints", w.vexa.Calls().Mint)
	}

	// The old key lives on for a while, then dies.
	for _, step := range []struct {
		after time.Duration
		lives bool
	}{{time.Minute, true}, {5 * time.Minute, false}} {
		w.clock.advance(step.after)
		if _, err := a.Reconcile(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		_, err := w.client().Whoami(t.Context(), first, "")
		if lives := err == nil; lives != step.lives {
			t.Errorf("after %v the old key lives: %v", step.after, lives)
		}
	}
	if _, err := w.client().Whoami(t.Context(), second, ""); err != nil {
		t.Errorf("the new key: %v", err)
	}

	// V9: an expired key is deleted, not left to expire.
	w.clock.advance(10 * time.Hour)
	if _, err := a.Reconcile(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if left := w.vexa.Tokens(idle.VexaUserID); len(left) != 0 {
		t.Errorf("expired and still there: %+v", left)
	}
}

// A grant that shrinks takes the wider keys, when somebody asks and when nobody does.
func TestShrunkGrant(t *testing.T) {
	t.Parallel()
	for name, notice := range map[string]func(*world, *mapping.Accounts, mapping.Account){
		"a request": func(w *world, _ *mapping.Accounts, acc mapping.Account) { w.mustKey(w.replica(), acc) },
		"a reload of rules": func(w *world, a *mapping.Accounts, _ mapping.Account) {
			if n, err := a.Review(w.t.Context()); n != 1 || err != nil {
				w.t.Errorf("%d, %v", n, err)
			}
		},
		"the reconciler": func(w *world, a *mapping.Accounts, _ mapping.Account) {
			a.Reconcile(w.t.Context(), false)
		},
		"a revocation": func(w *world, a *mapping.Accounts, acc mapping.Account) {
			if err := a.Revoke(w.t.Context(), mapping.Revocation{
				Kind: mapping.RevokeGrant, Account: acc.ID, Reason: "rules",
			}, "rules"); err != nil {
				w.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.replica()
			acc := w.signIn(a, person("ada"))
			g := a.Decide(acc).Grant
			wide, _ := w.mustKey(a, acc)
			narrow, _, _, err := a.Key(t.Context(), acc, g, "tx")
			if err != nil {
				t.Fatal(err)
			}
			w.allow("tx")
			notice(w, a, acc)
			if _, err := a.DeleteRevoked(t.Context()); err != nil {
				t.Fatal(err)
			}
			tokens := w.vexa.Tokens()
			if len(tokens) != 1 || tokens[0].Secret != narrow || tokens[0].Secret == wide {
				t.Errorf("%+v", tokens)
			}
		})
	}
}

// S2, F3, F4: the secret of a key is in no log and in no file.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	secret, keyID := w.mustKey(a, acc)
	w.vexa.RevokeToken(w.vexa.Tokens()[0].ID)
	if _, err := a.KeyGone(t.Context(), keyID); err != nil {
		t.Fatal(err)
	}
	w.mustKey(a, acc)
	if err := a.Revoke(t.Context(), mapping.Revocation{
		Kind: mapping.RevokeAccount, Account: acc.ID, Reason: "left",
	}, "grace"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(w.log.String(), "vxa_") ||
		strings.Contains(w.log.String(), vexatest.DefaultAdminToken) {
		t.Error("a secret is in the log")
	}
	w.mustKey(a, w.signIn(a, person("tim"))) // is in the file to the end
	w.store.Close()
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(w.db + suffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("vxa_")) || bytes.Contains(text, []byte(secret)) {
			t.Errorf("a secret is in the file%s", suffix)
		}
	}
}

// A key sealed by a ring that we don't have is left alone, and does not keep anybody out.
func TestKeyOfAnotherRing(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	a := w.replica(func(_ *mapping.Config, d *mapping.Deps) { d.Ring = other.ring })
	acc := w.signIn(a, person("ada"))
	theirs, _ := w.mustKey(a, acc)
	ours, _ := w.mustKey(w.replica(), acc)
	if ours == theirs || len(w.keys(mapping.KeyActive)) != 2 {
		t.Errorf("%d keys", len(w.keys(mapping.KeyActive)))
	}
}

// A key swapped between two rows of the store opens in neither.
func TestSwappedRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	ada, tim := w.signIn(a, person("ada")), w.signIn(a, person("tim"))
	secretAda, _ := w.mustKey(a, ada)
	secretTim, _ := w.mustKey(a, tim)
	err := w.store.Update(t.Context(), func(tx mapping.Tx) error {
		active, err := tx.KeysAfter(mapping.KeyActive, mapping.Place{}, 1000)
		if err != nil {
			return err
		}
		for _, acc := range []mapping.Account{ada, tim} {
			if _, err := tx.Account(acc.ID); err != nil {
				return err
			}
		}
		active[0].Sealed, active[1].Sealed = active[1].Sealed, active[0].Sealed
		return errors.Join(tx.PutKey(active[0]), tx.PutKey(active[1]))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := w.mustKey(w.replica(), ada); got == secretTim || got == secretAda {
		t.Error("a swapped key was used")
	}
}

func TestKeyAllocatesNothing(t *testing.T) {
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	g := a.Decide(acc).Grant
	w.mustKey(a, acc)
	if n := testing.AllocsPerRun(100, func() { a.Key(t.Context(), acc, g, g.Scopes) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
