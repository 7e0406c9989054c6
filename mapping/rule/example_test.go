package rule_test

import (
	"fmt"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// Two rules decide about two people, and say why.
func Example() {
	rules, problems := rule.Compile([]rule.Rule{
		{
			Name:  "staff",
			Match: rule.Match{Groups: []string{"staff"}},
			Grant: &rule.GrantSpec{Scopes: []string{"bot", "tx"}},
		},
		{
			Name:  "leavers",
			Match: rule.Match{Groups: []string{"leavers"}},
			Deny:  "You have left the company.",
		},
	})
	if len(problems) > 0 {
		fmt.Println(problems)
		return
	}
	for _, groups := range [][]string{{"staff"}, {"staff", "leavers"}} {
		d := rules.Decide(oidc.Identity{
			Provider: "okta", Subject: "okta:https://acme.okta.com/00uada", Kind: oidc.User,
			Email: "ada@acme.example", EmailTrusted: true, Groups: groups, GroupsComplete: true,
		})
		if d.Allowed {
			fmt.Println(groups, "may", d.Grant.Scopes)
		} else {
			fmt.Println(groups, d.Code+":", d.Reason)
		}
		for _, r := range d.Rules {
			fmt.Printf("  %s matched %v: %s\n", r.Rule, r.Matched, r.Why)
		}
	}
	// Output:
	// [staff] may bot,tx
	//   staff matched true: group staff
	//   leavers matched false: group is not leavers
	// [staff leavers] denied_by_rule: You have left the company.
	//   staff matched true: group staff
	//   leavers matched true: group leavers
}
