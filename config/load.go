package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Load reads the configuration in the file at path, or in VEXA_SSO_CONFIG where environ has that, and the
// VEXA_SSO_ variables over it. environ is a list of NAME=value as os.Environ returns it. File names in it are
// relative to the folder of the document (to the working directory with VEXA_SSO_CONFIG).
//
// The error is of type [Errors] and holds everything that is wrong, not only the first thing. To reload, call
// Load again, and keep the old configuration when it fails.
func Load(path string, environ []string) (*Config, error) {
	l := &loader{
		env: variables(environ), dir: filepath.Dir(path), files: map[string]bool{}, nodes: map[string]*node{},
		reported: map[string]bool{},
	}
	source, text, ok := l.source(path)
	if !ok {
		return nil, l.errors()
	}
	l.document = source
	root := l.parse(source, text)
	if root == nil {
		return nil, l.errors()
	}
	l.root = root
	l.override(root)
	l.expand(root, "")
	c := Default()
	l.decode(root, reflect.ValueOf(c).Elem(), "")
	l.readRules(c)
	l.check(c)
	if errs := l.errors(); errs != nil {
		return nil, errs
	}
	c.Files = slices.Sorted(maps.Keys(l.files))
	return c, nil
}

// loader is the state of one Load: what it reads from, and what it found.
type loader struct {
	env      map[string]string
	dir      string // of the document, for relative file names
	document string // name of the main document

	root    *node            // of the main document
	nodes   map[string]*node // decoded ones, by path
	files   map[string]bool  // paths of files that were read
	secrets []string         // values of references, to be redacted in messages

	problems Errors
	reported map[string]bool // keys with a problem, of which no more is reported
}

func variables(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return env
}

// source returns the document and its name.
func (l *loader) source(path string) (string, []byte, bool) {
	if text := l.env[documentVariable]; text != "" {
		l.dir = "."
		return documentVariable, []byte(text), true
	}
	text, err := readBounded(path, maxFile)
	if err != nil {
		l.fail(place{source: path}, "", err.Error(),
			"name the file with --config, or put the document into VEXA_SSO_CONFIG")
		return "", nil, false
	}
	l.files[path] = true
	return path, text, true
}

// readRules reads the rules_file: a list of rules, or a mapping with the key rules.
func (l *loader) readRules(c *Config) {
	if c.RulesFile == "" || l.isReported("rules_file") {
		return
	}
	if l.nodes["rules"] != nil {
		l.failKey("rules_file", "there are rules in the document and in a file", "keep one of the two")
		return
	}
	text, err := readFile(c.RulesFile)
	if err != nil {
		l.failKey("rules_file", err.Error(), "")
		return
	}
	root := l.parse(c.RulesFile, text)
	if root == nil {
		l.markReported("rules")
		return
	}
	l.decodeRules(root, c)
}

// fail reports a problem at a position. Once a key has a problem, no other is reported for it: the second
// would most often follow from the first.
func (l *loader) fail(at place, key, message, remedy string) {
	l.problems = append(l.problems, Problem{at.source, at.line, at.column, key, message, remedy})
	if key != "" {
		l.markReported(key)
	}
}

// failKey reports a problem with the value of a key, at its position. For a key that nobody gave, that is the
// position of what is nearest around it.
func (l *loader) failKey(key, message, remedy string) {
	if l.isReported(key) {
		return
	}
	l.problems = append(l.problems, l.problem(key, message, remedy))
}

func (l *loader) problem(key, message, remedy string) Problem {
	at := place{l.document, 1, 1}
	for path := key; path != ""; path = parent(path) {
		if n := l.nodes[path]; n != nil {
			at = n.at
			break
		}
	}
	return Problem{at.source, at.line, at.column, key, message, remedy}
}

// parent returns the path around a key: for a.b[2] it is a.b, then a, then "".
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

func (l *loader) markReported(key string) { l.reported[key] = true }

// markMissingReported keeps a key from being reported as missing, when it was given under another name.
func (l *loader) markMissingReported(path string) {
	n := l.root
	for name := range strings.SplitSeq(path, ".") {
		if n = n.child(name); n == nil {
			l.markReported(path)
			return
		}
	}
}

// isReported reports whether a key, or anything around or in it, has a problem already.
func (l *loader) isReported(key string) bool {
	for path := key; path != ""; path = parent(path) {
		if l.reported[path] {
			return true
		}
	}
	for b := range l.reported {
		if strings.HasPrefix(b, key+".") || strings.HasPrefix(b, key+"[") {
			return true
		}
	}
	return false
}

// keepSecret adds the value of a reference to those that are redacted in messages, and returns it.
func (l *loader) keepSecret(value string) string {
	if len(value) >= 6 {
		l.secrets = append(l.secrets, value)
	}
	return value
}

// errors returns the sorted problems with secrets redacted; nil when there are none.
func (l *loader) errors() error {
	if len(l.problems) == 0 {
		return nil
	}
	slices.SortFunc(l.secrets, func(a, b string) int { return len(b) - len(a) })
	for i := range l.problems {
		for _, s := range l.secrets {
			l.problems[i].Message = strings.ReplaceAll(l.problems[i].Message, s, redacted)
			l.problems[i].Message = strings.ReplaceAll(l.problems[i].Message, fmt.Sprintf("%q", s), redacted)
			l.problems[i].Remedy = strings.ReplaceAll(l.problems[i].Remedy, s, redacted)
		}
	}
	l.problems.sort()
	return l.problems
}
