package oidctest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"vexa-sso/oidc/oidctest"
)

const oktaScopes = "openid profile email offline_access groups"

func startOkta(t *testing.T, options oidctest.OktaOptions) *oidctest.Okta {
	t.Helper()
	okta := oidctest.StartOkta(t, options)
	okta.AddCast()
	return okta
}

func oktaParty(t *testing.T, okta *oidctest.Okta, c oidctest.Client) *relyingParty {
	t.Helper()
	return newParty(t, okta.Double, okta.Issuer(), c, oktaScopes)
}

// Both authorization servers of the org satisfy go-oidc, which compares issuers and verifies signatures.
func TestOktaSatisfiesGoOIDC(t *testing.T) {
	t.Parallel()
	for name, prefix := range map[string]string{"at the root": "", "under a path": "/okta"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			okta := startOkta(t, oidctest.OktaOptions{BaseURL: prefix})
			for _, issuer := range []string{okta.Issuer(), okta.OrgIssuer()} {
				provider, err := oidc.NewProvider(t.Context(), issuer)
				if err != nil {
					t.Fatal(err)
				}
				rp := newParty(t, okta.Double, issuer, oidctest.Client{}, oktaScopes)
				tokens := rp.tokens(oidctest.Ada)
				token, err := provider.Verifier(&oidc.Config{ClientID: rp.client.ID}).
					Verify(t.Context(), tokens.text("id_token"))
				if err != nil {
					t.Fatalf("verifying the ID token of %s: %v", issuer, err)
				}
				if err := token.VerifyAccessToken(tokens.text("access_token")); err != nil {
					t.Errorf("at_hash: %v", err)
				}
				if token.Nonce != nonce {
					t.Errorf("the nonce is %q", token.Nonce)
				}
			}
		})
	}
}

// The code flow's ID token is thin; userinfo is complete.
func TestOktaThinIDTokenAndUserInfo(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{})
	tokens := rp.tokens(oidctest.Grace)
	wantMembers(t, tokens.Body, "token_type expires_in:int access_token scope refresh_token id_token")

	id := claimsOf(t, tokens.text("id_token"))
	wantMembers(t, id, "sub name email ver:int iss aud iat:int exp:int jti amr:array idp nonce preferred_username auth_time:int at_hash")

	info := withBearer(t, http.MethodGet, rp.at("userinfo_endpoint"), tokens.text("access_token"), "")
	wantMembers(t, info.Body, "sub name nickname preferred_username given_name family_name locale zoneinfo updated_at:int email email_verified:bool groups:array")
	if diff := cmp.Diff([]any{oidctest.GroupUsers, oidctest.GroupAdmins}, info.Body["groups"]); diff != "" {
		t.Error(diff)
	}
	if info.Body["sub"] != id["sub"] || !strings.HasPrefix(info.text("sub"), "00u") ||
		len(info.text("sub")) != 20 {
		t.Errorf("userinfo is about %v, the ID token about %v", info.Body["sub"], id["sub"])
	}

	access := claimsOf(t, tokens.text("access_token"))
	wantMembers(t, access, "ver:int jti iss aud iat:int exp:int cid uid scp:array auth_time:int sub")
	if access["sub"] != oidctest.Grace || access["uid"] != id["sub"] || access["aud"] != "api://default" {
		t.Errorf("the access token says %v", access)
	}
}

func TestOktaDiscovery(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	const members = `issuer authorization_endpoint token_endpoint userinfo_endpoint registration_endpoint jwks_uri response_types_supported:array
		response_modes_supported:array grant_types_supported:array subject_types_supported:array id_token_signing_alg_values_supported:array
		scopes_supported:array token_endpoint_auth_methods_supported:array claims_supported:array code_challenge_methods_supported:array
		introspection_endpoint introspection_endpoint_auth_methods_supported:array revocation_endpoint revocation_endpoint_auth_methods_supported:array
		end_session_endpoint request_parameter_supported:bool request_object_signing_alg_values_supported:array device_authorization_endpoint
		pushed_authorization_request_endpoint`
	org := get(t, okta.OrgIssuer()+"/.well-known/openid-configuration")
	wantMembers(t, org.Body, members)
	if org.Header.Get("X-Okta-Request-Id") == "" {
		t.Error("there is no request id")
	}
	custom := get(t, okta.Issuer()+"/.well-known/openid-configuration").Body
	wantMembers(t, custom, members+
		" id_token_encryption_alg_values_supported:array id_token_encryption_enc_values_supported:array")
	if custom["registration_endpoint"] != org.Body["registration_endpoint"] ||
		custom["token_endpoint"] != okta.Issuer()+"/v1/token" {
		t.Errorf("the custom server is at %v, registers at %v",
			custom["token_endpoint"], custom["registration_endpoint"])
	}
	for _, location := range []string{
		okta.Issuer() + "/.well-known/oauth-authorization-server",
		okta.OrgIssuer() + "/.well-known/oauth-authorization-server/oauth2/default",
	} {
		if document := get(t, location).Body; document["issuer"] != okta.Issuer() ||
			document["userinfo_endpoint"] != nil {
			t.Errorf("%s says %v", location, document)
		}
	}
	if a := postForm(t, custom["registration_endpoint"].(string), nil); a.Status != 401 ||
		a.Body["errorCode"] != "E0000011" {
		t.Errorf("registration answered %d %v", a.Status, a.Body)
	}
}

