package oidctest

import (
	"net/http"
	"slices"
	"strings"
)

// bearer is the token of an Authorization header, or empty.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// accessToken finds a living access token of a person or program.
func (d *Double) accessToken(token string) (*issuedAccess, bool) {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	access, ok := d.ledger.access.Get(token)
	if !ok || access.revoked || !d.now().Before(access.expires) || !d.holds(access.grant) {
		return nil, false
	}
	return access, true
}

func (o *Okta) userInfo(w http.ResponseWriter, r *http.Request, s *oktaServer) {
	access, ok := o.accessToken(bearer(r))
	if !ok || access.server != s.ID || access.person == "" {
		w.Header().Set("WWW-Authenticate",
			`Bearer error="invalid_token", error_description="The access token is invalid"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	useful := func(scope string) bool {
		return slices.Contains([]string{"profile", "email", "address", "phone"}, scope)
	}
	if !slices.Contains(access.scopes, "openid") || !slices.ContainsFunc(access.scopes, useful) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", error_description="The access token must provide access to at least one of these scopes - profile, email, address or phone"`)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	p, _ := o.Person(access.person)
	if slices.Contains(access.scopes, "groups") && len(o.groupsOf(p)) > oktaGroupLimit {
		o.oauthError(w, oktaTooManyGroups)
		return
	}
	told := o.profile(p, access.scopes)
	if client, _ := o.Client(access.client); client.LeanRefresh {
		delete(told, "groups")
	}
	writeJSON(w, http.StatusOK, told.override(p))
}

// introspect answers 200 whatever the token is (RFC 7662, section 2.2).
func (o *Okta) introspect(w http.ResponseWriter, r *http.Request, s *oktaServer) {
	form, err := readForm(r)
	if err != nil {
		o.oauthError(w, &oktaError{400, "invalid_request", "The request is malformed."})
		return
	}
	client, problem := o.authenticate(s.endpoint(o, "introspect"), readCredentials(r, form))
	if problem != nil {
		o.oauthError(w, problem)
		return
	}
	writeJSON(w, http.StatusOK, o.introspection(s, client, form.Get("token")))
}

func (o *Okta) introspection(s *oktaServer, client Client, token string) map[string]any {
	if access, ok := o.accessToken(token); ok && access.server == s.ID {
		answer := map[string]any{
			"active": true, "scope": strings.Join(access.scopes, " "), "token_type": "Bearer",
			"client_id": access.client,
		}
		for _, name := range []string{"exp", "iat", "sub", "aud", "iss", "jti", "uid"} {
			if value, ok := access.claims[name]; ok {
				answer[name] = value
			}
		}
		if access.person != "" {
			answer["username"] = access.claims["sub"]
		}
		return answer
	}
	o.ledger.mu.Lock()
	defer o.ledger.mu.Unlock()
	refresh, ok := o.ledger.refresh.Get(token)
	if ok && refresh.server == s.ID && refresh.client == client.ID && refresh.replaced.IsZero() &&
		o.holds(refresh.grant) && !o.outlived(s, refresh) {
		return map[string]any{
			"active": true, "scope": strings.Join(refresh.scopes, " "), "client_id": refresh.client,
			"uid": refresh.person,
		}
	}
	return map[string]any{"active": false}
}

// revokeToken answers 200 with nothing, for a token that it never issued too (RFC 7009, section 2.2). A
// refresh token takes everything of its sign-in with it.
func (o *Okta) revokeToken(w http.ResponseWriter, r *http.Request, s *oktaServer) {
	form, err := readForm(r)
	if err != nil {
		o.oauthError(w, &oktaError{400, "invalid_request", "The request is malformed."})
		return
	}
	client, problem := o.authenticate(s.endpoint(o, "revoke"), readCredentials(r, form))
	if problem != nil {
		o.oauthError(w, problem)
		return
	}
	o.ledger.mu.Lock()
	defer o.ledger.mu.Unlock()
	if refresh, ok := o.ledger.refresh.Get(form.Get("token")); ok && refresh.client == client.ID {
		refresh.revoked = true
	}
	if access, ok := o.ledger.access.Get(form.Get("token")); ok && access.client == client.ID {
		access.revoked = true
	}
	w.WriteHeader(http.StatusOK)
}
