package mapping_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc"
)

func asError(err error) (*mapping.Error, bool) { return errors.AsType[*mapping.Error](err) }

var generations = []string{vexatest.Generation012, vexatest.Generation010}

func TestSignInBindsToANewUser(t *testing.T) {
	t.Parallel()
	for _, generation := range generations {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vexatest.Generation(generation))
			a := w.replica()
			acc := w.signIn(a, person("ada"))
			user, ok := w.vexa.User("ada@acme.example")
			if !ok || acc.VexaUserID != user.ID || acc.Status != mapping.Active || acc.Intended ||
				acc.VexaEmail != user.Email || user.Name != "Ada" {
				t.Errorf("%+v is bound to %+v", acc, user)
			}
			again := w.signIn(a, person("ada"))
			if again.ID != acc.ID || again.VexaUserID != acc.VexaUserID || w.vexa.Calls().CreateUser != 1 {
				t.Errorf("second sign-in: %+v", again)
			}
		})
	}
}

func TestRefusedSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	stranger := person("mallory")
	stranger.Groups = nil
	acc, d, err := a.SignIn(t.Context(), stranger, "")
	if err != nil || d.Allowed || d.Code != rule.CodeNotMapped || acc.ID != "" {
		t.Errorf("a stranger: %+v, %+v, %v", acc, d, err)
	}
	// Who had access and lost it keeps the account, learns why, and holds no key any more (D9).
	had := w.signIn(a, person("ada"))
	w.mustKey(a, had)
	lost := person("ada")
	lost.Groups = []string{"alumni"}
	acc, d, err = a.SignIn(t.Context(), lost, "")
	if err != nil || d.Allowed || acc.ID != had.ID || len(acc.Identity.Groups) != 1 ||
		acc.Identity.Groups[0] != "alumni" {
		t.Errorf("no longer staff: %+v, %+v, %v", acc, d, err)
	}
	if active := w.keys(mapping.KeyActive); len(active) != 0 {
		t.Errorf("keys left: %v", active)
	}
	if a.Decide(w.account(had.ID)).Allowed {
		t.Error("the account is still judged by its old groups")
	}
}

// S3: who may have a Vexa user that we did not make.
func TestAdoption(t *testing.T) {
	t.Parallel()
	const adopted, waits = mapping.Active, mapping.Pending
	tests := []struct {
		name   string
		id     func(*oidc.Identity)
		adopt  string
		rule   string // vexa_email
		status mapping.Status
	}{
		{name: "a proven email in a trusted domain", status: adopted},
		{name: "adopt_existing is never", adopt: mapping.AdoptNever, status: waits},
		{name: "proven, but not in a trusted domain", id: func(id *oidc.Identity) {
			id.EmailTrusted = false
		}, status: waits},
		{name: "an address from a rule", rule: "ada@acme.example", status: waits},
		{
			name: "an address that a rule computes from the proven email",
			rule: "= identity.email", status: waits,
		},
		{
			name: "E1: another tenant claims the address", rule: `= identity.claims.team + "@acme.example"`,
			id: func(id *oidc.Identity) {
				id.Email, id.UnprovenEmail, id.EmailTrusted, id.Claims = "", "ada@acme.example",
					false, map[string]any{"team": "ada"}
			}, status: waits,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			existing := w.vexa.AddUser("ada@acme.example", "Ada")
			if tt.rule != "" {
				w.rule(rule.Rule{
					Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
					Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}, VexaEmail: tt.rule},
				})
			}
			a := w.replica(func(c *mapping.Config, _ *mapping.Deps) { c.AdoptExisting = tt.adopt })
			id := person("ada")
			if tt.id != nil {
				tt.id(&id)
			}
			acc := w.signIn(a, id)
			if acc.Status != tt.status || acc.Bound() != (tt.status == adopted) {
				t.Fatalf("%+v", acc)
			}
			_, _, err := w.key(a, acc)
			if tt.status == adopted {
				if acc.VexaUserID != existing.ID || err != nil {
					t.Errorf("adopted %d, not %d; %v", acc.VexaUserID, existing.ID, err)
				}
				return
			}
			if code(err) != mapping.CodePendingApproval || acc.Reason == "" || len(w.vexa.Tokens()) != 0 {
				t.Errorf("%v, %d tokens, reason %q", err, len(w.vexa.Tokens()), acc.Reason)
			}
			if !strings.Contains(w.log.String(), mapping.EventAccountPending) {
				t.Error("no event says that the account waits")
			}
			if w.vexa.Calls().UsersCreated != 0 {
				t.Error("another user was made")
			}
		})
	}
}

