package oidctest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// accessRequest is what an access token is made of.
type accessRequest struct {
	person   Person // zero when the client acts for itself
	client   Client
	grant    *grant
	scopes   entraScopes
	auth     string // how the client proved itself
	lifetime time.Duration
}

// clientAuthClass is azpacr: 0 for a public client, 1 for a secret, 2 for a certificate.
func clientAuthClass(method string) string {
	switch method {
	case authNone:
		return "0"
	case authPrivateJWT:
		return "2"
	}
	return "1"
}

// issueAccess makes an access token in the version that the API asked for in its registration, whichever
// endpoint the client used. A Graph token is nobody's business but Graph's: it does not verify.
func (e *Entra) issueAccess(r accessRequest) (string, error) {
	version, claims := 1, Claims(nil)
	if api, ok := e.Client(r.scopes.resource); ok {
		version = api.TokenVersion
		claims = e.accessClaims(r, version, api)
	} else {
		claims = e.accessClaims(r, version, Client{ID: GraphAppID})
		claims["aud"] = GraphAppID
	}
	token, err := e.signAccess(r.grant.server, version, claims)
	if err != nil {
		return "", err
	}
	e.ledger.access.Add(token, &issuedAccess{
		grant: r.grant, scopes: r.scopes.names, claims: claims, expires: e.now().Add(r.lifetime),
	})
	return token, nil
}

func (e *Entra) signAccess(tenant string, version int, claims Claims) (string, error) {
	if claims["aud"] != GraphAppID {
		return e.signFor(tenant, version, claims)
	}
	nonce := e.random.token(32)
	sum := sha256.Sum256([]byte(nonce))
	token, err := e.signFor(tenant, version, claims,
		Header("nonce", base64.RawURLEncoding.EncodeToString(sum[:])))
	if err != nil {
		return "", err
	}
	return showNonce(token, nonce)
}

// showNonce replaces the hashed nonce of a header by the nonce itself. The signature was made over the hash,
// so only somebody who knows the trick can check it.
func showNonce(token, nonce string) (string, error) {
	header, _, err := Decode(token)
	if err != nil {
		return "", err
	}
	header["nonce"] = nonce
	encoded, err := json.Marshal(header)
	if err != nil {
		return "", fmt.Errorf("encoding a header: %w", err)
	}
	_, rest, _ := strings.Cut(token, ".")
	return base64.RawURLEncoding.EncodeToString(encoded) + "." + rest, nil
}

func (e *Entra) accessClaims(r accessRequest, version int, api Client) Claims {
	tenant := r.grant.server
	claims := e.internalClaims(r.lifetime)
	claims["aud"] = api.ID
	claims["iss"] = e.issuer(tenant, version)
	claims["tid"] = tenant
	claims["ver"] = fmt.Sprintf("%d.0", version)
	if version == 1 {
		claims["aud"] = r.scopes.spelled
		claims["appid"], claims["appidacr"] = r.client.ID, clientAuthClass(r.auth)
	} else {
		claims["azp"], claims["azpacr"] = r.client.ID, clientAuthClass(r.auth)
	}
	if r.grant.person == "" {
		e.addServiceClaims(claims, r, api)
		return claims
	}
	object := e.objectID(r.person, tenant)
	claims["oid"] = object
	claims["sub"] = pairwise(tenant, object, api.ID)
	claims["name"] = r.person.Name
	claims["sid"] = r.grant.sid
	claims["scp"] = strings.Join(e.delegated(r), " ")
	if version == 1 {
		claims["acr"] = "1"
		e.addV1Claims(claims, r.person, tenant)
	} else {
		claims["preferred_username"] = r.person.Login
	}
	if len(r.person.Roles) > 0 {
		claims["roles"] = r.person.Roles
	}
	if api.tellsKind() {
		claims["idtyp"] = "user"
	}
	e.addAccessTokenClaims(claims, r, version, api)
	return claims
}

// tellsKind says whether access tokens to the API have idtyp.
func (c Client) tellsKind() bool {
	return c.emits("idtyp") || slices.Contains(c.AccessTokenClaims, "idtyp")
}

// addAccessTokenClaims adds what the API configured for its access tokens, as for ID tokens; and whence a
// guest comes, who is told by that alone.
func (e *Entra) addAccessTokenClaims(claims Claims, r accessRequest, version int, api Client) {
	tenant := r.grant.server
	configured := idRequest{person: r.person, client: Client{
		OptionalClaims: api.AccessTokenClaims, NoGroupsClaim: api.NoGroupsClaim,
	}, grant: r.grant, version: version}
	if slices.Contains(api.AccessTokenClaims, "email") {
		configured.scopes = []string{"email"}
		e.addOptionalClaims(claims, configured)
	}
	if slices.Contains(api.AccessTokenClaims, "groups") {
		e.addGroups(claims, configured)
	}
	if !e.isGuestIn(r.person, tenant) {
		return
	}
	guest := Claims{}
	e.addGuestClaims(guest, configured)
	claims["idp"] = guest["idp"]
	if configured.client.emits("acct") {
		claims["acct"] = 1
	}
}

