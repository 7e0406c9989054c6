package rule

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"vexa-sso/oidc"
)

// What an expression may cost. The admin writes it, but strangers' tokens feed it: a pass or two over the
// longest list of groups that a provider sends is well inside, one over all pairs of them is not.
const (
	maxExpression = 4096      // characters
	maxCost       = 1_000_000 // CEL cost units of one evaluation, some tens of milliseconds at most
)

// visible is what an expression sees as identity: the proven email and never the unproven one, the claims
// less the closed ones. Fields that it does not have cannot be misspelt, they are errors at load.
type visible struct {
	Provider string         `cel:"provider"`
	Subject  string         `cel:"subject"`
	Kind     string         `cel:"kind"`
	Email    string         `cel:"email"`
	Name     string         `cel:"name"`
	Groups   []string       `cel:"groups"`
	Roles    []string       `cel:"roles"`
	Claims   map[string]any `cel:"claims"`
}

const visibleFields = "provider, subject, kind, email, name, groups, roles and claims"

func newVisible(s *subject) *visible {
	return &visible{
		Provider: s.Provider, Subject: s.Subject, Kind: string(s.Kind), Email: s.email, Name: s.Name,
		Groups: s.Groups, Roles: s.Roles, Claims: openClaims(s.Claims),
	}
}

// environment declares the language of expressions: CEL with its string functions and
// the one variable, identity.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	identity := cel.NativeTypeFor[visible](types.ParseStructTags(true),
		cel.NativeTypeAlias("vexa_sso.Identity"))
	return cel.NewEnv(
		cel.Types(identity),
		cel.Variable("identity", cel.ObjectType("vexa_sso.Identity")),
		ext.Strings(ext.StringsVersion(4)),
		cel.ASTValidators(cel.ValidateRegexLiterals()),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ExpressionNodeLimit(4*maxExpression),
		cel.ParserRecursionLimit(100),
	)
})

// expression is a compiled CEL expression over an identity. It is safe for concurrent use.
type expression struct {
	program        cel.Program
	asksGroups     bool // reads identity.groups somewhere, whether an evaluation gets there or not
	asksGroupNames bool // and not to compare it with ids of groups

	fields []string // of identity that it reads
	claims []string // that it reads; nil: any, for it does not name them
}

// compileCondition compiles a `when`: true or false, and not always the same.
func compileCondition(key, text string) (*expression, []oidc.Problem) {
	env, checked, problems := typeCheck(key, text)
	if len(problems) > 0 {
		return nil, problems
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, []oidc.Problem{{
			Key: key, Message: fmt.Sprintf("its type is %s, not true or false", t),
			Remedy: "compare it with something", Line: 1, Column: 1,
		}}
	}
	if p, constant := constantCondition(env, checked, key); constant {
		return nil, []oidc.Problem{p}
	}
	return newExpression(env, checked, key)
}

// compileAddress compiles a `vexa_email` that computes an address.
func compileAddress(key, text string) (*expression, []oidc.Problem) {
	env, checked, problems := typeCheck(key, text)
	if len(problems) > 0 {
		return nil, problems
	}
	if t := checked.OutputType(); !t.IsExactType(cel.StringType) && !t.IsExactType(cel.DynType) {
		return nil, []oidc.Problem{{
			Key: key, Message: fmt.Sprintf("its type is %s, not a text", t),
			Remedy: `compute an address, for example = identity.claims.team + "@bots.acme.example"`,
			Line:   1, Column: 1,
		}}
	}
	return newExpression(env, checked, key)
}

// typeCheck parses and type-checks an expression, and refuses the reads that would be unsafe.
func typeCheck(key, text string) (*cel.Env, *cel.Ast, []oidc.Problem) {
	if n := utf8.RuneCountInString(text); n > maxExpression {
		return nil, nil, []oidc.Problem{{
			Key: key, Message: fmt.Sprintf("it has %d characters", n),
			Remedy: fmt.Sprintf("stay below %d; use match, or several rules", maxExpression),
		}}
	}
	env, err := environment()
	if err != nil {
		return nil, nil, []oidc.Problem{{Key: key, Message: err.Error()}}
	}
	checked, issues := env.Compile(text)
	if issues.Err() == nil {
		return env, checked, lintUse(key, checked)
	}
	var problems []oidc.Problem
	for _, e := range issues.Errors() {
		problems = append(problems, oidc.Problem{
			Key: key, Message: e.Message, Remedy: "write a CEL expression; identity has " + visibleFields,
			Line: max(e.Location.Line(), 1), Column: e.Location.Column() + 1,
		})
	}
	return nil, nil, problems
}

func newExpression(env *cel.Env, checked *cel.Ast, key string) (*expression, []oidc.Problem) {
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, []oidc.Problem{{Key: key, Message: err.Error(), Remedy: "write an expression that " +
			"can be evaluated", Line: 1, Column: 1}}
	}
	return &expression{
		program: program, asksGroups: asksGroups(checked), asksGroupNames: asksGroupNames(checked),
		fields: fieldsRead(checked), claims: claimsRead(checked),
	}, nil
}

