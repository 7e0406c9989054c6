package oidctest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	entraRefreshIdle   = 90 * 24 * time.Hour
	entraRefreshSPA    = 24 * time.Hour
	grantOnBehalfOf    = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	entraShortestHours = 60 * 60 // access tokens live between 60 and 90 minutes, in seconds
	entraLongestHours  = 90 * 60
)

// entraCall is one request to a token endpoint whose client has proven itself.
type entraCall struct {
	at     authority
	client Client
	auth   string
	form   url.Values
}

func (e *Entra) token(w http.ResponseWriter, r *http.Request, at authority) {
	_, err := readForm(r)
	if err != nil || r.Method != http.MethodPost {
		e.aadError(w, aadCodeMalformed)
		return
	}
	credentials := readCredentials(r, r.PostForm)
	response, problem := e.redeem(r, at, credentials)
	status := http.StatusOK
	if problem != nil {
		status = problem.status
	}
	e.recordToken(TokenRequest{
		At: e.now(), Path: r.URL.Path, GrantType: r.PostForm.Get("grant_type"), ClientID: credentials.id,
		ClientAuth: credentials.method, Form: r.PostForm, Header: r.Header, Status: status,
	})
	if problem != nil {
		e.aadError(w, problem)
		return
	}
	noStore(w)
	writeJSON(w, status, response)
}

func (e *Entra) redeem(r *http.Request, at authority, credentials credentials) (map[string]any, *aadError) {
	form := r.PostForm
	grantType := form.Get("grant_type")
	if grantType == "" {
		return nil, aadMissingGrantType
	}
	client, problem := e.authenticate(at, credentials, grantType)
	if problem != nil {
		return nil, problem
	}
	if grantType != grantOnBehalfOf && !client.may(grantType) {
		return nil, aadGrantType
	}
	call := entraCall{at, client, credentials.method, form}
	switch grantType {
	case GrantCode:
		if client.SPA && r.Header.Get("Origin") == "" {
			return nil, aadSPAOrigin
		}
		return e.redeemCode(call)
	case GrantRefresh:
		return e.redeemRefresh(call)
	case GrantClientCredentials:
		return e.redeemClient(call)
	case GrantDevice:
		return e.redeemDevice(call)
	case grantOnBehalfOf:
		return e.redeemOnBehalfOf(call)
	}
	return nil, aadGrantType
}

func (e *Entra) redeemCode(call entraCall) (map[string]any, *aadError) {
	code, problem := e.takeCode(call)
	if problem != nil {
		return nil, problem
	}
	return e.respond(call, code.grant, e.scopesAsked(call, code.grant), code.nonce)
}

func (e *Entra) takeCode(call entraCall) (*issuedCode, *aadError) {
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	code, ok := e.ledger.codes.Get(call.form.Get("code"))
	switch {
	case !ok:
		return nil, aadCodeMalformed
	case code.client != call.client.ID:
		return nil, aadGrantInvalid
	case call.at.tenant != nil && call.at.tenant.ID != code.server:
		return nil, aadCodeTenant
	case code.used:
		return nil, aadCodeUsed
	case e.now().After(code.expires):
		return nil, aadCodeExpired
	case code.redirectURI != call.form.Get("redirect_uri"):
		return nil, aadRedirectMismatch
	case call.client.SPA && code.challenge == "":
		return nil, aadPKCEMissing
	case !verifierMatches(code, call.form.Get("code_verifier")):
		return nil, aadPKCEMismatch
	}
	if problem := e.checkGrant(code.grant, call.client); problem != nil {
		return nil, problem
	}
	code.used = true
	return code, nil
}

// checkGrant is what may have befallen a grant since it was given.
func (e *Entra) checkGrant(g *grant, client Client) *aadError {
	p, ok := e.Person(g.person)
	if !ok || p.ID != g.person {
		return aadDeleted
	}
	if problem := e.checkPerson(p, client); problem != nil {
		return problem
	}
	if p.generation != g.generation || g.revoked {
		return aadRevoked(g, p)
	}
	return nil
}

// redeemRefresh gives a new refresh token each time and leaves the old one alive: nothing here rotates.
func (e *Entra) redeemRefresh(call entraCall) (map[string]any, *aadError) {
	g, problem := e.takeRefresh(call)
	if problem != nil {
		return nil, problem
	}
	return e.respond(call, g, e.scopesAsked(call, g), "")
}

func (e *Entra) takeRefresh(call entraCall) (*grant, *aadError) {
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	token, ok := e.ledger.refresh.Get(call.form.Get("refresh_token"))
	if !ok || token.client != call.client.ID {
		return nil, aadGrantInvalid
	}
	if problem := e.checkGrant(token.grant, call.client); problem != nil {
		return nil, problem
	}
	switch {
	case call.client.SPA && e.now().After(token.issued.Add(entraRefreshSPA)):
		return nil, aadRefreshSPA
	case e.now().After(token.lastUsed.Add(entraRefreshIdle)):
		return nil, aadRefreshInactive
	case call.at.tenant != nil && call.at.tenant.ID != token.server:
		return nil, aadCodeTenant
	}
	token.lastUsed = e.now()
	return token.grant, nil
}

