package oidctest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"vexa-sso/oidc/oidctest"
)

const oktaScopes = "openid profile email offline_access groups"

func startOkta(t *testing.T, options oidctest.OktaOptions) *oidctest.Okta {
	t.Helper()
	okta := oidctest.StartOkta(t, options)
	okta.AddCast()
	return okta
}

func oktaParty(t *testing.T, okta *oidctest.Okta, c oidctest.Client) *party {
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
				token, err := provider.Verifier(&oidc.Config{ClientID: rp.client.ID}).Verify(t.Context(), tokens.text("id_token"))
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
	if info.Body["sub"] != id["sub"] || !strings.HasPrefix(info.text("sub"), "00u") || len(info.text("sub")) != 20 {
		t.Errorf("userinfo is about %v, the ID token about %v", info.Body["sub"], id["sub"])
	}

	access := claimsOf(t, tokens.text("access_token"))
	wantMembers(t, access, "ver:int jti iss aud iat:int exp:int cid uid scp:array auth_time:int sub")
	if access["sub"] != oidctest.Grace || access["uid"] != id["sub"] || access["aud"] != "api://default" {
		t.Errorf("the access token says %v", access)
	}
}
