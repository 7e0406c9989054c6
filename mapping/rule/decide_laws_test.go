package rule

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vexa-sso/oidc"
)

// A small world, so that rules and identities meet often.
var (
	someProviders = []string{"okta", "entra"}
	someGroups    = []string{"a", "b", "c"}
	someDomains   = []string{"acme.example", "partner.example"}
	someWhens     = []string{
		"", "", "",
		`identity.email.endsWith("@acme.example")`,
		`"a" in identity.groups`,
		`!("b" in identity.groups) || identity.provider == "okta"`,
		`identity.claims.level > 1`,
		`identity.claims.level`,
		`has(identity.claims.level)`,
	}
	someRoutes = []string{"PUT /user/webhook", "DELETE /recordings/{id}", "POST /bots"}
)

func subset[T any](t *rapid.T, name string, values []T) []T {
	var some []T
	for _, v := range values {
		if rapid.Bool().Draw(t, name) {
			some = append(some, v)
		}
	}
	return some
}

func genMatch(t *rapid.T) Match {
	return Match{
		Providers: subset(t, "providers", someProviders),
		Groups:    subset(t, "groups", someGroups),
		Roles:     subset(t, "roles", []string{"r"}),
		Domains:   subset(t, "domains", someDomains),
		Kind:      subset(t, "kind", []oidc.Kind{oidc.User, oidc.Service}),
	}
}

func genGrant(t *rapid.T) Rule {
	m := genMatch(t)
	r := Rule{Match: m, When: rapid.SampledFrom(someWhens).Draw(t, "when")}
	if m.Providers == nil && m.Groups == nil && m.Roles == nil && m.Domains == nil && r.When == "" {
		r.Match.Providers = someProviders
	}
	r.Grant = &GrantSpec{
		Scopes: append(subset(t, "scopes", grantable), "tx"),
		Admin:  rapid.Bool().Draw(t, "admin"),
		KeyLifetime: rapid.SampledFrom([]time.Duration{0, time.Hour, 8 * time.Hour, 48 * time.Hour}).
			Draw(t, "lifetime"),
		VexaEmail: rapid.SampledFrom([]string{
			"", "", "", "x@acme.example", `= identity.claims.team + "@acme.example"`,
			`= identity.groups[0] + "@acme.example"`,
		}).Draw(t, "vexa_email"),
		DenyRoutes: subset(t, "deny_routes", someRoutes),
		DenyTools:  subset(t, "deny_tools", []string{"delete_*", "stop_bot"}),
	}
	if n := rapid.IntRange(-1, 3).Draw(t, "bots"); n >= 0 {
		r.Grant.MaxConcurrentBots = new(n)
	}
	return r
}

func genDeny(t *rapid.T) Rule {
	return Rule{Match: genMatch(t), When: rapid.SampledFrom(someWhens).Draw(t, "when"), Deny: "No."}
}

func genRules(t *rapid.T) []Rule {
	var rules []Rule
	for i := range rapid.IntRange(0, 5).Draw(t, "n") {
		r := genGrant(t)
		if rapid.IntRange(0, 4).Draw(t, "deny") == 0 {
			r = genDeny(t)
		}
		r.Name = fmt.Sprint("rule", i)
		r.Shadow = rapid.IntRange(0, 5).Draw(t, "shadow") == 0
		rules = append(rules, r)
	}
	return rules
}

func genIdentity(t *rapid.T) oidc.Identity {
	id := oidc.Identity{
		Provider: rapid.SampledFrom(someProviders).Draw(t, "provider"),
		Kind:     rapid.SampledFrom([]oidc.Kind{oidc.User, oidc.User, oidc.Service}).Draw(t, "kind"),
		Email: rapid.SampledFrom([]string{"", "ada@acme.example", "ada@acme.example", "eve@partner.example"}).
			Draw(t, "email"),
		Groups:         subset(t, "groups", someGroups),
		GroupsComplete: rapid.IntRange(0, 3).Draw(t, "groups complete") > 0,
		Roles:          subset(t, "roles", []string{"r"}),
		Claims:         map[string]any{},
	}
	if rapid.Bool().Draw(t, "has level") {
		id.Claims["level"] = rapid.SampledFrom([]any{1.0, 2.0, true, "x"}).Draw(t, "level")
	}
	if rapid.Bool().Draw(t, "has team") {
		id.Claims["team"] = rapid.SampledFrom([]any{"x", "y@z", 1.0}).Draw(t, "team")
	}
	return id
}

func decide(t *rapid.T, rules []Rule, id oidc.Identity) Decision {
	compiled, problems := Compile(rules)
	if problems != nil {
		t.Fatalf("%v\n%+v", problems, rules)
	}
	return compiled.Decide(id)
}

func named(name string, r Rule) Rule {
	r.Name = name
	return r
}

// atMost says how a grant is more than another, or nothing. A number of bots is compared only where both say
// one: none leaves what Vexa has.
func atMost(a, b Grant) string {
	switch {
	case a.VexaEmail != b.VexaEmail:
		return "another Vexa user"
	case !b.Scopes.Covers(a.Scopes):
		return "more scopes"
	case a.Admin && !b.Admin:
		return "admin"
	case a.KeyLifetime > b.KeyLifetime:
		return "a longer lifetime"
	case a.MaxConcurrentBots != nil && b.MaxConcurrentBots != nil &&
		*a.MaxConcurrentBots > *b.MaxConcurrentBots:
		return "more bots"
	case a.VexaEmailComputed != b.VexaEmailComputed && !a.VexaEmailComputed:
		return "adoption"
	}
	for _, route := range b.DenyRoutes {
		if !slices.Contains(a.DenyRoutes, route) {
			return "route " + route
		}
	}
	for _, tool := range b.DenyTools {
		if !slices.Contains(a.DenyTools, tool) {
			return "tool " + tool
		}
	}
	return ""
}

