package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

// LoadRules reads rules from a file and compiles them for the providers of a configuration: a rules_file,
// which is a list of rules or a mapping with the key rules, or a whole configuration, of which only the rules
// are taken. The error is of type [Errors], as with [Load].
func LoadRules(path string, environ []string, providers []oidc.Config) (*rule.Rules, error) {
	l := &loader{
		env: variables(environ), dir: filepath.Dir(path), document: path, files: map[string]bool{},
		nodes: map[string]*node{}, reported: map[string]bool{},
	}
	text, err := readBounded(path, maxFile)
	if err != nil {
		l.fail(place{source: path}, "", err.Error(), "name a file of rules")
		return nil, l.errors()
	}
	root := l.parse(path, text)
	if root == nil {
		return nil, l.errors()
	}
	if root.kind == mappingKind &&
		(root.child("providers") != nil || root.child("vexa") != nil || root.child("rules_file") != nil) {
		return rulesOf(path, environ)
	}
	c := &Config{Providers: providers}
	l.root = root
	l.decodeRules(root, c)
	l.checkRules(c)
	if errs := l.errors(); errs != nil {
		return nil, errs
	}
	return c.RuleSet, nil
}

// rulesOf returns the rules of a whole configuration. VEXA_SSO_CONFIG is another one, and does not count.
func rulesOf(path string, environ []string) (*rule.Rules, error) {
	environ = slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		return strings.HasPrefix(v, documentVariable+"=")
	})
	whole, err := Load(path, environ)
	if err != nil {
		return nil, err
	}
	return whole.RuleSet, nil
}

// decodeRules decodes a document that has nothing but rules: a list, or a mapping with the key rules.
func (l *loader) decodeRules(root *node, c *Config) {
	if root.kind == sequenceKind {
		root = &node{kind: mappingKind, at: root.at, entries: []entry{{"rules", root.at, root}}}
	}
	l.expand(root, "")
	var file struct {
		Rules []rule.Rule `yaml:"rules"`
	}
	l.decode(root, reflect.ValueOf(&file).Elem(), "")
	c.Rules = file.Rules
}
