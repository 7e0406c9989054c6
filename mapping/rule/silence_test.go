package rule

import (
	"testing"

	"vexa-sso/oidc"
)

// S18: what a provider has told once and not again is unknown: a grant that asks for it is not given, a deny
// holds, and what else the rules ask is as it is.
func TestUnsaidIsUnknown(t *testing.T) {
	t.Parallel()
	id := oidc.Identity{
		Provider: "okta", Kind: oidc.User, GroupsComplete: true, Groups: []string{"staff"},
		Claims: map[string]any{"site": "berlin"},
		Unsaid: []string{oidc.SaidEmail, oidc.SaidRoles, "department"},
	}
	for name, test := range map[string]struct {
		rule Rule
		want answer
	}{
		"a role":     {Rule{Match: Match{Roles: []string{"admin"}}}, doubtful},
		"an address": {Rule{Match: Match{Emails: []string{"ada@acme.example"}}}, doubtful},
		"a domain":   {Rule{Match: Match{Domains: []string{"acme.example"}}}, doubtful},
		"the claim": {
			Rule{Match: Match{Claims: map[string][]string{"department": {"law"}}}}, doubtful,
		},
		"another claim":    {Rule{Match: Match{Claims: map[string][]string{"site": {"berlin"}}}}, yes},
		"another's value":  {Rule{Match: Match{Claims: map[string][]string{"site": {"rome"}}}}, no},
		"when the claim":   {Rule{When: `identity.claims.department == "law"`}, doubtful},
		"when not there":   {Rule{When: `!has(identity.claims.department)`}, doubtful},
		"when any claim":   {Rule{When: `identity.claims.exists(name, name == "x")`}, doubtful},
		"when another":     {Rule{When: `identity.claims["site"] == "berlin"`}, yes},
		"when a role":      {Rule{When: `!("admin" in identity.roles)`}, doubtful},
		"when groups":      {Rule{When: `"staff" in identity.groups`}, yes},
		"groups":           {Rule{Match: Match{Groups: []string{"staff"}}}, yes},
		"other groups":     {Rule{Match: Match{Groups: []string{"contractors"}}}, no},
		"of another place": {Rule{Match: Match{Providers: []string{"x"}, Roles: []string{"admin"}}}, no},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grant, deny := test.rule, test.rule
			grant.Name, grant.Grant = "grant", &GrantSpec{Scopes: []string{"tx"}, VexaEmail: "x@acme.example"}
			deny.Name, deny.Deny = "deny", "no"
			if d := compile(t, grant).Decide(id); d.Allowed != (test.want == yes) {
				t.Errorf("granted %v: %+v", d.Allowed, d.Rules)
			}
			if d := compile(t, deny).Decide(id); (d.Code == CodeDeniedByRule) != (test.want != no) {
				t.Errorf("denied %s: %+v", d.Code, d.Rules)
			}
		})
	}
}

// Reads knows what the rules ask, so that what nobody asks may be left unsaid.
func TestRulesKnowWhatTheyRead(t *testing.T) {
	t.Parallel()
	all := []string{oidc.SaidGroups, oidc.SaidRoles, oidc.SaidEmail, oidc.SaidName, "department", "picture"}
	for when, test := range map[string]struct {
		rule Rule
		want []string
	}{
		"nothing": {Rule{Match: Match{Providers: []string{"okta"}}}, nil},
		"groups":  {Rule{Match: Match{Groups: []string{"x"}}}, []string{oidc.SaidGroups}},
		"roles":   {Rule{Match: Match{Roles: []string{"x"}}}, []string{oidc.SaidRoles}},
		"domains": {Rule{Match: Match{Domains: []string{"x.example"}}}, []string{oidc.SaidEmail}},
		"a claim": {
			Rule{Match: Match{Claims: map[string][]string{"department": {"x"}}}}, []string{"department"},
		},
		"when": {
			Rule{When: `identity.claims.department == identity.name`}, []string{oidc.SaidName, "department"},
		},
		"any": {Rule{When: `identity.claims.exists(c, c == "x")`}, all},
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			test.rule.Name = "one"
			test.rule.Grant = &GrantSpec{Scopes: []string{"tx"}, VexaEmail: "x@acme.example"}
			rules := compile(t, test.rule)
			var reads []string
			for _, name := range all {
				if rules.Reads([]string{name}) {
					reads = append(reads, name)
				}
			}
			if len(reads) != len(test.want) {
				t.Errorf("reads %v, want %v", reads, test.want)
			}
			own := test.rule
			own.Grant = &GrantSpec{Scopes: []string{"tx"}}
			if !compile(t, own).Reads([]string{oidc.SaidEmail}) {
				t.Error("a grant to the person's own address does not read it")
			}
		})
	}
}
