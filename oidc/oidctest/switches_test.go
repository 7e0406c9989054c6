package oidctest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"vexa-sso/oidc/oidctest"
)

// What nobody is sure of is a switch; each of them switches something.

func TestOktaReturnIssuer(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		okta := startOkta(t, oidctest.OktaOptions{ReturnIssuer: on})
		if back := oktaParty(t, okta, oidctest.Client{}).
			signIn(oidctest.Ada); (back.Params.Get("iss") == okta.Issuer()) != on {
			t.Errorf("switched %v: came back with %v", on, back.Params)
		}
	}
}

func TestOktaRefreshNonce(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{RefreshNonce: true})
	rp := oktaParty(t, okta, oidctest.Client{})
	if id := claimsOf(t,
		rp.refresh(rp.tokens(oidctest.Ada).text("refresh_token")).text("id_token")); id["nonce"] != nonce {
		t.Errorf("the refreshed ID token says %v", id)
	}
}

func TestOktaReplayKills(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		okta := startOkta(t, oidctest.OktaOptions{ReplayKills: on})
		rp := oktaParty(t, okta, oidctest.Client{})
		back := rp.signIn(oidctest.Ada)
		token := rp.redeem(back).text("refresh_token")
		rp.redeem(back)
		if a := rp.refresh(token); (a.Status == 400) != on {
			t.Errorf("switched %v: a refresh after the replay gives %d %v", on, a.Status, a.Body)
		}
	}
}

func TestOktaGroupSwitches(t *testing.T) {
	t.Parallel()
	server := oidctest.DefaultOktaServer()
	server.GroupsInAccessToken = true
	okta := startOkta(t, oidctest.OktaOptions{
		Servers:      []oidctest.OktaServer{server},
		GroupsFilter: func(group string) bool { return strings.HasSuffix(group, "admins") },
	})
	rp := oktaParty(t, okta, oidctest.Client{})
	groups, _ := claimsOf(t, rp.tokens(oidctest.Grace).text("access_token"))["groups"].([]any)
	if len(groups) != 1 || groups[0] != oidctest.GroupAdmins {
		t.Errorf("the access token names %v", groups)
	}
}

func TestOktaFrontChannelPOST(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{FrontChannelPOST: true})
	rp := oktaParty(t, okta, oidctest.Client{})
	other := newParty(t, okta.Double, okta.Issuer(),
		oidctest.Client{Name: "two", FrontChannelLogoutURI: "https://two.example/fcl"}, oktaScopes)
	browser := okta.NewBrowser()
	back, err := browser.SignIn(t.Context(), rp.authorizeURL(), oidctest.Ada)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := browser.Open(t.Context(), other.authorizeURL()); err != nil {
		t.Fatal(err)
	}
	frames, err := browser.Frames(t.Context(),
		rp.at("end_session_endpoint")+"?id_token_hint="+rp.redeem(back).text("id_token"))
	if err != nil || len(frames) != 1 || !strings.HasPrefix(frames[0], "https://two.example/fcl?iss=") {
		t.Errorf("posts to %v, %v", frames, err)
	}
}

func TestEntraRedirectPageError(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{RedirectPageError: true})
	entra.AddPerson(oidctest.Person{Email: "unassigned@acme.example", Unassigned: true})
	wantRedirectError(t, entraParty(t, entra, oidctest.Client{}).signIn("unassigned@acme.example"),
		"access_denied", "AADSTS50105:")
}

func TestEntraLogoutIssuer(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{LogoutIssuer: true})
	rp := entraParty(t, entra, oidctest.Client{FrontChannelLogoutURI: "https://rp.example/fcl"})
	browser := entra.NewBrowser()
	if _, err := browser.SignIn(t.Context(), rp.authorizeURL(), oidctest.Ada); err != nil {
		t.Fatal(err)
	}
	frames, err := browser.Frames(t.Context(), rp.at("end_session_endpoint"))
	if err != nil || len(frames) != 1 ||
		!strings.Contains(frames[0], "iss="+url.QueryEscape(entra.Issuer())) {
		t.Errorf("the frames are %v, %v", frames, err)
	}
}

func TestMetadataOverrides(t *testing.T) {
	t.Parallel()
	members := map[string]any{"end_session_endpoint": nil, "tls_client_certificate_bound_access_tokens": true}
	okta := startOkta(t, oidctest.OktaOptions{Metadata: members})
	entra := startEntra(t, oidctest.EntraOptions{Metadata: members})
	for _, issuer := range []string{okta.Issuer(), entra.Issuer()} {
		document := get(t, issuer+"/.well-known/openid-configuration").Body
		if _, there := document["end_session_endpoint"]; there ||
			document["tls_client_certificate_bound_access_tokens"] != true {
			t.Errorf("%s says %v", issuer, document)
		}
	}
}

// Ordinary answers tell how much of the bucket is left; discovery and keys are not limited.
func TestOktaRateLimitHeaders(t *testing.T) {
	t.Parallel()
	okta := startOkta(t, oidctest.OktaOptions{})
	rp := oktaParty(t, okta, oidctest.Client{})
	if limited := rp.refresh("x").Header; limited.Get("X-Rate-Limit-Limit") != "600" ||
		limited.Get("X-Rate-Limit-Reset") == "" {
		t.Errorf("the headers are %v", limited)
	}
	if _, limited := get(
		t, rp.at("jwks_uri"),
	).Header[http.CanonicalHeaderKey("X-Rate-Limit-Limit")]; limited {
		t.Error("the keys are limited")
	}
}
