package mapping_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store/storetest"
	"vexa-sso/mapping/vexa"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/caller"
)

func suspend(acc mapping.Account) mapping.Revocation {
	return mapping.Revocation{Kind: mapping.RevokeAccount, Account: acc.ID, Reason: "left the company"}
}

func TestSuspension(t *testing.T) {
	t.Parallel()
	for _, generation := range generations {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vexatest.Generation(generation))
			a := w.replica()
			acc := w.signIn(a, person("ada"))
			w.mustKey(a, acc)
			foreign := w.vexa.AddToken(acc.VexaUserID, "terminal-login", 0, "bot")
			session := caller.Session{
				ID: "s1", Hash: [32]byte{1}, AccountID: acc.ID, Provider: "okta",
				ExpiresAt: w.clock.Now().Add(time.Hour),
			}
			if err := storetest.CreateSession(t.Context(), w.store, session); err != nil {
				t.Fatal(err)
			}
			if err := a.Revoke(t.Context(), suspend(acc), "grace"); err != nil {
				t.Fatal(err)
			}
			if _, err := w.store.SessionByHash(t.Context(), session.Hash); !errors.Is(
				err, mapping.ErrNotFound,
			) {
				t.Errorf("the session: %v", err)
			}
			// Also whoever holds the account as it was gets nothing, from memory or otherwise.
			if _, _, err := w.key(a, acc); code(err) != mapping.CodeSuspended {
				t.Errorf("%v", err)
			}
			w.clock.advance(1500 * time.Millisecond)
			if waiting, err := a.DeleteRevoked(t.Context()); waiting != 0 || err != nil {
				t.Errorf("%d waiting, %v", waiting, err)
			}
			if tokens := w.vexa.Tokens(); len(tokens) != 1 || tokens[0].ID != foreign.ID {
				t.Errorf("%+v", tokens)
			}
			if log := w.log.String(); !strings.Contains(log, `"event":"key_revoked"`) ||
				!strings.Contains(log, `"took_ms":1500`) || !strings.Contains(log, `"actor":"grace"`) {
				t.Error("the audit does not tell")
			}
			// The gateway of 0.10 remembers keys for a minute: the audit says when it has forgotten this one.
			told := map[string]string{
				vexatest.Generation012: "revoked",
				vexatest.Generation010: "revoked; dead at gateway by 2026-11-23T09:01:02Z",
			}
			if e := w.events(mapping.EventKeyRevoked); len(e) != 1 || e[0].Reason != told[generation] {
				t.Errorf("the audit: %+v", e)
			}
			if acc := w.signIn(a, person("ada")); acc.Status != mapping.Suspended {
				t.Errorf("signed in again: %+v", acc)
			}

			if err := a.Resume(t.Context(), acc.ID, "grace"); err != nil {
				t.Fatal(err)
			}
			w.mustKey(a, w.account(acc.ID))
			if err := a.Resume(t.Context(), acc.ID, "grace"); err == nil {
				t.Error("resumed twice")
			}
		})
	}
}

func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	first, _ := w.mustKey(a, acc)
	if err := a.SignOutEverywhere(t.Context(), acc.ID, "universal logout", "okta"); err != nil {
		t.Fatal(err)
	}
	if second, _ := w.mustKey(a, w.signIn(a, person("ada"))); second == first {
		t.Error("the key is still in use")
	}
}

func TestRevokeSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	secret, _ := w.mustKey(a, acc)
	session := caller.Session{
		ID: "s1", Hash: [32]byte{1}, AccountID: acc.ID, ExpiresAt: w.clock.Now().Add(time.Hour),
	}
	if err := storetest.CreateSession(t.Context(), w.store, session); err != nil {
		t.Fatal(err)
	}
	r := mapping.Revocation{Kind: mapping.RevokeSession, Account: acc.ID, Session: "s1", Reason: "signed out"}
	if err := a.Revoke(t.Context(), r, acc.ID); err != nil {
		t.Fatal(err)
	}
	if err := a.Revoke(t.Context(), r, acc.ID); !errors.Is(err, mapping.ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
	if again, _ := w.mustKey(a, acc); again != secret {
		t.Error("a sign-out cost the key")
	}
	if err := a.Revoke(t.Context(), mapping.Revocation{Account: acc.ID}, "x"); err == nil {
		t.Error("a revocation of nothing in particular")
	}
}