func TestOktaFatIDTokens(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options oidctest.OktaOptions
		claim   string
		want    bool
	}{
		"thin":          {oidctest.OktaOptions{}, "groups", false},
		"fat":           {oidctest.OktaOptions{FatIDTokens: true}, "groups", true},
		"fat, verified": {oidctest.OktaOptions{FatIDTokens: true}, "email_verified", true},
		"groups always": {oidctest.OktaOptions{Servers: []oidctest.OktaServer{{
			ID: "aus1", Audience: "api://x", Scopes: []string{"groups"}, GroupsInIDToken: true,
		}}}, "groups", true},
		"session id":    {oidctest.OktaOptions{SID: true}, "sid", true},
		"without a sid": {oidctest.OktaOptions{}, "sid", false},
		"only the groups": {oidctest.OktaOptions{Servers: []oidctest.OktaServer{{
			ID: "aus1", Audience: "api://x", Scopes: []string{"groups"}, GroupsInIDToken: true,
		}}}, "email_verified", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			okta := startOkta(t, test.options)
			rp := oktaParty(t, okta, oidctest.Client{})
			if _, has := claimsOf(t, rp.tokens(oidctest.Ada).text("id_token"))[test.claim]; has != test.want {
				t.Errorf("the ID token has %s: %v", test.claim, has)
			}
		})
	}
}

// An ID token that comes alone, from the authorization endpoint, is fat.
func TestOktaImplicitIDTokenIsFat(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{ImplicitIDTokens: true})
	back := rp.signIn(oidctest.Ada, "response_type", "id_token")
	if !strings.HasPrefix(back.URL, redirectURI+"#") {
		t.Errorf("came back to %s", back.URL)
	}
	wantMembers(t, claimsOf(t, back.Params.Get("id_token")),
		`sub name nickname preferred_username given_name family_name locale zoneinfo updated_at:int
		email email_verified:bool groups:array ver:int iss aud iat:int exp:int jti amr:array idp nonce auth_time:int`)
}

// More than 100 groups fail the request as a whole, at sign-in, refresh and userinfo.
func TestOktaTooManyGroups(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{})
	tokens := rp.tokens(oidctest.Ada)
	if err := okta.SetGroups(oidctest.Ada, manyGroups(101)...); err != nil {
		t.Fatal(err)
	}
	const description = "The groups claim matched too many groups"
	wantRedirectError(t, rp.signIn(oidctest.Ada), "server_error", description)
	wantError(t, rp.refresh(tokens.text("refresh_token")), 400, "server_error", description)
	wantError(t, withBearer(t, http.MethodGet, rp.at("userinfo_endpoint"), tokens.text("access_token"), ""),
		400, "server_error", description)
	if err := okta.SetGroups(oidctest.Ada, manyGroups(100)...); err != nil {
		t.Fatal(err)
	}
	rp.tokens(oidctest.Ada)
}

func manyGroups(n int) []string {
	groups := make([]string, n)
	for i := range groups {
		groups[i] = fmt.Sprintf("group %d", i)
	}
	return groups
}

func TestOktaAuthorizeErrors(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{})
	pkce := newParty(t, okta.Double, okta.Issuer(), oidctest.Client{RequirePKCE: true}, oktaScopes)
	for name, test := range map[string]struct {
		url               string
		code, description string
	}{
		"no session": {
			rp.authorizeURL("prompt", "none"), "login_required",
			"The client specified not to prompt, but the user is not logged in.",
		},
		"bad scope": {
			rp.authorizeURL("scope", "openid nonsense"), "invalid_scope",
			"One or more scopes are not configured",
		},
		"implicit": {rp.authorizeURL("response_type", "id_token"), "unsupported_response_type", ""},
		"PKCE missing": {
			pkce.authorizeURL(), "invalid_request", "PKCE code challenge is required by the application.",
		},
		"PKCE plain": {
			rp.authorizeURL("code_challenge", "x", "code_challenge_method", "plain"),
			"invalid_request", "S256",
		},
		"resource": {
			rp.authorizeURL("resource", "https://vexa.example"), "invalid_target",
			"rejected the 'resource' parameter",
		},
		"max_age contradicts": {
			rp.authorizeURL("max_age", "0", "prompt", "none"), "invalid_request", "max_age",
		},
	} {
		t.Run(name, func(t *testing.T) {
			back, err := okta.NewBrowser().Open(t.Context(), test.url)
			if err != nil {
				t.Fatal(err)
			}
			wantRedirectError(t, back, test.code, test.description)
		})
	}
	t.Run("state missing", func(t *testing.T) {
		back, err := okta.NewBrowser().Open(t.Context(), rp.authorizeURL("state", ""))
		if err != nil {
			t.Fatal(err)
		}
		if back.Params.Get("error_description") !=
			"The authentication request has an invalid 'state' parameter." {
			t.Errorf("came back with %v", back.Params)
		}
	})
	for name, url := range map[string]string{
		"'redirect_uri' parameter must be a Login redirect URI": rp.authorizeURL("redirect_uri",
			"https://evil.example/cb"),
		"Invalid value for 'client_id' parameter.": rp.authorizeURL("client_id", "0oaNobody"),
	} {
		wantPage(t, okta.Double, url, 400, name)
	}
}

