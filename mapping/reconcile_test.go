package mapping_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
)

// S6: tokens of ours that nobody knows go; V7: their names tell ours from all others, which stay.
func TestReconcile(t *testing.T) {
	t.Parallel()
	for _, generation := range generations {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vexatest.Generation(generation))
			a := w.replica()
			acc := w.signIn(a, person("ada"))
			secret, id := w.mustKey(a, acc)
			add := func(name string) vexatest.Token {
				return w.vexa.AddToken(acc.VexaUserID, name, 0, "bot", "tx")
			}
			orphan := add("vsso:prod:" + acc.ID + ":unknown")
			twin := add("vsso:prod:somebody:" + id) // our key's id under another's account is not our key
			others := []vexatest.Token{
				add("terminal-login"), add(""), add("vsso:staging:" + acc.ID + ":x"), add("vsso:prod2:a:b"),
				add("vsso:prod"), add("my vsso:prod:a:b"),
			}
			before := len(w.vexa.Tokens())

			dry, err := a.Reconcile(t.Context(), true)
			if err != nil || len(w.vexa.Tokens()) != before || len(dry.Unknown) != 2 || !dry.DryRun {
				t.Fatalf("dry run: %+v, %v", dry, err)
			}
			r, err := a.Reconcile(t.Context(), false)
			if err != nil || r.Accounts != 1 || len(r.Unknown) != 2 ||
				len(r.Missing)+len(r.Intents)+len(r.Revoked)+len(r.Problems)+r.Waiting != 0 {
				t.Errorf("%+v, %v", r, err)
			}
			left := w.vexa.Tokens()
			has := func(id int64) bool {
				return slices.ContainsFunc(left, func(t vexatest.Token) bool { return t.ID == id })
			}
			if has(orphan.ID) || has(twin.ID) || len(left) != before-2 {
				t.Errorf("%+v", left)
			}
			for _, other := range others {
				if !has(other.ID) {
					t.Errorf("%q is gone", other.Name)
				}
			}
			if again, _ := w.mustKey(w.replica(), acc); again != secret {
				t.Error("our own key is gone")
			}
		})
	}
}

func TestReconcileDropsKeysThatVexaDoesNotHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	secret, id := w.mustKey(a, acc)
	w.vexa.RevokeToken(w.vexa.Tokens()[0].ID)
	w.clock.advance(time.Minute)
	if r, err := a.Reconcile(t.Context(), false); err != nil || !slices.Equal(r.Missing, []string{id}) {
		t.Errorf("%+v, %v", r, err)
	}
	if again, _ := w.mustKey(a, acc); again == secret {
		t.Error("a dead key is still given out")
	}
}

// A new name of the instance does not make our keys disappear, nor keeps them alive when they are revoked.
func TestInstanceRenamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	secret, _ := w.mustKey(a, acc)
	renamed := w.replica(func(c *mapping.Config, _ *mapping.Deps) { c.Instance = "production" })
	w.clock.advance(time.Minute)
	if r, err := renamed.Reconcile(t.Context(), false); err != nil || len(r.Missing)+len(r.Unknown) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if again, _ := w.mustKey(renamed, acc); again != secret {
		t.Error("another key")
	}
	if err := renamed.Revoke(t.Context(), suspend(acc), "grace"); err != nil {
		t.Fatal(err)
	}
	if _, err := renamed.DeleteRevoked(t.Context()); err != nil || len(w.vexa.Tokens()) != 0 {
		t.Errorf("%v, tokens %+v", err, w.vexa.Tokens())
	}
}

func TestReconcileWhileVexaIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	w.mustKey(a, w.signIn(a, person("ada")))
	w.vexa.Set(vexatest.AdminAPI, vexatest.Down)
	w.clock.advance(time.Minute)
	r, err := a.Reconcile(t.Context(), false)
	if err != nil || len(r.Problems) != 1 || len(r.Missing) != 0 || len(w.keys(mapping.KeyActive)) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestOneReplicaReconciles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lease, err := w.store.AcquireLease(t.Context(), "reconcile", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	a := w.replica()
	if r, err := a.Reconcile(t.Context(), false); err != nil || !r.Skipped {
		t.Errorf("%+v, %v", r, err)
	}
	if err := w.store.ReleaseLease(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	if r, err := a.Reconcile(t.Context(), false); err != nil || r.Skipped {
		t.Errorf("%+v, %v", r, err)
	}
}

// V7: with the longest name that an instance may have, the name of a key has no more than 100 characters.
func TestLongestKeyName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance := strings.Repeat("x", 32)
	a := w.replica(func(c *mapping.Config, _ *mapping.Deps) { c.Instance = instance })
	acc := w.signIn(a, person("ada"))
	_, id := w.mustKey(a, acc)
	name := w.vexa.Tokens()[0].Name
	if name != "vsso:"+instance+":"+acc.ID+":"+id || len(name) > 100 {
		t.Errorf("%d characters: %s", len(name), name)
	}
}

func TestConfigProblems(t *testing.T) {
	t.Parallel()
	for _, good := range []mapping.Config{
		{Instance: "prod"},
		{Instance: "eu_1-a.b", AdoptExisting: "never"},
		{Instance: strings.Repeat("x", 32)},
		{Instance: "7"},
	} {
		if p := good.Problems(); len(p) != 0 {
			t.Errorf("%+v: %v", good, p)
		}
	}
	for key, bad := range map[string][]mapping.Config{
		"instance": {
			{},
			{Instance: "a:b"},
			{Instance: "a b"},
			{Instance: strings.Repeat("x", 33)},
			{Instance: "prød"},
			{Instance: ".prod"},
			{Instance: "-"},
			{Instance: "prod\n"},
		},
		"adopt_existing": {{Instance: "prod", AdoptExisting: "always"}},
	} {
		for _, c := range bad {
			if p := c.Problems(); len(p) != 1 || p[0].Key != key || p[0].Remedy == "" {
				t.Errorf("%+v: %v", c, p)
			}
		}
	}
}
