package main

import (
	"vexa-sso/mapping"
	"vexa-sso/mapping/store"
)

// whose is how a list names whose something is: by the address, else by the name, else by the subject.
func whose(o store.Owner) string {
	switch {
	case o.Email != "":
		return o.Email
	case o.Unproven != "":
		return o.Unproven + " (unproven)"
	case o.Name != "":
		return o.Name
	}
	return o.Subject
}

// owned returns the view of what one account has.
func owned[T, V any](view func(store.Owned[T]) V, acc mapping.Account) func(T) V {
	o := store.Owner{
		Subject: acc.Subject, Email: acc.Identity.Email, Unproven: acc.Identity.UnprovenEmail,
		Name: acc.Identity.Name,
	}
	return func(item T) V { return view(store.Owned[T]{Item: item, Owner: o}) }
}

// ownedBy are the things of one account, with whose they are.
func ownedBy[T any](items []T, acc mapping.Account) []store.Owned[T] {
	return each(items, owned(func(o store.Owned[T]) store.Owned[T] { return o }, acc))
}