// constantCondition finds a condition that comes to the same for everybody, by evaluating it
// without knowing identity.
func constantCondition(env *cel.Env, checked *cel.Ast, key string) (oidc.Problem, bool) {
	p := oidc.Problem{Key: key, Line: 1, Column: 1, Remedy: "ask something about identity, or leave when out"}
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptPartialEval))
	if err != nil {
		return p, false // newExpression reports it
	}
	unknown, err := cel.PartialVars(map[string]any{}, cel.AttributePattern("identity"))
	if err != nil {
		return p, false
	}
	value, _, err := program.Eval(unknown)
	switch {
	case err != nil:
		p.Message = "it fails for everybody: " + brief(err.Error())
	case types.IsUnknown(value):
		return p, false
	default:
		p.Message = fmt.Sprintf("it is always %v", value.Value())
	}
	return p, true
}

// identityReads returns every place where the variable identity stands.
func identityReads(checked *cel.Ast) []ast.NavigableExpr {
	idents := ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()), ast.KindMatcher(ast.IdentKind))
	var reads []ast.NavigableExpr
	for _, e := range idents {
		if e.AsIdent() == "identity" {
			reads = append(reads, e)
		}
	}
	return reads
}

// fieldOf returns the field that is read where identity stands: identity.email is "email". It is empty
// where identity is used whole.
func fieldOf(read ast.NavigableExpr) string {
	parent, ok := read.Parent()
	if !ok || parent.Kind() != ast.SelectKind {
		return ""
	}
	return parent.AsSelect().FieldName()
}

// asksGroups says whether an expression asks about groups. It is exact because lintUse lets identity be
// used only field by field.
func asksGroups(checked *cel.Ast) bool {
	for _, read := range identityReads(checked) {
		if fieldOf(read) == "groups" {
			return true
		}
	}
	return false
}

// lintUse refuses what would read around the fields of identity (dyn(identity), [identity]), claims that may
// not decide anything, and what could grow beyond bounds.
func lintUse(key string, checked *cel.Ast) []oidc.Problem {
	var problems []oidc.Problem
	refuse := func(at ast.NavigableExpr, message, remedy string) {
		loc := checked.NativeRep().SourceInfo().GetStartLocation(at.ID())
		problems = append(problems, oidc.Problem{
			Key: key, Message: message, Remedy: remedy, Line: max(loc.Line(), 1), Column: loc.Column() + 1,
		})
	}
	for _, read := range identityReads(checked) {
		switch fieldOf(read) {
		case "":
			refuse(read, "it uses identity as a whole", "name the field: identity has "+visibleFields)
		case "claims":
			claims, _ := read.Parent()
			if name, ok := claimName(claims); ok {
				if c, is := closed(name); is {
					refuse(read, fmt.Sprintf("the claim %s %s", name, c.why), c.remedy)
				}
			}
		}
	}
	for _, double := range roundings(checked) {
		refuse(double, "it compares by rounding, which makes one of two neighbours above 2^53",
			"compare with a whole number (without a point), or with a text; claims with numbers are exact")
	}
	for _, call := range multiplications(checked) {
		refuse(call, "it multiplies texts that come from outside",
			"give "+call.AsCall().FunctionName()+" fixed texts in quotes")
	}
	return problems
}

// multiplications returns the calls whose result can be as long as the product of two texts, unless all but
// the first are written in the expression, which makes the factor the admin's. The cost limit is no help
// here: the cost of a call is counted after it.
func multiplications(checked *cel.Ast) []ast.NavigableExpr {
	var calls []ast.NavigableExpr
	for _, function := range []string{"replace", "join"} {
		for _, call := range ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()),
			ast.FunctionMatcher(function)) {
			if slices.ContainsFunc(call.AsCall().Args(), func(arg ast.Expr) bool {
				return arg.Kind() != ast.LiteralKind
			}) {
				calls = append(calls, call)
			}
		}
	}
	return calls
}

// roundings returns what makes doubles that stand for several whole numbers: literals beyond 2^53, and
// double() of what is not written in the expression.
func roundings(checked *cel.Ast) []ast.NavigableExpr {
	found := ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()), func(e ast.NavigableExpr) bool {
		value, is := float64(0), false
		if e.Kind() == ast.LiteralKind {
			value, is = e.AsLiteral().Value().(float64)
		}
		return is && math.Abs(value) >= exactWhole
	})
	for _, call := range ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()),
		ast.FunctionMatcher("double")) {
		if args := call.AsCall().Args(); len(args) != 1 || args[0].Kind() != ast.LiteralKind {
			found = append(found, call)
		}
	}
	return found
}

// claimName returns the claim that is read from claims: claims.x, claims["x"],
// has(claims.x) or "x" in claims.
func claimName(claims ast.NavigableExpr) (string, bool) {
	use, ok := claims.Parent()
	if !ok {
		return "", false
	}
	switch use.Kind() {
	case ast.SelectKind:
		return use.AsSelect().FieldName(), true
	case ast.CallKind:
		call := use.AsCall()
		for i, function := range []string{operators.In, operators.Index} {
			if call.FunctionName() == function && len(call.Args()) == 2 &&
				call.Args()[i].Kind() == ast.LiteralKind {
				name, ok := call.Args()[i].AsLiteral().Value().(string)
				return name, ok
			}
		}
	}
	return "", false
}

// eval evaluates the expression for one identity. It takes no locks.
func (e *expression) eval(s *subject) (any, error) {
	value, _, err := e.program.Eval(s.variables())
	if err != nil {
		return nil, fmt.Errorf("%s", brief(err.Error()))
	}
	return value.Value(), nil
}

// brief makes a text fit for one line of an explanation.
func brief(text string) string {
	const most = 200
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "")
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return text
}
