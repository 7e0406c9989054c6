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

const (
	entraBackdate       = 300 * time.Second // iat and nbf lie this far back
	entraIDLifetime     = time.Hour
	entraGroupLimit     = 200 // in a token from the token endpoint
	entraGroupLimitLean = 5   // in an ID token from the authorization endpoint
)

// idRequest is what an ID token is made of.
type idRequest struct {
	person       Person
	client       Client
	grant        *grant
	scopes       []string
	nonce        string
	version      int
	frontChannel bool // issued by the authorization endpoint
}

func (r idRequest) scope(name string) bool { return slices.Contains(r.scopes, name) }

// objectID is the person's id in a tenant: another one at home than where they are a guest.
func (e *Entra) objectID(p Person, tenant string) string {
	if e.directoryOf(p) == tenant {
		return p.ID
	}
	return derivedGUID("at home " + p.ID)
}

// pairwise is the subject that one client sees of an object.
func pairwise(tenant, object, client string) string {
	sum := sha256.Sum256([]byte(tenant + " " + object + " " + client))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (e *Entra) isGuestIn(p Person, tenant string) bool { return p.Guest && e.directoryOf(p) == tenant }

// internalClaims are those that only Microsoft understands, and the times.
func (e *Entra) internalClaims(lifetime time.Duration) Claims {
	issued := e.now().Add(-entraBackdate).Unix()
	return Claims{
		"iat": issued,
		"nbf": issued,
		"exp": e.now().Add(lifetime).Unix(),
		"aio": "AXQAi/8SIM" + e.random.token(40),
		"rh":  "1.AXQA" + e.random.token(30),
		"uti": e.random.token(16),
	}
}

func (e *Entra) idClaims(r idRequest) Claims {
	tenant := r.grant.server
	object := e.objectID(r.person, tenant)
	claims := e.internalClaims(entraIDLifetime)
	claims["aud"] = r.client.ID
	claims["iss"] = e.issuer(tenant, r.version)
	claims["sub"] = pairwise(tenant, object, r.client.ID)
	claims["tid"] = tenant
	claims["ver"] = fmt.Sprintf("%d.0", r.version)
	if r.nonce != "" {
		claims["nonce"] = r.nonce
	}
	if r.scope("profile") || r.version == 1 {
		claims["oid"] = object
		claims["name"] = r.person.Name
		if r.version == 2 {
			claims["preferred_username"] = r.person.Login
		}
	}
	if r.version == 1 {
		e.addV1Claims(claims, r.person, tenant)
	}
	e.addOptionalClaims(claims, r)
	if len(r.person.Roles) > 0 {
		claims["roles"] = r.person.Roles
	}
	e.addGroups(claims, r)
	if e.isGuestIn(r.person, tenant) {
		e.addGuestClaims(claims, r)
	}
	return claims.override(r.person)
}

func (e *Entra) addV1Claims(claims Claims, p Person, tenant string) {
	claims["unique_name"] = p.Login
	claims["amr"] = []string{"pwd"}
	claims["given_name"] = p.GivenName
	claims["family_name"] = p.FamilyName
	claims["ipaddr"] = "203.0.113.7"
	if !e.isGuestIn(p, tenant) {
		claims["upn"] = p.Login
	}
}

func (e *Entra) addOptionalClaims(claims Claims, r idRequest) {
	tenant := r.grant.server
	if r.client.emits("acct") && tenant != MSATenant {
		claims["acct"] = 0
	}
	if r.client.emits("auth_time") {
		claims["auth_time"] = r.grant.authTime.Unix()
	}
	if r.client.emits("login_hint") {
		claims["login_hint"] = "O." + base64.RawURLEncoding.EncodeToString([]byte(r.person.ID+" "+tenant))
	}
	if r.client.emits("sid") {
		claims["sid"] = r.grant.sid
	}
	if r.client.emits("upn") && !e.isGuestIn(r.person, tenant) {
		claims["upn"] = r.person.Login
	}
	hasEmail := r.person.Email != "" &&
		(r.scope("email") || e.isGuestIn(r.person, tenant) || r.version == 1 && r.client.emits("email"))
	if !hasEmail {
		return
	}
	claims["email"] = r.person.Email
	if proof := e.domainProof(r.person, tenant); proof != nil && r.client.emits("xms_edov") {
		claims["xms_edov"] = proof
	}
	if r.client.emits("verified_primary_email") && e.domainProof(r.person, tenant) == true {
		claims["verified_primary_email"] = []string{r.person.Email}
	}
}

// domainProof is the value of xms_edov: true when the person's own tenant has verified the domain of their
// address, or when it is a personal account.
func (e *Entra) domainProof(p Person, tenant string) any {
	if p.DomainVerified != nil {
		return p.DomainVerified
	}
	_, domain, _ := strings.Cut(p.Email, "@")
	owner := tenant
	if e.isGuestIn(p, tenant) {
		owner = homeOf(p)
	}
	if owner == MSATenant || slices.Contains([]string{"live.com", "google.com", "mail"}, p.GuestIdP) {
		return true
	}
	if t := e.tenant(owner); t != nil && t.verified(domain) {
		return true
	}
	return nil
}

// groupIDs are the person's groups in a tenant. Neither personal accounts nor guests at home have any.
func (e *Entra) groupIDs(p Person, tenant string) []string {
	ids := []string{}
	if tenant == MSATenant || e.directoryOf(p) != tenant {
		return ids
	}
	for _, group := range p.Groups {
		ids = append(ids, GroupID(group))
	}
	return ids
}

// addGroups lists the groups, or points away from them when there are too many. The pointer names a service
// that has been retired; following it is a mistake that clients make.
func (e *Entra) addGroups(claims Claims, r idRequest) {
	tenant := r.grant.server
	ids := e.groupIDs(r.person, tenant)
	switch {
	case r.client.NoGroupsClaim || len(ids) == 0:
	case r.frontChannel && len(ids) > entraGroupLimitLean:
		claims["hasgroups"] = true
	case len(ids) > entraGroupLimit:
		claims["_claim_names"] = map[string]string{"groups": "src1"}
		claims["_claim_sources"] = map[string]any{"src1": map[string]string{
			"endpoint": "https://graph.windows.net/" + tenant + "/users/" + e.objectID(r.person, tenant) +
				"/getMemberObjects",
		}}
	default:
		claims["groups"] = ids
	}
}

func (e *Entra) addGuestClaims(claims Claims, r idRequest) {
	claims["idp"] = r.person.GuestIdP
	if r.person.GuestIdP == "" {
		claims["idp"] = e.IssuerV1Of(homeOf(r.person))
	}
	if r.client.emits("acct") {
		claims["acct"] = 1
	}
	claims["upn"] = e.guestName(r.person)
}

// guestName is a guest's user principal name: guest_partner.example#EXT#@nwsim.onmicrosoft.com.
func (e *Entra) guestName(p Person) string {
	domain := ""
	if tenant := e.tenant(e.directoryOf(p)); tenant != nil {
		domain = tenant.Domain
	}
	return strings.ReplaceAll(p.Login, "@", "_") + "#EXT#@" + domain
}

// signFor signs a token of a tenant with the key that may. Version 1 says so twice, in kid and x5t.
func (e *Entra) signFor(tenant string, version int, claims Claims, options ...SignOption) (string, error) {
	ring := e.keys
	if tenant == MSATenant {
		ring = e.msaKeys
	}
	key, err := ring.Active()
	if err != nil {
		return "", err
	}
	headers := []SignOption{Header("typ", "JWT")}
	if version == 1 {
		headers = append(headers, Header("x5t", key.ID))
	}
	return sign(key, claims, append(headers, options...)...)
}

func (e *Entra) clientInfo(p Person, tenant string) string {
	// strings always marshal
	info, _ := json.Marshal(map[string]string{"uid": e.objectID(p, tenant), "utid": tenant})
	return base64.RawURLEncoding.EncodeToString(info)
}

// IDTokenClaims are the claims of a good version 2 ID token, issued by the directory that holds the person,
// for a test to spoil and Sign.
func (e *Entra) IDTokenClaims(who, clientID, nonce string) Claims {
	return e.idTokenClaims(who, clientID, nonce, 2)
}

// IDTokenClaimsV1 are those of a version 1 ID token.
func (e *Entra) IDTokenClaimsV1(who, clientID, nonce string) Claims {
	return e.idTokenClaims(who, clientID, nonce, 1)
}

func (e *Entra) idTokenClaims(who, clientID, nonce string, version int) Claims {
	p, _ := e.Person(who)
	client, ok := e.Client(clientID)
	if !ok {
		client = Client{ID: clientID, OptionalClaims: defaultOptionalClaims}
	}
	g := &grant{
		server: e.directoryOf(p), client: clientID, person: p.ID, authTime: e.now(), sid: e.random.guid(),
	}
	return e.idClaims(idRequest{
		person: p, client: client, grant: g, scopes: entraOIDCScopes, nonce: nonce, version: version,
	})
}

// Sign signs claims as the tenant in their tid would: with the key for personal accounts or
// the one for everybody else.
func (e *Entra) Sign(claims Claims, options ...SignOption) string {
	tenant, _ := claims["tid"].(string)
	version := 2
	if claims["ver"] == "1.0" {
		version = 1
	}
	token, err := e.signFor(tenant, version, claims, options...)
	if err != nil {
		panic("oidctest: " + err.Error())
	}
	return token
}
