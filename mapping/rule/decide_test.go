package rule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"vexa-sso/oidc"
)

// readCases reads a file of cases, strictly: a misspelt key is a case that tests nothing.
func readCases[T any](t testing.TB, name string) []T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "rules", name))
	if err != nil {
		t.Fatal(err)
	}
	var cases []T
	if err := yaml.UnmarshalWithOptions(text, &cases, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return cases
}

type decideCase struct {
	Case     string            `yaml:"case"`
	Rules    []Rule            `yaml:"rules"`
	Identity map[string]any    `yaml:"identity"`
	Code     string            `yaml:"code"`
	Reason   string            `yaml:"reason"`
	Grant    *wantGrant        `yaml:"grant"`
	Matched  []string          `yaml:"matched"`
	Why      map[string]string `yaml:"why"`
}

type wantGrant struct {
	Email      string        `yaml:"email"`
	Computed   bool          `yaml:"computed"`
	Name       string        `yaml:"name"`
	Scopes     Scopes        `yaml:"scopes"`
	Bots       *int          `yaml:"bots"`
	Admin      bool          `yaml:"admin"`
	Lifetime   time.Duration `yaml:"lifetime"`
	DenyRoutes []string      `yaml:"deny_routes"`
	DenyTools  []string      `yaml:"deny_tools"`
}

// identity makes the identity of a case, by way of its JSON names.
func (c decideCase) identity(t testing.TB) oidc.Identity {
	t.Helper()
	text, err := json.Marshal(c.Identity)
	if err != nil {
		t.Fatal(err)
	}
	id := oidc.Identity{Provider: "okta", Kind: oidc.User, GroupsComplete: true}
	if err := json.Unmarshal(text, &id); err != nil {
		t.Fatal(err)
	}
	return id
}

func compile(t testing.TB, given ...Rule) *Rules {
	t.Helper()
	rules, problems := Compile(given)
	for _, p := range problems {
		t.Error(p)
	}
	if rules == nil {
		t.FailNow()
	}
	return rules
}

func TestDecide(t *testing.T) { // S3 S18 E1 E2 E5 E6 E13
	t.Parallel()
	for _, c := range readCases[decideCase](t, "decide.yaml") {
		t.Run(c.Case, func(t *testing.T) {
			t.Parallel()
			d := compile(t, c.Rules...).Decide(c.identity(t))
			if d.Allowed != (c.Grant != nil) || d.Code != c.Code {
				t.Fatalf("allowed %v, code %q (%s); want code %q", d.Allowed, d.Code, d.Reason, c.Code)
			}
			if c.Grant != nil {
				want := Grant{
					c.Grant.Email, c.Grant.Computed, c.Grant.Name, c.Grant.Scopes, c.Grant.Bots,
					c.Grant.Admin, c.Grant.Lifetime, c.Grant.DenyRoutes,
					c.Grant.DenyTools,
				}
				if diff := cmp.Diff(want, d.Grant); diff != "" {
					t.Errorf("grant (-want +got):\n%s", diff)
				}
			} else if diff := cmp.Diff(Grant{}, d.Grant); diff != "" {
				t.Errorf("a refusal carries a grant: %s", diff)
			}
			if c.Reason != "" && d.Reason != c.Reason {
				t.Errorf("reason %q, want %q", d.Reason, c.Reason)
			}
			if c.Matched != nil && !slices.Equal(c.Matched, d.Matched()) {
				t.Errorf("matched %q, want %q", d.Matched(), c.Matched)
			}
			checkResults(t, c, d)
		})
	}
}

// checkResults checks that every rule is reported, in order, with words; and with those
// words that the case names.
func checkResults(t *testing.T, c decideCase, d Decision) {
	t.Helper()
	if len(d.Rules) != len(c.Rules) {
		t.Fatalf("%d rules are reported, want %d", len(d.Rules), len(c.Rules))
	}
	named := 0
	for i, r := range d.Rules {
		if r.Rule != c.Rules[i].Name || r.Why == "" || r.Deny != (c.Rules[i].Deny != "") ||
			r.Shadow != c.Rules[i].Shadow {
			t.Errorf("rule %d is reported as %+v", i, r)
		}
		if want, ok := c.Why[r.Rule]; ok {
			named++
			if r.Why != want {
				t.Errorf("%s: %q\n want %q", r.Rule, r.Why, want)
			}
		}
	}
	if named != len(c.Why) {
		t.Errorf("the case explains rules that are not there: %v", c.Why)
	}
}

