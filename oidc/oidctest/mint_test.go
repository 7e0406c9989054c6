package oidctest_test

import (
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"vexa-sso/oidc/oidctest"
)

// A minted token verifies as long as nothing about it is spoiled, so that each negative test
// fails for its own reason.
func TestMintedTokens(t *testing.T) {
	t.Parallel()
	const client = "0oaClient"
	okta := startOkta(t, oidctest.OktaOptions{})
	provider, err := oidc.NewProvider(t.Context(), okta.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: client})
	good := okta.IDTokenClaims(oidctest.Ada, client, nonce)
	stranger, err := oidctest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	active, err := okta.Keys(okta.Issuer()).Active()
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"as it is":        okta.Sign(good),
		"with a typ":      okta.Sign(good, oidctest.Header("typ", "JWT")),
		"without a kid":   okta.Sign(good, oidctest.KeyID("")),
		"a claim removed": okta.Sign(good.With("email", nil)),
		"access token": okta.Sign(okta.AccessTokenClaims(oidctest.Ada, client, "openid").
			With("aud", client)),
		"service token": okta.Sign(okta.ServiceTokenClaims(client, "bridge.sync").With("aud", client)),
	} {
		if _, err := verifier.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, token := range map[string]string{
		"alg none":              okta.Sign(good, oidctest.Unsigned()),
		"alg none with a kid":   okta.Sign(good, oidctest.Unsigned(), oidctest.KeyID(active.ID)),
		"HMAC with public key":  okta.Sign(good, oidctest.HMACWithPublicKey(active)),
		"unknown kid":           okta.Sign(good, oidctest.KeyID("nobody's")),
		"stranger's key":        oidctest.Sign(stranger, good),
		"stranger, our kid":     oidctest.Sign(stranger, good, oidctest.KeyID(active.ID)),
		"wrong issuer":          okta.Sign(good.With("iss", okta.OrgIssuer())),
		"another's audience":    okta.Sign(good.With("aud", "0oaOther")),
		"expired":               okta.Sign(good.With("exp", time.Now().Add(-time.Second).Unix())),
		"without an expiry":     okta.Sign(good.With("exp", nil)),
		"not valid before soon": okta.Sign(good.With("nbf", time.Now().Add(time.Hour).Unix())),
	} {
		if _, err := verifier.Verify(t.Context(), token); err == nil {
			t.Errorf("%s: it verifies", name)
		}
	}
	if header, _, err := oidctest.Decode(okta.Sign(good, oidctest.HMACWithPublicKey(active))); err != nil ||
		header["alg"] != "HS256" || header["kid"] != active.ID {
		t.Errorf("the header is %v, %v", header, err)
	}
	if _, present := good["email"]; !present {
		t.Error("With changed the claims that it was called on")
	}
}

// Entra's minted tokens are signed by the key that may sign for their tenant.
func TestMintedEntraTokens(t *testing.T) {
	t.Parallel()
	entra := startEntra(t, oidctest.EntraOptions{})
	attacker := entra.AddPerson(oidctest.Attacker(oidctest.Ada))
	personal, err := entra.MSAKeys().Active()
	if err != nil {
		t.Fatal(err)
	}
	claims := entra.IDTokenClaims(attacker.ID, "client", nonce)
	if claims["tid"] != oidctest.TenantB || claims["email"] != oidctest.Ada ||
		claims["iss"] != entra.IssuerOf(oidctest.TenantB) {
		t.Errorf("the claims are %v", claims)
	}
	if header, _, _ := oidctest.Decode(entra.Sign(claims.With(
		"tid", oidctest.MSATenant,
	))); header["kid"] != personal.ID {
		t.Errorf("a personal account's token is signed with %v", header["kid"])
	}
	if header, _, _ := oidctest.Decode(entra.Sign(entra.IDTokenClaimsV1(
		oidctest.Ada, "client", nonce,
	))); header["x5t"] == nil {
		t.Error("a version 1 token has no x5t")
	}
	const api = "2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91"
	if access := entra.AccessTokenClaims(oidctest.Ada, "client", api,
		"Bridge.Read"); access["scp"] != "Bridge.Read" || access["aud"] != api {
		t.Errorf("the claims are %v", access)
	}
	if service := entra.ServiceTokenClaims("client", api); service["scp"] != nil || service["roles"] != nil ||
		service["sub"] != service["oid"] {
		t.Errorf("the claims are %v", service)
	}
}
