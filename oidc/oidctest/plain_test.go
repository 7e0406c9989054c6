package oidctest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"vexa-sso/oidc/oidctest"
)

const plainScopes = "openid profile email offline_access groups roles"

func startPlain(t *testing.T, options oidctest.PlainOptions) *oidctest.Plain {
	t.Helper()
	plain := oidctest.StartPlain(t, options)
	plain.AddCast()
	plain.AddPerson(oidctest.Person{
		Email: "role@acme.example", Roles: []string{"operator"}, EmailUnverified: true,
	})
	return plain
}

func plainParty(t *testing.T, plain *oidctest.Plain, c oidctest.Client) *relyingParty {
	t.Helper()
	return newParty(t, plain.Double, plain.Issuer(), c, plainScopes)
}

func TestPlainSatisfiesGoOIDC(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]oidctest.PlainOptions{
		"at the root": {}, "under a path": {BaseURL: "/plain"}, "thin": {ThinIDTokens: true},
		"opaque": {OpaqueAccessTokens: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := startPlain(t, options)
			provider, err := oidc.NewProvider(t.Context(), plain.Issuer())
			if err != nil {
				t.Fatal(err)
			}
			rp := plainParty(t, plain, oidctest.Client{})
			tokens := rp.tokens("role@acme.example")
			token, err := provider.Verifier(&oidc.Config{ClientID: rp.client.ID}).
				Verify(t.Context(), tokens.text("id_token"))
			if err != nil {
				t.Fatal(err)
			}
			id := claimsOf(t, tokens.text("id_token"))
			if token.Nonce != nonce || id["sid"] == nil && !options.ThinIDTokens {
				t.Errorf("the ID token says %v", id)
			}
			if _, fat := id["roles"]; fat == options.ThinIDTokens {
				t.Errorf("the ID token says %v", id)
			}
			if jwt := strings.Count(
				tokens.text("access_token"), ".",
			) == 2; jwt == options.OpaqueAccessTokens {
				t.Errorf("the access token is %s", tokens.text("access_token"))
			}
			info := withBearer(t, http.MethodGet, rp.at("userinfo_endpoint"), tokens.text("access_token"), "")
			if info.Body["email_verified"] != false || !cmp.Equal(info.Body["roles"], []any{"operator"}) ||
				info.Body["sub"] != id["sub"] {
				t.Errorf("userinfo says %v", info.Body)
			}
		})
	}
}

func TestPlainRefresh(t *testing.T) {
	t.Parallel()
	plain := startPlain(t, oidctest.PlainOptions{})
	static, rotating := plainParty(t, plain, oidctest.Client{}),
		plainParty(t, plain, oidctest.Client{Name: "rotating", RotateRefresh: true})
	first := static.tokens(oidctest.Ada).text("refresh_token")
	if again := static.refresh(first); again.text("refresh_token") != first || again.text("id_token") == "" {
		t.Errorf("%q became %v", first, again.Body)
	}
	shown := rotating.tokens(oidctest.Ada).text("refresh_token")
	next := rotating.refresh(shown).text("refresh_token")
	if next == shown || next == "" {
		t.Errorf("%q became %q", shown, next)
	}
	if a := rotating.refresh(shown); a.Status != 400 || a.text("error") != "invalid_grant" {
		t.Errorf("a replaced token gives %d %v", a.Status, a.Body)
	}
	if a := rotating.refresh(next); a.Status != 400 {
		t.Errorf("its successor gives %d %v", a.Status, a.Body)
	}
	if err := plain.Disable(oidctest.Ada); err != nil {
		t.Fatal(err)
	}
	if a := static.refresh(first); a.Status != 400 || a.text("error") != "invalid_grant" {
		t.Errorf("a disabled person's token gives %d %v", a.Status, a.Body)
	}
}

