package rule

import (
	"slices"

	"cel.dev/cel-go/cel"

	"vexa-sso/oidc"
)

// An access token says less than a sign-in, and so may a renewal. Where it is all that is known of a person,
// nobody can tell whether what it does not say is not so, or is only not said. A grant that asks for it is
// not given either way; a deny must not be got past by it.

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
// the identity does not say. name is what it would say it under.
func (s *subject) unlessSilent(unsaid bool, name, what string, f finding) finding {
	switch {
	case slices.Contains(s.Unsaid, name):
		return finding{answer: doubtful, why: []string{"the provider has not told " + what + " again"}}
	case !s.silent || !unsaid || f.answer != no:
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

// claimsRead are the claims that an expression names; nil when it reads claims in another way too.
func claimsRead(checked *cel.Ast) (claims []string) {
	claims = []string{}
	for _, read := range identityReads(checked) {
		if fieldOf(read) != "claims" {
			continue
		}
		use, _ := read.Parent()
		name, ok := claimName(use)
		if !ok {
			return nil
		}
		claims = append(claims, name)
	}
	return claims
}

// fieldsRead are the fields of identity that an expression reads somewhere, whether an
// evaluation gets there or not.
func fieldsRead(checked *cel.Ast) (fields []string) {
	for _, read := range identityReads(checked) {
		fields = append(fields, fieldOf(read))
	}
	return fields
}
