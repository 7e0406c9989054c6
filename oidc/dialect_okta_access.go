package oidc

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// unverifiable: the org's own server signs access tokens with keys that it does not publish.
func (o okta) unverifiable(t unverified) string {
	if strings.TrimSuffix(t.issuer, "/") == o.org {
		return "This access token is of the Okta org itself, which alone can verify it; a token of a " +
			"custom authorization server is needed."
	}
	return ""
}

// apiDialects: every authorization server of the org signs with keys of its own.
func (o okta) apiDialects(issuers []string) []dialect {
	servers := make([]dialect, len(issuers))
	for i, issuer := range issuers {
		servers[i] = newOkta(Config{Issuer: strings.TrimSpace(issuer)})
	}
	return servers
}

// isForSignIn: the jti of an ID token begins with ID, and access tokens have cid.
func (o okta) isForSignIn(c claims) bool {
	return strings.HasPrefix(c.text("jti"), "ID.") || !c.has("cid")
}

// access reads the access token of a custom authorization server. It calls the person uid and their login
// sub; a program has no uid, and is its own sub.
func (o okta) access(c claims) (access, *Error) {
	scopes, refusal := c.scopes()
	if refusal != nil {
		return access{}, refusal
	}
	client, sub := c.text("cid"), c.text("sub")
	if !oktaUser.MatchString(client) || sub == "" {
		return access{}, unclearSubject("the access token's cid is not an Okta client id, or it has no sub")
	}
	shown := access{
		claims: c, client: client, scopes: scopes, who: tokenSubject{groupsUnknown: groupsNotInToken},
	}
	switch {
	case c.has("uid") && sub != client:
		return o.persons(shown)
	case !c.has("uid") && sub == client:
		shown.who.kind, shown.who.subject = Service, "okta:"+o.org+"/client/"+client
		return shown, nil
	}
	return access{},
		unclearSubject(fmt.Sprintf("the access token of the client %s has uid: %v, and sub is the client: %v",
			quoted(client), c.has("uid"), sub == client))
}

// persons renames the claims of a person's token to those of an ID token: sub is the user id,
// preferred_username the login.
func (o okta) persons(shown access) (access, *Error) {
	c := maps.Clone(shown.claims)
	c["sub"] = c["uid"]
	if !c.has("preferred_username") {
		c["preferred_username"] = shown.claims["sub"]
	}
	subject, err := o.subject(c)
	if err != nil {
		return access{}, refusedToken("This access token does not name an Okta user.", err.Remedy,
			errors.New("the access token's uid is not an Okta user id"))
	}
	shown.claims, shown.who.kind, shown.who.subject = c, User, subject
	return shown, nil
}
