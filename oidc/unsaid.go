package oidc

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Names of what an Identity has fields for, in Unsaid and Kept; every other name there is a claim's.
const (
	SaidGroups = "groups"
	SaidRoles  = "roles"
	SaidEmail  = "email"
	SaidName   = "name"
)

// withEmail are the claims that go with an address.
var withEmail = []string{"email", "email_verified", "xms_edov"}

// unsaid names what was told of somebody and a renewal does not repeat. It is not known then, rather than not
// so (S18): ID tokens of a refresh may be thinner than that of the sign-in. It is news all the same where the
// source that told it was asked again: userinfo, or a provider whose ID tokens are always whole.
func (p *Provider) unsaid(c claims, was Identity, askedUserinfo bool) []string {
	if p.dialect.repeatsClaims() {
		return nil
	}
	before := claims(was.Claims)
	silent := func(name string) bool {
		return !c.has(name) && (before.has(name) || slices.Contains(was.Unsaid, name)) &&
			!(askedUserinfo && slices.Contains(was.ByUserinfo, name))
	}
	var names []string
	for name := range before {
		if silent(name) && !slices.Contains(tokenClaims, name) {
			names = append(names, name)
		}
	}
	for _, name := range was.Unsaid {
		if silent(name) {
			names = append(names, name)
		}
	}
	if silent("email") {
		names = append(names, SaidEmail)
	}
	if silent(before.root(p.groupsClaim)) && !c.overage(p.groupsClaim) ||
		was.GroupsByID && c.find(p.groupsClaim) == nil {
		names = append(names, SaidGroups)
	}
	if silent(before.root(p.rolesClaim)) {
		names = append(names, SaidRoles)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// root is the claim that a path into objects begins with; a claim may be called like a path.
func (c claims) root(path string) string {
	if c.has(path) {
		return path
	}
	name, _, _ := strings.Cut(path, ".")
	return name
}

// withholds marks what is unsaid: groups that were not listed again are not none.
func (id Identity) withholds(names []string) Identity {
	id.Unsaid = names
	if slices.Contains(names, SaidGroups) && id.GroupsComplete {
		id.Groups, id.GroupsComplete = nil, false
		id.GroupsProblem = "The provider did not list the groups again."
	}
	return id
}

// KeepFrom completes an identity with what an earlier answer told and this one does not: the list of groups
// where it is not complete now and was, and what Unsaid names. toldAt is when the earlier answer was given;
// what that one had itself kept stays of its own time.
func (id Identity) KeepFrom(was Identity, toldAt time.Time) Identity {
	names := id.Unsaid
	if !id.GroupsComplete && !slices.Contains(names, SaidGroups) &&
		(was.GroupsComplete || slices.Contains(was.Unsaid, SaidGroups)) {
		names = append(slices.Clone(names), SaidGroups)
	}
	if len(names) == 0 {
		return id
	}
	id.Unsaid, id.Kept, id.Claims = nil, map[string]time.Time{}, maps.Clone(id.Claims)
	if id.Claims == nil {
		id.Claims = map[string]any{}
	}
	for _, name := range names {
		if slices.Contains(was.Unsaid, name) || name == SaidGroups && !was.GroupsComplete {
			id.Unsaid = append(id.Unsaid, name)
			continue
		}
		id.copyFrom(was, name)
		if id.Kept[name] = toldAt; !was.Kept[name].IsZero() {
			id.Kept[name] = was.Kept[name]
		}
	}
	return id
}

// Forget returns the identity without what was last said before that time, which is unknown then.
func (id Identity) Forget(before time.Time) Identity {
	old := slices.DeleteFunc(slices.Sorted(maps.Keys(id.Kept)), func(name string) bool {
		return !id.Kept[name].Before(before)
	})
	if len(old) == 0 {
		return id
	}
	id.Kept, id.Claims = maps.Clone(id.Kept), maps.Clone(id.Claims)
	id.Unsaid = slices.Clone(id.Unsaid)
	for _, name := range old {
		delete(id.Kept, name)
		id.Unsaid = append(id.Unsaid, name)
		id.copyFrom(Identity{GroupsProblem: "The provider has not listed the groups for too long."}, name)
	}
	return id
}

// copyFrom takes over what another identity says under a name, or that it says nothing.
func (id *Identity) copyFrom(other Identity, name string) {
	claimed := []string{name}
	switch name {
	case SaidGroups:
		id.Groups, id.GroupsByID = other.Groups, other.GroupsByID
		id.GroupsComplete, id.GroupsProblem = other.GroupsComplete, other.GroupsProblem
	case SaidRoles:
		id.Roles = other.Roles
	case SaidName:
		id.Name = other.Name
	case SaidEmail:
		id.Email, id.EmailTrusted, id.UnprovenEmail = other.Email, other.EmailTrusted, other.UnprovenEmail
		claimed = withEmail
	}
	for _, claim := range claimed {
		if v := other.Claims[claim]; v != nil {
			id.Claims[claim] = v
		} else {
			delete(id.Claims, claim)
		}
	}
}

// Thin says whether there is something that the newest answer did not say and an earlier one did.
func (id Identity) Thin() bool { return len(id.Kept)+len(id.Unsaid) > 0 }

// KeptNames names what is gone by though the newest answer did not say it.
func (id Identity) KeptNames() []string { return slices.Sorted(maps.Keys(id.Kept)) }

// NotRepeated names what the newest answer did not say and an earlier one did, kept or not.
func (id Identity) NotRepeated() []string {
	return append(id.KeptNames(), id.Unsaid...)
}
