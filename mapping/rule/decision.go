package rule

import (
	"slices"
	"time"
)

// Decision is what the rules say about an identity, and why. Rules lists every rule,
// in order, matched or not.
type Decision struct {
	Allowed bool
	Grant   Grant // only when Allowed

	// Code and Reason say why not: not_mapped, denied_by_rule (Reason is then the admin's own words),
	// email_unproven, groups_incomplete, conflicting_vexa_users (two rules name different Vexa users).
	Code   string
	Reason string

	Rules []Result
}

// Matched returns the names of the rules that matched, in order; rules on trial are not among them.
func (d Decision) Matched() []string {
	var names []string
	for _, r := range d.Rules {
		if r.Matched && !r.Shadow {
			names = append(names, r.Rule)
		}
	}
	return names
}

// Result is one rule's part in a decision.
type Result struct {
	Rule    string `json:"rule"`
	Deny    bool   `json:"deny,omitempty"`
	Shadow  bool   `json:"shadow,omitempty"` // on trial: reported, but neither grants nor denies
	Matched bool   `json:"matched"`
	// "group vexa-users", "not in any of the groups vexa-admins", "the groups are not complete" …
	Why string `json:"why"`
}

// Grant is what an allowed identity may do at Vexa.
type Grant struct {
	VexaEmail string // which Vexa user: trimmed, lower-cased
	// it came from a rule or an admin, not from the proven email itself: never adopts (S3)
	VexaEmailComputed bool
	Name              string
	Scopes            Scopes
	MaxConcurrentBots *int // nil: leave what Vexa has
	Admin             bool
	KeyLifetime       time.Duration
	DenyRoutes        []string // "PUT /user/webhook"
	DenyTools         []string // "delete_*"
}

// Within is what both grants give.
func (g Grant) Within(limit Grant) Grant {
	g.Scopes = g.Scopes.Intersect(limit.Scopes)
	g.Admin = g.Admin && limit.Admin
	g.KeyLifetime = ShorterLifetime(g.KeyLifetime, limit.KeyLifetime)
	if limit.MaxConcurrentBots != nil &&
		(g.MaxConcurrentBots == nil || *limit.MaxConcurrentBots < *g.MaxConcurrentBots) {
		g.MaxConcurrentBots = limit.MaxConcurrentBots
	}
	g.DenyRoutes = union(g.DenyRoutes, limit.DenyRoutes)
	g.DenyTools = union(g.DenyTools, limit.DenyTools)
	return g
}

// union returns what is in either list, sorted, each once.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
