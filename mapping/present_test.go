package mapping_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// shown is an access token that a provider issued at that time.
func shown(id oidc.Identity, issued time.Time) oidc.AccessToken {
	return oidc.AccessToken{
		Identity: id, Audience: "api://vexa", ClientID: "0oaclient", IssuedAt: issued.Truncate(time.Second),
		ExpiresAt: issued.Add(time.Hour),
	}
}

// program is the identity of a program that acts for itself.
func program(name string) oidc.Identity {
	return oidc.Identity{
		Provider: "okta", Subject: "okta:https://acme.okta.com/client/" + name,
		Kind: oidc.Service, GroupsComplete: true,
		Claims: map[string]any{"cid": name, "iat": 1.0, "exp": 2.0, "jti": "AT.1"},
	}
}

// present shows a token that is expected to stand for an account.
func (w *world) present(a *mapping.Accounts, t oidc.AccessToken) mapping.Account {
	w.t.Helper()
	acc, err := a.Present(w.t.Context(), t)
	if err != nil {
		w.t.Fatalf("present: %v", err)
	}
	return acc
}

// The account of a token is made as at a sign-in, and is the one of the sign-in.
func TestPresentMakesTheAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.present(a, shown(person("ada"), w.clock.Now()))
	if !acc.Bound() || acc.Kind != oidc.User || a.Decide(acc).Grant.Scopes != "bot,tx" ||
		!acc.ProvenAt.Equal(w.clock.Now()) {
		t.Errorf("%+v", acc)
	}
	if signedIn := w.signIn(a, person("ada")); signedIn.ID != acc.ID {
		t.Errorf("signed in as %s", signedIn.ID)
	}
	if again := w.present(w.replica(), shown(person("ada"), w.clock.Now())); again.ID != acc.ID {
		t.Errorf("came back as %s", again.ID)
	}
	w.mustKey(a, acc)
	mallory := person("mallory")
	mallory.Groups = nil
	if acc, err := a.Present(t.Context(),
		shown(mallory, w.clock.Now())); mustCode(err) != rule.CodeNotMapped || acc.ID != "" {
		t.Errorf("%+v, %v", acc, err)
	}
	silent := mallory
	silent.GroupsComplete, silent.GroupsProblem = false, "The access token does not list groups."
	if _, err := a.Present(t.Context(),
		shown(silent, w.clock.Now())); mustCode(err) != rule.CodeGroupsIncomplete {
		t.Errorf("%v", err)
	}
	w.view(func(tx mapping.Tx) error {
		all, err := tx.AccountsAfter(mapping.Place{}, 10)
		if len(all) != 1 {
			t.Errorf("%d accounts", len(all))
		}
		return err
	})
}

// Two tokens of somebody new, on two replicas at the same moment: one account, one Vexa user.
func TestPresentRace(t *testing.T) {
	t.Parallel()
	for _, id := range []oidc.Identity{person("ada"), program("nightly")} {
		w := newWorld(t)
		w.rule(rule.Rule{Name: "okta", Match: rule.Match{
			Providers: []string{"okta"}, Kind: []oidc.Kind{oidc.User, oidc.Service},
		}, Grant: &rule.GrantSpec{Scopes: []string{"tx"}, VexaEmail: "x@acme.example"}})
		replicas := []*mapping.Accounts{w.replica(), w.replica()}
		ids := make([]string, 10)
		var asking errgroup.Group
		for i := range ids {
			asking.Go(func() error {
				acc, err := replicas[i%2].Present(t.Context(), shown(id, w.clock.Now()))
				ids[i] = acc.ID
				return err
			})
		}
		if err := asking.Wait(); err != nil {
			t.Fatal(err)
		}
		if len(slices.Compact(ids)) != 1 || len(w.vexa.Users()) != 1 {
			t.Errorf("%v, %d users", ids, len(w.vexa.Users()))
		}
	}
}

