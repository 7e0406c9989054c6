package rule

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vexa-sso/oidc"
)

// numbered is somebody with claims as a provider wrote them.
func numbered(t testing.TB, claims string) oidc.Identity {
	t.Helper()
	var id oidc.Identity
	text := `{"provider":"okta","subject":"okta:x/ada","kind":"user","email":"ada@acme.example",` +
		`"groups_complete":true,"claims":` + claims + `}`
	if err := json.Unmarshal([]byte(text), &id); err != nil {
		t.Fatal(err)
	}
	return id
}

func onlyRule(t testing.TB, r Rule) *Rules {
	t.Helper()
	r.Name = "only"
	rules, problems := Compile([]Rule{r})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules
}

// A rule about one number is not about its neighbour, by whatever way it asks.
func TestNeighboursAreNotMixedUp(t *testing.T) { // S3
	t.Parallel()
	for number, neighbour := range map[string]string{
		"9007199254740993": "9007199254740992", "-9007199254740993": "-9007199254740992",
		"9223372036854775807": "9223372036854775806", "18446744073709551615": "18446744073709551614",
	} {
		literal := number
		if number == "18446744073709551615" {
			literal += "u"
		}
		for _, grants := range []Rule{
			{Match: Match{Claims: map[string][]string{"employee": {number}}}},
			{When: "identity.claims.employee == " + literal},
			{When: "identity.claims.employee in [1, " + literal + "]"},
			{When: `string(identity.claims.employee) == "` + number + `"`},
			{When: "identity.claims.all.exists(n, n == " + literal + ")"},
			{When: "identity.claims.about.employee == " + literal},
		} {
			grants.Grant = &GrantSpec{Scopes: []string{"tx"}}
			rules := onlyRule(t, grants)
			for claimed, want := range map[string]bool{
				number: true, neighbour: false, number + ".0": true, number + "e0": true,
			} {
				id := numbered(t, fmt.Sprintf(`{"employee":%[1]s,"all":[7,%[1]s],"about":{"employee":%[1]s}}`,
					claimed))
				if d := rules.Decide(id); d.Allowed != want {
					t.Errorf("%+v and %s: %v", grants, claimed, d.Rules)
				}
			}
		}
	}
}

// What an expression cannot compare to the last digit grants nothing, and denies; match.claims can.
func TestNumbersThatExpressionsCannotHold(t *testing.T) { // S18
	t.Parallel()
	for _, number := range []string{
		"18446744073709551616", "123456789012345678901234567890", "0.1000000000000000055", "1e999",
		"1e99999999999", "9007199254740993.5",
	} {
		for _, claims := range []string{
			`{"n":%s}`, `{"n":[1,%s]}`, `{"n":{"of":%s}}`,
		} {
			id := numbered(t, fmt.Sprintf(claims, number))
			for _, when := range []string{"has(identity.claims.n)", `"n" in identity.claims`} {
				grant := Rule{When: when + " && identity.claims.n != 1"}
				grant.Grant = &GrantSpec{Scopes: []string{"tx"}}
				if d := onlyRule(t, grant).Decide(id); d.Allowed ||
					!strings.Contains(d.Rules[0].Why, "match.claims") {
					t.Errorf("%v with %s is granted by %s: %+v", id.Claims, number, grant.When, d.Rules)
				}
				deny := Rule{When: when + " && identity.claims.n == 1", Deny: "no"}
				if d := onlyRule(t, deny).Decide(id); d.Code != CodeDeniedByRule {
					t.Errorf("%v with %s is not denied by %s: %+v", id.Claims, number, deny.When, d.Rules)
				}
			}
		}
	}
	id := numbered(t, `{"n":123456789012345678901234567890}`)
	grant := Rule{
		Match: Match{Claims: map[string][]string{"n": {"123456789012345678901234567890"}}},
		Grant: &GrantSpec{Scopes: []string{"tx"}},
	}
	if d := onlyRule(t, grant).Decide(id); !d.Allowed {
		t.Errorf("match.claims: %+v", d.Rules)
	}
}

// An expression that would compare by rounding is refused.
func TestRoundingIsRefused(t *testing.T) {
	t.Parallel()
	for _, when := range []string{
		"identity.claims.n == 9007199254740993.0", "identity.claims.n in [1.0, -9007199254740992.0]",
		"identity.claims.n < 1e300", "double(identity.claims.n) == 1.0",
		`double(identity.claims.n) == double("9007199254740993")`,
		"identity.claims.n.exists(x, double(x) == 1.0)",
	} {
		_, problems := Compile([]Rule{{Name: "r", When: when, Grant: &GrantSpec{Scopes: []string{"tx"}}}})
		if !slices.ContainsFunc(problems, func(p Problem) bool {
			return p.Key == "when" && strings.Contains(p.Message, "rounding") && p.Line == 1 && p.Column > 1
		}) {
			t.Errorf("%s: %v", when, problems)
		}
	}
	for _, when := range []string{
		"identity.claims.n == 1.5", "identity.claims.n < 4503599627370496.0",
		"identity.claims.n > double(\"2.5\")",
	} {
		if _, problems := Compile([]Rule{{
			Name: "r", When: when, Grant: &GrantSpec{Scopes: []string{"tx"}},
		}}); len(problems) > 0 {
			t.Errorf("%s: %v", when, problems)
		}
	}
}

// Two spellings of a number are one text, and two numbers never are.
func TestPlainNumberLaws(t *testing.T) {
	t.Parallel()
	number := rapid.Custom(func(t *rapid.T) string {
		return rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?`).
			Draw(t, "number")
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		one, ok := plainNumber(json.Number(a))
		other, alsoOK := plainNumber(json.Number(b))
		if !ok || !alsoOK {
			t.Fatalf("%s, %s: no text", a, b)
		}
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		if (one == other) != (x.Cmp(y) == 0) {
			t.Fatalf("%s is %s, and %s is %s", a, one, b, other)
		}
		if again, _ := new(big.Rat).SetString(one); again.Cmp(x) != 0 {
			t.Fatalf("%s became %s", a, one)
		}
	})
}
