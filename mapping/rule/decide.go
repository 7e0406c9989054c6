package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"vexa-sso/oidc"
	"vexa-sso/oidc/address"
)

// DefaultKeyLifetime is how long keys live where no matching rule says.
const DefaultKeyLifetime = 24 * time.Hour

// Codes of decisions that refuse. The public error table in proxy gives each its HTTP status.
const (
	CodeNotMapped     = "not_mapped"     // no rule grants anything
	CodeDeniedByRule  = "denied_by_rule" // a rule denies; the reason is the admin's own words
	CodeEmailUnproven = "email_unproven" // a rule grants, but to a proven email, and there is none
	// a rule might grant, but asks about groups that are not all known
	CodeGroupsIncomplete = "groups_incomplete"
	CodeConflictingUsers = "conflicting_vexa_users" // matching rules name different Vexa users
)

// maxName is the longest user name that Vexa takes, in characters.
const maxName = 100

// Decide says what the identity may do, and why, rule by rule. The order of the rules does not matter, but
// that the first of several denies gives the reason:
//
//   - What no rule grants is refused.
//   - Every matching grant adds. Scopes unite, bots take the maximum of those that say a number, lifetimes
//     the minimum of those that say one, admin is given if any gives it. Denied routes unite too: they are
//     restrictions, and restrictions add.
//   - Grants that name different Vexa users refuse, because what one gives must never reach the
//     data of the other's user.
//   - One matching deny beats all.
//   - Doubt (an expression that fails, a question about groups whose list is not complete) never grants and
//     always denies. A grant that the missing groups might have matched still restricts: its denied routes,
//     and its lifetime where it is shorter.
//
// It takes no locks and is safe for concurrent use.
func (r *Rules) Decide(id oidc.Identity) Decision { return r.DecidePinned(id, "") }

// DecidePinned decides about an identity whose Vexa user an admin has named; with an empty vexaEmail it is
// Decide. The rules still say whether and what is granted, but none says to which user: a vexa_email is not
// looked at, a proven email is not needed, and grants that name different users agree.
func (r *Rules) DecidePinned(id oidc.Identity, vexaEmail string) Decision {
	s := newSubject(id)
	s.pinned = vexaEmail
	results := make([]Result, 0, len(r.rules))
	var sum tally
	for i := range r.rules {
		one := &r.rules[i]
		v := one.judge(s)
		results = append(results, Result{
			Rule: one.Name, Deny: one.denies(), Shadow: one.Shadow, Matched: v.matched, Why: v.words(),
		})
		if !one.Shadow {
			sum.add(one, v)
		}
	}
	d := sum.decision(s)
	d.Rules = results
	return d
}

// verdict is one rule's part in a decision.
type verdict struct {
	finding
	matched   bool
	email     string // of a matching grant: the Vexa user
	computed  bool   // the rule said the email, it is not the identity's own
	emailless bool   // would have granted, had the identity a proven email
}

func (r *rule) denies() bool { return r.Grant == nil }

func (r *rule) judge(s *subject) verdict {
	v := verdict{finding: r.ask(s)}
	switch {
	case r.denies():
		v.matched = v.answer != no
		if v.answer == doubtful {
			v.why = append(v.why, "a deny holds where it cannot be ruled out")
		}
		return v
	case v.answer == yes:
		v.nameUser(r, s)
	}
	if v.groups && r.restricts() {
		v.why = append(v.why, "what the rule restricts holds all the same")
	}
	return v
}

func (r *rule) restricts() bool {
	return len(r.Grant.DenyRoutes) > 0 || len(r.Grant.DenyTools) > 0 || r.Grant.KeyLifetime > 0
}

// nameUser finds the Vexa user of a grant that matches. Without one the grant does not match after all.
func (v *verdict) nameUser(r *rule, s *subject) {
	switch {
	case s.pinned != "":
		v.email, v.computed, v.matched = s.pinned, true, true
	case r.address != nil:
		v.computeUser(r.address, s)
	case r.Grant.VexaEmail != "":
		v.email, v.computed, v.matched = r.Grant.VexaEmail, true, true
	case s.email != "":
		v.email, v.matched = s.email, true
	default:
		v.emailless = true
		v.why = append(v.why, "but "+s.noEmail()+", and the rule names no other Vexa user")
	}
}

