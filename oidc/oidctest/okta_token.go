package oidctest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	oktaRefreshIdle     = 7 * 24 * time.Hour  // custom authorization servers: since the last use
	oktaRefreshLifetime = 90 * 24 * time.Hour // the org's: since the sign-in
)

// tokenCall is one request to a token endpoint whose client has proven itself.
type tokenCall struct {
	server *oktaServer
	client Client
	form   url.Values
}

func (o *Okta) token(w http.ResponseWriter, r *http.Request, s *oktaServer) {
	if _, err := readForm(r); err != nil || r.Method != http.MethodPost {
		o.oauthError(w, &oktaError{400, "invalid_request", "The token request is malformed."})
		return
	}
	form := r.PostForm
	credentials := readCredentials(r, form)
	response, problem := o.redeem(r, s, form, credentials)
	status := http.StatusOK
	if problem != nil {
		status = problem.status
	}
	o.recordToken(TokenRequest{
		At: o.now(), Path: r.URL.Path, GrantType: form.Get("grant_type"), ClientID: credentials.id,
		ClientAuth: credentials.method, Form: form, Header: r.Header, Status: status,
	})
	if problem != nil {
		o.oauthError(w, problem)
		return
	}
	noStore(w)
	writeJSON(w, status, response)
}

func (o *Okta) redeem(
	r *http.Request, s *oktaServer, form url.Values, credentials credentials,
) (map[string]any, *oktaError) {
	client, problem := o.authenticate(s.endpoint(o, "token"), credentials)
	if problem != nil {
		return nil, problem
	}
	grantType := form.Get("grant_type")
	if !client.may(grantType) {
		return nil, oktaGrantNotEnabled(client)
	}
	call := tokenCall{s, client, form}
	switch grantType {
	case GrantCode:
		return o.redeemCode(call)
	case GrantRefresh:
		return o.redeemRefresh(call)
	case GrantClientCredentials:
		return o.redeemClient(call, credentials)
	case GrantDevice:
		return o.redeemDevice(call)
	}
	return nil, &oktaError{400, "unsupported_grant_type", "The authorization grant type is not supported " +
		"by the authorization server."}
}

func (o *Okta) redeemCode(call tokenCall) (map[string]any, *oktaError) {
	code, problem := o.takeCode(call)
	if problem != nil {
		return nil, problem
	}
	refresh := ""
	if slices.Contains(code.scopes, "offline_access") && call.client.may(GrantRefresh) {
		refresh = o.firstRefresh(code.grant)
	}
	return o.respond(call, code.grant, code.scopes, code.nonce, refresh)
}

// takeCode uses a code up. A code that the wrong client or redirect URI shows is not used up by that.
func (o *Okta) takeCode(call tokenCall) (*issuedCode, *oktaError) {
	o.ledger.mu.Lock()
	defer o.ledger.mu.Unlock()
	code, ok := o.ledger.codes.Get(call.form.Get("code"))
	switch {
	case !ok || code.server != call.server.ID:
		return nil, oktaCodeDead
	case code.used:
		code.revoked = code.revoked || o.options.ReplayKills
		return nil, oktaCodeDead
	case code.client != call.client.ID:
		return nil, oktaOtherClient
	case o.now().After(code.expires) || !o.holds(code.grant):
		return nil, oktaCodeDead
	case code.redirectURI != call.form.Get("redirect_uri"):
		return nil, oktaRedirectMismatch
	case !verifierMatches(code, call.form.Get("code_verifier")):
		return nil, oktaPKCEMismatch
	}
	code.used = true
	return code, nil
}

func (o *Okta) firstRefresh(g *grant) string {
	o.ledger.mu.Lock()
	defer o.ledger.mu.Unlock()
	return o.newRefresh(g)
}

