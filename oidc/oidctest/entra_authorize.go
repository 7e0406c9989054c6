package oidctest

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const entraCodeLifetime = 10 * time.Minute

func (e *Entra) authorize(w http.ResponseWriter, r *http.Request, at authority) {
	params, err := readForm(r)
	if err != nil {
		e.aadPage(w, aadCodeMalformed)
		return
	}
	e.recordAuthorize(AuthorizeRequest{At: e.now(), Path: r.URL.Path, Params: params})
	client, ok := e.Client(params.Get("client_id"))
	if problem := e.checkClientAt(client, ok, params, at); problem != nil {
		e.aadPage(w, problem)
		return
	}
	if !redirectRegistered(client, params.Get("redirect_uri")) {
		e.aadPage(w, aadReplyAddress(params.Get("redirect_uri"), client.ID))
		return
	}
	a := &authorization{
		params: params, client: client, server: at.segment, version: at.version,
		scopes: strings.Fields(params.Get("scope")), made: e.now(),
	}
	if a.version == 1 && len(a.scopes) == 0 {
		a.scopes = []string{"openid", "profile", "email"} // version 1 knows resources, not scopes
	}
	if problem := e.checkAuthorize(a); problem != nil {
		e.answer(w, r, a, e.aadParams(problem))
		return
	}
	e.signIn(w, r, a, entraAuthorizer{e})
}

// checkClientAt says whether an application exists in the authority's tenant.
func (e *Entra) checkClientAt(client Client, known bool, params url.Values, at authority) *aadError {
	switch {
	case !known:
		return aadUnknownClient(params.Get("client_id"), at.segment)
	case client.Tenant != "" && at.tenant == nil:
		return aadSingleTenant(client.ID)
	case client.Tenant != "" && at.tenant.ID != client.Tenant:
		return aadUnknownClient(client.ID, at.tenant.ID)
	}
	return nil
}

// redirectRegistered compares exactly, except for the port of http://localhost.
func redirectRegistered(client Client, uri string) bool {
	return slices.ContainsFunc(client.RedirectURIs, func(registered string) bool {
		return registered == uri ||
			withoutLoopbackPort(registered) == withoutLoopbackPort(uri) && withoutLoopbackPort(uri) != ""
	})
}

// withoutLoopbackPort is an http URL on localhost without its port, or empty.
func withoutLoopbackPort(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" {
		return ""
	}
	ip := net.ParseIP(u.Hostname())
	if u.Hostname() != "localhost" && (ip == nil || !ip.Equal(net.IPv4(127, 0, 0, 1))) {
		return ""
	}
	u.Host = u.Hostname()
	return u.String()
}

func (e *Entra) checkAuthorize(a *authorization) *aadError {
	responseType := a.get("response_type")
	implicit := responseType == "id_token" || responseType == "code id_token"
	switch {
	case responseType != "code" && !(implicit && a.client.ImplicitIDTokens):
		return aadResponseType
	case implicit && a.get("response_mode") == "query":
		return aadResponseMode
	case implicit && a.get("nonce") == "":
		return aadNonceMissing
	case len(a.scopes) == 0:
		return aadMissingScope
	}
	scopes, problem := e.parseScopes(a.client, a.server, a.scopes)
	if problem != nil {
		return problem
	}
	if resource := a.get("resource"); resource != "" && a.version == 2 && resource != scopes.spelled {
		return aadResource
	}
	return nil
}

// entraAuthorizer ends sign-ins the way Entra does.
type entraAuthorizer struct{ *Entra }

// candidates are the people who can sign in at the authority: those of a tenant including its
// guests, or everybody at home.
func (e entraAuthorizer) candidates(a *authorization) []Person {
	var people []Person
	for _, p := range e.People() {
		if e.tenantFor(a.server, p) != "" {
			people = append(people, p)
		}
	}
	return people
}

// directoryOf is the tenant whose directory holds the person.
func (e *Entra) directoryOf(p Person) string {
	if p.Tenant == "" {
		return e.options.Tenants[0].ID
	}
	return p.Tenant
}

func homeOf(p Person) string {
	switch {
	case p.GuestIdP != "":
		return ""
	case p.HomeTenant == "":
		return TenantB
	}
	return p.HomeTenant
}

