package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// graphApplication is Microsoft Graph, as an audience.
const graphApplication = "00000003-0000-0000-c000-000000000000"

// unverifiable: the tokens of Microsoft's own APIs, Graph above all, have a nonce in their header that is not
// the one that was signed. A program gets such a token when it asks for one without naming an API.
func (e *entra) unverifiable(t unverified) string {
	var audience string
	_ = json.Unmarshal(t.audience, &audience) // a list: not Graph's
	if e.isGraph(audience) {
		return "This access token is for Microsoft Graph, which alone can verify it."
	}
	if t.header.Nonce != nil {
		return "This access token is for an API of Microsoft's, which alone can verify it."
	}
	return ""
}

func (e *entra) isGraph(audience string) bool {
	if audience == "" {
		return false
	}
	hosts := []string{"graph.windows.net", e.cloud.graph}
	for _, known := range clouds {
		hosts = append(hosts, known.graph)
	}
	return audience == graphApplication ||
		slices.Contains(hosts, strings.TrimSuffix(strings.TrimPrefix(audience, "https://"), "/"))
}

// issues knows the issuers of every allowed tenant, in both versions.
func (e *entra) issues(doc *document, iss string) bool {
	return e.handlesIssuer(doc, iss) ||
		slices.ContainsFunc(e.tenants, func(tenant string) bool { return e.isV1(iss, tenant) })
}

// apiDialects: version 1 tokens are signed with the keys of version 2.
func (e *entra) apiDialects([]string) []dialect { return nil }

// isV1 says whether an issuer is that of a tenant's version 1 tokens.
func (e *entra) isV1(iss, tenant string) bool {
	return slices.ContainsFunc(e.templatesV1, func(template string) bool {
		return iss == issuerOf(template, tenant)
	})
}

// foreign says so when the issuer is another tenant of the same cloud.
func (e *entra) foreign(iss string) *Error {
	for _, template := range append(slices.Clone(e.templatesV1), e.template) {
		before, after, many := strings.Cut(template, tenantPlaceholder)
		tenant := strings.TrimSuffix(strings.TrimPrefix(iss, before), after)
		if many && guid.MatchString(tenant) && iss == before+tenant+after {
			return refusedTenant(tenant)
		}
	}
	return nil
}

func (e *entra) isForSignIn(c claims) bool { return !c.has("azp") && !c.has("appid") }

// sameAudience: version 2 tokens name the API by its id, version 1 tokens as the program did, perhaps with a
// slash at the end.
func (e *entra) sameAudience(wanted, aud string) bool {
	return apiOf(wanted) == apiOf(aud)
}

// apiOf is an audience in one spelling.
func apiOf(audience string) string {
	audience = strings.TrimSuffix(audience, "/")
	if id := strings.TrimPrefix(audience, "api://"); guid.MatchString(id) {
		return strings.ToLower(id)
	}
	return audience
}

func (e *entra) sameClient(wanted, client string) bool { return strings.EqualFold(wanted, client) }

// access reads an access token of either version. A person's has scp; a program's own has none, and its
// service principal for sub and oid alike, where a person's sub is nothing like their oid.
func (e *entra) access(c claims) (access, *Error) {
	client, refusal := e.clientOf(c)
	if refusal != nil {
		return access{}, refusal
	}
	c = asVersion2(c)
	if refusal := e.admit(c); refusal != nil {
		return access{}, refusal
	}
	scopes, refusal := c.scopes()
	if refusal != nil {
		return access{}, refusal
	}
	if !guid.MatchString(c.text("oid")) {
		return access{}, unclearSubject("the access token's oid is not a GUID")
	}
	shown := access{claims: c, client: client, scopes: scopes, scopeless: len(scopes) == 0}
	shown.who.groupsUnknown = groupsNotInToken
	idtyp, itself := c.text("idtyp"), c.text("sub") == c.text("oid")
	switch {
	case len(scopes) > 0 && (idtyp == "" || idtyp == "user") && !itself:
		shown.who.kind = User
		shown.who.subject, refusal = e.subject(c)
		return shown, refusal
	case len(scopes) == 0 && (idtyp == "" || idtyp == "app") && itself:
		return e.programs(shown)
	}
	return access{}, unclearSubject(fmt.Sprintf(
		"the access token has %d scopes, idtyp %s, and sub is oid: %v", len(scopes), quoted(idtyp), itself,
	))
}

// programs reads a program's own token (app-only). Any program of the tenant can get one for any API; only an
// application role (roles) tells that this one was allowed to.
func (e *entra) programs(shown access) (access, *Error) {
	c := shown.claims
	if roles, ok := list(c["roles"]); !ok || len(roles) == 0 {
		return access{}, refusedToken(
			"The program of this access token has no role here. An administrator can give it one.",
			"Give the program an application role of the API, with an administrator's consent.",
			fmt.Errorf("the client %s has no roles", quoted(shown.client)),
		)
	}
	shown.who.kind = Service
	shown.who.subject = "entra:" + e.cloud.name + "/" + strings.ToLower(c.text("tid")) + "/client/" +
		strings.ToLower(c.text("oid"))
	return shown, nil
}

// clientOf is the client that the token was issued to: azp in version 2, appid in version 1. Issuer, tenant
// and version must agree.
func (e *entra) clientOf(c claims) (string, *Error) {
	const remedy = "Many of these may be an attack: Entra's issuer, tenant and version always agree."
	iss, tid := c.text("iss"), c.text("tid")
	if !guid.MatchString(tid) {
		return "", refusedToken("This access token does not say which tenant it is of.", remedy,
			fmt.Errorf("the access token's tid is not a GUID: %s", quoted(tid)))
	}
	var client string
	switch version := c.text("ver"); {
	case version == "2.0" && iss == issuerOf(e.template, tid):
		client = c.text("azp")
	case version == "1.0" && e.isV1(iss, tid):
		client = c.text("appid")
	default:
		return "", refusedToken("The issuer of this access token does not agree with its tenant or version.",
			remedy, fmt.Errorf("the access token's iss is %s, its tid %s, its ver %s",
				quoted(iss), tid, quoted(version)))
	}
	if !guid.MatchString(client) {
		return "", refusedToken("This access token does not say which program it was issued to.", remedy,
			errors.New("the access token's azp or appid is not a GUID"))
	}
	return client, nil
}

// asVersion2 gives the claims of a version 1 token the name that version 2 has for the login.
func asVersion2(c claims) claims {
	if c.has("preferred_username") || c.text("upn")+c.text("unique_name") == "" {
		return c
	}
	c = maps.Clone(c)
	c["preferred_username"] = orDefault(c.text("upn"), c.text("unique_name"))
	return c
}
