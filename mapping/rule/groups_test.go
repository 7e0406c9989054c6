package rule

import (
	"testing"

	"vexa-sso/oidc"
)

// A list of ids alone answers questions about ids. One by name it does not: that grants nothing, and denies.
func TestDecideGroupsByID(t *testing.T) {
	t.Parallel()
	const staff, other = "0b6f6e2a-9a0f-4d54-8f0e-1f2a3b4c5d6e", "5d7c1a90-2b3e-4c4d-9e8f-aabbccddeeff"
	id := oidc.Identity{
		Provider: "entra", Kind: oidc.User, Email: "ada@acme.example", Groups: []string{staff},
		GroupsByID: true, GroupsComplete: true,
	}
	names := id
	names.GroupsByID = false
	for name, test := range map[string]struct {
		rule Rule
		want answer
	}{
		"the id":               {Rule{Match: Match{Groups: []string{staff}}}, yes},
		"another id":           {Rule{Match: Match{Groups: []string{other}}}, no},
		"the id or a name":     {Rule{Match: Match{Groups: []string{"staff", staff}}}, yes},
		"another id or a name": {Rule{Match: Match{Groups: []string{other, "staff"}}}, doubtful},
		"a name":               {Rule{Match: Match{Groups: []string{"staff"}}}, doubtful},
		"a name, elsewhere": {
			Rule{Match: Match{Providers: []string{"okta"}, Groups: []string{"staff"}}}, no,
		},
		"when the id": {Rule{When: `"` + staff + `" in identity.groups`}, yes},
		"when another id": {
			Rule{When: `"` + other + `" in identity.groups && identity.email.endsWith("@acme.example")`}, no,
		},
		"when each": {
			Rule{When: `identity.groups.exists(g, g == "` + other + `" || g == "` + staff + `")`}, yes,
		},
		"when any of":      {Rule{When: `["` + other + `"].exists(id, id in identity.groups)`}, no},
		"when a name":      {Rule{When: `"staff" in identity.groups`}, doubtful},
		"when not a name":  {Rule{When: `!("staff" in identity.groups)`}, doubtful},
		"when a beginning": {Rule{When: `identity.groups.exists(g, g.startsWith("st"))`}, doubtful},
		"when one of both": {
			Rule{When: `identity.groups.exists(g, g in ["` + other + `", "staff"])`}, doubtful,
		},
		"when a claim's": {
			Rule{When: `identity.groups.exists(g, g == "` + other + `" || g == identity.claims.team)`},
			doubtful,
		},
		"when any of several": {Rule{When: `["staff"].exists(id, id in identity.groups)`}, doubtful},
		"when as many":        {Rule{When: `size(identity.groups) > 3`}, doubtful},
		"when a name and otherwise": {
			Rule{When: `"` + staff + `" in identity.groups || "staff" in identity.groups`}, doubtful,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grant, deny := test.rule, test.rule
			grant.Name, grant.Grant = "grant", &GrantSpec{Scopes: []string{"tx"}}
			deny.Name, deny.Deny = "deny", "no"
			if d := compile(t, grant).Decide(id); d.Allowed != (test.want == yes) ||
				(d.Code == CodeGroupsIncomplete) != (test.want == doubtful) {
				t.Errorf("it grants: %v, %s, %+v", d.Allowed, d.Code, d.Rules)
			}
			all := Rule{
				Name: "all", Match: Match{Emails: []string{id.Email}},
				Grant: &GrantSpec{Scopes: []string{"tx"}},
			}
			if d := compile(t, all, deny).Decide(id); d.Allowed != (test.want == no) {
				t.Errorf("it denies: %v, %s, %+v", !d.Allowed, d.Code, d.Rules)
			}
			if d := compile(t, grant).Decide(names); d.Code == CodeGroupsIncomplete {
				t.Errorf("a list of names: %s, %+v", d.Code, d.Rules)
			}
		})
	}
}

// An address that is computed from a name in a list of ids is none.
func TestDecideAddressFromGroupsByID(t *testing.T) {
	t.Parallel()
	rules := compile(t, Rule{Name: "team", Match: Match{Providers: []string{"entra"}}, Grant: &GrantSpec{
		Scopes:    []string{"tx"},
		VexaEmail: `= identity.groups.exists(g, g == "leads") ? "leads@acme.example" : "all@acme.example"`,
	}})
	id := oidc.Identity{
		Provider: "entra", Kind: oidc.User, Email: "ada@acme.example",
		Groups: []string{"0b6f6e2a-9a0f-4d54-8f0e-1f2a3b4c5d6e"}, GroupsComplete: true,
	}
	if d := rules.Decide(id); !d.Allowed {
		t.Errorf("%+v", d)
	}
	id.GroupsByID = true
	if d := rules.Decide(id); d.Allowed || d.Code != CodeGroupsIncomplete {
		t.Errorf("%+v", d)
	}
}
