package oidc

import (
	"context"
	"errors"
)

// resolve makes the identity of an ID token's verified claims, at a sign-in or a refresh.
func (p *Provider) resolve(ctx context.Context, doc *document, c claims) (Identity, *Error) {
	who, refusal := p.signedIn(c)
	if refusal != nil {
		return Identity{}, refusal
	}
	return p.resolveAs(ctx, doc, c, who), nil
}

// resolveAs makes the identity of verified claims, of a sign-in, a refresh or an access token. It is the one
// place where an incomplete list of groups is completed, or said to be incomplete.
func (p *Provider) resolveAs(ctx context.Context, doc *document, c claims, who tokenSubject) Identity {
	identity := p.identity(c, who)
	if identity.GroupsComplete || who.kind != User || !c.overage(p.groupsClaim) || p.graph == nil {
		return identity
	}
	groups, err := p.graph.groups(ctx, doc, c.text("tid"), c.text("oid"))
	if err != nil {
		identity.GroupsProblem = p.groupsProblem(identity.Subject, err)
		return identity
	}
	identity.Groups, identity.GroupsByID, identity.GroupsComplete, identity.GroupsProblem = groups, true,
		true, ""
	return identity
}

// groupsProblem says why the groups are not known, to the person and in the log.
func (p *Provider) groupsProblem(subject string, err error) string {
	message, remedy := "Microsoft Graph could not list the groups.", "See the error."
	var problem *graphProblem
	if errors.As(err, &problem) {
		message, remedy = problem.message, problem.remedy
	}
	p.log.Warn("groups not read from Microsoft Graph: rules about groups refuse this person",
		"subject", subject, "remedy", remedy, "error", reduced(err))
	return message
}