// S3, E11: an address that comes back on another subject, and a user that another identity has.
func TestSecondIdentityWaits(t *testing.T) {
	t.Parallel()
	newHire := person("ada")
	newHire.Subject = "okta:https://acme.okta.com/00unewhire"
	t.Run("bound", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.replica()
		w.signIn(a, person("ada"))
		if acc := w.signIn(a, newHire); acc.Status != mapping.Pending || acc.Bound() {
			t.Errorf("%+v", acc)
		}
	})
	t.Run("suspended", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.replica()
		leaver := w.signIn(a, person("ada"))
		if err := a.Revoke(t.Context(), mapping.Revocation{
			Kind: mapping.RevokeAccount, Account: leaver.ID, Reason: "left",
		}, "scim"); err != nil {
			t.Fatal(err)
		}
		if acc := w.signIn(a, newHire); acc.Status != mapping.Pending {
			t.Errorf("%+v", acc)
		}
	})
	t.Run("neither is bound yet", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.replica()
		w.vexa.Set(vexatest.AdminAPI, vexatest.Down)
		first := w.signIn(a, person("ada"))
		w.clock.advance(time.Second)
		second := w.signIn(a, newHire)
		w.vexa.Set(vexatest.AdminAPI, vexatest.Up)
		if _, _, err := w.key(a, second); code(err) != mapping.CodePendingApproval {
			t.Errorf("the second: %v", err)
		}
		if _, _, err := w.key(a, first); err != nil {
			t.Errorf("the first: %v", err)
		}
	})
	t.Run("the address of the bound account has changed since", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.replica()
		first := w.signIn(a, person("ada"))
		renamed := person("ada")
		renamed.Email = "ada.lovelace@acme.example"
		if acc := w.signIn(a, renamed); acc.ID != first.ID || acc.VexaUserID != first.VexaUserID ||
			acc.VexaEmail != "ada@acme.example" {
			t.Errorf("renamed: %+v", acc)
		}
		if acc := w.signIn(a, newHire); acc.Status != mapping.Pending {
			t.Errorf("%+v", acc)
		}
	})
	t.Run("the user was given another address at Vexa", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.replica()
		first := w.signIn(a, person("ada"))
		w.vexa.SetUserEmail(first.VexaUserID, "grace@acme.example")
		if acc := w.signIn(a, person("grace")); acc.Status != mapping.Pending || acc.Bound() {
			t.Errorf("%+v", acc)
		}
	})
	t.Run("an admin approves", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.replica()
		first := w.signIn(a, person("ada"))
		second := w.signIn(a, newHire)
		acc, err := a.Approve(t.Context(), second.ID, "grace")
		if err != nil || acc.VexaUserID != first.VexaUserID || acc.Status != mapping.Active {
			t.Fatalf("%+v, %v", acc, err)
		}
		w.mustKey(a, acc)
		if _, err := a.Approve(t.Context(), second.ID, "grace"); err == nil {
			t.Error("approved twice")
		}
	})
}

// S10: Vexa down is no error of signing in; the first use binds.
func TestSignInWhileVexaIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	w.vexa.Set(vexatest.AdminAPI, vexatest.Down)
	acc := w.signIn(a, person("ada"))
	if acc.Bound() || acc.Status != mapping.Active {
		t.Fatalf("%+v", acc)
	}
	_, _, err := w.key(a, acc)
	if e, _ := asError(err); code(err) != mapping.CodeVexaUnavailable || e.RetryAfter <= 0 {
		t.Errorf("%v", err)
	}
	w.vexa.Set(vexatest.AdminAPI, vexatest.Up)
	w.mustKey(a, acc)
	if got := w.account(acc.ID); !got.Bound() {
		t.Errorf("%+v", got)
	}
}

