package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a document. The parser's time grows with the square of the nesting and of the number of keys in
// one mapping.
const (
	maxDocument = 256 << 10 // bytes
	maxDepth    = 24
)

// place is a position. In an environment variable that holds one value there are no lines.
type place struct {
	source       string
	line, column int
}

type kind int

const (
	scalarKind kind = iota
	nullKind
	mappingKind
	sequenceKind
)

// node is one value of the document, parsed as YAML and not interpreted yet: text with a position.
type node struct {
	kind    kind
	at      place
	text    string // of a scalar, as written: 0.10 stays 0.10
	entries []entry
	items   []*node

	block bool     // a literal block (|), whose text begins on the line below
	lines []string // of the document, to find a place inside the text
}

type entry struct {
	key   string
	at    place
	value *node
}

// child returns the value of a key of a mapping, or nil.
func (n *node) child(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// set sets or replaces the value of a key of a mapping.
func (n *node) set(key string, value *node) {
	for i := range n.entries {
		if n.entries[i].key == key {
			n.entries[i] = entry{key, value.at, value}
			return
		}
	}
	n.entries = append(n.entries, entry{key, value.at, value})
}

// inside returns the position of a line and column of the text, both from 1, where the text stands in the
// document as it is: not folded, not escaped, with no reference resolved in it.
func (n *node) inside(line, column int) (place, bool) {
	want := strings.Split(n.text, "\n")
	if line < 1 || line > len(want) {
		return place{}, false
	}
	at, text := n.at, want[line-1]
	if n.block {
		at.line += line
		if at.line > len(n.lines) || !strings.HasSuffix(n.lines[at.line-1], text) {
			return place{}, false
		}
		at.column = len(n.lines[at.line-1]) - len(text) + column
		return at, true
	}
	if len(want) > 1 || at.line < 1 || at.line > len(n.lines) {
		return place{}, false
	}
	written := []rune(n.lines[at.line-1])
	if at.column < 1 || at.column > len(written) {
		return place{}, false
	}
	rest := string(written[at.column-1:])
	unquoted := strings.TrimLeft(rest, `"'`)
	if !strings.HasPrefix(unquoted, text) {
		return place{}, false
	}
	at.column += len(rest) - len(unquoted) + column - 1
	return at, true
}

// parse parses one YAML document into a tree. It reports every duplicate key and everything of YAML that a
// configuration has no use for; nil means that nothing could be made of the text.
func (l *loader) parse(source string, text []byte) *node {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	start := place{source, 1, 1}
	switch {
	case len(text) > maxDocument:
		l.fail(start, "", fmt.Sprintf("has more than %d KiB", maxDocument>>10),
			"keep it shorter; the rules can be in a rules_file of their own")
		return nil
	case !utf8.Valid(text):
		l.fail(start, "", "is not UTF-8", "save it as UTF-8")
		return nil
	}
	tokens := lexer.Tokenize(string(text))
	if deep := tooDeep(tokens); deep != nil {
		l.fail(place{source, deep.Position.Line, deep.Position.Column}, "", "is nested too deeply",
			"write it with fewer levels: no setting needs so many")
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		l.failSyntax(start, text, err)
		return nil
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) == 0 {
		return &node{kind: mappingKind, at: start}
	}
	t := treeBuilder{
		loader: l, source: source, lines: strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"),
	}
	if len(bodies) > 1 {
		l.fail(t.place(bodies[1].GetToken()), "", "is a second document",
			"put everything into one, without ---")
	}
	return t.build(bodies[0], "")
}

// failSyntax reports the parser's error, without the lines of the document that it would show: they may hold
// secrets.
func (l *loader) failSyntax(at place, text []byte, err error) {
	message, remedy := "cannot be read as YAML", "look at its indentation, brackets and quotes"
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		message = "is not YAML: " + syntax.GetMessage()
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			at.line, at.column = t.Position.Line, max(t.Position.Column, 1)
		}
	}
	var line []byte
	if lines := bytes.Split(text, []byte("\n")); at.line <= len(lines) {
		line = lines[at.line-1]
	}
	switch indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]; {
	case bytes.ContainsRune(indent, '\t'):
		remedy = "indent with spaces: this line begins with a tab"
	case bytes.Contains(line, []byte("${")):
		remedy = "quote what has ${…} in it when it stands between braces"
	}
	l.fail(at, "", message, remedy)
}

// tooDeep returns the token at which a document is nested too deeply, or nil. Block nesting needs
// indentation, which the bound on the document's size keeps small, or several dashes on a line.
func tooDeep(tokens token.Tokens) *token.Token {
	depth, line, dashes := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType:
			dashes++
		}
		if depth+dashes > maxDepth {
			return t
		}
	}
	return nil
}

// treeBuilder turns the parser's tree into ours.
type treeBuilder struct {
	*loader
	source string
	lines  []string
}

func (t treeBuilder) place(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{t.source, 1, 1}
	}
	return place{t.source, tk.Position.Line, max(tk.Position.Column, 1)}
}

func (t treeBuilder) build(n ast.Node, key string) *node {
	if n == nil {
		return &node{kind: nullKind, at: place{t.source, 1, 1}}
	}
	out := &node{at: t.place(n.GetToken()), lines: t.lines}
	switch n := n.(type) {
	case *ast.NullNode:
		out.kind = nullKind
	case *ast.StringNode:
		out.text = n.Value
	case *ast.LiteralNode:
		out.text, out.block = n.Value.Value, n.Start.Type == token.LiteralType
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		out.text = n.GetToken().Value
	case *ast.MappingNode:
		t.buildMapping(out, n, key)
	case *ast.SequenceNode:
		out.kind = sequenceKind
		for i, item := range n.Values {
			out.items = append(out.items, t.build(item, fmt.Sprintf("%s[%d]", key, i)))
		}
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		t.fail(out.at, key, "anchors and aliases are not read",
			"write the value out; quote it if it begins with & or *")
	case *ast.TagNode:
		t.fail(out.at, key, "tags are not read",
			"write the value without the tag; quote it if it begins with !")
	default:
		t.fail(out.at, key, "is not a value", "")
	}
	return out
}

func (t treeBuilder) buildMapping(out *node, n *ast.MappingNode, key string) {
	out.kind = mappingKind
	if !n.IsFlowStyle && len(n.Values) > 0 {
		out.at = t.place(n.Values[0].Key.GetToken())
	}
	first := map[string]place{}
	for _, v := range n.Values {
		at := t.place(v.Key.GetToken())
		name, ok := v.Key.(*ast.StringNode)
		var text string
		switch {
		case ok:
			text = name.Value
		case v.Key.IsMergeKey():
			t.fail(at, key, "anchors and aliases are not read", "write the values out")
			continue
		default:
			text = v.Key.GetToken().Value
		}
		if earlier, twice := first[text]; twice {
			t.fail(at, join(key, text), fmt.Sprintf("is given twice, first on line %d", earlier.line),
				"keep one of them")
			continue
		}
		first[text] = at
		out.entries = append(out.entries, entry{text, at, t.build(v.Value, join(key, text))})
	}
}

// join returns the path of a key below a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