// tenantFor is the tenant that a person signs in to at an authority, empty for one where they cannot. Where
// no tenant is named, a guest lands at home.
func (e *Entra) tenantFor(segment string, p Person) string {
	directory := e.directoryOf(p)
	switch segment {
	case segmentConsumers:
		if directory != MSATenant {
			return ""
		}
		return MSATenant
	case segmentOrganizations, segmentCommon:
		if p.Guest {
			return homeOf(p)
		}
		if directory == MSATenant && segment == segmentOrganizations {
			return ""
		}
		return directory
	}
	if tenant := e.tenant(segment); tenant != nil && tenant.ID == directory {
		return directory
	}
	return ""
}

func (e entraAuthorizer) stranger(w http.ResponseWriter, _ *http.Request, a *authorization, who string) {
	if _, known := e.Person(who); known {
		e.aadPage(w, aadWrongTenant(who, a.server))
		return
	}
	e.aadPage(w, aadDeleted)
}

func (e entraAuthorizer) refuse(w http.ResponseWriter, r *http.Request, a *authorization, why refusal) {
	switch {
	case a.device != nil:
		e.declineDevice(w, a)
	case why == refusedByPerson:
		e.answer(w, r, a, url.Values{"error": {"access_denied"}, "error_subcode": {"cancel"}})
	case why == mfaRequired:
		e.answer(w, r, a, e.aadParams(aadMFA))
	default:
		e.answer(w, r, a, e.aadParams(aadLoginRequired))
	}
}

func (e entraAuthorizer) grantTo(
	w http.ResponseWriter, r *http.Request, a *authorization, p Person, s *session,
) {
	if problem := e.checkPerson(p, a.client); problem != nil {
		if problem.number == 50105 && (e.options.RedirectPageError || a.has("prompt", "none")) {
			denied := *problem
			denied.code = "access_denied"
			e.answer(w, r, a, e.aadParams(&denied))
			return
		}
		e.closeSession(w, s)
		e.aadPage(w, problem)
		return
	}
	e.reached(s, a.client.ID)
	g := &grant{
		server: e.tenantFor(a.server, p), client: a.client.ID, person: p.ID, scopes: a.scopes,
		nonce: a.get("nonce"), authTime: s.authTime, sid: s.sid,
		issued: e.now(), generation: p.generation,
	}
	if a.device != nil {
		e.approveDevice(w, a, g)
		return
	}
	e.answerWithGrant(w, r, a, p, g)
}

// checkPerson is what stands in a person's way, at sign-in and at every refresh.
func (e *Entra) checkPerson(p Person, client Client) *aadError {
	switch {
	case p.Disabled:
		return aadDisabled
	case p.Unassigned:
		return aadUnassigned(p, client.Name)
	case p.MFARequired:
		return aadMFA
	}
	return nil
}

func (e *Entra) answerWithGrant(
	w http.ResponseWriter, r *http.Request, a *authorization, p Person, g *grant,
) {
	params := url.Values{"session_state": {g.sid}}
	code := ""
	if a.has("response_type", "code") {
		code = e.longToken(600)
		e.ledger.codes.Add(code, &issuedCode{
			grant: g, redirectURI: a.get("redirect_uri"), challenge: a.get("code_challenge"),
			challengeMethod: challengeMethod(a), expires: e.now().Add(entraCodeLifetime),
		})
		params.Set("code", code)
	}
	if a.has("response_type", "id_token") {
		claims := e.idClaims(idRequest{
			person: p, client: a.client, grant: g, scopes: a.scopes, nonce: a.get("nonce"),
			version: a.version, frontChannel: true,
		})
		if code != "" {
			claims["c_hash"] = halfHash(code)
		}
		token, err := e.signFor(g.server, a.version, claims)
		if err != nil {
			e.showProblem(w, http.StatusInternalServerError, "500", err.Error())
			return
		}
		params.Set("id_token", token)
	}
	if a.get("client_info") == "1" {
		params.Set("client_info", e.clientInfo(p, g.server))
	}
	e.answer(w, r, a, params)
}

// challengeMethod defaults to plain (RFC 7636, section 4.3), which Entra takes too.
func challengeMethod(a *authorization) string {
	if method := a.get("code_challenge_method"); method != "" {
		return method
	}
	return "plain"
}

// longToken is an opaque string of a length that finds columns and cookies which are too small.
func (e *Entra) longToken(bytes int) string { return "1.A" + e.random.token(bytes) }
