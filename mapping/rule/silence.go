package rule

import (
	"slices"

	"cel.dev/cel-go/cel"

	"vexa-sso/oidc"
)

// An access token says less than a sign-in. Where it is all that is known of a person, nobody can tell
// whether what it does not say is not so, or is only not said. A grant that asks for it is not given either
// way; a deny must not be got past by it.

// DeniesSilent says whether a deny might be about the person of an identity that may be silent about things.
func (r *Rules) DeniesSilent(id oidc.Identity) bool {
	s := newSubject(id)
	s.silent = true
	for i := range r.rules {
		if one := &r.rules[i]; one.denies() && !one.Shadow && one.judge(s).matched {
			return true
		}
	}
	return false
}

// unlessSilent is what was found, or doubt where it was only found for want of what
// the identity does not say.
func (s *subject) unlessSilent(unsaid bool, what string, f finding) finding {
	if !s.silent || !unsaid || f.answer != no {
		return f
	}
	return finding{answer: doubtful, why: []string{"the access token does not tell " + what}}
}

// asksSilent says whether an expression reads what the identity does not say.
func (e *expression) asksSilent(s *subject) bool {
	reads := func(field string) bool { return slices.Contains(e.fields, field) }
	return reads("email") && s.email == "" || reads("name") && s.Name == "" ||
		reads("roles") && len(s.Roles) == 0 || reads("claims")
}

// fieldsRead are the fields of identity that an expression reads somewhere, whether an
// evaluation gets there or not.
func fieldsRead(checked *cel.Ast) (fields []string) {
	for _, read := range identityReads(checked) {
		fields = append(fields, fieldOf(read))
	}
	return fields
}
