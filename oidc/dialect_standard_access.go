package oidc

import (
	"cmp"
	"fmt"
	"slices"
)

func (s standard) sameAudience(wanted, aud string) bool { return wanted == aud }

func (s standard) sameClient(wanted, client string) bool { return wanted == client }

func (s standard) foreign(string) *Error { return nil }

// isForSignIn: a token for our client is an ID token, unless it says that it is not.
func (s standard) isForSignIn(c claims) bool {
	audience, _ := list(c["aud"])
	return slices.Contains(audience, s.client)
}

// personal are claims that are only ever about people (OpenID Connect Core 1.0, sections 2 and 5.1).
var personal = []string{"auth_time", "sid", "email", "preferred_username", "given_name", "family_name"}

// access reads an access token as RFC 9068, section 2.2, has it, and leaves out what providers leave out. A
// program that acts for itself is its own sub (section 2.2.3), with @clients after it at Auth0. Where people
// choose their sub they could choose a program's, so a token that is about a person in any other way is not
// taken for a program's (section 5).
func (s standard) access(c claims) (access, *Error) {
	scopes, refusal := c.scopes()
	if refusal != nil {
		return access{}, refusal
	}
	client, sub := cmp.Or(c.text("client_id"), c.text("azp"), c.text("cid"), c.text("appid")), c.text("sub")
	if !validSubject(client) || !validSubject(sub) {
		return access{}, unclearSubject(fmt.Sprintf("the access token's client_id, azp or sub cannot be "+
			"used: %s and a sub of %d bytes", quoted(client), len(sub)))
	}
	shown := access{
		claims: c, client: client, scopes: scopes,
		who: tokenSubject{kind: User, groupsUnknown: groupsNotInToken},
	}
	if sub != client && sub != client+"@clients" {
		shown.who.subject, refusal = s.subject(c)
		return shown, refusal
	}
	if slices.ContainsFunc(personal, c.has) {
		return access{}, unclearSubject(fmt.Sprintf("the access token's sub is the client %s, and it has "+
			"claims about a person", quoted(client)))
	}
	shown.who.kind, shown.who.subject = Service, "oidc:"+s.configured+"?client="+client
	return shown, nil
}