// wantPage says that an error is shown at the provider and not sent anywhere.
func wantPage(t *testing.T, d *oidctest.Double, url string, status int, text string) {
	t.Helper()
	back, err := d.NewBrowser().Open(t.Context(), url)
	wantPageError(t, back, err, status, text)
}

func wantPageError(t *testing.T, back *oidctest.Callback, err error, status int, text string) {
	t.Helper()
	var page *oidctest.PageError
	if !errors.As(err, &page) {
		t.Errorf("came back to %v with %v, want a page", back, err)
		return
	}
	if page.Status != status || !strings.Contains(page.Text, text) {
		t.Errorf("the page has status %d and says %q, want %d and %q", page.Status, page.Text, status, text)
	}
}

func TestOktaRefusals(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{})
	okta.AddPerson(oidctest.Person{Email: "unassigned@acme.example", Unassigned: true})
	okta.AddPerson(oidctest.Person{Email: "mfa@acme.example", MFARequired: true})
	okta.AddPerson(oidctest.Person{Email: "gone@acme.example", Disabled: true})
	wantRedirectError(t, rp.signIn("unassigned@acme.example"), "access_denied",
		"User is not assigned to the client application.")
	wantRedirectError(t, rp.signIn("mfa@acme.example"), "access_denied", "Policy evaluation failed")
	back, err := okta.NewBrowser().Refuse(t.Context(), rp.authorizeURL())
	if err != nil {
		t.Fatal(err)
	}
	wantRedirectError(t, back, "access_denied",
		"The resource owner or authorization server denied the request.")
	for _, who := range []string{"gone@acme.example", "nobody@acme.example"} {
		back, err := okta.SignIn(t.Context(), rp.authorizeURL(), who)
		wantPageError(t, back, err, 401, "Unable to sign in")
	}
}

func TestOktaCodeErrors(t *testing.T) {
	t.Parallel()
	now := newClock()
	okta := startOkta(t, oidctest.OktaOptions{Now: now.Now})
	rp := oktaParty(t, okta, oidctest.Client{})
	other := oktaParty(t, okta, oidctest.Client{Name: "other"})
	const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636, appendix B
	const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

	back := rp.signIn(oidctest.Ada, "code_challenge", challenge, "code_challenge_method", "S256")
	wantError(t, other.redeem(back), 400, "invalid_grant", "The grant was issued to another client.")
	wantError(t, rp.redeem(back, "redirect_uri", redirectURI+"x"), 400, "invalid_grant",
		"The 'redirect_uri' does not match the redirection URI used in the authorization request.")
	wantError(t, rp.redeem(back), 400, "invalid_grant", "PKCE verification failed.")
	if a := rp.redeem(back, "code_verifier", verifier); a.Status != 200 {
		t.Errorf("the right verifier gives %d %v", a.Status, a.Body)
	}
	wantError(t, rp.redeem(back, "code_verifier", verifier), 400, "invalid_grant",
		"The authorization code is invalid or has expired.")

	back = rp.signIn(oidctest.Ada)
	now.Advance(301 * time.Second)
	wantError(t, rp.redeem(back), 400, "invalid_grant", "The authorization code is invalid or has expired.")
	wantError(t, rp.token("grant_type", "password"), 400, "unauthorized_client",
		"Configured grant types: [authorization_code, refresh_token].")
	wantError(t, rp.token("grant_type", oidctest.GrantRefresh, "refresh_token", "x"), 400, "invalid_grant",
		"The refresh token is invalid or expired.")
}