func TestPlainCode(t *testing.T) {
	t.Parallel()
	plain := startPlain(t, oidctest.PlainOptions{})
	rp := plainParty(t, plain, oidctest.Client{})
	back := rp.signIn(oidctest.Ada)
	if a := rp.redeem(back, "client_secret", "wrong"); a.Status != 401 ||
		a.text("error") != "invalid_client" {
		t.Errorf("a wrong secret gives %d %v", a.Status, a.Body)
	}
	if a := rp.redeem(back); a.Status != 200 {
		t.Errorf("the code gives %d %v", a.Status, a.Body)
	}
	if a := rp.redeem(back); a.Status != 400 || a.text("error") != "invalid_grant" {
		t.Errorf("the code again gives %d %v", a.Status, a.Body)
	}
	if requests := plain.TokenRequests(); len(requests) != 3 || requests[0].Status != 401 ||
		requests[1].ClientAuth != "client_secret_post" {
		t.Errorf("the journal says %+v", requests)
	}
}

func TestPlainBrowserSession(t *testing.T) {
	t.Parallel()
	plain := startPlain(t, oidctest.PlainOptions{AutoSignIn: true})
	rp := plainParty(t, plain,
		oidctest.Client{PostLogoutURIs: []string{"http://127.0.0.1:4180/sso/signed-out"}})
	browser := plain.NewBrowser()
	silent := func() *oidctest.Callback {
		back, err := browser.Open(t.Context(), rp.authorizeURL("prompt", "none"))
		if err != nil {
			t.Fatal(err)
		}
		return back
	}
	if back := silent(); back.Params.Get("error") != "login_required" || back.Params.Get("state") != state {
		t.Errorf("came back with %v", back.Params)
	}
	auto, err := browser.Open(t.Context(), rp.authorizeURL("login_hint", oidctest.Ada, "demo_auto", "1"))
	if err != nil {
		t.Fatal(err)
	}
	hint := rp.redeem(auto).text("id_token")
	if back := silent(); rp.redeem(back).Status != 200 {
		t.Errorf("came back with %v", back.Params)
	}
	back, err := browser.Open(t.Context(), rp.at("end_session_endpoint")+"?"+url.Values{
		"id_token_hint":            {hint},
		"post_logout_redirect_uri": {"http://127.0.0.1:4180/sso/signed-out"},
	}.Encode())
	if err != nil || back.URL != "http://127.0.0.1:4180/sso/signed-out" {
		t.Errorf("came back to %v, %v", back, err)
	}
	if back := silent(); back.Params.Get("error") != "login_required" {
		t.Errorf("still signed in: %v", back.Params)
	}
	refused, err := browser.Refuse(t.Context(), rp.authorizeURL())
	if err != nil || refused.Params.Get("error") != "access_denied" {
		t.Errorf("refused with %v, %v", refused, err)
	}
}

func TestPlainClientCredentials(t *testing.T) {
	t.Parallel()
	plain := startPlain(t, oidctest.PlainOptions{})
	rp := plainParty(t, plain, oidctest.Client{GrantTypes: []string{oidctest.GrantClientCredentials}})
	claims := claimsOf(t, rp.token("grant_type", oidctest.GrantClientCredentials).text("access_token"))
	if claims["sub"] != rp.client.ID {
		t.Errorf("the token says %v", claims)
	}
}

// A logout token is what go-oidc takes for one.
func TestPlainBackChannelLogout(t *testing.T) {
	t.Parallel()
	plain := startPlain(t, oidctest.PlainOptions{})
	provider, err := oidc.NewProvider(t.Context(), plain.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	endpoint, got := receiver(t, http.StatusOK)
	status, err := plain.BackChannelLogout(t.Context(), http.DefaultClient, endpoint,
		plain.LogoutTokenClaims("client", "subject", "session"))
	if err != nil || status != http.StatusOK {
		t.Fatalf("answered %d, %v", status, err)
	}
	form, err := url.ParseQuery((<-got).body)
	if err != nil {
		t.Fatal(err)
	}
	token, err := provider.Verifier(&oidc.Config{ClientID: "client"}).
		VerifyLogout(t.Context(), form.Get("logout_token"))
	if err != nil {
		t.Fatal(err)
	}
	if token.Subject != "subject" || token.SessionID != "session" {
		t.Errorf("it is about %+v", token)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: "client"}).Verify(t.Context(),
		plain.Sign(plain.IDTokenClaims(oidctest.Ada, "client", nonce))); err != nil {
		t.Errorf("a minted ID token: %v", err)
	}
}