// S5: the other replica forgets the key when the log says so.
func TestApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.replica(), w.replica()
	acc := w.signIn(a, person("ada"))
	w.mustKey(b, acc)
	if err := a.Revoke(t.Context(), suspend(acc), "grace"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.key(b, acc); err != nil {
		t.Fatalf("before it heard: %v", err)
	}
	for _, r := range []mapping.Revocation{suspend(acc), {Kind: mapping.RevokeEverything}} {
		b.Apply(r)
		if _, _, err := w.key(b, acc); code(err) != mapping.CodeSuspended {
			t.Errorf("%s: %v", r.Kind, err)
		}
	}
}

// S5: a deletion is tried until Vexa has confirmed it, later and later; and what is not Vexa's Admin API
// confirms nothing.
func TestRevocationIsRetriedUntilConfirmed(t *testing.T) {
	t.Parallel()
	gateway := func(t *testing.T, w *world) *vexa.Client {
		c, err := vexa.New(vexa.Config{
			GatewayURL: w.vexa.GatewayURL, AdminURL: w.vexa.GatewayURL,
			AdminToken: vexatest.DefaultAdminToken,
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	tests := map[string]func(*testing.T, *world, *switchboard){
		"down": func(_ *testing.T, w *world, _ *switchboard) { w.vexa.Set(vexatest.AdminAPI, vexatest.Down) },
		"database down": func(_ *testing.T, w *world, _ *switchboard) {
			w.vexa.Set(vexatest.Database, vexatest.Down)
		},
		"the gateway instead": func(t *testing.T, w *world, s *switchboard) { s.VexaAdmin = gateway(t, w) },
		"a 404 from elsewhere": func(_ *testing.T, w *world, _ *switchboard) {
			w.vexa.Inject(vexatest.Fault{
				Method: "DELETE", Effect: vexatest.FailBefore, Status: 404,
				Body: `{"detail":"Not Found"}`, Times: -1,
			})
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			board := &switchboard{VexaAdmin: w.client()}
			a := w.replica(func(_ *mapping.Config, d *mapping.Deps) { d.Vexa = board })
			acc := w.signIn(a, person("ada"))
			w.mustKey(a, acc)
			spoil(t, w, board)
			if err := a.Revoke(t.Context(), suspend(acc), "grace"); err != nil {
				t.Fatal(err)
			}
			var waits []time.Duration
			for range 12 {
				if waiting, err := a.DeleteRevoked(t.Context()); waiting != 1 || err != nil {
					t.Fatalf("%d waiting, %v", waiting, err)
				}
				wait := w.keys(mapping.KeyRevoking)[0].RetryAt.Sub(w.clock.Now())
				waits = append(waits, wait)
				w.clock.advance(wait)
			}
			if waits[0] != time.Second || waits[1] != 2*time.Second || waits[11] != 5*time.Minute {
				t.Errorf("waits %v", waits)
			}
			if since, err := a.OldestRevocation(t.Context()); err != nil ||
				w.clock.Now().Sub(since) < 10*time.Minute {
				t.Errorf("oldest %v, %v", since, err)
			}
			w.vexa.Heal()
			board.VexaAdmin = w.client()
			if waiting, err := a.DeleteRevoked(t.Context()); waiting != 0 || err != nil ||
				len(w.vexa.Tokens()) != 0 {
				t.Errorf("healed: %d waiting, %v, %d tokens", waiting, err, len(w.vexa.Tokens()))
			}
			if waiting, err := a.SettleBotBlocks(t.Context()); waiting != 0 || err != nil {
				t.Errorf("healed: %d bot blocks waiting, %v", waiting, err)
			}
			if since, err := a.OldestRevocation(t.Context()); err != nil || !since.IsZero() {
				t.Errorf("oldest %v, %v", since, err)
			}
		})
	}
}

// switchboard is a Vexa that can be exchanged for another.
type switchboard struct{ mapping.VexaAdmin }

// A deletion whose answer was lost is confirmed by Vexa's not having the token any more.
func TestLostConfirmation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	w.mustKey(a, acc)
	w.vexa.Inject(vexatest.Fault{Method: "DELETE", Effect: vexatest.CutAfter, Times: -1})
	if err := a.Revoke(t.Context(), suspend(acc), "grace"); err != nil {
		t.Fatal(err)
	}
	if waiting, err := a.DeleteRevoked(t.Context()); waiting != 1 || err != nil {
		t.Fatalf("%d waiting, %v", waiting, err)
	}
	w.clock.advance(time.Second)
	if waiting, err := a.DeleteRevoked(t.Context()); waiting != 0 || err != nil {
		t.Errorf("%d waiting, %v", waiting, err)
	}
}

// S5, S6: an account is suspended while its key is being minted.
func TestSuspendedWhileMinting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.replica()
	var acc mapping.Account
	a := w.replica(func(_ *mapping.Config, d *mapping.Deps) {
		d.Vexa = &wires{VexaAdmin: d.Vexa, step: func(at string) error {
			if at == "after Mint" {
				return admin.Revoke(t.Context(), suspend(acc), "grace")
			}
			return nil
		}}
	})
	acc = w.signIn(a, person("ada"))
	if secret, _, err := w.key(a, acc); code(err) != mapping.CodeSuspended || secret != "" {
		t.Errorf("%v", err)
	}
	if _, err := a.DeleteRevoked(t.Context()); err != nil || len(w.vexa.Tokens()) != 0 {
		t.Errorf("%v, tokens %+v", err, w.vexa.Tokens())
	}
}