// A program is who its newest token says; what its tokens say anew each time is no news.
func TestPresentService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rule(
		rule.Rule{
			Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
			Grant: &rule.GrantSpec{Scopes: []string{"bot"}},
		},
		rule.Rule{Name: "jobs", Match: rule.Match{
			Kind: []oidc.Kind{oidc.Service}, Roles: []string{"Transcripts.Read"},
		}, Grant: &rule.GrantSpec{Scopes: []string{"tx"}, VexaEmail: "jobs@acme.example"}},
	)
	writes := 0
	a := w.replica(func(_ *mapping.Config, deps *mapping.Deps) {
		deps.Store = &disk{Store: deps.Store, step: func(at string) error {
			if at == "before Update" {
				writes++
			}
			return nil
		}}
	})
	id := program("nightly")
	// rules about people are not for programs
	id.Roles, id.Groups = []string{"Transcripts.Read"}, []string{"staff"}
	acc := w.present(a, shown(id, w.clock.Now()))
	if g := a.Decide(acc).Grant; g.Scopes != "tx" || acc.Kind != oidc.Service || acc.Presented {
		t.Fatalf("%+v has %+v", acc, g)
	}
	w.mustKey(a, acc)

	heard := listen(t, w)
	writes = 0
	id.Claims = map[string]any{"cid": "nightly", "iat": 100.0, "exp": 200.0, "jti": "AT.2"}
	w.clock.advance(59 * time.Second)
	if w.present(a, shown(id, w.clock.Now())); writes != 0 {
		t.Errorf("%d writes for nothing new", writes)
	}
	w.clock.advance(time.Second)
	if acc = w.present(a, shown(id, w.clock.Now())); writes != 1 || !acc.ProvenAt.Equal(w.clock.Now()) ||
		!w.account(acc.ID).ProvenAt.Equal(w.clock.Now()) {
		t.Errorf("%d writes after a minute; proven at %s", writes, acc.ProvenAt)
	}
	heard.mu.Lock()
	if len(heard.heard) != 0 {
		t.Errorf("all replicas are told of nothing new: %+v", heard.heard)
	}
	heard.mu.Unlock()

	id.Roles = nil // taken away at the provider: the next token says so
	if acc = w.present(a, shown(id, w.clock.Now())); a.Decide(acc).Allowed {
		t.Error("still allowed")
	}
	heard.wait(t, func(r mapping.Revocation) bool {
		return r.Kind == mapping.RevokeGrant && r.Account == acc.ID
	})
	if len(w.live(acc)) != 0 {
		t.Errorf("keys of %v", w.live(acc))
	}
}

// Accounts that get nothing get nothing by a token. Where all was ended, a person has to come by themselves;
// a program's next token is how it comes.
func TestPresentWithoutStanding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rule(rule.Rule{Name: "okta", Match: rule.Match{
		Providers: []string{"okta"}, Kind: []oidc.Kind{oidc.User, oidc.Service},
	}, Grant: &rule.GrantSpec{Scopes: []string{"tx"}, VexaEmail: "x@acme.example"}})
	a := w.replica()
	for _, id := range []oidc.Identity{person("ada"), program("nightly")} {
		acc := w.present(a, shown(id, w.clock.Now()))
		if acc.Status == mapping.Pending { // the second one has no user of its own
			t.Fatal(acc.Reason)
		}
		w.rule(rule.Rule{Name: "okta", Match: rule.Match{
			Providers: []string{"okta"}, Kind: []oidc.Kind{oidc.User, oidc.Service},
		}, Grant: &rule.GrantSpec{Scopes: []string{"tx"}, VexaEmail: "y@acme.example"}})
		if err := a.Revoke(t.Context(), suspend(acc), "grace"); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Hour)
		if _, err := a.Present(
			t.Context(), shown(id, w.clock.Now()),
		); mustCode(err) != mapping.CodeSuspended {
			t.Errorf("%s, suspended: %v", id.Subject, err)
		}
		if err := a.Resume(t.Context(), acc.ID, "grace"); err != nil {
			t.Fatal(err)
		}
		w.present(a, shown(id, w.clock.Now()))
		if err := a.SignOutEverywhere(t.Context(), acc.ID, "lost laptop", "ada"); err != nil {
			t.Fatal(err)
		}
		_, err := a.Present(t.Context(), shown(id, w.clock.Now()))
		if want := id.Kind == oidc.User; (mustCode(err) == mapping.CodeUnauthenticated) != want {
			t.Errorf("%s, signed out: %v", id.Subject, err)
		}
		if id.Kind == oidc.User {
			w.signIn(a, id)
			w.present(a, shown(id, w.clock.Now()))
		}
		pending := w.account(acc.ID)
		pending.Status = mapping.Pending
		if err := w.store.Update(t.Context(), func(tx mapping.Tx) error {
			return tx.PutAccount(pending)
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Present(
			t.Context(), shown(id, w.clock.Now()),
		); mustCode(err) != mapping.CodePendingApproval {
			t.Errorf("%s, pending: %v", id.Subject, err)
		}
		other := id
		other.Kind = map[oidc.Kind]oidc.Kind{oidc.User: oidc.Service, oidc.Service: oidc.User}[id.Kind]
		if _, err := a.Present(t.Context(),
			shown(other, w.clock.Now())); mustCode(err) != mapping.CodeUnauthenticated {
			t.Errorf("%s, as a %s: %v", id.Subject, other.Kind, err)
		}
	}
}

