package mapping_test

import (
	"slices"
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	team := w.vexa.AddUser("team@acme.example", "Team")
	if _, _, err := a.Pin(t.Context(), person("tim").Subject, "team@acme.example", "grace"); err != nil {
		t.Fatal(err)
	}
	acc := w.signIn(a, person("ada"))
	w.rule(rule.Rule{
		Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
		Grant: &rule.GrantSpec{Scopes: []string{"tx"}, VexaEmail: "other@acme.example"},
	})
	for name, want := range map[string]struct {
		email, why string
		user       int64
	}{
		"ada":   {"ada@acme.example", "bound to it, whatever rules say by now", acc.VexaUserID},
		"tim":   {"team@acme.example", "pinned by grace", team.ID},
		"grace": {"other@acme.example", "named by a rule; one that exists already waits for an admin", 0},
	} {
		e, err := a.Explain(t.Context(), person(name))
		if err != nil || !e.Allowed || e.VexaEmail != want.email || e.VexaUserID != want.user ||
			e.VexaWhy != want.why || len(e.Rules) != 1 {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	stranger := person("mallory")
	stranger.Groups = nil
	if e, err := a.Explain(t.Context(), stranger); err != nil || e.Allowed || e.Code != rule.CodeNotMapped ||
		e.Grant != nil || e.VexaEmail != "" {
		t.Errorf("%+v, %v", e, err)
	}
	if len(w.vexa.Users()) != 2 {
		t.Errorf("explaining has made users: %+v", w.vexa.Users())
	}
}

func TestCompareRules(t *testing.T) {
	t.Parallel()
	compile := func(rules ...rule.Rule) *rule.Rules {
		compiled, problems := rule.Compile(rules)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return compiled
	}
	staff := func(change func(*rule.GrantSpec)) *rule.Rules {
		g := rule.GrantSpec{Scopes: []string{"bot", "tx"}}
		change(&g)
		return compile(rule.Rule{Name: "staff", Match: rule.Match{Groups: []string{"staff"}}, Grant: &g})
	}
	plain := staff(func(*rule.GrantSpec) {})
	nobody := compile(rule.Rule{Name: "none", Match: rule.Match{Groups: []string{"staff"}}, Deny: "Closed."})
	three := 3
	for _, test := range []struct {
		name    string
		is      *rule.Rules
		account mapping.Account
		change  string
		what    []string
	}{
		{"the same", plain, mapping.Account{}, "", nil},
		{"denied", nobody, mapping.Account{}, mapping.Loses, []string{"bot,tx", "Closed."}},
		{"fewer scopes", staff(func(g *rule.GrantSpec) {
			g.Scopes = []string{"tx"}
		}), mapping.Account{}, mapping.Changes, []string{"scopes bot,tx -> tx"}},
		{"bots", staff(func(g *rule.GrantSpec) {
			g.MaxConcurrentBots = &three
		}), mapping.Account{}, mapping.Changes, []string{"max_concurrent_bots Vexa's own -> 3"}},
		{"admin", staff(func(g *rule.GrantSpec) {
			g.Admin = true
		}), mapping.Account{}, mapping.Changes, []string{"admin false -> true"}},
		{"a route", staff(func(g *rule.GrantSpec) {
			g.DenyRoutes = []string{"PUT /user/webhook"}
		}), mapping.Account{}, mapping.Changes, []string{"closes PUT /user/webhook"}},
		{"a tool", staff(func(g *rule.GrantSpec) {
			g.DenyTools = []string{"delete_*"}
		}), mapping.Account{}, mapping.Changes, []string{"closes the tool delete_*"}},
		{"another user", staff(func(g *rule.GrantSpec) {
			g.VexaEmail = "x@acme.example"
		}), mapping.Account{}, mapping.Changes, []string{"vexa_email ada@acme.example -> x@acme.example"}},
		{"another user of one that is bound", staff(func(g *rule.GrantSpec) {
			g.VexaEmail = "x@acme.example"
		}), mapping.Account{VexaUserID: 7}, "", nil},
		{"another user of one that is pinned", staff(func(g *rule.GrantSpec) {
			g.VexaEmail = "x@acme.example"
		}), mapping.Account{Pinned: true, VexaEmail: "team@acme.example"}, "", nil},
	} {
		test.account.Identity = person("ada")
		changes := mapping.CompareRules([]mapping.Account{test.account}, plain, test.is)
		if test.change == "" {
			if len(changes) != 0 {
				t.Errorf("%s: %+v", test.name, changes)
			}
			continue
		}
		if len(changes) != 1 || changes[0].Change != test.change ||
			!slices.Equal(changes[0].What, test.what) {
			t.Errorf("%s: %+v", test.name, changes)
		}
		back := mapping.CompareRules([]mapping.Account{test.account}, test.is, plain)
		if test.change == mapping.Loses && (len(back) != 1 || back[0].Change != mapping.Gains) {
			t.Errorf("%s, the other way: %+v", test.name, back)
		}
	}
}

// An email that several identities have names none of them (S3).
func TestFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	ada := w.signIn(a, person("ada"))
	for _, who := range []string{ada.ID, ada.Subject, "ADA@acme.example", " " + ada.ID + " "} {
		if got, err := a.Find(t.Context(), who); err != nil || got.ID != ada.ID {
			t.Errorf("%q: %+v, %v", who, got, err)
		}
	}
	twin := person("twin")
	twin.Email = "ada@acme.example"
	w.signIn(a, twin)
	if _, err := a.Find(t.Context(), "ada@acme.example"); !objection(err) {
		t.Errorf("two of them: %v", err)
	}
	for _, who := range []string{"", "nobody", "nobody@acme.example", "@"} {
		if _, err := a.Find(t.Context(), who); err == nil || objection(err) {
			t.Errorf("%q: %v", who, err)
		}
	}
}
