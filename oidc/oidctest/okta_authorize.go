package oidctest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const oktaCodeLifetime = 300 * time.Second

// authorize checks a request in the order in which Okta does: until the redirect URI is known to be the
// client's, errors are pages.
func (o *Okta) authorize(w http.ResponseWriter, r *http.Request, s *oktaServer) {
	params, err := readForm(r)
	if err != nil {
		o.showProblem(w, http.StatusBadRequest, "400", err.Error())
		return
	}
	o.recordAuthorize(AuthorizeRequest{At: o.now(), Path: r.URL.Path, Params: params})
	params = o.unpark(params)
	client, ok := o.Client(params.Get("client_id"))
	if !ok {
		o.showProblem(w, http.StatusBadRequest, "400: invalid_client", oktaUnknownClient.description)
		return
	}
	if !slices.Contains(client.RedirectURIs, params.Get("redirect_uri")) {
		o.showProblem(w, http.StatusBadRequest, "400: invalid_request",
			"The 'redirect_uri' parameter must be a Login redirect URI in the client app settings.")
		return
	}
	a := &authorization{
		params: params, client: client, server: s.ID,
		scopes: strings.Fields(params.Get("scope")), made: o.now(),
	}
	if problem := o.checkAuthorize(s, a); problem != nil {
		o.reject(w, r, a, problem)
		return
	}
	o.signIn(w, r, a, oktaAuthorizer{o})
}

func (o *Okta) checkAuthorize(s *oktaServer, a *authorization) *oktaError {
	responseType := a.get("response_type")
	implicit := a.client.ImplicitIDTokens && (responseType == "id_token" || responseType == "code id_token")
	maxAge, maxAgeErr := strconv.ParseInt(a.get("max_age"), 10, 32)
	switch {
	case responseType != "code" && !implicit:
		return oktaResponseType
	case a.get("state") == "":
		return oktaState
	case implicit && a.get("nonce") == "":
		return oktaNonce
	case len(a.scopes) == 0:
		return oktaNoScope
	case !s.offers(a.scopes):
		return oktaBadScope
	case a.get("resource") != "":
		return oktaResource
	case a.get("code_challenge") == "" && (a.client.RequirePKCE || a.client.public()):
		return oktaPKCERequired
	case a.get("code_challenge") != "" && a.get("code_challenge_method") != "S256":
		return oktaPKCEMethod
	case a.get("max_age") != "" && (maxAgeErr != nil || maxAge < 0),
		a.get("max_age") == "0" && a.has("prompt", "none"):
		return &oktaError{400, "invalid_request", "The 'max_age' parameter is invalid."}
	}
	return nil
}

// offers says whether every scope is configured. device_sso and okta.* scopes need more than this double has.
func (s *oktaServer) offers(scopes []string) bool {
	return !slices.ContainsFunc(scopes, func(scope string) bool {
		return !slices.Contains(s.scopesOf(), scope)
	})
}

func (o *Okta) reject(w http.ResponseWriter, r *http.Request, a *authorization, e *oktaError) {
	o.answer(w, r, a, e.params())
}

// oktaAuthorizer ends sign-ins the way Okta does.
type oktaAuthorizer struct{ *Okta }

// candidates are everybody: Okta says whom it refuses only after they have signed in.
func (o oktaAuthorizer) candidates(*authorization) []Person { return o.People() }

func (o oktaAuthorizer) stranger(w http.ResponseWriter, _ *http.Request, _ *authorization, _ string) {
	o.showProblem(w, http.StatusUnauthorized, "Unable to sign in", "There is no such person here.")
}

func (o oktaAuthorizer) refuse(w http.ResponseWriter, r *http.Request, a *authorization, why refusal) {
	if a.device != nil {
		o.declineDevice(w, a)
		return
	}
	o.reject(w, r, a, map[refusal]*oktaError{
		refusedByPerson: oktaPersonRefused, loginRequired: oktaLoginRequired, mfaRequired: oktaReauthenticate,
	}[why])
}

func (o oktaAuthorizer) grantTo(
	w http.ResponseWriter, r *http.Request, a *authorization, p Person, s *session,
) {
	if p.Disabled || p.Suspended {
		o.closeSession(w, s)
		o.showProblem(w, http.StatusUnauthorized, "Unable to sign in",
			"Your account is not active. Contact your administrator.")
		return
	}
	if problem := o.checkPerson(a.client, p, a.scopes); problem != nil {
		o.reject(w, r, a, problem)
		return
	}
	o.reached(s, a.client.ID)
	g := &grant{
		server: a.server, client: a.client.ID, person: p.ID, scopes: a.scopes, nonce: a.get("nonce"),
		authTime: s.authTime, sid: s.sid, issued: o.now(), generation: p.generation,
	}
	if a.device != nil {
		o.approveDevice(w, a, g)
		return
	}
	o.answerWithGrant(w, r, a, p, g)
}

// checkPerson is what the app's assignment and the policies say to a person.
func (o *Okta) checkPerson(c Client, p Person, scopes []string) *oktaError {
	switch {
	case p.Unassigned:
		return oktaUnassigned
	case p.MFARequired:
		return oktaPolicy
	case slices.Contains(scopes, "groups") && len(o.groupsOf(p)) > oktaGroupLimit:
		return oktaTooManyGroups
	}
	return nil
}

func (o *Okta) answerWithGrant(w http.ResponseWriter, r *http.Request, a *authorization, p Person, g *grant) {
	params := url.Values{}
	code := ""
	if a.has("response_type", "code") {
		code = o.random.token(32)
		o.ledger.codes.Add(code, &issuedCode{
			grant: g, redirectURI: a.get("redirect_uri"),
			challenge: a.get("code_challenge"), challengeMethod: a.get("code_challenge_method"),
			expires: o.now().Add(oktaCodeLifetime),
		})
		params.Set("code", code)
	}
	if a.has("response_type", "id_token") {
		s := o.server(g.server)
		claims := o.idClaims(s, p, g, g.scopes, a.get("nonce"), true)
		if code != "" {
			claims["c_hash"] = halfHash(code)
		}
		token, err := o.signWith(s.keys, claims)
		if err != nil {
			o.showProblem(w, http.StatusInternalServerError, "500", err.Error())
			return
		}
		params.Set("id_token", token)
	}
	if o.options.ReturnIssuer {
		params.Set("iss", o.server(g.server).issuer)
	}
	o.answer(w, r, a, params)
}