func TestOktaClientAuthentication(t *testing.T) {
	t.Parallel()
	now := newClock()
	okta := startOkta(t, oidctest.OktaOptions{Now: now.Now})
	key, err := oidctest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	rp := oktaParty(t, okta,
		oidctest.Client{Secrets: []string{"an older secret", secret}, Keys: []jose.JSONWebKey{key.JWK()}})
	if a := rp.redeem(rp.signIn(oidctest.Ada), "client_secret", "an older secret"); a.Status != 200 {
		t.Errorf("the other of two secrets gives %d %v", a.Status, a.Body)
	}
	back := rp.signIn(oidctest.Ada)
	wantError(t, rp.redeem(back, "client_secret", "wrong"), 401, "invalid_client",
		"The client secret supplied for a confidential client is invalid.")
	wantError(t, rp.redeem(back, "client_id", "0oaNobody"), 401, "invalid_client",
		"Invalid value for 'client_id' parameter.")
	wantError(t, rp.redeem(back, "client_id", "", "client_secret", ""), 401, "invalid_client",
		"No client credentials found.")
	if rejected := okta.TokenRequests(); rejected[len(rejected)-1].Status != 401 ||
		rejected[len(rejected)-1].ClientAuth != "none" {
		t.Errorf("the journal says %+v", rejected[len(rejected)-1])
	}

	good := oidctest.Claims{
		"iss": rp.client.ID, "sub": rp.client.ID, "aud": rp.at("token_endpoint"), "jti": "1",
		"exp": now.Now().Add(time.Minute).Unix(),
	}
	withAssertion := func(claims oidctest.Claims, options ...oidctest.SignOption) answer {
		return rp.redeem(back, "client_secret", "",
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
			"client_assertion", oidctest.Sign(key, claims, options...))
	}
	wantError(t, withAssertion(good.With("aud", okta.Issuer())), 401, "invalid_client",
		"The audience claim for client_assertion must be the endpoint invoked for the request.")
	wantError(t, withAssertion(good.With("exp", now.Now().Add(2*time.Hour).Unix())), 401, "invalid_client",
		"has an expiration too far into the future.")
	wantError(t, withAssertion(good.With("exp", now.Now().Unix())), 401, "invalid_client", "expired")
	wantError(t, withAssertion(good, oidctest.KeyID("another")), 401, "invalid_client",
		"The client_assertion JWT kid is invalid.")
	wantError(t, withAssertion(good.With("iss", "somebody")), 401, "invalid_client", "issuer and subject")
	wantError(t,
		withAssertion(good, oidctest.HMACWithSecret("an older secret of some length which is wrong")), 401,
		"invalid_client", "too short")
	if a := withAssertion(good); a.Status != 200 {
		t.Errorf("a good assertion gives %d %v", a.Status, a.Body)
	}
	wantError(t, withAssertion(good), 401, "invalid_client", "has already been used.")
	last := okta.TokenRequests()
	if last[len(last)-1].ClientAuth != "private_key_jwt" || last[len(last)-1].ClientID != rp.client.ID {
		t.Errorf("the journal says %+v", last[len(last)-1])
	}
}