func TestDecideCostIsBounded(t *testing.T) { // S12
	t.Parallel()
	given := []Rule{
		{
			Name: "linear", When: `identity.groups.exists(g, g == "last")`,
			Grant: &GrantSpec{Scopes: []string{"tx"}},
		},
		{
			Name:  "cubic",
			When:  `identity.groups.all(a, identity.groups.all(b, identity.groups.all(c, a + b + c != "")))`,
			Grant: &GrantSpec{Scopes: []string{"bot"}},
		},
	}
	id := oidc.Identity{Provider: "entra", Kind: oidc.User, Email: "ada@acme.example", GroupsComplete: true}
	for range 11_000 { // what Entra lists at most
		id.Groups = append(id.Groups, "5d7c1a90-2b3e-4c4d-9e8f-aabbccddeeff")
	}
	id.Groups = append(id.Groups, "last")
	d := compile(t, given...).Decide(id)
	if d.Grant.Scopes != "tx" || !strings.Contains(d.Rules[1].Why, "cost limit exceeded") {
		t.Errorf("scopes %s, rules %+v", d.Grant.Scopes, d.Rules)
	}
}

func TestDecideExplainsBriefly(t *testing.T) { // S12
	t.Parallel()
	rules := compile(t, Rule{
		Name: "staff", When: `int(identity.claims.level) > 3`, Grant: &GrantSpec{Scopes: []string{"tx"}},
	})
	d := rules.Decide(oidc.Identity{
		Kind: oidc.User, Email: "ada@acme.example",
		Claims: map[string]any{"level": strings.Repeat("x\n", 10_000)},
	})
	if why := d.Rules[0].Why; len(why) > 300 || strings.Contains(why, "\n") {
		t.Errorf("why has %d bytes: %q", len(why), why)
	}
}

// The rules see neither an unproven address nor the raw groups, whatever way an
// expression takes to the claim.
func TestDecideHidesClosedClaims(t *testing.T) { // E1 E3 E13
	t.Parallel()
	for _, when := range []string{
		`identity.claims["em" + "ail"] == "x"`,
		`identity.claims[identity.name] == "x"`,
		`identity.claims.exists(k, identity.claims[k] == "x")`,
		`[identity.claims].exists(c, c.email == "x")`,
		`[identity.claims].exists(c, "x" in c.groups)`,
		`dyn(identity.claims).email == "x"`,
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			rules := compile(t, Rule{Name: "a", When: when, Grant: &GrantSpec{Scopes: []string{"tx"}}})
			id := oidc.Identity{
				Kind: oidc.User, Name: "email", Email: "eve@acme.example", GroupsComplete: true,
				Claims: map[string]any{"email": "x", "Email": "x", "groups": []any{"x"}},
			}
			if d := rules.Decide(id); d.Allowed {
				t.Errorf("allowed: %+v", d.Rules)
			}
			if len(id.Claims) != 3 {
				t.Error("deciding changed the identity's claims")
			}
		})
	}
}

func TestDecisionIsForOneIdentity(t *testing.T) {
	t.Parallel()
	two := 2
	given := []Rule{{
		Name: "a", Match: Match{Providers: []string{"okta"}},
		Grant: &GrantSpec{Scopes: []string{"tx"}, MaxConcurrentBots: &two, DenyRoutes: []string{"GET /bots"}},
	}}
	rules := compile(t, given...)
	id := oidc.Identity{Provider: "okta", Kind: oidc.User, Email: "ada@acme.example"}
	before := rules.Decide(id)
	*before.Grant.MaxConcurrentBots = 100
	before.Grant.DenyRoutes[0] = "changed"
	two = 50
	given[0].Match.Providers[0] = "changed"
	given[0].Grant.Scopes[0] = "changed"
	d := rules.Decide(id)
	if !d.Allowed || *d.Grant.MaxConcurrentBots != 2 || d.Grant.DenyRoutes[0] != "GET /bots" {
		t.Errorf("a decision or the given rules reach into the compiled ones: %+v", d)
	}
}

func TestVexaNameIsShort(t *testing.T) { // Vexa answers 500 to a longer one
	t.Parallel()
	if got := vexaName(
		strings.Repeat("é", 99) + " " + strings.Repeat("x", 50),
	); got != strings.Repeat("é", 99) {
		t.Errorf("%d characters: %s", len([]rune(got)), got)
	}
}

func BenchmarkDecide(b *testing.B) {
	rules := compile(b, Rule{
		Name: "staff", Match: Match{Providers: []string{"okta"}, Groups: []string{"vexa-users"}},
		When: `identity.email.endsWith("@acme.example")`, Grant: &GrantSpec{Scopes: []string{"bot", "tx"}},
	}, Rule{
		Name: "admins", Match: Match{Groups: []string{"vexa-admins"}},
		Grant: &GrantSpec{Scopes: []string{"browser"}, Admin: true},
	}, Rule{Name: "contractors", Match: Match{Domains: []string{"contractor.example"}}, Deny: "No."})
	id := oidc.Identity{
		Provider: "okta", Kind: oidc.User, Email: "ada@acme.example", GroupsComplete: true,
		Groups: []string{"a", "b", "c", "vexa-users"},
		Claims: map[string]any{"sub": "00u1", "dept": "eng"},
	}
	b.ReportAllocs()
	for b.Loop() {
		rules.Decide(id)
	}
}
