package exchange

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

var update = flag.Bool("update", false, "write README's table of codes anew")

// README's table of codes is the one that answers are made from.
func TestReadmeListsTheCodes(t *testing.T) {
	const readme, from, to = "../../README.md", "<!-- codes -->\n", "<!-- /codes -->"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), from)
	table, after, closed := strings.Cut(rest, to)
	if !found || !closed {
		t.Fatalf("README has no place for the table between %q and %q", from, to)
	}
	want := codesTable()
	if *update {
		if err := os.WriteFile(readme, []byte(before+from+want+to+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != want {
		t.Errorf("README's table of codes is not that of codes.go: run `go test ./proxy/exchange -run TestReadme -update`")
	}
}

func codesTable() string {
	var b strings.Builder
	b.WriteString("\n| code | status | what it means |\n|---|---|---|\n")
	codes := slices.SortedFunc(maps.Keys(outcomes), func(x, y Code) int {
		if d := outcomes[x].Status - outcomes[y].Status; d != 0 {
			return d
		}
		return strings.Compare(string(x), string(y))
	})
	for _, c := range codes {
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", c, outcomes[c].Status, outcomes[c].Detail)
	}
	return b.String() + "\n"
}

// Every code that any room reports is in the table, and everything in the table is said properly.
func TestEveryCodeIsInTheTable(t *testing.T) {
	t.Parallel()
	codes := []string{
		rule.CodeNotMapped, rule.CodeDeniedByRule, rule.CodeEmailUnproven,
		rule.CodeGroupsIncomplete, rule.CodeConflictingUsers,
		mapping.CodePendingApproval, mapping.CodeSuspended, mapping.CodeScopeMissing,
		mapping.CodeVexaUnavailable, mapping.CodeStoreUnavailable,
		oidc.CodeProviderUnavailable,
	}
	codes = append(codes, codesOf(t, "../../oidc")...)
	codes = append(codes, codesOf(t, "../../mapping")...)
	codes = append(codes, codesOf(t, "../../mapping/rule")...)
	for _, room := range []string{
		".", "../caller", "../upstream", "../signin", "../channel", "..", "../tokens", "../authserver",
	} {
		codes = append(codes, codesNamedIn(t, room)...)
	}
	for _, c := range codes {
		if _, ok := outcomes[Code(c)]; !ok {
			t.Errorf("%q is reported and not in the table", c)
		}
	}
	for c, o := range outcomes {
		if http.StatusText(o.Status) == "" || o.Title == "" || o.Detail == "" || o.Next == "" {
			t.Errorf("%s: %+v", c, o)
		}
	}
	for c := range retryAfter {
		if outcomes[c].Status < 429 {
			t.Errorf("%s is not for now, but says when to come back", c)
		}
	}
}

// codesOf finds the values of a package's Code… constants.
func codesOf(t *testing.T, dir string) []string {
	t.Helper()
	var codes []string
	eachFile(t, dir, func(f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 ||
				!strings.HasPrefix(spec.Names[0].Name, "Code") {
				return true
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				code, _ := strconv.Unquote(lit.Value)
				codes = append(codes, code)
			}
			return true
		})
	})
	if len(codes) < 5 {
		t.Fatalf("only %v found in %s", codes, dir)
	}
	return codes
}

// codesNamedIn finds the codes that a room refuses and fails with.
func codesNamedIn(t *testing.T, dir string) []string {
	t.Helper()
	var codes []string
	eachFile(t, dir, func(f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			called := call.Fun
			if of, ok := called.(*ast.SelectorExpr); ok {
				called = of.Sel
			}
			name, ok := called.(*ast.Ident)
			if !ok || !slices.Contains([]string{"Refuse", "Fail", "RefuseBecause"}, name.Name) {
				return true
			}
			if lit, ok := call.Args[0].(*ast.BasicLit); ok {
				code, _ := strconv.Unquote(lit.Value)
				codes = append(codes, code)
			}
			return true
		})
	})
	if len(codes) == 0 {
		t.Errorf("no code is named in %s", dir)
	}
	return codes
}

func eachFile(t *testing.T, dir string, do func(*ast.File)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(dir, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		do(f)
	}
}