// delegated are the permissions in the token. Graph tokens carry everything that was ever consented to, which
// for a new registration is User.Read.
func (e *Entra) delegated(r accessRequest) []string {
	if r.scopes.resource != GraphAppID {
		return r.consented()
	}
	permissions := slices.DeleteFunc(slices.Clone(r.scopes.oidc), func(scope string) bool {
		return scope == "offline_access"
	})
	return append(permissions, r.client.GraphPermissions...)
}

// consented are the permissions on the API, with those that .default stands for in its place.
func (r accessRequest) consented() []string {
	var names []string
	for _, name := range r.scopes.names {
		if name != ".default" {
			names = append(names, name)
			continue
		}
		permissions, named := r.client.Delegated[r.scopes.resource]
		if !named {
			permissions = []string{"user_impersonation"}
		}
		names = append(names, permissions...)
	}
	return names
}

// addServiceClaims: an application that was granted nothing still gets its token, without roles.
func (e *Entra) addServiceClaims(claims Claims, r accessRequest, api Client) {
	claims["oid"] = r.client.ServicePrincipal
	claims["sub"] = r.client.ServicePrincipal
	roles := r.client.AppRoles[api.ID]
	if api.ID == GraphAppID {
		roles = applicationPermissions(r.client.GraphPermissions)
	}
	if len(roles) > 0 {
		claims["roles"] = roles
	}
	if api.tellsKind() {
		claims["idtyp"] = "app"
	}
}

// applicationPermissions are those that an application can hold without a person; User.Read is not.
func applicationPermissions(permissions []string) []string {
	return slices.DeleteFunc(slices.Clone(permissions), func(name string) bool {
		return !strings.HasSuffix(name, ".All")
	})
}

// AccessTokenClaims are the claims of a good version 2 access token for an API,
// delegated by a person to a client.
func (e *Entra) AccessTokenClaims(who, clientID, apiID string, scopes ...string) Claims {
	return e.delegatedClaims(2, who, clientID, apiID, scopes)
}

// AccessTokenClaimsV1 are those of a version 1 access token, whose audience is api://<API>.
func (e *Entra) AccessTokenClaimsV1(who, clientID, apiID string, scopes ...string) Claims {
	return e.delegatedClaims(1, who, clientID, apiID, scopes)
}

func (e *Entra) delegatedClaims(version int, who, clientID, apiID string, scopes []string) Claims {
	p, _ := e.Person(who)
	api, _ := e.Client(apiID)
	api.ID = apiID
	return e.accessClaims(accessRequest{
		person: p, client: Client{ID: clientID}, auth: authPost, lifetime: time.Hour, grant: &grant{
			server: e.directoryOf(p), client: clientID, person: p.ID, authTime: e.now(), sid: e.random.guid(),
		},
		scopes: entraScopes{resource: apiID, spelled: "api://" + apiID, names: scopes},
	}, version, api)
}

// ServiceTokenClaims are the claims of a good version 2 app-only access token for an API, with the roles
// that the client was granted.
func (e *Entra) ServiceTokenClaims(clientID, apiID string) Claims {
	return e.appOnlyClaims(2, clientID, apiID)
}

// ServiceTokenClaimsV1 are those of a version 1 app-only access token.
func (e *Entra) ServiceTokenClaimsV1(clientID, apiID string) Claims {
	return e.appOnlyClaims(1, clientID, apiID)
}

func (e *Entra) appOnlyClaims(version int, clientID, apiID string) Claims {
	client, _ := e.Client(clientID)
	api, _ := e.Client(apiID)
	api.ID = apiID
	return e.accessClaims(accessRequest{
		client: client, auth: authPost, lifetime: time.Hour,
		grant:  &grant{server: e.options.Tenants[0].ID, client: clientID},
		scopes: entraScopes{resource: apiID, spelled: "api://" + apiID},
	}, version, api)
}

// GraphToken is an access token for Microsoft Graph, which nobody else can verify: what a person's client
// gets that asks for no API.
func (e *Entra) GraphToken(who, clientID string) string {
	p, _ := e.Person(who)
	token, err := e.issueAccess(accessRequest{
		person: p, client: Client{ID: clientID, GraphPermissions: defaultGraphPermissions},
		auth: authPost, lifetime: time.Hour, grant: &grant{
			server: e.directoryOf(p), client: clientID, person: p.ID, authTime: e.now(), sid: e.random.guid(),
		},
		scopes: entraScopes{resource: GraphAppID, oidc: entraOIDCScopes},
	})
	if err != nil {
		panic("oidctest: " + err.Error())
	}
	return token
}
