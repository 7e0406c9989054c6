package rule

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/oidc/address"
)

// Rule is one sentence of the admin's policy: whom it is about (Match, When) and what they get (Grant) or why
// they get nothing (Deny). What is not listed is refused. See Decide for how rules add up.
type Rule struct {
	Name  string `yaml:"name"`  // unique; people read it in explanations and in the audit log
	Match Match  `yaml:"match"` // plain questions
	// a CEL expression over identity, for what Match cannot ask; true or false
	When  string     `yaml:"when"`
	Grant *GrantSpec `yaml:"grant"` // exactly one of Grant
	Deny  string     `yaml:"deny"`  // and Deny, which is what the refused person reads

	// Shadow makes the rule one on trial: decisions report what it would have done, and it does nothing.
	Shadow bool `yaml:"shadow"`
}

// Match asks about an identity. Everything that is given must hold, any value of each. Provider, group
// and role names and claim values are compared exactly; emails and domains regardless of case, and
// only with the proven email.
type Match struct {
	Providers []string `yaml:"providers"`
	Groups    []string `yaml:"groups"`
	Roles     []string `yaml:"roles"`
	Emails    []string `yaml:"emails"`
	Domains   []string `yaml:"domains"` // of the email, whole: acme.example is not eu.acme.example
	// claim name to accepted values; a claim that is a list needs one of them
	Claims map[string][]string `yaml:"claims"`
	Kind   []oidc.Kind         `yaml:"kind"` // user | service; without it a rule is about people
}

// GrantSpec is what a matching rule gives.
type GrantSpec struct {
	Scopes            []string      `yaml:"scopes"` // bot, tx, browser
	MaxConcurrentBots *int          `yaml:"max_concurrent_bots"`
	Admin             bool          `yaml:"admin"`
	KeyLifetime       time.Duration `yaml:"key_lifetime"` // 5m to 8760h; zero says nothing

	// VexaEmail names the Vexa user: empty is the identity's own proven email; a text that begins with = is a
	// CEL expression over identity that computes the address; anything else is the address itself.
	//
	//	vexa_email: transcripts-bot@acme.example
	//	vexa_email: = identity.claims.team + "@bots.acme.example"
	VexaEmail string `yaml:"vexa_email"`

	// DenyRoutes are routes that stay closed whatever the scopes say, as "METHOD /path"; {name} stands for
	// one segment of the path, {name...} at its end for all the rest. DenyChanges closes every route that
	// changes something.
	DenyRoutes []string `yaml:"deny_routes"`

	// DenyTools are tools of Vexa's MCP service that stay closed whatever the scopes say, by name; * stands
	// for any characters.
	DenyTools []string `yaml:"deny_tools"`
}

// UnmarshalYAML reads a rule. A condition that is there but empty (its text commented out, say) is kept as a
// blank, which Compile refuses: silently it would widen the rule to everybody.
func (r *Rule) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Rule
	if err := unmarshal((*plain)(r)); err != nil {
		return err
	}
	given, err := givenKeys(unmarshal)
	if given["when"] && r.When == "" {
		r.When = " "
	}
	return err
}

// UnmarshalYAML reads the questions of a rule. A list that is there but empty stays different from one that
// is not there, so that Compile can refuse it.
func (m *Match) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Match
	if err := unmarshal((*plain)(m)); err != nil {
		return err
	}
	given, err := givenKeys(unmarshal)
	for key, list := range map[string]*[]string{
		"providers": &m.Providers, "groups": &m.Groups, "roles": &m.Roles, "emails": &m.Emails,
		"domains": &m.Domains,
	} {
		if given[key] && *list == nil {
			*list = []string{}
		}
	}
	if given["kind"] && m.Kind == nil {
		m.Kind = []oidc.Kind{}
	}
	if given["claims"] && m.Claims == nil {
		m.Claims = map[string][]string{}
	}
	return err
}

// givenKeys returns the keys that a YAML mapping has, with whatever value.
func givenKeys(unmarshal func(any) error) (map[string]bool, error) {
	var mapping map[string]any
	if err := unmarshal(&mapping); err != nil {
		return nil, err
	}
	given := make(map[string]bool, len(mapping))
	for key := range mapping {
		given[key] = true
	}
	return given, nil
}

// Rules is a checked, compiled list of rules. It never changes and is safe for concurrent use. The zero value
// has no rules and refuses everybody.
type Rules struct {
	rules      []rule
	generation uint64
}

// rule is a Rule made ready for asking.
type rule struct {
	Rule
	when    *expression // nil: no When
	address *expression // nil: VexaEmail is empty or an address
	scopes  Scopes
}

