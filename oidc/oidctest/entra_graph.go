package oidctest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	graphPage       = 100
	graphLargest    = 999
	graphMostInCall = 11_000 // getMemberObjects does not page; it fails
)

// readsGroups are the permissions of which Graph wants one. User.Read is enough for one's own.
var readsGroups = []string{
	"User.Read.All", "User.ReadWrite.All", "GroupMember.Read.All", "Group.Read.All", "Directory.Read.All",
}

func (e *Entra) graphRoutes() {
	for _, who := range []string{"/v1.0/me", "/v1.0/users/{id}"} {
		e.handle("POST "+who+"/getMemberObjects", EndpointGraph, e.onGraph(e.getMemberObjects))
		e.handle("POST "+who+"/checkMemberGroups", EndpointGraph, e.onGraph(e.checkMemberGroups))
		e.handle("GET "+who+"/transitiveMemberOf/microsoft.graph.group", EndpointGraph,
			e.onGraph(e.transitiveMemberOf))
		e.handle("GET "+who+"/transitiveMemberOf", EndpointGraph, e.onGraph(e.transitiveMemberOf))
		e.handle("GET "+who, EndpointGraph, e.onGraph(e.user))
	}
	e.handle("GET /v1.0/organization", EndpointGraph, e.organization)
	e.handle("/oidc/userinfo", EndpointUserInfo, e.userInfo)
	e.handle("/{authority}/openid/userinfo", EndpointUserInfo, e.userInfo)
}

// graphCall is a request about one person by somebody who may ask.
type graphCall struct {
	person Person
	tenant string
}

// onGraph checks the token, finds whom the request is about and whether the token may see them.
func (e *Entra) onGraph(answer func(http.ResponseWriter, *http.Request, graphCall)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		access, ok := e.graphToken(w, r)
		if !ok {
			return
		}
		id := r.PathValue("id")
		own := id == "" || id == e.ownID(access)
		switch {
		case id == "" && access.person == "":
			e.graphError(w, http.StatusBadRequest, "BadRequest",
				"/me request is only valid with delegated authentication flow.")
			return
		case !permits(access, own):
			e.graphError(w, http.StatusForbidden, "Authorization_RequestDenied",
				"Insufficient privileges to complete the operation.")
			return
		}
		if own {
			id = e.ownID(access)
		}
		p, ok := e.personIn(access.server, id)
		if !ok {
			e.graphError(w, http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+id+
				"' does not exist or one of its queried reference-property objects are not present.")
			return
		}
		answer(w, r, graphCall{person: p, tenant: access.server})
	}
}