// scopesAsked are those of the request, or of the sign-in where the request names none: a refresh token
// is not bound to a resource.
func (e *Entra) scopesAsked(call entraCall, g *grant) []string {
	if scopes := strings.Fields(call.form.Get("scope")); len(scopes) > 0 {
		return scopes
	}
	return g.scopes
}

// redeemClient is a program acting for itself, in one tenant and on one API.
func (e *Entra) redeemClient(call entraCall) (map[string]any, *aadError) {
	scope := call.form.Get("scope")
	if call.at.version == 1 && scope == "" {
		scope = call.form.Get("resource") + "/.default"
	}
	switch {
	case call.at.tenant == nil:
		return nil, aadNoTenant
	case call.client.public():
		return nil, aadNeedsCredentials
	case scope == "":
		return nil, aadMissingScope
	case !strings.HasSuffix(scope, "/.default"):
		return nil, aadServiceScope(scope)
	}
	g := &grant{server: call.at.tenant.ID, client: call.client.ID, scopes: []string{scope}, issued: e.now()}
	return e.respond(call, g, g.scopes, "")
}

// redeemOnBehalfOf exchanges a token that was issued for this client as an API for one to another API.
func (e *Entra) redeemOnBehalfOf(call entraCall) (map[string]any, *aadError) {
	access, ok := e.accessToken(call.form.Get("assertion"))
	audience, _ := access.audience()
	if !ok || access.person == "" || strings.TrimPrefix(audience, "api://") != call.client.ID {
		return nil, &aadError{
			status: 400, code: "invalid_grant", number: 50013, text: "Assertion failed signature validation.",
		}
	}
	if problem := e.checkGrant(access.grant, call.client); problem != nil {
		return nil, problem
	}
	g := *access.grant
	g.client, g.issued = call.client.ID, e.now()
	return e.respond(call, &g, e.scopesAsked(call, &g), "")
}

func (a *issuedAccess) audience() (string, bool) {
	if a == nil {
		return "", false
	}
	audience, ok := a.claims["aud"].(string)
	return audience, ok
}

// respond issues the tokens of a successful call.
func (e *Entra) respond(call entraCall, g *grant, asked []string, nonce string) (map[string]any, *aadError) {
	scopes, problem := e.parseScopes(call.client, g.server, asked)
	if problem != nil {
		return nil, problem
	}
	if call.at.version == 1 && call.form.Get("resource") != "" {
		if scopes.spelled = call.form.Get("resource"); e.resourceID(scopes.spelled) == "" {
			return nil, aadUnknownResource(scopes.spelled, g.server)
		}
		scopes.resource = e.resourceID(scopes.spelled)
	}
	p, _ := e.Person(g.person)
	lifetime := time.Duration(e.random.between(entraShortestHours, entraLongestHours)) * time.Second
	access, err := e.issueAccess(accessRequest{
		person: p, client: call.client, grant: g, scopes: scopes, auth: call.auth, lifetime: lifetime,
	})
	if err != nil {
		return nil, &aadError{status: 500, code: "server_error", number: 90033, text: err.Error()}
	}
	seconds := int(lifetime.Seconds())
	response := map[string]any{
		"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": access,
	}
	if g.person != "" {
		response["scope"] = scopes.granted()
		if err := e.addPersonTokens(response, call, g, p, scopes, asked, nonce); err != nil {
			return nil, &aadError{status: 500, code: "server_error", number: 90033, text: err.Error()}
		}
	}
	if call.at.version == 1 {
		e.respondV1(response, scopes, seconds)
	}
	return response, nil
}

func (e *Entra) addPersonTokens(
	response map[string]any, call entraCall, g *grant, p Person, scopes entraScopes,
	asked []string, nonce string,
) error {
	if scopes.wants("openid") {
		id, err := e.signFor(g.server, call.at.version, e.idClaims(idRequest{
			person: p, client: call.client, grant: g, scopes: asked, nonce: nonce, version: call.at.version,
		}))
		if err != nil {
			return err
		}
		response["id_token"] = id
	}
	// Version 1 has no offline_access: everybody gets a refresh token. A refresh always yields the next one.
	if call.client.may(GrantRefresh) && (scopes.wants("offline_access") ||
		slices.Contains(g.scopes, "offline_access") || call.at.version == 1) {
		refresh := e.longToken(1000)
		e.ledger.refresh.Add(refresh, &issuedRefresh{grant: g, lastUsed: e.now()})
		response["refresh_token"] = refresh
	}
	if call.form.Get("client_info") == "1" {
		response["client_info"] = e.clientInfo(p, g.server)
	}
	return nil
}

// respondV1 is the older shape: numbers are strings, and the resource is named.
func (e *Entra) respondV1(response map[string]any, scopes entraScopes, seconds int) {
	response["expires_in"] = strconv.Itoa(seconds)
	response["ext_expires_in"] = strconv.Itoa(seconds)
	response["expires_on"] = strconv.FormatInt(e.now().Add(time.Duration(seconds)*time.Second).Unix(), 10)
	response["not_before"] = strconv.FormatInt(e.now().Add(-entraBackdate).Unix(), 10)
	response["resource"] = scopes.spelled
}
