package rule

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"vexa-sso/oidc"
)

func TestCompileRefuses(t *testing.T) { // S11 E3 E4 E5
	t.Parallel()
	type refuseCase struct {
		Case     string   `yaml:"case"`
		Rules    []Rule   `yaml:"rules"`
		Problems []string `yaml:"problems"`
	}
	for _, c := range readCases[refuseCase](t, "refuse.yaml") {
		t.Run(c.Case, func(t *testing.T) {
			t.Parallel()
			rules, problems := Compile(c.Rules)
			if rules != nil {
				t.Error("rules with problems were compiled")
			}
			var got []string
			for _, p := range problems {
				if p.Remedy == "" {
					t.Errorf("no remedy: %v", p)
				}
				got = append(got, located(p))
			}
			if len(got) != len(c.Problems) {
				t.Fatalf("%d problems, want %d:\n%s", len(got), len(c.Problems), strings.Join(got, "\n"))
			}
			for i, want := range c.Problems {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("problem %d:\n%s\nwant\n%s", i, got[i], want)
				}
			}
		})
	}
}

func located(p Problem) string {
	at := ""
	if p.Line > 0 {
		at = fmt.Sprintf(" %d:%d", p.Line, p.Column)
	}
	return fmt.Sprintf("rules[%d].%s%s: %s: %s", p.Rule, p.Key, at, p.Message, p.Remedy)
}

func TestCompileAccepts(t *testing.T) {
	t.Parallel()
	match := Match{Providers: []string{"okta"}}
	for _, route := range []string{
		"GET /", "PUT /user/webhook", "DELETE /recordings/{id}", "POST /agent/{rest...}",
		"GET /bots/{platform}/{native_id}", "PATCH /a.b-c_d~e",
	} {
		compile(t, Rule{
			Name: "route", Match: match,
			Grant: &GrantSpec{Scopes: []string{"tx"}, DenyRoutes: []string{route}},
		})
	}
	for _, lifetime := range []string{"5m", "8760h"} {
		var g GrantSpec
		if err := yaml.Unmarshal([]byte("{scopes: [tx], key_lifetime: "+lifetime+"}"), &g); err != nil {
			t.Fatal(err)
		}
		compile(t, Rule{Name: "lifetime", Match: match, Grant: &g})
	}
	compile(t, Rule{Name: "deny everybody", Deny: "Closed."})
	compile(t, Rule{
		Name: "only when", When: "identity.provider == 'okta'", Grant: &GrantSpec{Scopes: []string{"tx"}},
	})
	compile(t)
}

func TestCompileRefusesLongExpressions(t *testing.T) { // S12
	t.Parallel()
	long := `identity.email == "` + strings.Repeat("é", maxExpression) + `"`
	deep := strings.Repeat("(", 1000) + "identity.email" + strings.Repeat(")", 1000) + ` == ""`
	for _, when := range []string{long, deep} {
		if rules, problems := Compile([]Rule{{
			Name: "a", When: when, Grant: &GrantSpec{Scopes: []string{"tx"}},
		}}); rules != nil || len(problems) != 1 {
			t.Errorf("%.30s…: %v", when, problems)
		}
	}
}