// S5: the provider takes away what a key is being minted for: who asked for it as they were gets none.
func TestShrunkWhileMinting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rule(
		rule.Rule{
			Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
			Grant: &rule.GrantSpec{Scopes: []string{"tx"}},
		},
		rule.Rule{
			Name: "hosts", Match: rule.Match{Groups: []string{"hosts"}},
			Grant: &rule.GrantSpec{Scopes: []string{"bot"}},
		},
	)
	elsewhere := w.replica()
	a := w.replica(func(_ *mapping.Config, d *mapping.Deps) {
		d.Vexa = &wires{VexaAdmin: d.Vexa, step: func(at string) error {
			if at == "after Mint" {
				w.signIn(elsewhere, person("ada"))
			}
			return nil
		}}
	})
	host := person("ada")
	host.Groups = []string{"hosts", "staff"}
	acc := w.signIn(a, host)
	if secret, _, err := w.key(a, acc); code(err) != mapping.CodeScopeMissing || secret != "" {
		t.Errorf("%v", err)
	}
	if _, err := a.DeleteRevoked(t.Context()); err != nil || len(w.vexa.Tokens()) != 0 {
		t.Errorf("%v, tokens %+v", err, w.vexa.Tokens())
	}
}

// S6: a mint that takes longer than its lease cannot make its key usable, even when another has minted
// meanwhile.
func TestMintThatLostItsLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quick := w.replica()
	var acc mapping.Account
	slow := w.replica(func(_ *mapping.Config, d *mapping.Deps) {
		d.Vexa = &wires{VexaAdmin: d.Vexa, step: func(at string) error {
			if at == "after Mint" {
				w.clock.advance(time.Minute)
				w.mustKey(quick, acc)
			}
			return nil
		}}
	})
	acc = w.signIn(slow, person("ada"))
	if _, _, err := w.key(slow, acc); code(err) != mapping.CodeVexaUnavailable {
		t.Errorf("%v", err)
	}
	secret, _ := w.mustKey(slow, acc)
	if _, err := slow.DeleteRevoked(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tokens := w.vexa.Tokens(); len(tokens) != 1 || tokens[0].Secret != secret {
		t.Errorf("%+v", tokens)
	}
}

