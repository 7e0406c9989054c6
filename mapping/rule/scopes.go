package rule

import (
	"slices"
	"strings"
)

// Scopes is a set of Vexa scopes: sorted, without repetition. The zero value is the empty set. Its text form,
// "bot,tx", is what Vexa takes in a query and what names a key's scope set in the store.
type Scopes string

// DenyChanges in deny_routes is for readers: it closes everything that changes something, whatever the scopes
// are, also routes that Vexa does not have yet (vexa.Changes).
const DenyChanges = "changes"

// ScopeNames are the scopes that there are.
func ScopeNames() []string { return slices.Clone(grantable) }

// NewScopes makes a set of the given names.
func NewScopes(names ...string) Scopes {
	names = slices.Clone(names)
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	names = slices.DeleteFunc(names, func(s string) bool { return s == "" })
	slices.Sort(names)
	return Scopes(strings.Join(slices.Compact(names), ","))
}

// List returns the names in order.
func (s Scopes) List() []string {
	if s == "" {
		return nil
	}
	return strings.Split(string(s), ",")
}

// Has says whether name is in the set.
func (s Scopes) Has(name string) bool {
	for rest, more := string(s), true; more; {
		var one string
		one, rest, more = strings.Cut(rest, ",")
		if one == name && name != "" {
			return true
		}
	}
	return false
}

// Union returns the scopes that are in either set.
func (s Scopes) Union(t Scopes) Scopes { return NewScopes(append(s.List(), t.List()...)...) }

// Intersect returns the scopes that are in both sets.
func (s Scopes) Intersect(t Scopes) Scopes {
	return NewScopes(slices.DeleteFunc(s.List(), func(name string) bool { return !t.Has(name) })...)
}

// Covers says whether every scope of t is in s.
func (s Scopes) Covers(t Scopes) bool { return s.Intersect(t) == NewScopes(t.List()...) }

// Words are the scopes for a sentence.
func (s Scopes) Words() string {
	if s == "" {
		return "nothing"
	}
	return strings.Join(s.List(), ", ")
}