// Keys that no rule has are errors in the strict reading that the configuration gets, inside the types with a
// reading of their own too.
func TestUnknownKeysAreErrors(t *testing.T) { // E4
	t.Parallel()
	for _, text := range []string{"nmae: x", "match: { gruops: [x] }", "grant: { scope: [tx] }"} {
		var r Rule
		if err := yaml.UnmarshalWithOptions([]byte(text), &r, yaml.Strict()); err == nil ||
			!strings.Contains(err.Error(), "unknown field") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Each condition of a rule enforces something: without it, somebody else gets in.
func TestEachConditionCounts(t *testing.T) { // E4
	t.Parallel()
	id := oidc.Identity{Provider: "okta", Kind: oidc.User, Email: "ada@acme.example", GroupsComplete: true}
	grant := &GrantSpec{Scopes: []string{"tx"}}
	base := Match{Providers: []string{"okta"}}
	if !compile(t, Rule{Name: "a", Match: base, Grant: grant}).Decide(id).Allowed {
		t.Fatal("the rule does not match without conditions")
	}
	for name, add := range map[string]func(*Rule){
		"providers": func(r *Rule) { r.Match.Providers = []string{"entra"} },
		"groups":    func(r *Rule) { r.Match.Groups = []string{"x"} },
		"roles":     func(r *Rule) { r.Match.Roles = []string{"x"} },
		"emails":    func(r *Rule) { r.Match.Emails = []string{"eve@acme.example"} },
		"domains":   func(r *Rule) { r.Match.Domains = []string{"x.example"} },
		"claims":    func(r *Rule) { r.Match.Claims = map[string][]string{"x": {"y"}} },
		"kind":      func(r *Rule) { r.Match.Kind = []oidc.Kind{oidc.Service} },
		"when":      func(r *Rule) { r.When = "identity.name != ''" },
	} {
		r := Rule{Name: "a", Match: base, Grant: grant}
		add(&r)
		if compile(t, r).Decide(id).Allowed {
			t.Errorf("%s enforces nothing", name)
		}
	}
}

func TestCheckProviders(t *testing.T) {
	t.Parallel()
	rules := compile(t,
		Rule{Name: "a", Match: Match{Providers: []string{"okta"}}, Grant: &GrantSpec{Scopes: []string{"tx"}}},
		Rule{Name: "b", Match: Match{Providers: []string{"entra", "okat"}}, Deny: "No."},
	)
	problems := rules.CheckProviders([]string{"okta", "entra"})
	if len(problems) != 1 || located(problems[0]) != `rules[1].match.providers[1]: no provider is named "okat": write the name of a configured provider: okta, entra` {
		t.Error(problems)
	}
}

func TestGeneration(t *testing.T) {
	t.Parallel()
	read := func(text string) uint64 {
		var rules []Rule
		if err := yaml.Unmarshal([]byte(text), &rules); err != nil {
			t.Fatal(err)
		}
		return compile(t, rules...).Generation()
	}
	a := read(`[{ name: a, match: { emails: [ada@acme.example], claims: { x: [1], y: [2] } }, grant: { scopes: [tx], max_concurrent_bots: 1 } }]`)
	same := read(`[{ grant: { max_concurrent_bots: 1, scopes: [" tx"] }, match: { claims: { y: [2], x: [1] }, emails: ["ADA@acme.example "] }, name: "a " }]`)
	if a != same {
		t.Error("equal rules have different generations")
	}
	seen := map[uint64]bool{a: true}
	for _, other := range []string{
		`[{ name: b, match: { emails: [ada@acme.example], claims: { x: [1], y: [2] } }, grant: { scopes: [tx], max_concurrent_bots: 1 } }]`,
		`[{ name: a, match: { emails: [ada@acme.example], claims: { x: [1], y: [3] } }, grant: { scopes: [tx], max_concurrent_bots: 1 } }]`,
		`[{ name: a, match: { emails: [ada@acme.example], claims: { x: [1], y: [2] } }, grant: { scopes: [tx], max_concurrent_bots: 2 } }]`,
		`[{ name: a, match: { emails: [ada@acme.example], claims: { x: [1], y: [2] } }, deny: No. }]`,
		`[{ name: a, match: { emails: [ada@acme.example], claims: { x: [1], y: [2] } }, deny: No., shadow: true }]`,
		`[{ name: a, match: { emails: [ada@acme.example], claims: { x: [1], y: [2] } }, deny: No., when: identity.name == "" }]`,
		`[]`,
	} {
		g := read(other)
		if seen[g] {
			t.Errorf("generation %x again: %s", g, other)
		}
		seen[g] = true
	}
}

// FuzzCompile feeds arbitrary expressions: whatever they are, compiling them and deciding by them ends,
// without a panic, and one that reads groups never grants while they are not complete.
func FuzzCompile(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "rules", "*.yaml"))
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var cases []struct {
			Rules []Rule `yaml:"rules"`
		}
		if err := yaml.Unmarshal(text, &cases); err != nil {
			f.Fatal(err)
		}
		for _, c := range cases {
			for _, r := range c.Rules {
				f.Add(r.When)
			}
		}
	}
	f.Add(`identity.email.replace("", identity.email).replace("", identity.email).replace("", identity.email) != ""`)
	f.Add("identity.`groups`.size() > 0")
	f.Add(`cel.bind(i, identity, i.groups).size() > 0`)
	f.Add(`vexa_sso.Identity{email: identity.email}.groups == []`)
	f.Fuzz(func(t *testing.T, when string) {
		id := oidc.Identity{
			Provider: "okta", Kind: oidc.User, Email: "ada@acme.example", Groups: []string{"a", "b"},
			Claims: map[string]any{"x": "y", "l": []any{1.0, "z"}},
		}
		rules, problems := Compile([]Rule{{Name: "a", When: when, Grant: &GrantSpec{Scopes: []string{"tx"}}}})
		if (rules == nil) == (len(problems) == 0) {
			t.Fatalf("rules %v, problems %v", rules, problems)
		}
		if rules == nil {
			return
		}
		partial := rules.Decide(id)
		if partial.Allowed && strings.Contains(when, "identity.groups") && !strings.ContainsAny(when, `"'/`) {
			t.Errorf("%q grants on a part of the groups", when)
		}
		id.Groups = append(id.Groups, "c")
		if more := rules.Decide(id); more.Allowed != partial.Allowed {
			t.Errorf("%q depends on groups that are not complete", when)
		}
	})
}
