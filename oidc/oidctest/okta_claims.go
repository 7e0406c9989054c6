package oidctest

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"
)

const (
	oktaIDTokenLifetime = time.Hour
	oktaGroupLimit      = 100
)

// groupsOf are the person's groups as far as the app's filter lets them out.
func (o *Okta) groupsOf(p Person) []string {
	groups := []string{}
	for _, group := range p.Groups {
		if o.options.GroupsFilter(group) {
			groups = append(groups, group)
		}
	}
	if most := min(o.options.GroupsCap, oktaGroupLimit); most > 0 {
		groups = groups[:min(len(groups), most)]
	}
	return groups
}

// profile is everything that userinfo and fat ID tokens say about a person within the granted scopes.
func (o *Okta) profile(p Person, scopes []string) Claims {
	claims := Claims{"sub": p.ID}
	if slices.Contains(scopes, "profile") {
		claims["name"] = p.Name
		claims["nickname"] = p.GivenName
		claims["preferred_username"] = p.Login
		claims["given_name"] = p.GivenName
		claims["family_name"] = p.FamilyName
		claims["locale"] = "en_US"
		claims["zoneinfo"] = "America/Los_Angeles"
		claims["updated_at"] = 1790000000
	}
	if slices.Contains(scopes, "email") {
		claims["email"] = p.Email
		claims["email_verified"] = !p.EmailUnverified
	}
	if slices.Contains(scopes, "groups") {
		claims["groups"] = o.groupsOf(p)
	}
	return claims
}

// thinClaims are those of the profile that an ID token keeps when an access token comes along; the rest
// is to be had from userinfo.
var thinClaims = []string{"sub", "name", "email", "preferred_username"}

func (o *Okta) idClaims(s *oktaServer, p Person, g *grant, scopes []string, nonce string, alone bool) Claims {
	claims := o.profile(p, scopes)
	for name := range claims {
		always := name == "groups" && s.GroupsInIDToken
		if !alone && !o.options.FatIDTokens && !always && !slices.Contains(thinClaims, name) {
			delete(claims, name)
		}
	}
	now := o.now()
	claims["ver"] = 1
	claims["iss"] = s.issuer
	claims["aud"] = g.client
	claims["iat"] = now.Unix()
	claims["exp"] = now.Add(oktaIDTokenLifetime).Unix()
	claims["jti"] = "ID." + o.random.token(32)
	claims["amr"] = []string{"pwd"}
	claims["idp"] = o.orgID
	claims["auth_time"] = g.authTime.Unix()
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if o.options.SID {
		claims["sid"] = g.sid
	}
	return claims.override(p)
}

// accessClaims are those of an access token: scp is an array, sub is the login and uid the user id. A
// program's token has no uid, and its client id for sub.
func (o *Okta) accessClaims(s *oktaServer, p Person, g *grant, scopes []string) Claims {
	now := o.now()
	claims := Claims{
		"ver": 1,
		"jti": "AT." + o.random.token(32),
		"iss": s.issuer,
		"aud": s.Audience,
		"iat": now.Unix(),
		"exp": now.Add(s.AccessTokenLifetime).Unix(),
		"cid": g.client,
		"scp": scopes,
		"sub": g.client,
	}
	if g.person == "" {
		return claims
	}
	claims["uid"] = p.ID
	claims["sub"] = p.Login
	claims["auth_time"] = g.authTime.Unix()
	if s.GroupsInAccessToken {
		claims["groups"] = o.groupsOf(p)
	}
	return claims
}

// override lets the person's own claims have the last word.
func (c Claims) override(p Person) Claims {
	for name, value := range p.Claims {
		c = c.With(name, value)
	}
	return c
}

func (o *Okta) signWith(keys *Keyring, claims Claims, options ...SignOption) (string, error) {
	key, err := keys.Active()
	if err != nil {
		return "", err
	}
	return sign(key, claims, options...)
}

// halfHash is at_hash and c_hash (OpenID Connect Core, section 3.1.3.6).
func halfHash(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// IDTokenClaims are the claims of a good, complete ID token of the first custom authorization server, for
// a test to spoil and Sign.
func (o *Okta) IDTokenClaims(who, clientID, nonce string) Claims {
	p, _ := o.Person(who)
	g := &grant{client: clientID, person: p.ID, authTime: o.now(), sid: o.page.newSID(o.random)}
	return o.idClaims(o.main(), p, g, []string{"openid", "profile", "email", "groups"}, nonce, true)
}

// AccessTokenClaims are the claims of a good access token of the first custom authorization server.
func (o *Okta) AccessTokenClaims(who, clientID string, scopes ...string) Claims {
	p, _ := o.Person(who)
	return o.accessClaims(o.main(), p, &grant{client: clientID, person: p.ID, authTime: o.now()}, scopes)
}

// ServiceTokenClaims are the claims of a good client_credentials token of the first
// custom authorization server.
func (o *Okta) ServiceTokenClaims(clientID string, scopes ...string) Claims {
	return o.accessClaims(o.main(), Person{}, &grant{client: clientID}, scopes)
}

// Sign signs claims with the active key of the first custom authorization server.
func (o *Okta) Sign(claims Claims, options ...SignOption) string {
	token, err := o.signWith(o.main().keys, claims, options...)
	if err != nil {
		panic("oidctest: " + err.Error())
	}
	return token
}

// OrgAccessToken is an access token of the org's own authorization server, which nobody else can verify.
func (o *Okta) OrgAccessToken(who, clientID string, scopes ...string) string {
	p, _ := o.Person(who)
	token, err := o.signWith(o.org.accessKeys,
		o.accessClaims(o.org, p, &grant{client: clientID, person: p.ID, authTime: o.now()}, scopes))
	if err != nil {
		panic("oidctest: " + err.Error())
	}
	return token
}
