package oidctest_test

import (
	"slices"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"vexa-sso/oidc/oidctest"
)

const accessAPI = "2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91"

// Minted access tokens have the members that granted ones have, in each version, and no others.
func TestMintedAccessTokens(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	robot := entra.AddClient(oidctest.Client{AppRoles: map[string][]string{accessAPI: {"Bridge.Sync"}}})
	for name, test := range map[string]struct {
		claims  oidctest.Claims
		members string
	}{
		"v2": {entra.AccessTokenClaims(oidctest.Ada, robot.ID, accessAPI, "Bridge.Read"), "aud iss iat:int nbf:int exp:int aio azp azpacr name oid preferred_username rh scp sid sub tid uti ver"},
		"v1": {entra.AccessTokenClaimsV1(oidctest.Ada, robot.ID, accessAPI, "Bridge.Read"), "aud iss iat:int nbf:int exp:int acr aio amr:array appid appidacr family_name given_name ipaddr name oid rh scp sid sub tid unique_name upn uti ver"},
		"v2 app-only": {
			entra.ServiceTokenClaims(robot.ID, accessAPI),
			"aud iss iat:int nbf:int exp:int aio azp azpacr oid rh roles:array sub tid uti ver",
		},
		"v1 app-only": {
			entra.ServiceTokenClaimsV1(robot.ID, accessAPI),
			"aud iss iat:int nbf:int exp:int aio appid appidacr oid rh roles:array sub tid uti ver",
		},
		"v2 guest": {entra.AccessTokenClaims(oidctest.Guest, robot.ID, accessAPI, "Bridge.Read"), "aud iss iat:int nbf:int exp:int aio azp azpacr idp name oid preferred_username rh scp sid sub tid uti ver"},
	} {
		claims := claimsOf(t, entra.Sign(test.claims))
		wantMembers(t, claims, test.members)
		issuer, audience := entra.Issuer(), accessAPI
		if claims["ver"] == "1.0" {
			issuer, audience = entra.IssuerV1Of(oidctest.TenantA), "api://"+accessAPI
		}
		if claims["iss"] != issuer || claims["aud"] != audience ||
			claims["idp"] != nil && claims["idp"] != entra.IssuerV1Of(oidctest.TenantB) {
			t.Errorf("%s: %v", name, claims)
		}
	}
}

// What an API configures for its access tokens is in them: addresses and groups as in ID tokens, the pointer
// away from too many included.
func TestEntraAccessTokenClaims(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	entra.AddClient(oidctest.Client{
		ID: accessAPI, AccessTokenClaims: []string{"acct", "email", "groups", "idtyp", "xms_edov"},
	})
	busy := entra.AddPerson(oidctest.Person{
		Email: "busy@acme.example", Groups: slices.Repeat([]string{"team"}, 201),
	})
	ada := claimsOf(t, entra.Sign(entra.AccessTokenClaims(oidctest.Ada, "client", accessAPI, "Bridge.Read")))
	if groups, _ := ada["groups"].([]any); len(groups) != 1 ||
		groups[0] != oidctest.GroupIDs[oidctest.GroupUsers] || ada["email"] != oidctest.Ada ||
		ada["xms_edov"] != true || ada["idtyp"] != "user" || ada["acct"] != 0.0 {
		t.Errorf("the token says %v", ada)
	}
	many := entra.AccessTokenClaims(busy.ID, "client", accessAPI, "Bridge.Read")
	if many["groups"] != nil || many["_claim_names"] == nil {
		t.Errorf("the token says %v", many)
	}
	guest := entra.AccessTokenClaims(oidctest.Guest, "client", accessAPI, "Bridge.Read")
	if guest["acct"] != 1 || guest["idp"] == nil {
		t.Errorf("the token says %v", guest)
	}
}

// The scope .default stands for what was consented to.
func TestEntraDefaultScope(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	entra.AddClient(oidctest.Client{ID: accessAPI})
	rp := entraParty(t, entra, oidctest.Client{})
	scp := func() any {
		return claimsOf(t, rp.redeem(rp.signIn(oidctest.Ada, "scope", "openid api://"+accessAPI+"/.default")).
			text("access_token"))["scp"]
	}
	if got := scp(); got != "user_impersonation" {
		t.Errorf("scp is %v", got)
	}
	err := entra.ChangeClient(rp.client.ID, func(c *oidctest.Client) {
		c.Delegated = map[string][]string{accessAPI: {"Bridge.Read", "Bridge.Write"}}
	})
	if got := scp(); err != nil || got != "Bridge.Read Bridge.Write" {
		t.Errorf("scp is %v, %v", got, err)
	}
}

// Tokens that nobody but their API can verify: nobody can.
func TestMintedUnverifiableTokens(t *testing.T) {
	t.Parallel()
	entra, okta := startEntra(t, oidctest.EntraOptions{}), startOkta(t, oidctest.OktaOptions{})
	graph, org := entra.GraphToken(oidctest.Ada, "client"),
		okta.OrgAccessToken(oidctest.Ada, "client", "openid")
	header, claims, err := oidctest.Decode(graph)
	if err != nil || header["nonce"] == nil || claims["aud"] != oidctest.GraphAppID ||
		claims["scp"] != "openid profile email User.Read" {
		t.Errorf("%v %v, %v", header, claims, err)
	}
	if claims := claimsOf(t, org); claims["iss"] != okta.OrgIssuer() || claims["aud"] != okta.OrgIssuer() ||
		claims["uid"] == nil {
		t.Errorf("%v", claims)
	}
	for issuer, raw := range map[string]string{entra.Issuer(): graph, okta.OrgIssuer(): org} {
		provider, err := oidc.NewProvider(t.Context(), issuer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := provider.Verifier(&oidc.Config{SkipClientIDCheck: true}).
			Verify(t.Context(), raw); err == nil {
			t.Errorf("%s's verifies", issuer)
		}
	}
}

// By the book (RFC 9068, section 2.2).
func TestMintedPlainAccessTokens(t *testing.T) {
	t.Parallel()
	plain := startPlain(t, oidctest.PlainOptions{})
	ada, _ := plain.Person(oidctest.Ada)
	person := claimsOf(t,
		plain.Sign(plain.AccessTokenClaims(oidctest.Ada, "client", "https://api.example", "read", "write")))
	wantMembers(t, person, "iss sub aud client_id scope jti iat:int exp:int auth_time:int")
	service := claimsOf(t, plain.Sign(plain.ServiceTokenClaims("client", "https://api.example", "read")))
	wantMembers(t, service, "iss sub aud client_id scope jti iat:int exp:int")
	if person["sub"] != ada.ID || person["scope"] != "read write" || service["sub"] != "client" ||
		service["client_id"] != "client" {
		t.Errorf("%v %v", person, service)
	}
}
