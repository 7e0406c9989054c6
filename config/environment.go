package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

const (
	variablePrefix = "VEXA_SSO_"

	// documentVariable holds a whole document, instead of a file.
	documentVariable = "VEXA_SSO_CONFIG"

	// serverVariable is the server of those who sign in from a terminal, and no setting of one.
	serverVariable = "VEXA_SSO_SERVER"
)

// serviceLink matches what Kubernetes puts into every container of a namespace for a Service named vexa-sso
// or vexa-sso-…: VEXA_SSO_SERVICE_HOST, VEXA_SSO_PORT=tcp://10.0.0.1:80, VEXA_SSO_PORT_80_TCP_ADDR. They are
// no settings and no typos.
var serviceLink = regexp.MustCompile(
	`^VEXA_SSO_(\w+_)?(SERVICE_(HOST|PORT)\w*|PORT_[0-9]+_(TCP|UDP|SCTP)\w*|PORT=(tcp|udp|sctp)://.*)`,
)

// variableOf returns the environment variable that overrides the value at a path.
func variableOf(path string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// override sets the values of VEXA_SSO_ variables in the tree, over those of the document. A list is
// separated by commas.
func (l *loader) override(root *node) {
	types, paths := map[string]reflect.Type{}, map[string]string{}
	leaves(reflect.TypeFor[Config](), "", func(path string, t reflect.Type) {
		types[variableOf(path)], paths[variableOf(path)] = t, path
	})
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		value := l.env[name]
		switch t, known := types[name]; {
		case known:
			l.put(root, paths[name], variable(name, value, t))
		case !strings.HasPrefix(name, variablePrefix), name == documentVariable, name == serverVariable,
			strings.HasPrefix(name, "VEXA_SSO_TEST_"),
			serviceLink.MatchString(name + "=" + value):
		default:
			remedy := "the variables are the keys in capitals, like VEXA_SSO_STORE_URL; unset it"
			if meant := nearest(name, slices.Sorted(maps.Keys(types))); meant != "" {
				remedy = fmt.Sprintf("did you mean %s?", meant)
				l.markMissingReported(paths[meant])
			}
			l.fail(place{source: name}, "", "unknown variable", remedy)
		}
	}
}

// variable returns the node of a variable's value.
func variable(name, value string, t reflect.Type) *node {
	at := place{source: name}
	if t.Kind() != reflect.Slice {
		return &node{at: at, text: value}
	}
	list := &node{kind: sequenceKind, at: at}
	if strings.TrimSpace(value) == "" {
		return list
	}
	for item := range strings.SplitSeq(value, ",") {
		list.items = append(list.items, &node{at: at, text: strings.TrimSpace(item)})
	}
	return list
}

// put sets the value at a path, and makes the mappings on the way where the document has none.
func (l *loader) put(root *node, path string, value *node) {
	if root.kind != mappingKind {
		return // reported where the document is decoded
	}
	head, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		root.set(head, value)
		return
	}
	next := root.child(head)
	if next == nil || next.kind == nullKind {
		next = &node{kind: mappingKind, at: value.at}
		root.set(head, next)
	}
	l.put(next, rest, value)
}
