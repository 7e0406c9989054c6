package rule

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"vexa-sso/oidc"
	"vexa-sso/oidc/address"
)

// The shortest and the longest key_lifetime. Below, keys would be minted all the time; above,
// they may as well not expire.
const (
	minKeyLifetime = 5 * time.Minute
	maxKeyLifetime = 8760 * time.Hour
)

// maxRuleName and maxDeny bound what appears in every explanation and on the page of refusal, in characters.
const (
	maxRuleName = 100
	maxDeny     = 500
)

var grantable = []string{"bot", "tx", "browser"}

// Problem is one thing wrong with one rule, and what to write instead. Rule counts from 0; the Key of the
// Problem is relative to the rule: "match.groups[0]", "when", "grant.scopes[1]".
type Problem struct {
	Rule int
	oidc.Problem
}

func (p Problem) Error() string { return fmt.Sprintf("rules[%d].%s", p.Rule, p.Problem.Error()) }

// problems collects what is wrong with one rule.
type problems []oidc.Problem

func (p *problems) refuse(key, remedy, format string, args ...any) {
	*p = append(*p, oidc.Problem{Key: key, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// lint finds what makes a rule unsafe, pointless or unreadable, but for its expressions (S11). A rule arrives
// in its canonical spelling.
func lint(r Rule) []oidc.Problem {
	var p problems
	p.lintName(r.Name)
	p.lintMatch(r.Match)
	p.lintReach(r)
	switch {
	case r.Grant != nil && r.Deny != "":
		p.refuse("grant", "make two rules of it", "the rule both grants and denies")
	case r.Grant != nil:
		p.lintGrant(*r.Grant)
	case r.Deny != "":
		p.lintDeny(r.Deny)
	default:
		p.refuse("grant",
			"write grant with the scopes to give, or deny with the words for the person who is refused",
			"the rule neither grants nor denies")
	}
	return p
}

func (p *problems) lintName(name string) {
	switch {
	case name == "":
		p.refuse("name", "give the rule a name of its own; explanations and the audit log use it",
			"the rule has no name")
	case !oneLine(name, maxRuleName):
		p.refuse("name", fmt.Sprintf("use at most %d printable characters", maxRuleName),
			"the name cannot be shown on a line")
	}
}

func (p *problems) lintDeny(reason string) {
	if !oneLine(reason, maxDeny) {
		p.refuse("deny", fmt.Sprintf("use at most %d printable characters, without line breaks", maxDeny),
			"the reason cannot be shown as a sentence")
	}
}

func oneLine(text string, most int) bool {
	return len([]rune(text)) <= most && !strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsPrint(r) || r == unicode.ReplacementChar
	})
}

// lintReach refuses a condition that is there but says nothing, and a grant to anyone at all.
func (p *problems) lintReach(r Rule) {
	if r.When != "" && strings.TrimSpace(r.When) == "" {
		p.refuse("when", "write the condition, or leave when out", "the condition is empty")
	}
	m := r.Match
	asks := m.Providers != nil || m.Groups != nil || m.Roles != nil || m.Emails != nil || m.Domains != nil ||
		m.Claims != nil || r.When != ""
	if r.Grant != nil && !asks {
		p.refuse("match", "say whom it is for, at least by provider: match: { providers: [okta] }",
			"the rule lets in everybody whom any provider knows")
	}
}

func (p *problems) lintMatch(m Match) {
	p.lintValues("match.providers", m.Providers)
	p.lintValues("match.groups", m.Groups)
	p.lintValues("match.roles", m.Roles)
	p.lintEmails(m)
	p.lintClaims(m.Claims)
	p.lintKind(m.Kind)
}

// lintValues refuses a list that is there but empty, and blanks in it: a trailing comma must never turn "one
// of these" into "anyone" or "anyone without".
func (p *problems) lintValues(key string, values []string) {
	if values != nil && len(values) == 0 {
		p.refuse(key, "list at least one value, or leave it out", "the list is empty")
	}
	for i, v := range values {
		if strings.TrimSpace(v) == "" {
			p.refuse(fmt.Sprintf("%s[%d]", key, i), "remove it, or write the value", "the value is empty")
		}
	}
}

func (p *problems) lintEmails(m Match) {
	p.lintValues("match.emails", m.Emails)
	p.lintValues("match.domains", m.Domains)
	for i, email := range m.Emails {
		if _, err := address.Email(email); err != nil && email != "" {
			p.refuse(fmt.Sprintf("match.emails[%d]", i), "write one address, for example ada@acme.example",
				"%q is not an email address: %v", email, err)
		}
	}
	for i, domain := range m.Domains {
		if _, err := address.Domain(domain); domain != "" && (err != nil || !strings.Contains(domain, ".")) {
			p.refuse(fmt.Sprintf("match.domains[%d]", i), "write a whole domain, for example acme.example; "+
				"it matches exactly, subdomains are listed one by one",
				"%q can never be the domain of an email", domain)
		}
	}
	if len(*p) == 0 && m.Emails != nil &&
		m.Domains != nil && !slices.ContainsFunc(m.Emails, func(email string) bool {
		_, domain, _ := strings.Cut(email, "@")
		return slices.Contains(m.Domains, domain)
	}) {
		p.refuse("match.domains", "leave domains out, or make two rules of it",
			"the rule can never match: none of its emails is in one of its domains, and both are asked")
	}
}

func (p *problems) lintClaims(claims map[string][]string) {
	if claims != nil && len(claims) == 0 {
		p.refuse("match.claims", "name at least one claim, or leave it out", "the list is empty")
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		key := "match.claims." + name
		if strings.TrimSpace(name) == "" {
			p.refuse("match.claims", "name the claim", "a claim has no name")
		}
		if c, is := closed(name); is {
			p.refuse(key, c.remedy, "the claim %s %s", name, c.why)
		}
		values := claims[name]
		if values == nil {
			values = []string{}
		}
		p.lintValues(key, values)
	}
}

func (p *problems) lintKind(kinds []oidc.Kind) {
	if kinds != nil && len(kinds) == 0 {
		p.refuse("match.kind", "write user or service, or leave it out for people", "the list is empty")
	}
	for i, kind := range kinds {
		if kind != oidc.User && kind != oidc.Service {
			p.refuse(fmt.Sprintf("match.kind[%d]", i), "write user (people) or service (programs)",
				"there is no kind %q", kind)
		}
	}
}

func (p *problems) lintGrant(g GrantSpec) {
	if len(g.Scopes) == 0 {
		p.refuse("grant.scopes", "list what to give: "+strings.Join(grantable, ", "),
			"the rule grants no scope")
	}
	for i, scope := range g.Scopes {
		if !slices.Contains(grantable, scope) {
			p.refuse(fmt.Sprintf("grant.scopes[%d]", i), "use "+strings.Join(grantable, ", "),
				"Vexa has no scope %q", scope)
		}
	}
	if n := g.MaxConcurrentBots; n != nil && *n < 0 {
		p.refuse("grant.max_concurrent_bots", "write 0 for none, or leave it out to keep what Vexa has",
			"%d is not a number of bots", *n)
	}
	if l := g.KeyLifetime; l != 0 && (l < minKeyLifetime || l > maxKeyLifetime) {
		p.refuse("grant.key_lifetime", fmt.Sprintf("choose one between %v and %v",
			FormatDuration(minKeyLifetime), FormatDuration(maxKeyLifetime)),
			"keys cannot live for %v", FormatDuration(l))
	}
	p.lintAddress(g.VexaEmail)
	for i, route := range g.DenyRoutes {
		if route != DenyChanges && !isRoute(route) {
			p.refuse(fmt.Sprintf("grant.deny_routes[%d]", i),
				"write METHOD /path, for example PUT /user/webhook or DELETE /recordings/{id}; or changes, "+
					"for everything that changes something",
				"%q is not a route", route)
		}
	}
	for i, tool := range g.DenyTools {
		if !toolForm.MatchString(tool) {
			p.refuse(fmt.Sprintf("grant.deny_tools[%d]", i),
				"write the name of a tool, for example delete_recording or delete_*", "%q is not a tool", tool)
		}
	}
}

func (p *problems) lintAddress(vexaEmail string) {
	text, computed := computedAddress(vexaEmail)
	if computed && strings.TrimSpace(text) == "" {
		p.refuse("grant.vexa_email",
			"write a CEL expression after the =, or leave vexa_email empty for the person's own email",
			"the expression is empty")
	}
	if computed || vexaEmail == "" {
		return
	}
	if _, err := address.Email(vexaEmail); err != nil {
		p.refuse("grant.vexa_email", "write one address, or = and a CEL expression that computes one",
			"%q is not an email address: %v", vexaEmail, err)
	}
}

var (
	routeForm    = regexp.MustCompile(`^(GET|HEAD|POST|PUT|PATCH|DELETE) (/|(/[^/]+)+)$`)
	routeSegment = regexp.MustCompile(`^([A-Za-z0-9_~.-]+|\{[a-z_]+\})$`)
	routeRest    = regexp.MustCompile(`^\{[a-z_]+\.\.\.\}$`)
	toolForm     = regexp.MustCompile(`^[a-z0-9_*]{1,64}$`)
)

// isRoute says whether text is a method and a canonical path, with {name} for one segment
// and {name...} for the rest.
func isRoute(text string) bool {
	if !routeForm.MatchString(text) {
		return false
	}
	_, path, _ := strings.Cut(text, " /")
	if path == "" {
		return true
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		last := i == len(segments)-1
		if s == "." || s == ".." || !routeSegment.MatchString(s) && !(last && routeRest.MatchString(s)) {
			return false
		}
	}
	return true
}

// FormatDuration writes a duration without its zeros: 8760h.
func FormatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
