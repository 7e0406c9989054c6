package rule

import (
	"slices"

	"vexa-sso/oidc"
)

// Reads says whether a rule asks about any of these things that an identity may say: groups, roles, email,
// name (oidc.SaidGroups …), or a claim by its name. Rules on trial are left out.
func (r *Rules) Reads(names []string) bool {
	for i := range r.rules {
		one := &r.rules[i]
		if !one.Shadow && slices.ContainsFunc(names, one.reads) {
			return true
		}
	}
	return false
}

func (r *rule) reads(name string) bool {
	m := r.Match
	switch {
	case m.Claims[name] != nil, r.when.reads(name), r.address.reads(name):
		return true
	case name == oidc.SaidGroups:
		return m.Groups != nil
	case name == oidc.SaidRoles:
		return m.Roles != nil
	case name == oidc.SaidEmail:
		return m.Emails != nil || m.Domains != nil || r.Grant != nil && r.Grant.VexaEmail == ""
	}
	return false
}

// reads says whether an expression may read what an identity says under a name. Of claims it may read any
// that it does not name.
func (e *expression) reads(name string) bool {
	if e == nil {
		return false
	}
	if slices.Contains(e.fields, name) {
		return true
	}
	if !slices.Contains(e.fields, "claims") {
		return false
	}
	return e.claims == nil || slices.Contains(e.claims, name)
}

// readsUnsaid says whether an expression may read what is not known of the identity.
func (e *expression) readsUnsaid(s *subject) bool { return slices.ContainsFunc(s.Unsaid, e.reads) }
