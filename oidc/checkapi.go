package oidc

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// checkAPI checks the settings for access tokens that programs show as bearer tokens.
func (c Config) checkAPI(r *problems) {
	for i, audience := range c.API.Audiences {
		c.checkAudience(r, fmt.Sprintf("api.audiences[%d]", i), audience)
	}
	c.checkAPINeedsAudiences(r)
	c.checkAPIIssuers(r)
	if scope := c.API.RequiredScope; scope != "" && !isScope(scope) {
		r.add("api.required_scope", fmt.Sprintf("%s is not a scope", quoted(scope)),
			"write one scope, without spaces")
	}
	if role := c.API.RequiredRole; role != "" && !isWord(role) {
		r.add("api.required_role", fmt.Sprintf("%s is not a role", quoted(role)),
			"write one role, without spaces")
	}
	if c.API.Clients != nil && len(c.API.Clients) == 0 {
		r.add("api.clients", "is empty, which would let any program show tokens",
			"list the programs, or take clients away if any may")
	}
	for i, client := range c.API.Clients {
		if !isWord(client) || c.Type == TypeEntra && !guid.MatchString(client) {
			r.add(fmt.Sprintf("api.clients[%d]", i),
				fmt.Sprintf("%s is not the id of a client", quoted(client)),
				"write what the provider puts into azp, appid, cid or client_id, or take the entry away")
		}
	}
}

// isWord says whether a text can be a value in a token that we would compare with: visible ASCII.
func isWord(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (c Config) checkAudience(r *problems, key, audience string) {
	switch {
	case !isWord(audience), audience == "*":
		r.add(key, fmt.Sprintf("%s is not an audience", quoted(audience)),
			"write what the provider puts into aud, api://default for example, or take the entry away")
	case c.Type == TypeOkta && audience == c.ClientID:
		r.add(key, "is the audience of ID tokens, which are not for showing",
			"write the audience of the custom authorization server, api://default for example")
	case c.Type == TypeEntra && newEntraGraph(c).isGraph(audience):
		r.add(key, "is Microsoft Graph, whose tokens nobody else can verify",
			"write the application ID URI of this service's own registration")
	}
}

// newEntraGraph is as much of the dialect as isGraph needs.
func newEntraGraph(c Config) *entra {
	where, _ := cloudOf(c.Cloud) // what is wrong with it is said where cloud is checked
	return &entra{cloud: where}
}

// checkAPINeedsAudiences: conditions on tokens that are never taken are a mistake somewhere.
func (c Config) checkAPINeedsAudiences(r *problems) {
	if len(c.API.Audiences) > 0 {
		return
	}
	for _, beside := range []struct {
		name string
		set  bool
	}{
		{"issuers", len(c.API.Issuers) > 0},
		{"required_scope", c.API.RequiredScope != ""},
		{"required_role", c.API.RequiredRole != ""},
		{"clients", len(c.API.Clients) > 0},
	} {
		if beside.set {
			r.add("api.audiences", "is missing beside "+beside.name,
				"list what the provider puts into aud, or take "+beside.name+" away")
			return
		}
	}
}

func (c Config) checkAPIIssuers(r *problems) {
	issuer := canonicalIssuer(c.Issuer)
	if c.Type == TypeOkta && len(c.API.Audiences) > 0 && len(c.API.Issuers) == 0 &&
		issuer == oktaOrg(issuer) {
		r.add("api.issuers",
			"is missing: the org's own authorization server gives access tokens that nobody else can verify",
			"list a custom authorization server of the org, "+issuer+"/oauth2/default for example")
	}
	for i, entry := range c.API.Issuers {
		if problem, remedy := c.apiIssuerProblem(strings.TrimSpace(entry)); problem != "" {
			r.add(fmt.Sprintf("api.issuers[%d]", i), problem, remedy)
		}
	}
}

// apiIssuerProblem says what is wrong with an issuer beside the provider's own.
func (c Config) apiIssuerProblem(entry string) (problem, remedy string) {
	u, err := url.Parse(entry)
	switch {
	case err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(entry, "?#"):
		return quoted(entry) + " is not the URL of an issuer",
			"write what the provider puts into iss, or take the entry away"
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return "is not an https URL",
			"anybody in between could make up tokens over http; only on loopback is it allowed"
	}
	switch issuer := canonicalIssuer(entry); c.Type {
	case TypeOkta:
		if issuer == oktaOrg(issuer) || oktaOrg(issuer) != oktaOrg(canonicalIssuer(c.Issuer)) {
			return "is not a custom authorization server of the same org",
				"write https://acme.okta.com/oauth2/default, for example; another org needs a " +
					"provider of its own"
		}
	case TypeEntra:
		if !c.isTenantIssuer(entry) {
			return "does not name an allowed tenant",
				"write the issuer of version 1 tokens with the tenant's id, or {tenantid}, in its path"
		}
	default:
		return "would be another provider: its people are others", "configure a provider for the issuer"
	}
	return "", ""
}

// isTenantIssuer says whether a version 1 issuer has an allowed tenant, or the placeholder for one, as a
// segment of its path.
func (c Config) isTenantIssuer(entry string) bool {
	segments := strings.Split(entry, "/")
	tenants := append(lowered(slices.Concat(c.AllowedTenants, []string{c.Tenant})), tenantPlaceholder)
	return slices.ContainsFunc(segments, func(s string) bool {
		return s != anyOrganization && slices.Contains(tenants, strings.ToLower(s))
	})
}
