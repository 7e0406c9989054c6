package oidctest_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"vexa-sso/oidc/oidctest"
)

const entraScopes = "openid profile email offline_access"

func startEntra(t *testing.T, options oidctest.EntraOptions) *oidctest.Entra {
	t.Helper()
	entra := oidctest.StartEntra(t, options)
	entra.AddCast()
	return entra
}

func entraParty(t *testing.T, entra *oidctest.Entra, c oidctest.Client) *relyingParty {
	t.Helper()
	return newParty(t, entra.Double, entra.Issuer(), c, entraScopes)
}

// A tenant's own document and keys satisfy go-oidc, x5t and x5c included.
func TestEntraTenantSatisfiesGoOIDC(t *testing.T) {
	t.Parallel()
	for name, prefix := range map[string]string{"at the root": "", "under a path": "/entra"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entra := startEntra(t, oidctest.EntraOptions{BaseURL: prefix})
			provider, err := oidc.NewProvider(t.Context(), entra.Issuer())
			if err != nil {
				t.Fatal(err)
			}
			rp := entraParty(t, entra, oidctest.Client{})
			tokens := rp.tokens(oidctest.Ada)
			if _, err := provider.Verifier(&oidc.Config{ClientID: rp.client.ID}).Verify(
				t.Context(), tokens.text("id_token"),
			); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestEntraIDToken(t *testing.T) {
	t.Parallel()
	now := newClock()
	entra := startEntra(t, oidctest.EntraOptions{Now: now.Now})
	rp := entraParty(t, entra, oidctest.Client{})
	back := rp.signIn(oidctest.Grace)
	tokens := rp.redeem(back)
	wantMembers(t, tokens.Body,
		"token_type scope expires_in:int ext_expires_in:int access_token refresh_token id_token")
	id := claimsOf(t, tokens.text("id_token"))
	wantMembers(t, id, "aud iss iat:int nbf:int exp:int aio acct:int auth_time:int email groups:array login_hint name nonce oid preferred_username rh sid sub tid uti ver xms_edov:bool")
	if issued := int64(id["iat"].(float64)); issued != now.Now().Unix()-300 ||
		id["exp"].(float64)-id["iat"].(float64) != 3900 {
		t.Errorf("issued at %v, until %v; now is %d", id["iat"], id["exp"], now.Now().Unix())
	}
	if back.Params.Get("session_state") != id["sid"] {
		t.Errorf("session_state is %q, sid is %v", back.Params.Get("session_state"), id["sid"])
	}
	if groups := id["groups"].([]any); len(groups) != 2 ||
		groups[1] != oidctest.GroupIDs[oidctest.GroupAdmins] {
		t.Errorf("groups are %v", groups)
	}
}

// Documents for several tenants name no issuer that a token could have.
func TestEntraOrganizations(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	entra.AddPerson(oidctest.Attacker(oidctest.Ada))
	rp := newParty(t, entra.Double, entra.BaseURL()+"/organizations/v2.0", oidctest.Client{}, entraScopes)
	if want := entra.BaseURL() + "/{tenantid}/v2.0"; rp.metadata["issuer"] != want {
		t.Errorf("the issuer is %v, want %s", rp.metadata["issuer"], want)
	}
	if _, err := oidc.NewProvider(t.Context(), entra.BaseURL()+"/organizations/v2.0"); err == nil {
		t.Error("go-oidc accepts the document without further ado")
	}
	for who, tenant := range map[string]string{
		oidctest.Ada: oidctest.TenantA, "mallory@evil.example": oidctest.TenantB,
	} {
		id := claimsOf(t, rp.tokens(who).text("id_token"))
		if id["tid"] != tenant || id["iss"] != entra.IssuerOf(tenant) || id["email"] != oidctest.Ada {
			t.Errorf("%s got tid %v, iss %v, email %v", who, id["tid"], id["iss"], id["email"])
		}
		if _, verified := id["xms_edov"]; verified != (tenant == oidctest.TenantA) {
			t.Errorf("%s has xms_edov: %v", who, verified)
		}
	}
}

func TestEntraDiscovery(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	const shared = `token_endpoint token_endpoint_auth_methods_supported:array jwks_uri response_modes_supported:array subject_types_supported:array
		id_token_signing_alg_values_supported:array response_types_supported:array scopes_supported:array issuer userinfo_endpoint authorization_endpoint
		device_authorization_endpoint http_logout_supported:bool frontchannel_logout_supported:bool end_session_endpoint claims_supported:array
		kerberos_endpoint cloud_instance_name cloud_graph_host_name msgraph_host rbac_url `
	const v2, v1 = shared + "request_uri_parameter_supported:bool ",
		shared + "microsoft_multi_refresh_token:bool check_session_iframe "
	base := entra.BaseURL()
	for path, want := range map[string]struct{ issuer, members string }{
		"/" + oidctest.TenantA + "/v2.0": {
			base + "/" + oidctest.TenantA + "/v2.0", v2 + "tenant_region_scope",
		},
		"/acme.example/v2.0":   {base + "/" + oidctest.TenantA + "/v2.0", v2 + "tenant_region_scope"},
		"/common/v2.0":         {base + "/{tenantid}/v2.0", v2 + "tenant_region_scope:null"},
		"/organizations/v2.0":  {base + "/{tenantid}/v2.0", v2 + "tenant_region_scope:null"},
		"/consumers/v2.0":      {base + "/" + oidctest.MSATenant + "/v2.0", v2 + "tenant_region_scope:null"},
		"/" + oidctest.TenantA: {base + "/sts/" + oidctest.TenantA + "/", v1 + "tenant_region_scope"},
		"/common":              {base + "/sts/{tenantid}/", v1 + "tenant_region_scope:null"},
	} {
		t.Run(path, func(t *testing.T) {
			a := get(t, base+path+"/.well-known/openid-configuration")
			wantMembers(t, a.Body, want.members)
			segment, _, _ := strings.Cut(path[1:], "/")
			if a.Body["issuer"] != want.issuer ||
				!strings.HasPrefix(a.text("token_endpoint"), base+"/"+segment+"/oauth2/") {
				t.Errorf("issuer %v, token endpoint %v", a.Body["issuer"], a.Body["token_endpoint"])
			}
			if a.Header.Get("Cache-Control") != "max-age=86400, private" ||
				a.Header.Get("x-ms-request-id") == "" {
				t.Errorf("the headers are %v", a.Header)
			}
		})
	}
	unknown := get(t, base+"/11111111-2222-4333-8444-555555555555/v2.0/.well-known/openid-configuration")
	wantError(t, unknown, 400, "invalid_tenant", "AADSTS90002")
}

// Keys have no alg, a genuine certificate, and in version 2 the issuer for which they sign.
func TestEntraKeys(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	base := entra.BaseURL()
	for path, issuers := range map[string][]string{
		"/organizations/discovery/v2.0/keys": {
			base + "/{tenantid}/v2.0", base + "/{tenantid}/v2.0", base + "/" + oidctest.MSATenant + "/v2.0",
		},
		"/" + oidctest.TenantA + "/discovery/v2.0/keys": {entra.Issuer(), entra.Issuer()},
		"/consumers/discovery/v2.0/keys":                {base + "/" + oidctest.MSATenant + "/v2.0"},
		"/common/discovery/keys":                        {"", "", ""},
	} {
		t.Run(path, func(t *testing.T) {
			keys := get(t, base+path).Body["keys"].([]any)
			if len(keys) != len(issuers) {
				t.Fatalf("there are %d keys", len(keys))
			}
			for i, entry := range keys {
				jwk := entry.(map[string]any)
				issuer, _ := jwk["issuer"].(string)
				if issuer != issuers[i] || jwk["alg"] != nil || jwk["kid"] != jwk["x5t"] ||
					len(jwk["kid"].(string)) != 27 {
					t.Errorf("key %d is %v", i, jwk)
				}
			}
			if cloud := keys[len(keys)-1].(map[string]any)["cloud_instance_name"]; cloud == nil {
				t.Error("the keys do not say whose cloud they are of")
			}
		})
	}
}

// A key that flaps is missing from every second fetch.
func TestEntraKeysFlap(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	key, err := entra.Keys().Active()
	if err != nil {
		t.Fatal(err)
	}
	entra.Keys().Flap(key.ID)
	var seen []bool
	for range 4 {
		a := get(t, entra.BaseURL()+"/common/discovery/v2.0/keys")
		seen = append(seen, slices.ContainsFunc(a.Body["keys"].([]any), func(k any) bool {
			return k.(map[string]any)["kid"] == key.ID
		}))
	}
	if diff := cmp.Diff([]bool{false, true, false, true}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	ring := okta.Keys(okta.Issuer())
	old, err := ring.Active()
	if err != nil {
		t.Fatal(err)
	}
	next, err := ring.PublishNext()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := oidc.NewProvider(t.Context(), okta.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	rp := oktaParty(t, okta, oidctest.Client{})
	verifier := provider.Verifier(&oidc.Config{ClientID: rp.client.ID})
	before := rp.tokens(oidctest.Ada).text("id_token")
	if _, err := verifier.Verify(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if rotated, err := ring.Rotate(); err != nil || rotated.ID != next.ID {
		t.Fatalf("rotated to %v, %v", rotated, err)
	}
	if _, err := verifier.Verify(t.Context(), rp.tokens(oidctest.Ada).text("id_token")); err != nil {
		t.Errorf("a key published beforehand: %v", err)
	}
	if fetches := okta.Requests(oidctest.EndpointKeys); fetches != 1 {
		t.Errorf("the keys were fetched %d times", fetches)
	}
	ring.Withdraw(old.ID)
	fresh, err := oidc.NewProvider(t.Context(), okta.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.Verifier(&oidc.Config{ClientID: rp.client.ID}).
		Verify(t.Context(), before); err == nil {
		t.Error("a token of a withdrawn key verifies")
	}
	ring.SetCacheControl("no-store")
	if a := get(t, rp.at("jwks_uri")); a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the headers are %v", a.Header)
	}
	encryption, err := oidctest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	encryption.Use = "enc"
	ring.Publish(encryption)
	keys := get(t, rp.at("jwks_uri")).Body["keys"].([]any)
	wantMembers(t, keys[0].(map[string]any), "kty alg kid use e n")
	if last := keys[len(keys)-1].(map[string]any); last["use"] != "enc" || last["alg"] != "RSA-OAEP-256" ||
		len(last["kid"].(string)) != 43 {
		t.Errorf("the encryption key is %v", last)
	}
}

// The same person has another sub at every client, and one oid.
func TestEntraPairwiseSubjects(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	one, two := entraParty(t, entra, oidctest.Client{Name: "one"}),
		entraParty(t, entra, oidctest.Client{Name: "two"})
	first, second := claimsOf(t, one.tokens(oidctest.Ada).text("id_token")),
		claimsOf(t, two.tokens(oidctest.Ada).text("id_token"))
	if first["sub"] == second["sub"] || first["oid"] != second["oid"] || len(first["sub"].(string)) != 43 {
		t.Errorf("sub %v and %v, oid %v and %v", first["sub"], second["sub"], first["oid"], second["oid"])
	}
}

// A guest has an object id of their own in the host's tenant, and says where they come from. At the door of
// all organizations they are at home.
func TestEntraGuest(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	guest := claimsOf(t, entraParty(t, entra, oidctest.Client{}).tokens(oidctest.Guest).text("id_token"))
	for name, want := range map[string]any{
		"idp": entra.IssuerV1Of(oidctest.TenantB), "acct": 1.0,
		"tid": oidctest.TenantA, "email": oidctest.Guest,
		"upn": "guest_partner.example#EXT#@nwsim.onmicrosoft.com", "preferred_username": oidctest.Guest,
	} {
		if guest[name] != want {
			t.Errorf("%s is %v, want %v", name, guest[name], want)
		}
	}
	rp := newParty(t, entra.Double, entra.BaseURL()+"/organizations/v2.0", oidctest.Client{}, entraScopes)
	home := claimsOf(t, rp.tokens(oidctest.Guest).text("id_token"))
	if home["tid"] != oidctest.TenantB || home["idp"] != nil || home["oid"] == guest["oid"] ||
		home["groups"] != nil {
		t.Errorf("at home the guest is %v", home)
	}
}

// Personal accounts have a tenant and a key of their own, and neither groups nor a way into organizations.
func TestEntraPersonalAccount(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	entra.AddPerson(oidctest.Person{
		Email: "ada@outlook.example", Tenant: oidctest.MSATenant, Groups: []string{oidctest.GroupUsers},
	})
	rp := newParty(t, entra.Double, entra.BaseURL()+"/common/v2.0", oidctest.Client{}, entraScopes)
	raw := rp.tokens("ada@outlook.example").text("id_token")
	id := claimsOf(t, raw)
	if id["tid"] != oidctest.MSATenant || !strings.HasPrefix(id["oid"].(string), "00000000-0000-0000-") ||
		id["groups"] != nil {
		t.Errorf("the ID token says %v", id)
	}
	header, _, _ := oidctest.Decode(raw)
	key, err := entra.MSAKeys().Active()
	if err != nil || header["kid"] != key.ID {
		t.Errorf("signed with %v, want %v, %v", header["kid"], key, err)
	}
	provider, err := oidc.NewProvider(t.Context(), entra.BaseURL()+"/consumers/v2.0")
	if err == nil {
		t.Errorf("the consumers document claims to be issued by %v", provider)
	}
	personal, err := oidc.NewProvider(t.Context(), entra.IssuerOf(oidctest.MSATenant))
	if err != nil {
		t.Fatal(err)
	}
	if personal.Endpoint().TokenURL == "" {
		t.Error("the document of the tenant of personal accounts is empty")
	}
	organizations := newParty(t, entra.Double, entra.BaseURL()+"/organizations/v2.0",
		oidctest.Client{}, entraScopes)
	back, err := entra.SignIn(t.Context(), organizations.authorizeURL(), "ada@outlook.example")
	wantPageError(t, back, err, 400, "AADSTS50020")
}

func TestEntraDomainVerifiedEncodings(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	rp := entraParty(t, entra, oidctest.Client{})
	for i, encoding := range []any{true, "1", "true", 1.0, false} {
		email := fmt.Sprintf("person%d@elsewhere.example", i)
		entra.AddPerson(oidctest.Person{Email: email, DomainVerified: encoding})
		if got := claimsOf(t, rp.tokens(email).text("id_token"))["xms_edov"]; got != encoding {
			t.Errorf("xms_edov is %v, want %v", got, encoding)
		}
	}
	entra.AddPerson(oidctest.Person{Email: "unverified@elsewhere.example"})
	id := claimsOf(t, rp.tokens("unverified@elsewhere.example").text("id_token"))
	if _, there := id["xms_edov"]; there || id["email_verified"] != nil || id["email"] == nil {
		t.Errorf("the ID token says %v", id)
	}
}

// Claims of a person have the last word, so that tests can leave claims out or bend them.
func TestPersonClaims(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	entra.AddPerson(oidctest.Person{
		Email: "odd@acme.example", Claims: map[string]any{"email": nil, "name": nil, "groups": "one"},
	})
	id := claimsOf(t, entraParty(t, entra, oidctest.Client{}).tokens("odd@acme.example").text("id_token"))
	if id["email"] != nil || id["name"] != nil || id["groups"] != "one" {
		t.Errorf("the ID token says %v", id)
	}
}

func TestEntraVersion1(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	rp := newParty(t, entra.Double, entra.BaseURL()+"/"+oidctest.TenantA, oidctest.Client{}, "")
	tokens := rp.tokens(oidctest.Ada)
	wantMembers(t, tokens.Body, "token_type scope expires_in ext_expires_in expires_on not_before resource access_token refresh_token id_token")
	header, id, err := oidctest.Decode(tokens.text("id_token"))
	if err != nil || header["x5t"] != header["kid"] {
		t.Errorf("the header is %v, %v", header, err)
	}
	wantMembers(t, id, `aud iss iat:int nbf:int exp:int aio acct:int auth_time:int email groups:array login_hint name nonce oid rh sid sub tid uti ver
		xms_edov:bool unique_name upn amr:array family_name given_name ipaddr`)
	if id["iss"] != entra.IssuerV1Of(oidctest.TenantA) || id["ver"] != "1.0" {
		t.Errorf("the ID token says %v", id)
	}
}

// 200 groups are listed; from 201 on there is a pointer to a service that no longer
// exists, and Graph knows them.
func TestEntraOverage(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	rp := entraParty(t, entra, oidctest.Client{ImplicitIDTokens: true})
	if err := entra.SetGroups(oidctest.Ada, manyGroups(200)...); err != nil {
		t.Fatal(err)
	}
	if id := claimsOf(t, rp.tokens(oidctest.Ada).text("id_token")); len(id["groups"].([]any)) != 200 {
		t.Errorf("the ID token says %v", id)
	}
	if err := entra.SetGroups(oidctest.Ada, manyGroups(250)...); err != nil {
		t.Fatal(err)
	}
	tokens := rp.tokens(oidctest.Ada)
	id := claimsOf(t, tokens.text("id_token"))
	if id["groups"] != nil {
		t.Error("there are groups and an overage")
	}
	if diff := cmp.Diff(map[string]any{"groups": "src1"}, id["_claim_names"]); diff != "" {
		t.Error(diff)
	}
	endpoint := "https://graph.windows.net/" + oidctest.TenantA + "/users/" + id["oid"].(string) +
		"/getMemberObjects"
	if diff := cmp.Diff(map[string]any{"src1": map[string]any{"endpoint": endpoint}},
		id["_claim_sources"]); diff != "" {
		t.Error(diff)
	}
	back := rp.signIn(oidctest.Ada, "response_type", "id_token")
	if lean := claimsOf(t, back.Params.Get("id_token")); lean["hasgroups"] != true || lean["groups"] != nil {
		t.Errorf("from the authorization endpoint: %v", lean)
	}

	graph := "http://" + rp.at("msgraph_host") + "/v1.0"
	all := withBearer(t, http.MethodPost, graph+"/me/getMemberObjects", tokens.text("access_token"),
		`{"securityEnabledOnly": true}`)
	if values, _ := all.Body["value"].([]any); len(values) != 250 {
		t.Errorf("getMemberObjects answers %d %v", all.Status, all.Body)
	}
	var paged []any
	pages := 0
	for next := graph +
		"/me/transitiveMemberOf/microsoft.graph.group?$select=id&$count=true&$top=100"; next != "" &&
		pages < 10; pages++ {
		page := withBearer(t, http.MethodGet, next, tokens.text("access_token"), "")
		if page.Status != 200 || page.Body["@odata.count"] != 250.0 {
			t.Fatalf("%s answers %d %v", next, page.Status, page.Body)
		}
		for _, group := range page.Body["value"].([]any) {
			paged = append(paged, group.(map[string]any)["id"])
		}
		next = page.text("@odata.nextLink")
	}
	if diff := cmp.Diff(all.Body["value"], any(paged)); diff != "" || pages != 3 {
		t.Errorf("%d pages: %s", pages, diff)
	}
	some := withBearer(t, http.MethodPost, graph+"/me/checkMemberGroups", tokens.text("access_token"),
		`{"groupIds": ["`+oidctest.GroupID("group 3")+`", "`+oidctest.GroupID("group 999")+`"]}`)
	if diff := cmp.Diff([]any{oidctest.GroupID("group 3")}, some.Body["value"]); diff != "" {
		t.Error(diff)
	}
}

func graphCode(a answer) string {
	inner, _ := a.Body["error"].(map[string]any)
	code, _ := inner["code"].(string)
	return code
}

func TestEntraGraphErrors(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	api := entra.AddClient(oidctest.Client{ID: "2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91"})
	rp := entraParty(t, entra, oidctest.Client{})
	poor := entraParty(t, entra, oidctest.Client{Name: "poor", GraphPermissions: []string{}})
	me := entra.GraphURL() + "/v1.0/me/getMemberObjects"
	ask := func(location, token string) answer {
		return withBearer(t, http.MethodPost, location, token, `{"securityEnabledOnly": true}`)
	}
	token := rp.tokens(oidctest.Ada).text("access_token")
	other, _ := entra.Person(oidctest.Grace)
	ownAPI := rp.redeem(rp.signIn(oidctest.Ada, "scope", "openid api://"+api.ID+"/Bridge.Read")).
		text("access_token")
	for name, test := range map[string]struct {
		got    answer
		status int
		code   string
	}{
		"nonsense":        {ask(me, "nonsense"), 401, "InvalidAuthenticationToken"},
		"for another API": {ask(me, ownAPI), 401, "InvalidAuthenticationToken"},
		"no permission": {
			ask(me, poor.tokens(oidctest.Ada).text("access_token")), 403, "Authorization_RequestDenied",
		},
		"about somebody else": {
			ask(entra.GraphURL()+"/v1.0/users/"+other.ID+"/getMemberObjects", token), 403,
			"Authorization_RequestDenied",
		},
		"no parameter": {withBearer(t, http.MethodPost, me, token, `{}`), 400, "BadRequest"},
		"no such page": {withBearer(
			t, http.MethodGet, entra.GraphURL()+"/v1.0/me/transitiveMemberOf?$top=1000", token, "",
		), 400, "Request_BadRequest"},
	} {
		if test.got.Status != test.status || graphCode(test.got) != test.code {
			t.Errorf("%s: answered %d %v", name, test.got.Status, test.got.Body)
		}
	}
	entra.Break(oidctest.EndpointGraph, oidctest.Times(1, entra.GraphThrottled(7)))
	if a := ask(me, token); a.Status != 429 || a.Header.Get("Retry-After") != "7" ||
		graphCode(a) != "TooManyRequests" {
		t.Errorf("throttled: %d %v %v", a.Status, a.Header, a.Body)
	}
	if a := ask(me, token); a.Status != 200 {
		t.Errorf("afterwards: %d %v", a.Status, a.Body)
	}
	entra.Break(oidctest.EndpointGraph, entra.GraphForbidden())
	if a := ask(me, token); a.Status != 403 {
		t.Errorf("forbidden: %d %v", a.Status, a.Body)
	}
}

// Programs look people up with permissions of their own, at /users and not at /me.
func TestEntraGraphAppOnly(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	grants := []string{oidctest.GrantClientCredentials}
	reader := entraParty(t, entra,
		oidctest.Client{Name: "reader", GrantTypes: grants, GraphPermissions: []string{"User.Read.All"}})
	poor := entraParty(t, entra, oidctest.Client{Name: "poor", GrantTypes: grants})
	grace, _ := entra.Person(oidctest.Grace)
	users := entra.GraphURL() + "/v1.0/users/"
	token := func(p *relyingParty, scope string) string {
		return p.token("grant_type", oidctest.GrantClientCredentials, "scope", scope).text("access_token")
	}
	ask := func(location, token string) answer {
		return withBearer(t, http.MethodPost, location+"/getMemberObjects", token,
			`{"securityEnabledOnly": true}`)
	}
	full := token(reader, "https://graph.microsoft.com/.default")
	a := ask(users+grace.ID, full)
	if diff := cmp.Diff([]any{
		oidctest.GroupIDs[oidctest.GroupUsers], oidctest.GroupIDs[oidctest.GroupAdmins],
	}, a.Body["value"]); diff != "" {
		t.Error(diff)
	}
	if a := ask(users+"11111111-2222-4333-8444-555555555555", full); a.Status != 404 ||
		graphCode(a) != "Request_ResourceNotFound" {
		t.Errorf("a stranger: %d %v", a.Status, a.Body)
	}
	if a := ask(entra.GraphURL()+"/v1.0/me", full); a.Status != 400 {
		t.Errorf("/me: %d %v", a.Status, a.Body)
	}
	if a := ask(users+grace.ID, token(poor, entra.GraphURL()+"/.default")); a.Status != 403 {
		t.Errorf("without a permission: %d %v", a.Status, a.Body)
	}
	organization := withBearer(t, http.MethodGet,
		entra.GraphURL()+"/v1.0/organization?$select=verifiedDomains", full, "")
	domains := organization.Body["value"].([]any)[0].(map[string]any)["verifiedDomains"].([]any)
	wantMembers(t, domains[0].(map[string]any), "name isDefault:bool isInitial:bool type capabilities")
}

// A Graph token's signature covers the hash of the nonce that its header shows, so only Graph can check it.
func TestEntraGraphTokensDoNotVerify(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	rp := entraParty(t, entra, oidctest.Client{})
	token := rp.tokens(oidctest.Ada).text("access_token")
	keys := oidc.NewRemoteKeySet(t.Context(), rp.at("jwks_uri"))
	if _, err := keys.VerifySignature(t.Context(), token); err == nil {
		t.Error("the signature verifies as it stands")
	}
	header, claims, err := oidctest.Decode(token)
	if err != nil || claims["aud"] != oidctest.GraphAppID {
		t.Fatalf("the token is for %v, %v", claims["aud"], err)
	}
	sum := sha256.Sum256([]byte(header["nonce"].(string)))
	header["nonce"] = base64.RawURLEncoding.EncodeToString(sum[:])
	signed, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(token, ".")
	if _, err := keys.VerifySignature(t.Context(),
		base64.RawURLEncoding.EncodeToString(signed)+"."+rest); err != nil {
		t.Errorf("with the hash in place of the nonce: %v", err)
	}
}

func TestEntraUserInfo(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	rp := entraParty(t, entra, oidctest.Client{})
	tokens := rp.tokens(oidctest.Ada)
	info := withBearer(t, http.MethodGet, rp.at("userinfo_endpoint"), tokens.text("access_token"), "")
	wantMembers(t, info.Body, "sub name given_name family_name picture email")
	if info.Body["sub"] != claimsOf(t, tokens.text("id_token"))["sub"] {
		t.Error("userinfo is about somebody else")
	}
}

func TestEntraAccessTokens(t *testing.T) {
	t.Parallel()
	const apiID = "2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91"
	entra := startEntra(t, oidctest.EntraOptions{})
	entra.AddClient(oidctest.Client{ID: apiID})
	rp := entraParty(t, entra, oidctest.Client{
		AppRoles:   map[string][]string{apiID: {"Bridge.Sync"}},
		GrantTypes: []string{oidctest.GrantCode, oidctest.GrantRefresh, oidctest.GrantClientCredentials},
	})
	roleless := entraParty(t, entra,
		oidctest.Client{Name: "roleless", GrantTypes: []string{oidctest.GrantClientCredentials}})
	provider, err := oidc.NewProvider(t.Context(), entra.Issuer())
	if err != nil {
		t.Fatal(err)
	}

	delegated := rp.redeem(rp.signIn(oidctest.Ada,
		"scope", entraScopes+" api://"+apiID+"/Bridge.Read api://"+apiID+"/Bridge.Write"))
	if seconds := delegated.Body["expires_in"].(float64); seconds < 3600 || seconds >= 5400 {
		t.Errorf("it lives for %v seconds", seconds)
	}
	if delegated.text("scope") !=
		"openid profile email api://"+apiID+"/Bridge.Read api://"+apiID+"/Bridge.Write" {
		t.Errorf("the scope is %q", delegated.text("scope"))
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: apiID}).Verify(t.Context(),
		delegated.text("access_token")); err != nil {
		t.Error(err)
	}
	claims := claimsOf(t, delegated.text("access_token"))
	wantMembers(t, claims, "aud iss iat:int nbf:int exp:int aio azp azpacr name oid preferred_username rh scp sid sub tid uti ver")
	if claims["scp"] != "Bridge.Read Bridge.Write" || claims["azp"] != rp.client.ID ||
		claims["azpacr"] != "1" {
		t.Errorf("the token says %v", claims)
	}

	appOnly := rp.token("grant_type", oidctest.GrantClientCredentials, "scope", apiID+"/.default")
	wantMembers(t, appOnly.Body, "token_type expires_in:int ext_expires_in:int access_token")
	service := claimsOf(t, appOnly.text("access_token"))
	wantMembers(t, service,
		"aud iss iat:int nbf:int exp:int aio azp azpacr oid rh roles:array sub tid uti ver")
	if service["sub"] != service["oid"] {
		t.Errorf("the token says %v", service)
	}
	bare := claimsOf(t,
		roleless.token("grant_type", oidctest.GrantClientCredentials, "scope", "api://"+apiID+"/.default").
			text("access_token"))
	wantMembers(t, bare, "aud iss iat:int nbf:int exp:int aio azp azpacr oid rh sub tid uti ver")
	wantError(t, roleless.token("grant_type", oidctest.GrantClientCredentials, "scope", apiID), 400,
		"invalid_scope", "AADSTS1002012")
	wantError(t,
		roleless.token("grant_type", oidctest.GrantClientCredentials, "scope", "api://nobody/.default"), 400,
		"invalid_resource", "AADSTS500011")

	if err := entra.ChangeClient(apiID, func(c *oidctest.Client) {
		c.TokenVersion, c.OptionalClaims = 1, []string{"idtyp"}
	}); err != nil {
		t.Fatal(err)
	}
	v1 := claimsOf(t,
		rp.redeem(rp.signIn(oidctest.Ada, "scope", "api://"+apiID+"/Bridge.Read")).text("access_token"))
	wantMembers(t, v1, `aud iss iat:int nbf:int exp:int acr aio amr:array appid appidacr family_name given_name ipaddr name oid rh scp sid sub tid unique_name upn
		uti ver idtyp`)
	if v1["aud"] != "api://"+apiID || v1["iss"] != entra.IssuerV1Of(oidctest.TenantA) ||
		v1["idtyp"] != "user" {
		t.Errorf("the token says %v", v1)
	}
}

func TestEntraOnBehalfOf(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	api := entraParty(t, entra, oidctest.Client{Name: "api"})
	front := entraParty(t, entra, oidctest.Client{Name: "front"})
	assertion := front.redeem(front.signIn(oidctest.Ada, "scope", "api://"+api.client.ID+"/Bridge.Read")).
		text("access_token")
	exchange := func(assertion string) answer {
		return api.token("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", assertion,
			"requested_token_use", "on_behalf_of", "scope", "https://graph.microsoft.com/User.Read")
	}
	token := exchange(assertion).text("access_token")
	if a := withBearer(t, http.MethodPost, entra.GraphURL()+"/v1.0/me/getMemberObjects", token,
		`{"securityEnabledOnly": true}`); a.Status != 200 {
		t.Errorf("Graph answers %d %v", a.Status, a.Body)
	}
	wantError(t, exchange("nonsense"), 400, "invalid_grant", "AADSTS50013")
}

func TestEntraAuthorizeErrors(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	rp := entraParty(t, entra, oidctest.Client{})
	for name, test := range map[string]struct{ url, code, description string }{
		"no session":   {rp.authorizeURL("prompt", "none"), "login_required", "AADSTS50058"},
		"scope groups": {rp.authorizeURL("scope", "openid groups"), "invalid_client", "AADSTS650053"},
		"two resources": {
			rp.authorizeURL("scope", "User.Read api://"+rp.client.ID+"/x"), "invalid_scope", "AADSTS70011",
		},
		"implicit": {
			rp.authorizeURL("response_type", "id_token"), "unsupported_response_type", "AADSTS700054",
		},
		"foreign resource": {
			rp.authorizeURL("resource", "https://vexa.example/mcp"), "invalid_target", "AADSTS9010010",
		},
	} {
		t.Run(name, func(t *testing.T) {
			back, err := entra.NewBrowser().Open(t.Context(), test.url)
			if err != nil {
				t.Fatal(err)
			}
			wantRedirectError(t, back, test.code, test.description)
		})
	}
	single := entraParty(t, entra, oidctest.Client{Tenant: oidctest.TenantA})
	at := func(segment string) string {
		return strings.Replace(single.authorizeURL(), oidctest.TenantA, segment, 1)
	}
	wantPage(t, entra.Double, rp.authorizeURL("redirect_uri", "https://evil.example/"), 400, "AADSTS50011")
	wantPage(t, entra.Double, rp.authorizeURL("client_id", "nobody"), 400, "AADSTS700016")
	wantPage(t, entra.Double, at("organizations"), 400, "AADSTS50194")
	wantPage(t, entra.Double, at(oidctest.TenantB), 400, "AADSTS700016")

	entra.AddPerson(oidctest.Attacker(oidctest.Grace))
	entra.AddPerson(oidctest.Person{Email: "gone@acme.example", Disabled: true})
	entra.AddPerson(oidctest.Person{Email: "unassigned@acme.example", Unassigned: true})
	for who, code := range map[string]string{
		"mallory@evil.example": "AADSTS50020", "nobody@acme.example": "AADSTS50034",
		"gone@acme.example": "AADSTS50057", "unassigned@acme.example": "AADSTS50105",
	} {
		back, err := entra.SignIn(t.Context(), rp.authorizeURL(), who)
		wantPageError(t, back, err, 400, code)
	}
	back, err := entra.NewBrowser().Refuse(t.Context(), rp.authorizeURL())
	if err != nil || back.Params.Get("error") != "access_denied" ||
		back.Params.Get("error_subcode") != "cancel" || back.Params.Has("error_description") {
		t.Errorf("refused with %v, %v", back, err)
	}
}

// Any port of http://localhost is registered when one is.
func TestEntraLoopbackPorts(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	rp := entraParty(t, entra, oidctest.Client{RedirectURIs: []string{"http://localhost/cb"}})
	back, err := entra.SignIn(t.Context(), rp.authorizeURL("redirect_uri", "http://localhost:51234/cb"),
		oidctest.Ada)
	if err != nil || !strings.HasPrefix(back.URL, "http://localhost:51234/cb?") {
		t.Errorf("came back to %v, %v", back, err)
	}
	wantPage(t, entra.Double, rp.authorizeURL("redirect_uri", "http://localhost:51234/other"),
		400, "AADSTS50011")
}

// Error bodies have the members that Microsoft's do, with either separator.
func TestEntraErrorBodies(t *testing.T) {
	t.Parallel()
	for separator, crlf := range map[string]bool{" ": false, "\r\n": true} {
		entra := startEntra(t, oidctest.EntraOptions{CRLFErrors: crlf})
		rp := entraParty(t, entra, oidctest.Client{})
		a := rp.token("grant_type", oidctest.GrantRefresh, "refresh_token", "x", "client_secret", "wrong")
		wantMembers(t, a.Body,
			"error error_description error_codes:array timestamp trace_id correlation_id error_uri")
		wantError(t, a, 401, "invalid_client", "AADSTS7000215: ")
		wantError(t, a, 401, "invalid_client", separator+"Trace ID: "+a.text("trace_id")+separator+
			"Correlation ID: "+a.text("correlation_id")+separator+"Timestamp: "+a.text("timestamp"))
	}
}

func TestEntraTokenErrors(t *testing.T) {
	t.Parallel()
	now := newClock()
	entra := startEntra(t, oidctest.EntraOptions{Now: now.Now})
	rp := entraParty(t, entra, oidctest.Client{ExpiredSecrets: []string{"expired"}})
	other := entraParty(t, entra, oidctest.Client{Name: "other"})
	public := entraParty(t, entra, oidctest.Client{Name: "public", Secrets: []string{}})
	back := rp.signIn(oidctest.Ada, "code_challenge", "v3rifier", "code_challenge_method", "plain")
	for _, test := range map[string]struct {
		got    answer
		status int
		code   string
		number string
	}{
		"expired secret":  {rp.redeem(back, "client_secret", "expired"), 401, "invalid_client", "7000222"},
		"no credentials":  {rp.redeem(back, "client_secret", ""), 401, "invalid_client", "7000218"},
		"unknown client":  {rp.redeem(back, "client_id", "nobody"), 400, "unauthorized_client", "700016"},
		"public + secret": {public.redeem(back), 401, "invalid_client", "700025"},
		"no client":       {rp.redeem(back, "client_id", ""), 400, "invalid_request", "900144"},
		"no grant type":   {rp.token(), 400, "invalid_request", "900144"},
		"grant type off": {
			rp.token("grant_type", oidctest.GrantClientCredentials), 400, "unsupported_grant_type", "70003",
		},
		"malformed code": {rp.redeem(back, "code", "x"), 400, "invalid_request", "9002313"},
		"another's code": {other.redeem(back), 400, "invalid_grant", "70000"},
		"another redirect": {
			rp.redeem(back, "redirect_uri", redirectURI+"x"), 400, "invalid_client", "500112",
		},
		"PKCE":         {rp.redeem(back, "code_verifier", "wrong"), 400, "invalid_grant", "501481"},
		"dead refresh": {rp.refresh("x"), 400, "invalid_grant", "70000"},
	} {
		wantError(t, test.got, test.status, test.code, "AADSTS"+test.number+":")
	}
	if a := rp.redeem(back, "code_verifier", "v3rifier"); a.Status != 200 {
		t.Errorf("the right verifier gives %d %v", a.Status, a.Body)
	}
	wantError(t, rp.redeem(back, "code_verifier", "v3rifier"), 400, "invalid_grant", "AADSTS54005:")
	late := rp.signIn(oidctest.Ada)
	now.Advance(10*time.Minute + time.Second)
	wantError(t, rp.redeem(late), 400, "invalid_grant", "AADSTS70008:")
}

// Refreshing gives a new token each time and the old one stays good; codes and tokens are long.
func TestEntraRefresh(t *testing.T) {
	t.Parallel()
	now := newClock()
	entra := startEntra(t, oidctest.EntraOptions{Now: now.Now})
	rp := entraParty(t, entra, oidctest.Client{})
	back := rp.signIn(oidctest.Ada)
	first := rp.redeem(back).text("refresh_token")
	if code := back.Params.Get("code"); len(code) < 700 || len(first) < 1000 ||
		!strings.HasPrefix(first, "1.A") {
		t.Errorf("the code has %d characters, the refresh token %d", len(code), len(first))
	}
	second := rp.refresh(first)
	if second.text("refresh_token") == first || second.text("refresh_token") == "" {
		t.Error("the refresh token stayed the same")
	}
	if id := claimsOf(t, second.text("id_token")); id["nonce"] != nil {
		t.Errorf("a refreshed ID token has the nonce %v", id["nonce"])
	}
	if err := entra.SetGroups(oidctest.Ada, oidctest.GroupViewers); err != nil {
		t.Fatal(err)
	}
	again := rp.refresh(first)
	if groups := claimsOf(t, again.text("id_token"))["groups"]; !cmp.Equal(
		groups, []any{oidctest.GroupIDs[oidctest.GroupViewers]},
	) {
		t.Errorf("the old refresh token gives the groups %v", groups)
	}
	if without := rp.redeem(rp.signIn(
		oidctest.Ada, "scope", "openid",
	)); without.Body["refresh_token"] != nil {
		t.Error("a refresh token without offline_access")
	}
	now.Advance(90*24*time.Hour + time.Second)
	wantError(t, rp.refresh(first), 400, "invalid_grant", "AADSTS700082:")
}

func TestEntraRefreshAfterChanges(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change       func(*oidctest.Entra) error
		code, number string
		suberror     string
	}{
		"disabled": {func(e *oidctest.Entra) error {
			return e.Disable(oidctest.Ada)
		}, "invalid_grant", "50057", ""},
		"revoked": {func(e *oidctest.Entra) error {
			return e.RevokeTokens(oidctest.Ada)
		}, "invalid_grant", "50173", ""},
		"removed": {func(e *oidctest.Entra) error {
			return e.RemovePerson(oidctest.Ada)
		}, "invalid_grant", "50034", ""},
		"unassigned": {func(e *oidctest.Entra) error {
			return e.ChangePerson(oidctest.Ada, func(p *oidctest.Person) { p.Unassigned = true })
		}, "invalid_grant", "50105", ""},
		"MFA": {func(e *oidctest.Entra) error {
			return e.ChangePerson(oidctest.Ada, func(p *oidctest.Person) { p.MFARequired = true })
		}, "interaction_required", "50076", "basic_action"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entra := startEntra(t, oidctest.EntraOptions{})
			rp := entraParty(t, entra, oidctest.Client{})
			tokens := rp.tokens(oidctest.Ada)
			if err := test.change(entra); err != nil {
				t.Fatal(err)
			}
			a := rp.refresh(tokens.text("refresh_token"))
			wantError(t, a, 400, test.code, "AADSTS"+test.number+":")
			if a.text("suberror") != test.suberror {
				t.Errorf("the suberror is %q", a.text("suberror"))
			}
		})
	}
}

func TestEntraSPA(t *testing.T) {
	t.Parallel()
	now := newClock()
	entra := startEntra(t, oidctest.EntraOptions{Now: now.Now})
	rp := entraParty(t, entra, oidctest.Client{SPA: true})
	back := rp.signIn(oidctest.Ada, "code_challenge", "v3rifier", "code_challenge_method", "plain")
	wantError(t, rp.redeem(back, "code_verifier", "v3rifier"), 400, "invalid_request", "AADSTS9002327:")
	form := url.Values{
		"client_id": {rp.client.ID}, "client_secret": {secret}, "grant_type": {oidctest.GrantCode},
		"code":         {back.Params.Get("code")},
		"redirect_uri": {redirectURI}, "code_verifier": {"v3rifier"},
	}
	request, err := http.NewRequest(http.MethodPost, rp.at("token_endpoint"),
		strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", "http://127.0.0.1:4180")
	response, err := http.DefaultClient.Do(request)
	token := read(t, response, err).text("refresh_token")
	now.Advance(24*time.Hour + time.Second)
	wantError(t, rp.refresh(token), 400, "invalid_grant", "AADSTS700084:")
}

// A certificate is named by its SHA-256 thumbprint, in two encodings, or by the older SHA-1 one.
func TestEntraCertificateAssertion(t *testing.T) {
	t.Parallel()
	now := newClock()
	entra := startEntra(t, oidctest.EntraOptions{Now: now.Now})
	key, certificate, err := oidctest.NewCertificate("client", now.Now())
	if err != nil {
		t.Fatal(err)
	}
	rp := entraParty(t, entra,
		oidctest.Client{Secrets: []string{}, Certificates: []*x509.Certificate{certificate}})
	sum256, sum1 := sha256.Sum256(certificate.Raw), sha1.Sum(certificate.Raw)
	good := oidctest.Claims{
		"aud": rp.at("token_endpoint"), "iss": rp.client.ID, "sub": rp.client.ID, "jti": "1",
		"nbf": now.Now().Unix(), "exp": now.Now().Add(10 * time.Minute).Unix(),
	}
	redeem := func(claims oidctest.Claims, options ...oidctest.SignOption) answer {
		return rp.redeem(rp.signIn(oidctest.Ada), "client_secret", "",
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
			"client_assertion", oidctest.Sign(key, claims, append(options, oidctest.KeyID(""))...))
	}
	s256 := oidctest.Header("x5t#S256", base64.RawURLEncoding.EncodeToString(sum256[:]))
	for name, options := range map[string][]oidctest.SignOption{
		"PS256 with x5t#S256": {oidctest.Algorithm(jose.PS256), s256},
		"PS256 with it in padded base64": {
			oidctest.Algorithm(jose.PS256),
			oidctest.Header("x5t#S256", base64.StdEncoding.EncodeToString(sum256[:])),
		},
		"RS256 with x5t": {oidctest.Header("x5t", base64.RawURLEncoding.EncodeToString(sum1[:]))},
	} {
		if a := redeem(good, options...); a.Status != 200 {
			t.Errorf("%s: %d %v", name, a.Status, a.Body)
		}
	}
	wantError(t, redeem(good), 401, "invalid_client", "AADSTS700027:")
	wantError(t, redeem(good.With("exp", now.Now().Add(-time.Hour).Unix()), s256), 401,
		"invalid_client", "AADSTS700024:")
	wantError(t, redeem(good.With("aud", "https://evil.example"), s256), 401,
		"invalid_client", "AADSTS700023:")
}

func TestEntraFederatedAssertion(t *testing.T) {
	t.Parallel()
	now := newClock()
	entra := startEntra(t, oidctest.EntraOptions{Now: now.Now})
	key, err := oidctest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	rp := entraParty(t, entra, oidctest.Client{Secrets: []string{}, Federated: []oidctest.FederatedCredential{
		{
			Issuer: "https://k8s.example", Subject: "system:serviceaccount:vexa:bridge",
			Keys: []jose.JSONWebKey{key.JWK()},
		},
	}})
	good := oidctest.Claims{
		"iss": "https://k8s.example", "sub": "system:serviceaccount:vexa:bridge",
		"aud": []string{"api://AzureADTokenExchange"}, "exp": now.Now().Add(time.Hour).Unix(),
	}
	redeem := func(claims oidctest.Claims) answer {
		return rp.redeem(rp.signIn(oidctest.Ada), "client_secret", "",
			"client_assertion", oidctest.Sign(key, claims))
	}
	if a := redeem(good); a.Status != 200 {
		t.Errorf("%d %v", a.Status, a.Body)
	}
	wantError(t, redeem(good.With("iss", "https://K8s.example")), 401, "invalid_client", "AADSTS700211:")
	wantError(t, redeem(good.With("sub", "system:serviceaccount:vexa:other")), 401,
		"invalid_client", "AADSTS700213:")
	wantError(t, redeem(good.With("aud", "https://entra.example")), 401, "invalid_client", "AADSTS700212:")
}

func TestEntraFormPost(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	rp := entraParty(t, entra, oidctest.Client{})
	back := rp.signIn(oidctest.Ada, "response_mode", "form_post")
	if back.URL != redirectURI || back.Form.Get("state") != state || back.Form.Get("session_state") == "" {
		t.Fatalf("came back with %+v", back)
	}
	if a := rp.redeem(back); a.Status != 200 {
		t.Errorf("the code gives %d %v", a.Status, a.Body)
	}
}

// Signing out tells every application by sid alone. An address that is not registered is no
// error, and leads nowhere.
func TestEntraLogout(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	rp := entraParty(t, entra, oidctest.Client{FrontChannelLogoutURI: "https://rp.example/fcl"})
	browser := entra.NewBrowser()
	back, err := browser.SignIn(t.Context(), rp.authorizeURL(), oidctest.Ada)
	if err != nil {
		t.Fatal(err)
	}
	tokens := rp.redeem(back)
	frames, err := browser.Frames(t.Context(),
		rp.at("end_session_endpoint")+"?post_logout_redirect_uri="+url.QueryEscape(redirectURI))
	if want := "https://rp.example/fcl?sid=" +
		claimsOf(t, tokens.text("id_token"))["sid"].(string); err != nil ||
		!slices.Equal(frames, []string{want}) {
		t.Errorf("the frames are %v, %v, want %s", frames, err, want)
	}
	if a := rp.refresh(tokens.text("refresh_token")); a.Status != 200 {
		t.Errorf("signing out ended the refresh token: %d %v", a.Status, a.Body)
	}
	back, err = browser.Open(t.Context(),
		rp.at("end_session_endpoint")+"?post_logout_redirect_uri="+url.QueryEscape(redirectURI))
	if err != nil || back.URL != redirectURI {
		t.Errorf("came back to %v, %v", back, err)
	}
	back, err = browser.Open(t.Context(),
		rp.at("end_session_endpoint")+"?post_logout_redirect_uri=https://evil.example/")
	wantPageError(t, back, err, 200, "You signed out")
}

func TestEntraDevice(t *testing.T) {
	t.Parallel()
	now := newClock()
	entra := startEntra(t, oidctest.EntraOptions{Now: now.Now})
	rp := entraParty(t, entra, oidctest.Client{
		Secrets: []string{}, GrantTypes: []string{oidctest.GrantDevice, oidctest.GrantRefresh},
	})
	start := func() answer {
		return postForm(t, rp.at("device_authorization_endpoint"),
			url.Values{"client_id": {rp.client.ID}, "scope": {entraScopes}})
	}
	poll := func(a answer) answer {
		return rp.token("grant_type", oidctest.GrantDevice, "device_code", a.text("device_code"),
			"client_secret", "")
	}
	device := start()
	wantMembers(t, device.Body, "user_code device_code verification_uri expires_in:int interval:int message")
	wantError(t, poll(device), 400, "authorization_pending", "AADSTS70016:")
	if err := entra.NewBrowser().Activate(t.Context(), device.text("verification_uri"),
		device.text("user_code"), oidctest.Ada); err != nil {
		t.Fatal(err)
	}
	if tokens := poll(device); claimsOf(t, tokens.text("id_token"))["preferred_username"] != oidctest.Ada ||
		tokens.text("refresh_token") == "" {
		t.Errorf("the tokens are %v", tokens.Body)
	}
	wantError(t, poll(device), 400, "bad_verification_code", "AADSTS70018:")
	declined := start()
	if err := entra.NewBrowser().Decline(t.Context(), declined.text("verification_uri"),
		declined.text("user_code")); err != nil {
		t.Fatal(err)
	}
	wantError(t, poll(declined), 400, "authorization_declined", "AADSTS70017:")
	expired := start()
	now.Advance(901 * time.Second)
	wantError(t, poll(expired), 400, "expired_token", "AADSTS70020:")
}
