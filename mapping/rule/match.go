package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vexa-sso/oidc"
	"vexa-sso/oidc/address"
)

// answer is what a question about an identity comes to. Doubtful is what an error or an incomplete list
// leaves open: it never grants and always denies.
type answer int

const (
	no answer = iota
	doubtful
	yes
)

// finding is an answer and the words for it. The zero finding is a no; asking begins
// with yes and only gets worse.
type finding struct {
	answer answer
	why    []string
	groups bool // doubtful because the list of groups is not complete
}

func found(format string, args ...any) finding {
	return finding{answer: yes, why: []string{fmt.Sprintf(format, args...)}}
}

func missed(format string, args ...any) finding {
	return finding{answer: no, why: []string{fmt.Sprintf(format, args...)}}
}

// and joins two findings. The worse answer stands, and with it only what explains it.
func (f finding) and(g finding) finding {
	switch {
	case g.answer < f.answer:
		return g
	case g.answer > f.answer:
		return f
	}
	f.why = append(f.why, g.why...)
	f.groups = f.groups || g.groups
	return f
}

func (f finding) words() string { return strings.Join(f.why, "; ") }

// subject is an identity as the rules ask about it.
type subject struct {
	oidc.Identity
	email  string // proven and canonical, or empty
	domain string // of email
	pinned string // the address of the Vexa user that an admin has named for it, or empty
	silent bool   // what it does not say may be so all the same (silence.go)

	vars map[string]any
}

func newSubject(id oidc.Identity) *subject {
	s := &subject{Identity: id}
	if email, err := address.Email(id.Email); err == nil {
		s.email = email
		_, s.domain, _ = strings.Cut(email, "@")
	}
	return s
}

// variables are the identity as expressions see it.
func (s *subject) variables() map[string]any {
	if s.vars == nil {
		s.vars = map[string]any{"identity": newVisible(s)}
	}
	return s.vars
}

// groupsInDoubt is the finding of every question about groups while their list is not complete,
// even where the group that is asked about is on it: half a list decides nothing. And of questions
// by name where it has ids.
func (s *subject) groupsInDoubt() finding {
	why := "the list of groups is not complete"
	if s.GroupsComplete {
		why = "the directory lists the groups by their ids alone, and the rule asks by name"
	}
	if s.GroupsProblem != "" {
		why += " (" + brief(s.GroupsProblem) + ")"
	}
	return finding{answer: doubtful, why: []string{why}, groups: true}
}

// noEmail says why there is no proven email to ask about.
func (s *subject) noEmail() string {
	if s.UnprovenEmail != "" {
		return fmt.Sprintf("the email %s is not proven", brief(s.UnprovenEmail))
	}
	if s.Email != "" {
		return "the email is not one that can be compared"
	}
	return "there is no proven email"
}

// ask asks everything that the rule wants to know. The expression is evaluated only where the plain questions
// leave it something to decide.
func (r *rule) ask(s *subject) finding {
	f := r.Match.ask(s)
	if r.when != nil && f.answer != no {
		f = f.and(r.when.ask(s))
	}
	if len(f.why) == 0 {
		f.why = []string{"it is about every person"}
	}
	return f
}

func (m Match) ask(s *subject) finding {
	f := m.askKind(s)
	if m.Providers != nil {
		f = f.and(askOne("provider", m.Providers, s.Provider))
	}
	if m.Groups != nil {
		f = f.and(m.askGroups(s))
	}
	if m.Roles != nil {
		f = f.and(s.unlessSilent(len(s.Roles) == 0, oidc.SaidRoles, "roles",
			askMany("role", m.Roles, s.Roles)))
	}
	if m.Emails != nil {
		f = f.and(askEmail("email", m.Emails, s.email, s))
	}
	if m.Domains != nil {
		f = f.and(askEmail("domain", m.Domains, s.domain, s))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Claims)) {
		f = f.and(s.unlessSilent(s.Claims[name] == nil, name, "the claim "+name,
			askMany("claim "+name, m.Claims[name], claimTexts(s.Claims[name]))))
	}
	return f
}

func (m Match) askKind(s *subject) finding {
	wanted := m.Kind
	if wanted == nil {
		wanted = []oidc.Kind{oidc.User}
	}
	switch {
	case !slices.Contains(wanted, s.Kind):
		return missed("it is a %s, and the rule is about kind %s", s.Kind, joined(wanted))
	case m.Kind == nil:
		return finding{answer: yes}
	}
	return found("kind %s", s.Kind)
}

func askEmail(what string, wanted []string, have string, s *subject) finding {
	if have == "" {
		return s.unlessSilent(true, oidc.SaidEmail, "an email", missed("%s", s.noEmail()))
	}
	return askOne(what, wanted, have)
}

func askOne(what string, wanted []string, have string) finding {
	if slices.Contains(wanted, have) {
		return found("%s %s", what, have)
	}
	return missed("%s %s is not %s", what, brief(have), anyOf(wanted))
}

func askMany(what string, wanted, have []string) finding {
	for _, one := range wanted {
		if slices.Contains(have, one) {
			return found("%s %s", what, one)
		}
	}
	return missed("%s is not %s", what, anyOf(wanted))
}

func (e *expression) ask(s *subject) finding {
	if e.groupsInDoubt(s) {
		return s.groupsInDoubt()
	}
	if e.readsUnsaid(s) {
		return finding{answer: doubtful, why: []string{
			"the provider has not told again all that the rule asks about",
		}}
	}
	value, err := e.eval(s)
	if err != nil {
		return finding{answer: doubtful, why: []string{"when could not be evaluated: " + err.Error()}}
	}
	switch value {
	case true:
		return found("when holds")
	case false:
		return s.unlessSilent(e.asksSilent(s), "", "all that the rule asks about",
			missed("when does not hold"))
	}
	return finding{answer: doubtful, why: []string{"when is neither true nor false"}}
}

// anyOf names values in an explanation: one, any of a few, or any of the first few of many.
func anyOf(values []string) string {
	const most = 5
	if len(values) == 1 {
		return brief(values[0])
	}
	rest := ""
	if len(values) > most {
		rest = fmt.Sprintf(" and %d more", len(values)-most)
		values = values[:most]
	}
	return "any of " + brief(strings.Join(values, ", ")) + rest
}

func joined[T ~string](values []T) string {
	var b []string
	for _, v := range values {
		b = append(b, string(v))
	}
	return strings.Join(b, ", ")
}