const untold = "The access token does not list groups."

// An access token says less than a sign-in, and sometimes something newer. What it is silent about neither
// gives nor takes, and never gets anybody past a deny.
func TestTokenOverAccount(t *testing.T) {
	t.Parallel()
	// As their tokens come: Okta's with uid, cid and scp, and groups if the authorization server has such a
	// claim; Entra's with oid, tid and scp, app roles, and groups if the API's registration asks for them.
	okta := func(groups ...string) oidc.Identity {
		id := oidc.Identity{
			Provider: "okta", Subject: person("ada").Subject, Kind: oidc.User,
			Groups: groups, GroupsComplete: true, Claims: map[string]any{
				"uid": "00uada", "cid": "0oaclient", "scp": []any{"vexa"}, "sub": "ada@acme.example",
			},
		}
		if groups == nil {
			id.GroupsComplete, id.GroupsProblem = false, untold
		}
		return id
	}
	entra := func(roles []string, groups ...string) oidc.Identity {
		id := okta(groups...)
		id.Roles = roles
		id.Claims = map[string]any{"oid": "ada", "tid": "acme", "azp": "client", "scp": "vexa", "ver": "2.0"}
		return id
	}
	overage := okta()
	overage.Groups, overage.GroupsProblem = []string{"staff"}, "There are too many."

	const denied, unmapped = rule.CodeDeniedByRule, rule.CodeNotMapped
	const doubt = denied // there is a rule that denies a group, and nobody knows
	for _, test := range []struct {
		what  string
		was   []string // the groups of the account, as the provider last said
		token oidc.Identity
		newer string // what comes of a token that was issued after that …
		older string // … before that …
		alone string // … and when the provider has not vouched for the account within max_offline
	}{
		{"Okta, no groups claim", []string{"staff"}, okta(), "tx", "tx", doubt},
		{"Okta, the same groups", []string{"staff"}, okta("staff"), "tx", "tx", "tx"},
		{"Okta, groups more", []string{"staff"}, okta("staff", "hosts"), "bot,tx", "tx", "bot,tx"},
		{"Okta, groups fewer", []string{"staff", "hosts"}, okta("staff"), "tx", "tx", "tx"},
		{
			"Okta, an empty list of groups",
			[]string{"staff"},
			okta([]string{}...), unmapped, unmapped, unmapped,
		},
		{"Okta, groups in excess", []string{"staff", "hosts"}, overage, doubt, doubt, doubt},
		{"Okta, groups that the account has lost", nil, okta("staff"), "tx", unmapped, "tx"},
		{"Okta, silent about a deny", []string{"staff", "contractors"}, okta(), denied, denied, denied},
		{
			"Okta, without the group of a deny",
			[]string{"staff", "contractors"},
			okta("staff"), denied, denied, denied,
		},
		{"Okta, with the group of a deny", []string{"staff"}, okta(
			"staff", "contractors",
		), denied, denied, denied},
		{"Entra, no groups, no roles", []string{"staff"}, entra(nil), "tx", "tx", doubt},
		{"Entra, a role more", []string{"staff"}, entra([]string{"Vexa.Browse"}), "browser,tx", "tx", doubt},
		{"Entra, a role alone", nil, entra([]string{"Vexa.Browse"}), "browser", unmapped, doubt},
		{"Entra, a role and groups", []string{"staff"}, entra(
			[]string{"Vexa.Browse"}, "hosts",
		), "bot,browser", unmapped, "bot,browser"},
		{
			"Entra, a role, silent about a deny",
			[]string{"contractors"},
			entra([]string{"Vexa.Browse"}), denied, denied, denied,
		},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			for age, want := range map[string]string{
				"newer": test.newer, "older": test.older, "alone": test.alone,
			} {
				w := newWorld(t)
				a := w.replica(func(cfg *mapping.Config, _ *mapping.Deps) { cfg.MaxOffline = 6 * time.Hour })
				w.rule(rule.Rule{
					Name: "all", Match: rule.Match{Providers: []string{"okta"}},
					Grant: &rule.GrantSpec{Scopes: []string{"tx"}},
				})
				acc := w.signIn(a, person("ada")) // while anybody might
				w.rule(
					rule.Rule{
						Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
						Grant: &rule.GrantSpec{Scopes: []string{"tx"}, VexaEmail: "ada@acme.example"},
					},
					rule.Rule{
						Name: "hosts", Match: rule.Match{Groups: []string{"hosts"}},
						Grant: &rule.GrantSpec{Scopes: []string{"bot"}, VexaEmail: "ada@acme.example"},
					},
					rule.Rule{
						Name: "browse", Match: rule.Match{Roles: []string{"Vexa.Browse"}},
						Grant: &rule.GrantSpec{Scopes: []string{"browser"}, VexaEmail: "ada@acme.example"},
					},
					rule.Rule{
						Name: "contractors", Match: rule.Match{Groups: []string{"contractors"}},
						Deny: "Contractors may not.",
					},
				)
				id := person("ada")
				id.Groups = test.was
				if _, _, err := a.SignIn(t.Context(), id, ""); err != nil {
					t.Fatal(err)
				}
				before := w.account(acc.ID)
				issued := w.clock.Now().Add(time.Minute)
				if age == "older" {
					issued = w.clock.Now().Add(-10 * time.Minute)
				}
				w.clock.advance(2 * time.Minute)
				if age == "alone" {
					w.clock.advance(6 * time.Hour)
				}
				got, err := a.Present(t.Context(), shown(test.token, issued))
				comes := mustCode(err)
				if err == nil {
					d := a.Decide(got)
					if comes = d.Code; d.Allowed {
						comes = string(d.Grant.Scopes)
					}
				}
				if comes != want {
					t.Errorf("%s: %s, want %s", age, comes, want)
				}
				if after := w.account(acc.ID); fmt.Sprint(after) != fmt.Sprint(before) {
					t.Errorf("%s: the account was rewritten: %+v", age, after)
				}
			}
		})
	}
}