// S6: a key whose intent was cleaned up meanwhile is not made usable: its token may be gone.
func TestIntentCleanedUpWhileMinting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica(func(_ *mapping.Config, d *mapping.Deps) {
		d.Vexa = &wires{VexaAdmin: d.Vexa, step: func(at string) error {
			if at == "after Mint" {
				intent := w.keys(mapping.KeyMinting)[0]
				return w.store.Update(t.Context(), func(tx mapping.Tx) error {
					return tx.DeleteKey(intent.ID)
				})
			}
			return nil
		}}
	})
	if _, _, err := w.key(a, w.signIn(a, person("ada"))); code(err) != mapping.CodeVexaUnavailable {
		t.Errorf("%v", err)
	}
	if _, err := a.DeleteRevoked(t.Context()); err != nil || len(w.vexa.Tokens()) != 0 ||
		len(w.keys(mapping.KeyActive)) != 0 {
		t.Errorf("%v, tokens %+v", err, w.vexa.Tokens())
	}
}

// V11: what the gateway says of a key is found out about before it costs the key.
func TestKeyGone(t *testing.T) {
	t.Parallel()
	for _, generation := range generations {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vexatest.Generation(generation))
			a := w.replica()
			acc := w.signIn(a, person("ada"))
			secret, id := w.mustKey(a, acc)

			if gone, err := a.KeyGone(t.Context(), id); gone || err != nil {
				t.Errorf("a good key: %v, %v", gone, err)
			}
			w.vexa.Set(vexatest.AdminAPI, vexatest.Down)
			if gone, err := a.KeyGone(t.Context(), id); gone || code(err) != mapping.CodeVexaUnavailable {
				t.Errorf("nobody knows: %v, %v", gone, err)
			}
			if again, _ := w.mustKey(a, acc); again != secret {
				t.Error("doubt cost the key")
			}
			w.vexa.Set(vexatest.AdminAPI, vexatest.Up)

			w.vexa.RevokeToken(w.vexa.Tokens()[0].ID)
			for range 2 { // the second of many who noticed
				if gone, err := a.KeyGone(t.Context(), id); !gone || err != nil {
					t.Errorf("a deleted key: %v, %v", gone, err)
				}
			}
			if again, _ := w.mustKey(a, acc); again == secret || len(w.vexa.Tokens()) != 1 {
				t.Error("no new key")
			}
		})
	}
}

func TestRevokeKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	first, id := w.mustKey(a, acc)
	if err := a.RevokeKey(t.Context(), id, "leaked", "grace"); err != nil {
		t.Fatal(err)
	}
	if second, _ := w.mustKey(a, acc); second == first {
		t.Error("still in use")
	}
	if err := a.RevokeKey(t.Context(), "nobody", "leaked", "grace"); !errors.Is(err, mapping.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	// Only the kick of a revocation wakes the work up: no interval ever ends, but the moment that work rests.
	a := w.replica(func(_ *mapping.Config, d *mapping.Deps) {
		d.After = func(d time.Duration) <-chan time.Time {
			if d > time.Second {
				return nil
			}
			return time.After(d)
		}
	})
	deleted := w.vexa.Inject(vexatest.Fault{Method: "DELETE", Effect: vexatest.CutAfter})
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	acc := w.signIn(a, person("ada"))
	w.mustKey(a, acc)
	if err := a.Revoke(t.Context(), suspend(acc), "grace"); err != nil {
		t.Fatal(err)
	}
	if err := deleted.Wait(oidctest.Within(t), 1); err != nil {
		t.Errorf("nobody deleted the key: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