// The answer to our create is lost, or a 500, before or after the user was stored: the user is ours all the
// same.
func TestCreateWithUnclearOutcome(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]vexatest.Fault{
		"500 before": {Effect: vexatest.FailBefore}, "500 after": {Effect: vexatest.FailAfter},
		"lost":             {Effect: vexatest.CutAfter},
		"500 after, twice": {Effect: vexatest.FailAfter, Times: 2},
		"lost twice":       {Effect: vexatest.CutAfter, Times: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			// An address in no trusted domain may not adopt: what is bound here counts as made by us.
			id := person("ada")
			id.EmailTrusted = false
			a := w.replica()
			fault.Method, fault.Path = "POST", "/admin/users"
			w.vexa.Inject(fault)
			acc := w.signIn(a, id)
			w.mustKey(a, acc)
			if users := w.vexa.Users(); len(users) != 1 || w.account(acc.ID).VexaUserID != users[0].ID {
				t.Errorf("users %+v, account %+v", users, w.account(acc.ID))
			}
		})
	}
}

// A stranger who is quicker by milliseconds owns the user, and so does one who used it before we could ask
// again.
func TestStrangerCreatesTheUserMeanwhile(t *testing.T) {
	t.Parallel()
	id := person("ada")
	id.EmailTrusted = false // may not adopt
	t.Run("before our first attempt", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.replica(before("CreateUser", func() { w.vexa.AddUser("ada@acme.example", "Stranger") }))
		if acc := w.signIn(a, id); acc.Status != mapping.Pending || acc.Intended {
			t.Errorf("%+v", acc)
		}
	})
	t.Run("after an attempt that never reached Vexa", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.replica()
		w.vexa.Inject(vexatest.Fault{
			Method: "POST", Path: "/admin/users", Effect: vexatest.FailBefore, Times: 2,
		})
		acc := w.signIn(a, id)
		if !w.account(acc.ID).Intended {
			t.Fatal("the intent is not written")
		}
		stranger := w.vexa.AddUser("ada@acme.example", "Stranger")
		w.vexa.AddToken(stranger.ID, "terminal-login", 0, "bot")
		if _, _, err := w.key(a, acc); code(err) != mapping.CodePendingApproval {
			t.Errorf("%v", err)
		}
		if tokens := w.vexa.Tokens(); len(tokens) != 1 {
			t.Errorf("%d tokens", len(tokens))
		}
	})
}

// before runs fn before the replica's calls of that method of Vexa's.
func before(method string, fn func()) func(*mapping.Config, *mapping.Deps) {
	return func(_ *mapping.Config, d *mapping.Deps) {
		d.Vexa = &wires{VexaAdmin: d.Vexa, step: func(at string) error {
			if at == "before "+method {
				fn()
			}
			return nil
		}}
	}
}

func TestAddressThatVexaCannotHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t, vexatest.Generation(vexatest.Generation010))
	id := person("ada")
	id.Email = "ada@corp.local" // 0.10 refuses such domains
	a := w.replica()
	acc := w.signIn(a, id)
	if acc.Status != mapping.Pending || acc.Reason == "" {
		t.Fatalf("%+v", acc)
	}
	// With another address it is looked at afresh.
	id.Email = "ada@acme.example"
	if acc := w.signIn(a, id); acc.Status != mapping.Active || !acc.Bound() {
		t.Errorf("%+v", acc)
	}
}

func TestWrongAdminToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, err := vexa.New(vexa.Config{
		GatewayURL: w.vexa.GatewayURL, AdminURL: w.vexa.AdminURL, AdminToken: "wrong",
	})
	if err != nil {
		t.Fatal(err)
	}
	a := w.replica(func(_ *mapping.Config, d *mapping.Deps) { d.Vexa = c })
	_, _, err = w.key(a, w.signIn(a, person("ada")))
	if e, _ := asError(err); code(err) != mapping.CodeVexaUnavailable ||
		!strings.Contains(e.Remedy, "ADMIN_API_TOKEN") {
		t.Errorf("%v", err)
	}
}