// Nobody gets past a deny because a token does not say what it asks for: where nothing else is known of the
// person, they have to come by themselves once. What the token does tell, and what a sign-in has told, is
// enough.
func TestSilenceIsNoWayAround(t *testing.T) {
	t.Parallel()
	silent := oidc.Identity{
		Provider: "okta", Subject: person("ada").Subject, Kind: oidc.User, GroupsProblem: untold,
		Claims: map[string]any{"uid": "00uada"},
	}
	telling := silent
	telling.Email, telling.Roles, telling.Groups,
		telling.GroupsComplete = "ada@acme.example", []string{"Reader"}, []string{"staff"}, true
	telling.Name, telling.Claims = "Ada", map[string]any{"uid": "00uada", "department": "legal"}
	for what, denial := range map[string]rule.Rule{
		"groups":  {Match: rule.Match{Groups: []string{"contractors"}}},
		"domains": {Match: rule.Match{Domains: []string{"contractor.example"}}},
		"emails":  {Match: rule.Match{Emails: []string{"eve@acme.example"}}},
		"roles":   {Match: rule.Match{Roles: []string{"Blocked"}}},
		"claims":  {Match: rule.Match{Claims: map[string][]string{"department": {"sales"}}}},
		"expression": {
			Match: rule.Match{Providers: []string{"okta"}},
			When:  `identity.email.endsWith("@contractor.example")`,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.replica()
			denial.Name, denial.Deny = "no", "Not you."
			w.rule(denial, rule.Rule{
				Name: "all", Match: rule.Match{Providers: []string{"okta"}},
				Grant: &rule.GrantSpec{Scopes: []string{"tx"}, VexaEmail: "ada@acme.example"},
			})
			is := func(when string, id oidc.Identity, want string) {
				t.Helper()
				acc, err := a.Present(t.Context(), shown(id, w.clock.Now()))
				got := mustCode(err)
				if err == nil {
					got = string(a.Decide(acc).Grant.Scopes)
				}
				if got != want {
					t.Errorf("%s: %s, want %s", when, got, want)
				}
			}
			is("new and silent", silent, rule.CodeDeniedByRule)
			is("new and telling", telling, "tx")
			w.signIn(a, telling)
			is("silent, beside what is known", silent, "tx")
			w.clock.advance(25 * time.Hour)
			is("silent, when that is too long ago", silent, rule.CodeDeniedByRule)
			is("telling, when that is too long ago", telling, "tx")
			other := silent
			other.Kind, other.Subject = oidc.Service, "okta:https://acme.okta.com/client/0oajob"
			if _, err := a.Present(t.Context(),
				shown(other, w.clock.Now())); mustCode(err) != rule.CodeNotMapped {
				t.Errorf("a program is all that its token says: %v", err)
			}
		})
	}
}