func (o *Okta) redeemRefresh(call tokenCall) (map[string]any, *oktaError) {
	g, token, problem := o.turnRefresh(call)
	if problem != nil {
		return nil, problem
	}
	p, _ := o.Person(g.person)
	if problem := o.checkPerson(call.client, p, g.scopes); problem != nil {
		return nil, problem
	}
	scopes := g.scopes
	if wanted := strings.Fields(call.form.Get("scope")); len(wanted) > 0 {
		denied := slices.DeleteFunc(slices.Clone(wanted), func(scope string) bool {
			return slices.Contains(g.scopes, scope)
		})
		if len(denied) > 0 {
			return nil, oktaDeniedScopes(denied)
		}
		scopes = wanted
	}
	nonce := ""
	if o.options.RefreshNonce {
		nonce = g.nonce
	}
	return o.respond(call, g, scopes, nonce, token)
}

// turnRefresh checks a refresh token and gives the one to use next.
func (o *Okta) turnRefresh(call tokenCall) (*grant, string, *oktaError) {
	o.ledger.mu.Lock()
	defer o.ledger.mu.Unlock()
	shown := call.form.Get("refresh_token")
	token, ok := o.ledger.refresh.Get(shown)
	switch {
	case !ok || token.server != call.server.ID:
		return nil, "", oktaRefreshDead
	case token.client != call.client.ID:
		return nil, "", oktaOtherClient
	case !o.holds(token.grant) || o.outlived(call.server, token):
		return nil, "", oktaRefreshDead
	}
	next, ok := o.turn(shown, token, call.client)
	if !ok {
		return nil, "", oktaRefreshDead
	}
	return token.grant, next, nil
}

func (o *Okta) outlived(s *oktaServer, token *issuedRefresh) bool {
	if s.isOrg() {
		return o.now().After(token.issued.Add(oktaRefreshLifetime))
	}
	return o.now().After(token.lastUsed.Add(oktaRefreshIdle))
}

// redeemClient is a program acting for itself. The org's own server lets only service apps do so,
// and only for okta.* scopes.
func (o *Okta) redeemClient(call tokenCall, credentials credentials) (map[string]any, *oktaError) {
	scopes := strings.Fields(call.form.Get("scope"))
	isOktaScope := func(scope string) bool { return strings.HasPrefix(scope, "okta.") }
	granted := func(scope string) bool { return slices.Contains(call.client.ServiceScopes, scope) }
	switch {
	case call.server.isOrg() && credentials.method != authPrivateJWT:
		return nil, oktaOrgServiceAuth
	case len(scopes) == 0:
		return nil, oktaNoScope
	case slices.Contains(scopes, "openid"):
		return nil, oktaOpenIDForService
	case slices.ContainsFunc(scopes, func(scope string) bool {
		return !granted(scope) || isOktaScope(scope) != call.server.isOrg()
	}):
		return nil, oktaBadScope
	}
	g := &grant{server: call.server.ID, client: call.client.ID, scopes: scopes, issued: o.now()}
	return o.respond(call, g, scopes, "", "")
}

// respond issues the tokens of a successful call: always an access token, an ID token for openid, the
// refresh token that it is given.
func (o *Okta) respond(
	call tokenCall, g *grant, scopes []string, nonce, refresh string,
) (map[string]any, *oktaError) {
	p, _ := o.Person(g.person)
	claims := o.accessClaims(call.server, p, g, scopes)
	access, err := o.signWith(call.server.accessKeys, claims)
	if err != nil {
		return nil, &oktaError{500, "server_error", err.Error()}
	}
	o.ledger.access.Add(access, &issuedAccess{
		grant: g, scopes: scopes, claims: claims, expires: o.now().Add(call.server.AccessTokenLifetime),
	})
	response := map[string]any{
		"token_type":   "Bearer",
		"expires_in":   int(call.server.AccessTokenLifetime.Seconds()),
		"access_token": access,
		"scope":        strings.Join(scopes, " "),
	}
	if refresh != "" {
		response["refresh_token"] = refresh
	}
	if g.person != "" && slices.Contains(scopes, "openid") {
		id := o.idClaims(call.server, p, g, scopes, nonce, false).With("at_hash", halfHash(access))
		if call.client.LeanRefresh {
			if delete(id, "groups"); call.form.Get("grant_type") != GrantRefresh {
				id["groups"] = o.groupsOf(p)
			}
		}
		if response["id_token"], err = o.signWith(call.server.keys, id); err != nil {
			return nil, &oktaError{500, "server_error", err.Error()}
		}
	}
	return response, nil
}
