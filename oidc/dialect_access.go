package oidc

import (
	"errors"
	"strings"
)

// access is what an access token says, in the same form for every dialect.
type access struct {
	claims    claims // as an ID token of the same person has them, for the one resolver of identities
	who       tokenSubject
	client    string   // the program that the token was issued to
	scopes    []string // that it was granted
	scopeless bool     // tokens of this kind never have scopes
}

// scopes reads scp or scope: a text with spaces between (RFC 8693, section 4.2), or a list.
func (c claims) scopes() ([]string, *Error) {
	claim := c["scp"]
	if claim == nil {
		claim = c["scope"]
	}
	values, ok := list(claim)
	if !ok {
		return nil, refusedToken("The scopes of this access token cannot be read.",
			"The provider has to put a text or a list of texts into scp or scope.",
			errors.New("the access token's scp or scope is not a list of texts"))
	}
	if _, text := claim.(string); text {
		return strings.Fields(strings.Join(values, " ")), nil
	}
	return values, nil
}

// unclearSubject is the refusal of a token that names neither a person nor a program, or both.
func unclearSubject(why string) *Error {
	return refusedToken("This access token does not say clearly whether it is a person's or a program's.",
		"Many of these may be an attack; one kind from the provider itself is its mistake: see the cause.",
		errors.New(why))
}

// groupsNotInToken is why an access token without groups says nothing about them.
const groupsNotInToken = "The access token does not list groups."