// Basic halves are form-encoded; Basic and a body together are refused.
func TestOktaBasicAuthentication(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{ID: "a:b", Secrets: []string{"50% off+more"}})
	back := rp.signIn(oidctest.Ada)
	config := &oauth2.Config{
		ClientID: rp.client.ID, ClientSecret: rp.client.Secrets[0], RedirectURL: redirectURI,
		Endpoint: oauth2.Endpoint{TokenURL: rp.at("token_endpoint"), AuthStyle: oauth2.AuthStyleInHeader},
	}
	if _, err := config.Exchange(t.Context(), back.Params.Get("code")); err != nil {
		t.Error(err)
	}
	if requests := okta.TokenRequests(); requests[0].ClientAuth != "client_secret_basic" ||
		requests[0].ClientID != "a:b" {
		t.Errorf("the journal says %+v", requests[0])
	}
	request, err := http.NewRequest(http.MethodPost, rp.at("token_endpoint"),
		strings.NewReader("grant_type=authorization_code&client_secret=x"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("a%3Ab", "x")
	response, err := http.DefaultClient.Do(request)
	wantError(t, read(t, response, err), 401, "invalid_request", "Cannot supply multiple client credentials.")
}

func TestOktaStaticRefresh(t *testing.T) {
	t.Parallel()
	now := newClock()
	okta := startOkta(t, oidctest.OktaOptions{Now: now.Now})
	rp := oktaParty(t, okta, oidctest.Client{})
	first := rp.tokens(oidctest.Ada)
	now.Advance(time.Hour)
	second := rp.refresh(first.text("refresh_token"))
	if second.text("refresh_token") != first.text("refresh_token") || len(first.text("refresh_token")) != 43 {
		t.Errorf("%q became %q", first.text("refresh_token"), second.text("refresh_token"))
	}
	before, after := claimsOf(t, first.text("id_token")), claimsOf(t, second.text("id_token"))
	if after["auth_time"] != before["auth_time"] || after["sub"] != before["sub"] || after["nonce"] != nil ||
		after["iat"] == before["iat"] {
		t.Errorf("%v became %v", before, after)
	}
	if narrow := rp.refresh(first.text("refresh_token"), "scope", "email"); narrow.Body["id_token"] != nil ||
		narrow.text("scope") != "email" {
		t.Errorf("a narrower refresh gives %v", narrow.Body)
	}
	wantError(t, rp.refresh(first.text("refresh_token"), "scope", "openid phone"), 400, "access_denied",
		"Denied scopes: phone.")
	now.Advance(7*24*time.Hour + time.Second)
	wantError(t, rp.refresh(first.text("refresh_token")), 400, "invalid_grant",
		"The refresh token is invalid or expired.")
}

// A replaced token works for its leeway; used after that, it takes the whole family with it.
func TestOktaRotatingRefresh(t *testing.T) {
	t.Parallel()
	now := newClock()
	okta := startOkta(t, oidctest.OktaOptions{Now: now.Now})
	rp := oktaParty(t, okta, oidctest.Client{RotateRefresh: true, Leeway: 30 * time.Second})
	first := rp.tokens(oidctest.Ada).text("refresh_token")
	second := rp.refresh(first).text("refresh_token")
	if second == first || second == "" {
		t.Fatalf("%q became %q", first, second)
	}
	now.Advance(29 * time.Second)
	if a := rp.refresh(first); a.Status != 200 {
		t.Errorf("within the leeway: %d %v", a.Status, a.Body)
	}
	access := rp.refresh(second).text("access_token")
	if info := withBearer(t, http.MethodGet, rp.at("userinfo_endpoint"), access, ""); info.Status != 200 {
		t.Fatalf("userinfo answers %d", info.Status)
	}
	now.Advance(time.Second)
	wantError(t, rp.refresh(first), 400, "invalid_grant", "The refresh token is invalid or expired.")
	wantError(t, rp.refresh(second), 400, "invalid_grant", "The refresh token is invalid or expired.")
	if info := withBearer(t, http.MethodGet, rp.at("userinfo_endpoint"), access, ""); info.Status != 401 {
		t.Errorf("userinfo still answers %d", info.Status)
	}
}

// Of many refreshes at once with leeway 0 one wins, and the family dies.
func TestOktaRefreshRace(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{RotateRefresh: true})
	shown := rp.tokens(oidctest.Ada).text("refresh_token")
	answers := make(chan answer, 8)
	for range cap(answers) {
		go func() { answers <- rp.refresh(shown) }()
	}
	var newest []string
	for range cap(answers) {
		if a := <-answers; a.Status == 200 {
			newest = append(newest, a.text("refresh_token"))
		}
	}
	if len(newest) != 1 {
		t.Fatalf("%d of 8 refreshes succeeded", len(newest))
	}
	wantError(t, rp.refresh(newest[0]), 400, "invalid_grant", "")
}

func TestOktaRefreshAfterChanges(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change            func(*oidctest.Okta) error
		code, description string
	}{
		"disabled": {func(o *oidctest.Okta) error {
			return o.Disable(oidctest.Ada)
		}, "invalid_grant", "The refresh token is invalid or expired."},
		"revoked": {func(o *oidctest.Okta) error {
			return o.RevokeTokens(oidctest.Ada)
		}, "invalid_grant", "The refresh token is invalid or expired."},
		"removed": {func(o *oidctest.Okta) error {
			return o.RemovePerson(oidctest.Ada)
		}, "invalid_grant", "The refresh token is invalid or expired."},
		"suspended": {func(o *oidctest.Okta) error {
			return o.ChangePerson(oidctest.Ada, func(p *oidctest.Person) { p.Suspended = true })
		}, "invalid_grant", ""},
		"unassigned": {func(o *oidctest.Okta) error {
			return o.ChangePerson(oidctest.Ada, func(p *oidctest.Person) { p.Unassigned = true })
		}, "access_denied", "User is not assigned to the client application."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			okta := startOkta(t, oidctest.OktaOptions{})
			rp := oktaParty(t, okta, oidctest.Client{})
			tokens := rp.tokens(oidctest.Ada)
			if err := test.change(okta); err != nil {
				t.Fatal(err)
			}
			wantError(t, rp.refresh(tokens.text("refresh_token")), 400, test.code, test.description)
		})
	}
}

