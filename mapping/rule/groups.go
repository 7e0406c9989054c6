package rule

import (
	"regexp"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// groupID is how a directory names a group that it does not name by its name: Entra's object ids.
var groupID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func isGroupID(group string) bool { return groupID.MatchString(group) }

// askGroups asks whether one of the groups is on the list. A list of ids alone can say that a group of
// another id is not on it, and nothing about one that the rule names.
func (m Match) askGroups(s *subject) finding {
	if !s.GroupsComplete {
		return s.groupsInDoubt()
	}
	f := askMany("group", m.Groups, s.Groups)
	if f.answer == no && s.GroupsByID &&
		slices.ContainsFunc(m.Groups, func(group string) bool { return !isGroupID(group) }) {
		return s.groupsInDoubt()
	}
	return f
}

// groupsInDoubt says whether an expression asks what the list of groups does not tell.
func (e *expression) groupsInDoubt(s *subject) bool {
	return e.asksGroups && !s.GroupsComplete || e.asksGroupNames && s.GroupsByID
}

// asksGroupNames says whether an expression asks about groups in another way than by comparing them with
// ids that are written in it: "…" in identity.groups, identity.groups.exists(g, g == "…"),
// ["…"].exists(id, id in identity.groups).
func asksGroupNames(checked *cel.Ast) bool {
	for _, read := range identityReads(checked) {
		if fieldOf(read) == "groups" && !comparesIDs(read) {
			return true
		}
	}
	return false
}

// comparesIDs looks for the texts nearest to a read of the groups, outwards: they must all be ids, and
// nothing else of the identity, which could hold a name, among them.
func comparesIDs(read ast.NavigableExpr) bool {
	for question, ok := read.Parent(); ok; question, ok = question.Parent() {
		texts := textsIn(question)
		switch {
		case len(texts) == 0:
		case slices.ContainsFunc(texts, func(text string) bool { return !isGroupID(text) }):
			return false
		default:
			return readsIdentity(question) == 1
		}
	}
	return false
}

func textsIn(question ast.NavigableExpr) []string {
	var texts []string
	for _, literal := range ast.MatchDescendants(question, ast.KindMatcher(ast.LiteralKind)) {
		if text, is := literal.AsLiteral().(types.String); is {
			texts = append(texts, string(text))
		}
	}
	return texts
}

func readsIdentity(question ast.NavigableExpr) int {
	reads := 0
	for _, ident := range ast.MatchDescendants(question, ast.KindMatcher(ast.IdentKind)) {
		if ident.AsIdent() == "identity" {
			reads++
		}
	}
	return reads
}
