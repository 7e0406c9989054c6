package oidc

import "fmt"

// Problem is one thing wrong with a setting, and what to do about it. Key is relative to whoever reports it,
// in the notation of the configuration file: "tenant", "match.groups[2]", "when".
type Problem struct {
	Key     string
	Message string // what is wrong
	Remedy  string // what to write instead

	// Line and Column locate the problem inside the value of Key, counted from 1, where the value is a text
	// of its own (a CEL expression); zero otherwise.
	Line, Column int
}

func (p Problem) Error() string {
	if p.Remedy == "" {
		return fmt.Sprintf("%s: %s", p.Key, p.Message)
	}
	return fmt.Sprintf("%s: %s: %s", p.Key, p.Message, p.Remedy)
}