// Enabling somebody again brings back nothing that was issued before.
func TestDisableIsForGood(t *testing.T) {
	t.Parallel()
	okta, entra := startOkta(t, oidctest.OktaOptions{}), startEntra(t, oidctest.EntraOptions{})
	for _, rp := range []*relyingParty{
		oktaParty(t, okta, oidctest.Client{}), entraParty(t, entra, oidctest.Client{}),
	} {
		token := rp.tokens(oidctest.Ada).text("refresh_token")
		if err := rp.double.Disable(oidctest.Ada); err != nil {
			t.Fatal(err)
		}
		if err := rp.double.Enable(oidctest.Ada); err != nil {
			t.Fatal(err)
		}
		wantError(t, rp.refresh(token), 400, "invalid_grant", "")
		rp.tokens(oidctest.Ada)
	}
}

// The directory may be changed while it is served: groups show at userinfo at once, an address that is given
// again belongs to somebody new.
func TestOktaDirectoryChanges(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{})
	before := claimsOf(t, rp.tokens(oidctest.Ada).text("id_token"))["sub"]
	if err := okta.Rename(oidctest.Ada, "ada.lovelace@acme.example"); err != nil {
		t.Fatal(err)
	}
	renamed := claimsOf(t, rp.tokens("ada.lovelace@acme.example").text("id_token"))
	if renamed["sub"] != before || renamed["email"] != "ada.lovelace@acme.example" {
		t.Errorf("%v became %v", before, renamed)
	}
	okta.AddPerson(oidctest.Person{Email: oidctest.Ada})
	if again := claimsOf(t, rp.tokens(oidctest.Ada).text("id_token"))["sub"]; again == before {
		t.Error("the next holder of an address has the id of the first")
	}
	if err := okta.Disable("nobody@acme.example"); err == nil {
		t.Error("disabling nobody is no error")
	}
}

func TestOktaClientCredentials(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{Servers: []oidctest.OktaServer{{
		ID: "default", Audience: "api://default", Scopes: []string{"bridge.sync"},
	}}})
	service := oidctest.Client{
		GrantTypes:    []string{oidctest.GrantClientCredentials},
		ServiceScopes: []string{"bridge.sync", "okta.users.read"},
	}
	rp := newParty(t, okta.Double, okta.Issuer(), service, "")
	a := rp.token("grant_type", oidctest.GrantClientCredentials, "scope", "bridge.sync")
	wantMembers(t, a.Body, "token_type expires_in:int access_token scope")
	claims := claimsOf(t, a.text("access_token"))
	wantMembers(t, claims, "ver:int jti iss aud iat:int exp:int cid scp:array sub")
	if claims["sub"] != rp.client.ID || claims["cid"] != rp.client.ID {
		t.Errorf("the token says %v", claims)
	}
	wantError(t, rp.token("grant_type", oidctest.GrantClientCredentials, "scope", "openid"), 400,
		"invalid_scope", "Cannot request 'openid' scopes using client credentials.")
	wantError(t, rp.token("grant_type", oidctest.GrantClientCredentials), 400, "invalid_scope", "")
	wantError(t, rp.token("grant_type", oidctest.GrantClientCredentials, "scope", "bridge.admin"), 400,
		"invalid_scope", "")
	org := newParty(t, okta.Double, okta.OrgIssuer(), service, "")
	wantError(t, org.token("grant_type", oidctest.GrantClientCredentials, "scope", "okta.users.read"), 401,
		"invalid_client", "must use the private_key_jwt")
}

// The org's access tokens look like those of a custom server, but nobody can verify them.
func TestOktaOrgAccessTokensDoNotVerify(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := newParty(t, okta.Double, okta.OrgIssuer(), oidctest.Client{}, oktaScopes)
	tokens := rp.tokens(oidctest.Ada)
	provider, err := oidc.NewProvider(t.Context(), okta.OrgIssuer())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: okta.OrgIssuer()}).Verify(t.Context(),
		tokens.text("access_token")); err == nil {
		t.Error("it verifies")
	}
	custom, err := oidc.NewProvider(t.Context(), okta.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	other := oktaParty(t, okta, oidctest.Client{})
	if _, err := custom.Verifier(&oidc.Config{ClientID: "api://default"}).Verify(t.Context(),
		other.tokens(oidctest.Ada).text("access_token")); err != nil {
		t.Errorf("the custom server's access token: %v", err)
	}
}

func TestOktaUserInfoErrors(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{})
	a := withBearer(t, http.MethodGet, rp.at("userinfo_endpoint"), "nonsense", "")
	if a.Status != 401 || a.Header.Get("WWW-Authenticate") !=
		`Bearer error="invalid_token", error_description="The access token is invalid"` {
		t.Errorf("answered %d %v", a.Status, a.Header)
	}
	bare := rp.redeem(rp.signIn(oidctest.Ada, "scope", "openid")).text("access_token")
	if a := withBearer(t, http.MethodGet, rp.at("userinfo_endpoint"), bare, ""); a.Status != 403 ||
		!strings.Contains(a.Header.Get("WWW-Authenticate"), "insufficient_scope") {
		t.Errorf("answered %d %v", a.Status, a.Header)
	}
}