// Compile checks the rules and makes them ready. It reports everything that is wrong with them at once,
// and returns no rules then.
func Compile(rules []Rule) (*Rules, []Problem) {
	compiled := &Rules{}
	var problems []Problem
	first := map[string]int{}
	for i, given := range rules {
		r, found := compileRule(given)
		if j, taken := first[r.Name]; taken && r.Name != "" {
			found = append(found, oidc.Problem{
				Key: "name", Message: fmt.Sprintf("%q is also the name of rules[%d]", r.Name, j),
				Remedy: "give every rule a name of its own, so that explanations say which one it was",
			})
		} else {
			first[r.Name] = i
		}
		for _, p := range found {
			problems = append(problems, Problem{Rule: i, Problem: p})
		}
		compiled.rules = append(compiled.rules, r)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	compiled.generation = fingerprint(compiled.rules)
	return compiled, nil
}

func compileRule(given Rule) (rule, []oidc.Problem) {
	r := rule{Rule: tidy(given)}
	problems := lint(r.Rule)
	if strings.TrimSpace(r.When) != "" {
		var found []oidc.Problem
		r.when, found = compileCondition("when", r.When)
		problems = append(problems, found...)
	}
	if r.Grant != nil {
		r.scopes = NewScopes(r.Grant.Scopes...)
		if text, computed := computedAddress(r.Grant.VexaEmail); computed && strings.TrimSpace(text) != "" {
			var found []oidc.Problem
			r.address, found = compileAddress("grant.vexa_email", text)
			problems = append(problems, found...)
		}
	}
	return r, problems
}

// tidy returns a copy of the rule in its canonical spelling, so that what differs only in
// spelling is the same rule.
func tidy(r Rule) Rule {
	r.Name = strings.TrimSpace(r.Name)
	r.Deny = strings.TrimSpace(r.Deny)
	r.Match.Providers = slices.Clone(r.Match.Providers)
	r.Match.Groups = slices.Clone(r.Match.Groups)
	r.Match.Roles = slices.Clone(r.Match.Roles)
	r.Match.Kind = slices.Clone(r.Match.Kind)
	r.Match.Emails = mapped(r.Match.Emails, address.Tidy)
	r.Match.Domains = mapped(r.Match.Domains, tidyDomain)
	r.Match.Claims = maps.Clone(r.Match.Claims)
	for name, values := range r.Match.Claims {
		r.Match.Claims[name] = slices.Clone(values)
	}
	if r.Grant != nil {
		g := *r.Grant
		g.Scopes = mapped(g.Scopes, strings.TrimSpace)
		g.DenyRoutes = mapped(g.DenyRoutes, strings.TrimSpace)
		g.DenyTools = mapped(g.DenyTools, strings.TrimSpace)
		g.VexaEmail = tidyAddress(g.VexaEmail)
		if n := g.MaxConcurrentBots; n != nil {
			g.MaxConcurrentBots = new(*n)
		}
		r.Grant = &g
	}
	return r
}

// mapped returns f of every text; a list that is there but empty stays one.
func mapped(texts []string, f func(string) string) []string {
	texts = slices.Clone(texts)
	for i := range texts {
		texts[i] = f(texts[i])
	}
	return texts
}

// Generation identifies the rules by their content: equal rules have an equal generation, in every process
// and after every restart, so that a cache of decisions knows when it is stale.
func (r *Rules) Generation() uint64 { return r.generation }

func fingerprint(rules []rule) uint64 {
	hash := sha256.New()
	for _, r := range rules {
		// A Rule is texts, numbers, lists and maps with text keys, which encoding/json sorts: it always
		// encodes, and always alike.
		text, _ := json.Marshal(r.Rule)
		hash.Write(append(text, '\n'))
	}
	return binary.BigEndian.Uint64(hash.Sum(nil))
}

// CheckProviders reports every rule that names a provider which is not among the configured names: such a
// rule would never match, and a deny that never matches is a hole.
func (r *Rules) CheckProviders(names []string) []Problem {
	var problems []Problem
	for i, one := range r.rules {
		for j, name := range one.Match.Providers {
			if slices.Contains(names, name) {
				continue
			}
			problems = append(problems, Problem{Rule: i, Problem: oidc.Problem{
				Key:     fmt.Sprintf("match.providers[%d]", j),
				Message: fmt.Sprintf("no provider is named %q", name),
				Remedy:  "write the name of a configured provider: " + strings.Join(names, ", "),
			}})
		}
	}
	return problems
}