// What else a token says goes over what the account has, piece by piece; what it cannot prove does not.
func TestClaimsOverClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	id := person("ada")
	id.Roles, id.Claims = []string{"Reader"}, map[string]any{"department": "sales", "locale": "de"}
	w.signIn(a, id)
	token := oidc.Identity{
		Provider: "okta-api", Subject: id.Subject, Kind: oidc.User,
		UnprovenEmail: "someone@else.example", GroupsProblem: untold,
		Claims: map[string]any{"locale": "en", "scp": "vexa"},
	}
	got := w.present(a, shown(token, w.clock.Now())).Identity
	want := id
	want.Provider, want.Claims = "okta-api", map[string]any{
		"department": "sales", "locale": "en", "scp": "vexa",
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	older := w.present(a, shown(token, w.clock.Now().Add(-time.Hour)))
	if older.Within == nil || older.Within.Claims["locale"] != "de" || older.Within.Claims["scp"] != nil ||
		older.Identity.Claims["locale"] != "en" {
		t.Errorf("what limits an older token is not what the account has: %+v", older.Within)
	}
	token.Email, token.EmailTrusted, token.Name = "ada.l@acme.example", true, "Ada L."
	if got := w.present(a, shown(token, w.clock.Now())).Identity; got.Email != "ada.l@acme.example" ||
		got.Name != "Ada L." {
		t.Errorf("%+v", got)
	}
	if stored := w.account(w.present(
		a, shown(token, w.clock.Now()),
	).ID).Identity; stored.Claims["locale"] != "de" {
		t.Errorf("the account's own claims changed: %v", stored.Claims)
	}
}

// A token that gives less than the account has gets a key of its own, and leaves the session its key; one
// that gives more gets that, while the account keeps what it has.
func TestKeysOfPresentedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rule(
		rule.Rule{
			Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
			Grant: &rule.GrantSpec{Scopes: []string{"tx"}, MaxConcurrentBots: new(1)},
		},
		rule.Rule{
			Name: "hosts", Match: rule.Match{Groups: []string{"hosts"}},
			Grant: &rule.GrantSpec{Scopes: []string{"bot"}, MaxConcurrentBots: new(5)},
		},
	)
	a, b := w.replica(), w.replica()
	both, less, more := person("ada"), person("ada"), person("ada")
	both.Groups, more.Groups = []string{"hosts", "staff"}, []string{"hosts", "staff"}
	acc := w.signIn(a, both)
	whole, _ := w.mustKey(a, acc)
	if narrow, _ := w.mustKey(b, w.present(b, shown(less, w.clock.Now()))); narrow == whole {
		t.Error("the narrow token got the whole key")
	}
	if again, _ := w.mustKey(w.replica(), acc); again != whole {
		t.Error("the session lost its key")
	}
	if user, _ := w.vexa.User("ada@acme.example"); user.MaxConcurrentBots != 5 {
		t.Errorf("a token that says less took bots from its person: %d are left", user.MaxConcurrentBots)
	}
	if got := w.live(acc); !slices.Equal(got, []rule.Scopes{"bot,tx", "tx"}) {
		t.Errorf("keys of %v", got)
	}

	acc = w.signIn(a, less)
	w.clock.advance(time.Minute)
	wider := w.present(b, shown(more, w.clock.Now()))
	first, _ := w.mustKey(b, wider)
	if second, _ := w.mustKey(w.replica(), wider); first != second {
		t.Error("another replica minted again")
	}
	if g := a.Decide(w.account(acc.ID)).Grant; g.Scopes != "tx" {
		t.Errorf("the account has %s", g.Scopes)
	}
	// A caller of another kind than the token's cannot have that key.
	if _, _, _, err := a.Key(t.Context(), acc,
		a.Decide(acc).Grant, "bot,tx"); mustCode(err) != mapping.CodeScopeMissing {
		t.Errorf("%v", err)
	}
	if _, err := a.AccountBySubject(t.Context(), "nobody"); !errors.Is(err, mapping.ErrNotFound) {
		t.Error(err)
	}
}