func TestOktaIntrospectAndRevoke(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{})
	tokens := rp.tokens(oidctest.Ada)
	introspect := func(token string) map[string]any {
		return postForm(t, rp.at("introspection_endpoint"),
			url.Values{"client_id": {rp.client.ID}, "client_secret": {secret}, "token": {token}}).Body
	}
	revoke := func(token string) int {
		return postForm(t, rp.at("revocation_endpoint"),
			url.Values{"client_id": {rp.client.ID}, "client_secret": {secret}, "token": {token}}).Status
	}
	wantMembers(t, introspect(tokens.text("access_token")),
		"active:bool scope username exp:int iat:int sub aud iss jti token_type client_id uid")
	wantMembers(t, introspect("nonsense"), "active:bool")
	if status := revoke("nonsense"); status != 200 {
		t.Errorf("revoking nonsense answers %d", status)
	}
	if status := revoke(tokens.text("access_token")); status != 200 ||
		introspect(tokens.text("access_token"))["active"] != false {
		t.Error("the access token survived")
	}
	if introspect(tokens.text("refresh_token"))["active"] != true {
		t.Error("the refresh token died with its access token")
	}
	revoke(tokens.text("refresh_token"))
	wantError(t, rp.refresh(tokens.text("refresh_token")), 400, "invalid_grant", "")
}

// The browser's session answers later requests silently, as far as prompt and max_age allow.
func TestOktaBrowserSession(t *testing.T) {
	t.Parallel()
	now := newClock()
	okta := startOkta(t, oidctest.OktaOptions{Now: now.Now})
	rp := oktaParty(t, okta, oidctest.Client{})
	browser := okta.NewBrowser()
	if _, err := browser.SignIn(t.Context(), rp.authorizeURL(), oidctest.Ada); err != nil {
		t.Fatal(err)
	}
	signedInAt := now.Now()
	now.Advance(time.Minute)
	for _, url := range []string{
		rp.authorizeURL(), rp.authorizeURL("prompt", "none"), rp.authorizeURL("max_age", "61"),
		rp.authorizeURL("login_hint", oidctest.Ada),
	} {
		back, err := browser.Open(t.Context(), url)
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		id := claimsOf(t, rp.redeem(back).text("id_token"))
		if id["preferred_username"] != oidctest.Ada || int64(id["auth_time"].(float64)) != signedInAt.Unix() {
			t.Errorf("%s: the ID token says %v", url, id)
		}
	}
	for _, url := range []string{
		rp.authorizeURL("prompt", "login"), rp.authorizeURL("max_age", "60"),
		rp.authorizeURL("login_hint", oidctest.Grace),
	} {
		back, err := browser.Open(t.Context(), url)
		wantPageError(t, back, err, 200, "Who are you today?")
	}
	if err := okta.RevokeTokens(oidctest.Ada); err != nil {
		t.Fatal(err)
	}
	back, err := browser.Open(t.Context(), rp.authorizeURL("prompt", "none"))
	if err != nil {
		t.Fatal(err)
	}
	wantRedirectError(t, back, "login_required", "")
}

func TestOktaLogout(t *testing.T) {
	t.Parallel()
	const signedOut = "http://127.0.0.1:4180/sso/signed-out"
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{PostLogoutURIs: []string{signedOut}})
	other := newParty(t, okta.Double, okta.Issuer(),
		oidctest.Client{Name: "other", FrontChannelLogoutURI: "https://other.example/fcl"}, oktaScopes)
	org := newParty(t, okta.Double, okta.OrgIssuer(), oidctest.Client{}, oktaScopes)
	browser := okta.NewBrowser()
	back, err := browser.SignIn(t.Context(), rp.authorizeURL(), oidctest.Ada)
	if err != nil {
		t.Fatal(err)
	}
	tokens := rp.redeem(back)
	logout := func(hint, target string) string {
		return rp.at("end_session_endpoint") + "?" + url.Values{
			"id_token_hint": {hint}, "post_logout_redirect_uri": {target}, "state": {state},
		}.Encode()
	}
	hint := tokens.text("id_token")
	for name, location := range map[string]string{
		"'id_token_hint'":                    logout("", signedOut),
		"not an ID token of this":            logout(org.tokens(oidctest.Ada).text("id_token"), signedOut),
		"not of the user who is signed in":   logout(other.tokens(oidctest.Grace).text("id_token"), ""),
		"must be a Logout redirect URI":      logout(hint, "https://evil.example/"),
		"or is not an ID token of this auth": logout(hint+"x", signedOut),
		"of this authorization server.": logout(okta.Sign(claimsOf(t, hint).With("iss", okta.OrgIssuer())),
			signedOut),
	} {
		back, err := browser.Open(t.Context(), location)
		wantPageError(t, back, err, 400, name)
	}
	back, err = browser.Open(t.Context(), logout(hint, signedOut))
	if err != nil || back.URL != signedOut+"?state="+state {
		t.Fatalf("came back to %v, %v", back, err)
	}
	back, err = browser.Open(t.Context(), rp.authorizeURL("prompt", "none"))
	if err != nil || back.Params.Get("error") != "login_required" {
		t.Errorf("still signed in: %v, %v", back, err)
	}
	if a := rp.refresh(tokens.text("refresh_token")); a.Status != 200 {
		t.Errorf("signing out ended the refresh token: %d %v", a.Status, a.Body)
	}
}