func (v *verdict) computeUser(expr *expression, s *subject) {
	if expr.groupsInDoubt(s) {
		v.finding = s.groupsInDoubt()
		return
	}
	value, err := expr.eval(s)
	if err != nil {
		v.why = append(v.why, "but vexa_email could not be computed: "+err.Error())
		return
	}
	text, ok := value.(string)
	if !ok {
		v.why = append(v.why, "but vexa_email did not come to a text")
		return
	}
	email, err := address.Email(text)
	if err != nil {
		v.why = append(v.why, fmt.Sprintf("but vexa_email came to %q: %v", brief(text), err))
		return
	}
	v.email, v.computed, v.matched = email, true, true
}

// tally adds up the rules.
type tally struct {
	deny      string // the reason of the first deny, one that matches for certain before one in doubt
	denied    answer
	grants    bool
	emails    []string // of matching grants: sorted, without repetition
	own       bool     // a matching grant is for the identity's own email
	emailless bool
	groups    bool // a grant is in doubt because of groups
	grant     Grant

	mostLifetime time.Duration // of grants in doubt; zero: none says
}

func (t *tally) add(r *rule, v verdict) {
	switch {
	case r.denies():
		if v.matched && v.answer > t.denied {
			t.denied, t.deny = v.answer, r.Deny
		}
		return
	case v.matched:
		t.give(r, v)
	case v.groups:
		t.groups = true
		t.restrictInDoubt(r)
	}
	t.emailless = t.emailless || v.emailless
}

func (t *tally) give(r *rule, v verdict) {
	t.grants = true
	t.own = t.own || !v.computed
	t.close(r)
	if i, have := slices.BinarySearch(t.emails, v.email); !have {
		t.emails = slices.Insert(t.emails, i, v.email)
	}
	g := &t.grant
	g.Scopes = g.Scopes.Union(r.scopes)
	g.Admin = g.Admin || r.Grant.Admin
	if n := r.Grant.MaxConcurrentBots; n != nil && (g.MaxConcurrentBots == nil || *n > *g.MaxConcurrentBots) {
		g.MaxConcurrentBots = new(*n)
	}
	g.KeyLifetime = ShorterLifetime(g.KeyLifetime, r.Grant.KeyLifetime)
}

// restrictInDoubt lets a grant that might match take away, though it gives nothing: not even a lifetime
// longer than the one that the others come to.
func (t *tally) restrictInDoubt(r *rule) {
	t.close(r)
	t.mostLifetime = ShorterLifetime(t.mostLifetime, r.Grant.KeyLifetime)
}

// close takes away the routes and the tools that a rule closes.
func (t *tally) close(r *rule) {
	t.grant.DenyRoutes = union(t.grant.DenyRoutes, r.Grant.DenyRoutes)
	t.grant.DenyTools = union(t.grant.DenyTools, r.Grant.DenyTools)
}

// ShorterLifetime returns the shorter of two lifetimes, of which either may be zero and say nothing.
func ShorterLifetime(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func (t *tally) decision(s *subject) Decision {
	switch {
	case t.denied != no:
		return refusal(CodeDeniedByRule, t.deny)
	case len(t.emails) > 1:
		return refusal(CodeConflictingUsers,
			"Your rules name more than one Vexa user: "+strings.Join(t.emails, ", ")+".")
	case t.grants:
		return Decision{Allowed: true, Grant: t.granted(s)}
	case t.emailless:
		return refusal(CodeEmailUnproven, unprovenReason(s))
	case t.groups:
		return refusal(CodeGroupsIncomplete,
			"Access to Vexa depends on your groups, and "+strings.Join(s.groupsInDoubt().why, "")+".")
	}
	return refusal(CodeNotMapped, "No rule gives you access to Vexa.")
}

func (t *tally) granted(s *subject) Grant {
	g := t.grant
	g.VexaEmail = t.emails[0]
	g.VexaEmailComputed = !t.own
	g.Name = vexaName(s.Name)
	if g.KeyLifetime == 0 {
		g.KeyLifetime = DefaultKeyLifetime
	}
	g.KeyLifetime = ShorterLifetime(g.KeyLifetime, t.mostLifetime)
	return g
}

func refusal(code, reason string) Decision { return Decision{Code: code, Reason: reason} }

func unprovenReason(s *subject) string {
	if s.UnprovenEmail != "" {
		return fmt.Sprintf("Access to Vexa needs a proven email, and your provider has not proven %s.",
			brief(s.UnprovenEmail))
	}
	return "Access to Vexa needs a proven email, and your provider gave none."
}

// vexaName makes a name that Vexa takes: one line, no control characters, not too long.
func vexaName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if runes := []rune(name); len(runes) > maxName {
		name = strings.TrimSpace(string(runes[:maxName]))
	}
	return name
}
