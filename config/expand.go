package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// reference is ${env:NAME} or ${file:/path}; $${ is a literal ${.
var reference = regexp.MustCompile(`\$?\$\{[^}]*\}?`)

// expand resolves the references in every text of the tree, once: what comes out of a variable or a file is
// not expanded again.
func (l *loader) expand(n *node, key string) {
	switch n.kind {
	case scalarKind:
		n.text = reference.ReplaceAllStringFunc(n.text, func(ref string) string {
			return l.resolve(ref, n, key)
		})
	case mappingKind:
		for _, e := range n.entries {
			l.expand(e.value, join(key, e.key))
		}
	case sequenceKind:
		for i, item := range n.items {
			l.expand(item, fmt.Sprintf("%s[%d]", key, i))
		}
	}
}

func (l *loader) resolve(ref string, n *node, key string) string {
	if rest, literal := strings.CutPrefix(ref, "$${"); literal {
		return "${" + rest
	}
	body, closed := strings.CutSuffix(strings.TrimPrefix(ref, "${"), "}")
	source, name, _ := strings.Cut(body, ":")
	switch {
	case !closed:
		l.fail(n.at, key, "has ${ without }",
			"write ${env:NAME} or ${file:/path}, or $${ for the characters themselves")
	case source == "env" && name != "":
		value, set := l.env[name]
		if !set {
			l.fail(n.at, key, fmt.Sprintf("the environment variable %s is not set", name),
				"set it, or write the value here")
		}
		if set && value == "" {
			l.fail(n.at, key, fmt.Sprintf("the environment variable %s is empty", name),
				"set it, or write the value here")
		}
		return l.keepSecret(value)
	case source == "file" && name != "":
		text, ok := l.read(l.relative(name), n.at, key)
		if !ok {
			return ""
		}
		value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
		if value == "" {
			l.fail(n.at, key, fmt.Sprintf("%s is empty", l.relative(name)),
				"fill it, or write the value here")
		}
		return l.keepSecret(value)
	default:
		l.fail(n.at, key, "has a reference that names neither a variable nor a file",
			"write ${env:NAME} or ${file:/path}, or $${ for the characters themselves")
	}
	return ""
}

// relative resolves a file name relative to the folder of the document.
func (l *loader) relative(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(l.dir, name)
}