// One application's sign-out tells the others in frames, by iss and sid.
func TestOktaFrontChannelLogout(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{SID: true})
	rp := newParty(t, okta.Double, okta.Issuer(),
		oidctest.Client{Name: "one", FrontChannelLogoutURI: "https://one.example/fcl"}, oktaScopes)
	other := newParty(t, okta.Double, okta.Issuer(),
		oidctest.Client{Name: "two", FrontChannelLogoutURI: "https://two.example/fcl"}, oktaScopes)
	browser := okta.NewBrowser()
	back, err := browser.SignIn(t.Context(), rp.authorizeURL(), oidctest.Ada)
	if err != nil {
		t.Fatal(err)
	}
	hint := rp.redeem(back).text("id_token")
	if _, err := browser.Open(t.Context(), other.authorizeURL()); err != nil {
		t.Fatal(err)
	}
	frames, err := browser.Frames(t.Context(), rp.at("end_session_endpoint")+"?id_token_hint="+hint)
	want := "https://two.example/fcl?" +
		url.Values{"iss": {okta.Issuer()}, "sid": {claimsOf(t, hint)["sid"].(string)}}.Encode()
	if err != nil || len(frames) != 1 || frames[0] != want {
		t.Errorf("the frames are %v, %v, want %s", frames, err, want)
	}
}

func TestOktaDevice(t *testing.T) {
	t.Parallel()
	now := newClock()
	okta := startOkta(t, oidctest.OktaOptions{Now: now.Now})
	rp := newParty(t, okta.Double, okta.Issuer(), oidctest.Client{
		Secrets: []string{}, GrantTypes: []string{oidctest.GrantDevice, oidctest.GrantRefresh},
	}, oktaScopes)
	start := func() answer {
		return postForm(t, rp.at("device_authorization_endpoint"),
			url.Values{"client_id": {rp.client.ID}, "scope": {oktaScopes}})
	}
	poll := func(a answer) answer {
		now.Advance(5 * time.Second)
		return rp.token("grant_type", oidctest.GrantDevice, "device_code", a.text("device_code"),
			"client_secret", "")
	}
	device := start()
	wantMembers(t, device.Body,
		"device_code user_code verification_uri verification_uri_complete expires_in:int interval:int")
	wantError(t, poll(device), 400, "authorization_pending",
		"The device authorization is pending. Please try again later.")
	wantError(t, rp.token("grant_type", oidctest.GrantDevice,
		"device_code", device.text("device_code"), "client_secret", ""),
		400, "slow_down", "")
	if err := okta.NewBrowser().Activate(t.Context(), device.text("verification_uri"),
		device.text("user_code"), oidctest.Ada); err != nil {
		t.Fatal(err)
	}
	tokens := poll(device)
	wantMembers(t, tokens.Body, "token_type expires_in:int access_token scope refresh_token id_token")
	wantError(t, poll(device), 400, "invalid_grant", "The device code is invalid or has expired.")

	expired := start()
	now.Advance(601 * time.Second)
	wantError(t, poll(expired), 400, "expired_token", "The device code has expired.")

	refused := start()
	if err := okta.NewBrowser().Decline(t.Context(), refused.text("verification_uri"),
		refused.text("user_code")); err != nil {
		t.Fatal(err)
	}
	wantError(t, poll(refused), 400, "access_denied", "")
}

func TestOktaPushedAuthorizationRequest(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{})
	params, err := url.Parse(rp.authorizeURL())
	if err != nil {
		t.Fatal(err)
	}
	form := params.Query()
	form.Set("client_secret", secret)
	parked := postForm(t, rp.at("pushed_authorization_request_endpoint"), form)
	wantMembers(t, parked.Body, "request_uri expires_in:int")
	location := rp.at("authorization_endpoint") + "?" +
		url.Values{"client_id": {rp.client.ID}, "request_uri": {parked.text("request_uri")}}.Encode()
	back, err := okta.SignIn(t.Context(), location, oidctest.Ada)
	if err != nil || rp.redeem(back).Status != 200 {
		t.Errorf("came back with %v, %v", back, err)
	}
	wantPage(t, okta.Double, location, 400, "redirect_uri") // used once: the rest of the request is gone
}