func law(t *testing.T, name string, prove func(*rapid.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, prove)
	})
}

func TestDecisionLaws(t *testing.T) { // S1 S3 E13
	t.Parallel()

	law(t, "the order of rules does not matter", func(t *rapid.T) {
		rules, id := genRules(t), genIdentity(t)
		a := decide(t, rules, id)
		b := decide(t, rapid.Permutation(slices.Clone(rules)).Draw(t, "order"), id)
		byName := func(d Decision) []Result {
			return slices.SortedFunc(slices.Values(d.Rules), func(a, b Result) int {
				return strings.Compare(a.Rule, b.Rule)
			})
		}
		a.Rules, b.Rules = byName(a), byName(b)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Error(diff)
		}
	})

	law(t, "the same question has the same answer", func(t *rapid.T) {
		rules, id := genRules(t), genIdentity(t)
		if diff := cmp.Diff(decide(t, rules, id), decide(t, rules, id)); diff != "" {
			t.Error(diff)
		}
	})

	law(t, "one more grant takes nothing away but by naming another user", func(t *rapid.T) {
		rules, id := genRules(t), genIdentity(t)
		before := decide(t, rules, id)
		after := decide(t, append(rules, named("more", genGrant(t))), id)
		switch {
		case !before.Allowed || after.Code == CodeConflictingUsers:
		case !after.Allowed:
			t.Errorf("refused: %s", after.Reason)
		case before.Grant.VexaEmail != after.Grant.VexaEmail ||
			!after.Grant.Scopes.Covers(before.Grant.Scopes) || before.Grant.Admin && !after.Grant.Admin:
			t.Errorf("%+v became %+v", before.Grant, after.Grant)
		}
	})

	law(t, "one more deny gives nothing", func(t *rapid.T) {
		rules, id := genRules(t), genIdentity(t)
		before := decide(t, rules, id)
		after := decide(t, append(rules, named("more", genDeny(t))), id)
		if after.Allowed && (!before.Allowed || cmp.Diff(before.Grant, after.Grant) != "") {
			t.Errorf("%+v became %+v", before, after)
		}
	})

	law(t, "a rule on trial changes nothing", func(t *rapid.T) {
		rules, id := genRules(t), genIdentity(t)
		trial := named("trial", genGrant(t))
		if rapid.Bool().Draw(t, "deny") {
			trial = named("trial", genDeny(t))
		}
		trial.Shadow = true
		before, after := decide(t, rules, id), decide(t, append(rules, trial), id)
		after.Rules = after.Rules[:len(rules)]
		if diff := cmp.Diff(before, after); diff != "" && len(rules) > 0 {
			t.Error(diff)
		}
		if !slices.Equal(before.Matched(), after.Matched()) {
			t.Errorf("matched %q, then %q", before.Matched(), after.Matched())
		}
	})

	law(t, "scopes are what the matching rules give, no more and no less", func(t *rapid.T) {
		rules, id := genRules(t), genIdentity(t)
		d := decide(t, rules, id)
		var want Scopes
		for i, r := range d.Rules {
			if r.Matched && !r.Shadow && !r.Deny {
				want = want.Union(NewScopes(rules[i].Grant.Scopes...))
			}
		}
		if d.Allowed && d.Grant.Scopes != want || !d.Allowed && d.Grant.Scopes != "" {
			t.Errorf("scopes %q, want %q", d.Grant.Scopes, want)
		}
	})

	law(t, "a refusal has a code and words and no grant, a permission has a user, scopes and a lifetime",
		func(t *rapid.T) {
			d := decide(t, genRules(t), genIdentity(t))
			if d.Allowed && (d.Code != "" || d.Reason != "" || d.Grant.VexaEmail == "" ||
				d.Grant.Scopes == "" || d.Grant.KeyLifetime < minKeyLifetime) {
				t.Errorf("%+v", d)
			}
			if !d.Allowed && (d.Code == "" || d.Reason == "" || cmp.Diff(Grant{}, d.Grant) != "") {
				t.Errorf("%+v", d)
			}
		})

	// The exception is a conflict, which a rule that cannot be answered does not make.
	law(t, "fewer groups known is not more allowed", func(t *rapid.T) {
		rules, id := genRules(t), genIdentity(t)
		id.GroupsComplete = true
		whole := decide(t, rules, id)
		id.GroupsComplete = false
		id.Groups = subset(t, "known", id.Groups)
		partial := decide(t, rules, id)
		switch {
		case !partial.Allowed || whole.Code == CodeConflictingUsers:
		case !whole.Allowed:
			t.Errorf("allowed, and with all groups refused: %s", whole.Reason)
		default:
			if more := atMost(partial.Grant, whole.Grant); more != "" {
				t.Errorf("%s: %+v, and with all groups %+v", more, partial.Grant, whole.Grant)
			}
		}
	})
}

func TestDecideConcurrently(t *testing.T) {
	t.Parallel()
	var rules []Rule
	for i, when := range someWhens {
		rules = append(rules, Rule{
			Name: fmt.Sprint(i), Match: Match{Providers: someProviders}, When: when,
			Grant: &GrantSpec{Scopes: []string{"tx"}},
		})
	}
	compiled := compile(t, rules...)
	id := oidc.Identity{
		Provider: "okta", Kind: oidc.User, Email: "ada@acme.example", GroupsComplete: true,
		Claims: map[string]any{"level": 2.0},
	}
	want := compiled.Decide(id)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if diff := cmp.Diff(want, compiled.Decide(id)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	wg.Wait()
}
