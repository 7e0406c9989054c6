package oidctest_test

import (
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"vexa-sso/oidc/oidctest"
)

const entraScopes = "openid profile email offline_access"

func startEntra(t *testing.T, options oidctest.EntraOptions) *oidctest.Entra {
	t.Helper()
	entra := oidctest.StartEntra(t, options)
	entra.AddCast()
	return entra
}

func entraParty(t *testing.T, entra *oidctest.Entra, c oidctest.Client) *party {
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
			if _, err := provider.Verifier(&oidc.Config{ClientID: rp.client.ID}).Verify(t.Context(), tokens.text("id_token")); err != nil {
				t.Fatal(err)
			}
			if _, err := provider.Verifier(&oidc.Config{SkipClientIDCheck: true}).Verify(t.Context(), tokens.text("access_token")); err == nil {
				t.Error("a Graph access token verifies, which it never does")
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
	wantMembers(t, tokens.Body, "token_type scope expires_in:int ext_expires_in:int access_token refresh_token id_token")
	id := claimsOf(t, tokens.text("id_token"))
	wantMembers(t, id, "aud iss iat:int nbf:int exp:int aio acct:int auth_time:int email groups:array login_hint name nonce oid preferred_username rh sid sub tid uti ver xms_edov:bool")
	if issued := int64(id["iat"].(float64)); issued != now.Now().Unix()-300 || id["exp"].(float64)-id["iat"].(float64) != 3900 {
		t.Errorf("issued at %v, until %v; now is %d", id["iat"], id["exp"], now.Now().Unix())
	}
	if back.Params.Get("session_state") != id["sid"] {
		t.Errorf("session_state is %q, sid is %v", back.Params.Get("session_state"), id["sid"])
	}
	if groups := id["groups"].([]any); len(groups) != 2 || groups[1] != oidctest.GroupIDs[oidctest.GroupAdmins] {
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
	for who, tenant := range map[string]string{oidctest.Ada: oidctest.TenantA, "mallory@evil.example": oidctest.TenantB} {
		id := claimsOf(t, rp.tokens(who).text("id_token"))
		if id["tid"] != tenant || id["iss"] != entra.IssuerOf(tenant) || id["email"] != oidctest.Ada {
			t.Errorf("%s got tid %v, iss %v, email %v", who, id["tid"], id["iss"], id["email"])
		}
		if _, verified := id["xms_edov"]; verified != (tenant == oidctest.TenantA) {
			t.Errorf("%s has xms_edov: %v", who, verified)
		}
	}
}
