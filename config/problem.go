package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	// Source is the name of the file as it was given, or of the environment variable that holds the value.
	Source string

	// Line and Column count from 1; both are zero in an environment variable that holds one value.
	Line, Column int

	Key     string // vexa.admin_token, providers[0].tenant; empty when it is the document as a whole
	Message string // what is wrong
	Remedy  string // what to do about it; may be empty
}

// Error returns one line: source:line:column: key: message: remedy.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Source)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	for _, part := range []string{p.Key, p.Message, p.Remedy} {
		if part = oneLine(part); part != "" {
			b.WriteString(": " + part)
		}
	}
	return b.String()
}

// oneLine replaces control characters, so that a message stays on its line whatever it quotes.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// Errors is everything that is wrong with a configuration, sorted by position, environment variables last.
type Errors []Problem

// Error returns each problem on a line of its own.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

func (e Errors) sort() {
	slices.SortStableFunc(e, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(min(b.Line, 1), min(a.Line, 1)), // what has a line comes before what has none
			cmp.Compare(a.Source, b.Source),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Key, b.Key),
		)
	})
}