func (e *Entra) graphToken(w http.ResponseWriter, r *http.Request) (*issuedAccess, bool) {
	access, ok := e.accessToken(bearer(r))
	audience, _ := access.audience()
	switch {
	case bearer(r) == "":
		e.graphError(w, http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token is empty.")
	case !ok:
		e.graphError(w, http.StatusUnauthorized, "InvalidAuthenticationToken",
			"Lifetime validation failed, the token is expired.")
	case audience != GraphAppID:
		e.graphError(w, http.StatusUnauthorized, "InvalidAuthenticationToken",
			"Access token validation failure. Invalid audience.")
	default:
		return access, true
	}
	return nil, false
}

func (e *Entra) ownID(access *issuedAccess) string {
	id, _ := access.claims["oid"].(string)
	if access.person == "" {
		return ""
	}
	return id
}

func permits(access *issuedAccess, own bool) bool {
	if access.person == "" {
		roles, _ := access.claims["roles"].([]string)
		return slices.ContainsFunc(roles, func(role string) bool {
			return slices.Contains(readsGroups, role)
		})
	}
	scp, _ := access.claims["scp"].(string)
	scopes := strings.Fields(scp)
	return own && slices.Contains(scopes, "User.Read") ||
		slices.ContainsFunc(scopes, func(scope string) bool { return slices.Contains(readsGroups, scope) })
}

func (e *Entra) personIn(tenant, object string) (Person, bool) {
	for _, p := range e.People() {
		if e.objectID(p, tenant) == object && (e.directoryOf(p) == tenant || p.Guest && homeOf(p) == tenant) {
			return p, true
		}
	}
	return Person{}, false
}

func (e *Entra) getMemberObjects(w http.ResponseWriter, r *http.Request, call graphCall) {
	var body struct {
		SecurityEnabledOnly *bool `json:"securityEnabledOnly"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.SecurityEnabledOnly == nil {
		e.graphError(w, http.StatusBadRequest, "BadRequest",
			"The parameter 'securityEnabledOnly' is required.")
		return
	}
	ids := e.groupIDs(call.person, call.tenant)
	if len(ids) > graphMostInCall {
		e.graphError(w, http.StatusBadRequest, "DirectoryResultSizeLimitExceeded",
			"The result set is too large.")
		return
	}
	e.graphValue(w, "$metadata#Collection(Edm.String)", ids, nil)
}

func (e *Entra) checkMemberGroups(w http.ResponseWriter, r *http.Request, call graphCall) {
	var body struct {
		GroupIDs []string `json:"groupIds"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.GroupIDs) == 0 ||
		len(body.GroupIDs) > 20 {
		e.graphError(w, http.StatusBadRequest, "BadRequest",
			"The parameter 'groupIds' must hold between 1 and 20 ids.")
		return
	}
	have := e.groupIDs(call.person, call.tenant)
	matching := slices.DeleteFunc(body.GroupIDs, func(id string) bool { return !slices.Contains(have, id) })
	e.graphValue(w, "$metadata#Collection(Edm.String)", matching, nil)
}

// transitiveMemberOf pages. Counting, and casting to groups, want the header that accepts an
// eventually consistent index.
func (e *Entra) transitiveMemberOf(w http.ResponseWriter, r *http.Request, call graphCall) {
	query := r.URL.Query()
	advanced := query.Get("$count") == "true" || strings.HasSuffix(r.URL.Path, "/microsoft.graph.group")
	if advanced && r.Header.Get("ConsistencyLevel") != "eventual" {
		e.graphError(w, http.StatusBadRequest, "Request_UnsupportedQuery",
			"The specified query requires the 'ConsistencyLevel: eventual' header.")
		return
	}
	top, from, ok := paging(query)
	if !ok {
		e.graphError(w, http.StatusBadRequest, "Request_BadRequest",
			"Invalid page size or skip token specified.")
		return
	}
	ids := e.groupIDs(call.person, call.tenant)
	from = min(from, len(ids))
	until := min(from+top, len(ids))
	groups := []map[string]any{}
	for _, id := range ids[from:until] {
		groups = append(groups, map[string]any{"id": id})
	}
	more := map[string]any{}
	if query.Get("$count") == "true" {
		more["@odata.count"] = len(ids)
	}
	if until < len(ids) {
		query.Set("$skiptoken", skipToken(until))
		more["@odata.nextLink"] = e.GraphURL() + r.URL.Path + "?" +
			strings.ReplaceAll(query.Encode(), "%24", "$")
	}
	e.graphValue(w, "$metadata#groups(id)", groups, more)
}

// paging reads $top and the opaque $skiptoken.
func paging(query url.Values) (top, from int, ok bool) {
	top = graphPage
	if given := query.Get("$top"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > graphLargest {
			return 0, 0, false
		}
		top = n
	}
	if given := query.Get("$skiptoken"); given != "" {
		raw, err := base64.RawURLEncoding.DecodeString(given)
		if err != nil {
			return 0, 0, false
		}
		if from, err = strconv.Atoi(strings.TrimPrefix(string(raw), "skip ")); err != nil || from < 0 {
			return 0, 0, false
		}
	}
	return top, from, true
}

func skipToken(from int) string {
	return base64.RawURLEncoding.EncodeToString([]byte("skip " + strconv.Itoa(from)))
}

func (e *Entra) user(w http.ResponseWriter, _ *http.Request, call graphCall) {
	p := call.person
	principal := p.Login
	if e.isGuestIn(p, call.tenant) {
		principal = e.guestName(p)
	}
	e.graphJSON(w, map[string]any{
		"@odata.context":    e.GraphURL() + "/v1.0/$metadata#users/$entity",
		"id":                e.objectID(p, call.tenant),
		"displayName":       p.Name,
		"givenName":         p.GivenName,
		"surname":           p.FamilyName,
		"mail":              p.Email,
		"userPrincipalName": principal,
		"accountEnabled":    !p.Disabled,
	})
}

func (e *Entra) organization(w http.ResponseWriter, r *http.Request) {
	access, ok := e.graphToken(w, r)
	if !ok {
		return
	}
	domains := []map[string]any{}
	if tenant := e.tenant(access.server); tenant != nil {
		for i, name := range tenant.VerifiedDomains {
			domains = append(domains, map[string]any{
				"name": name, "isDefault": i == 0, "isInitial": false, "type": "Managed",
				"capabilities": "Email, OfficeCommunicationsOnline",
			})
		}
		domains = append(domains, map[string]any{
			"name": tenant.Domain, "isDefault": false, "isInitial": true, "type": "Managed",
			"capabilities": "Email, OfficeCommunicationsOnline",
		})
	}
	e.graphValue(w, "$metadata#organization",
		[]map[string]any{{"id": access.server, "verifiedDomains": domains}}, nil)
}

// userInfo says little, and nothing that the ID token did not.
func (e *Entra) userInfo(w http.ResponseWriter, r *http.Request) {
	access, ok := e.graphToken(w, r)
	if !ok {
		return
	}
	p, found := e.Person(access.person)
	if access.person == "" || !found {
		e.graphError(w, http.StatusUnauthorized, "InvalidAuthenticationToken",
			"Access token validation failure.")
		return
	}
	claims := Claims{
		"sub":         pairwise(access.server, e.objectID(p, access.server), access.client),
		"name":        p.Name,
		"given_name":  p.GivenName,
		"family_name": p.FamilyName,
		"picture":     e.GraphURL() + "/v1.0/me/photo/$value",
	}
	if slices.Contains(strings.Fields(access.claims["scp"].(string)), "email") {
		claims["email"] = p.Email
	}
	e.graphJSON(w, claims)
}

func (e *Entra) graphValue(w http.ResponseWriter, context string, value any, more map[string]any) {
	document := map[string]any{"@odata.context": e.GraphURL() + "/v1.0/" + context, "value": value}
	for name, member := range more {
		document[name] = member
	}
	e.graphJSON(w, document)
}

func (e *Entra) graphJSON(w http.ResponseWriter, document any) {
	w.Header().Set("request-id", e.random.guid())
	writeJSON(w, http.StatusOK, document)
}

func (e *Entra) graphError(w http.ResponseWriter, status int, code, message string) {
	id := e.random.guid()
	w.Header().Set("request-id", id)
	writeJSON(w, status, map[string]any{
		"error": map[string]any{"code": code, "message": message, "innerError": map[string]string{
			"date": e.now().UTC().Format("2006-01-02T15:04:05"), "request-id": id, "client-request-id": id,
		}},
	})
}

// GraphThrottled is the fault of a Graph that has had enough: 429 with Retry-After in seconds.
func (e *Entra) GraphThrottled(retryAfter int) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
			e.graphError(w, http.StatusTooManyRequests, "TooManyRequests", "Too many requests.")
		})
	}
}

// GraphForbidden is the fault of a tenant whose administrator has not consented.
func (e *Entra) GraphForbidden() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			e.graphError(w, http.StatusForbidden, "Authorization_RequestDenied",
				"Insufficient privileges to complete the operation.")
		})
	}
}
