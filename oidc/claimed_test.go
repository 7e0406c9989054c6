package oidc

import (
	"errors"
	"testing"
)

// Claims make the identity that a sign-in with them would prove, and are refused as a sign-in would be.
func TestIdentityOf(t *testing.T) {
	t.Parallel()
	tenant := "7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3"
	providers := map[string]*Provider{}
	for _, cfg := range []Config{
		{
			Name: "okta", Type: TypeOkta, Issuer: "https://acme.okta.com/oauth2/default",
			ClientID: "0oa1", TrustedDomains: []string{"acme.example"},
			RedirectURL: "https://vexa.acme.example/sso/callback/okta",
		},
		{
			Name: "entra", Type: TypeEntra, Tenant: tenant, ClientID: "11111111-2222-3333-4444-555555555555",
			RedirectURL: "https://vexa.acme.example/sso/callback/entra",
		},
	} {
		p, err := New(cfg, Env{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		providers[cfg.Name] = p
	}
	id, err := providers["okta"].IdentityOf([]byte(
		`{"sub":"00uada","email":"Ada@acme.example","email_verified":true,"groups":["staff"],"nonce":"x"}`,
	))
	if err != nil || id.Subject != "okta:https://acme.okta.com/00uada" || id.Email != "ada@acme.example" ||
		!id.EmailTrusted || len(id.Groups) != 1 || id.Claims["nonce"] != nil {
		t.Errorf("%+v, %v", id, err)
	}
	const oid = "0d9f0000-0000-4000-8000-000000000001"
	issuer := "https://login.microsoftonline.com/" + tenant + "/v2.0"
	id, err = providers["entra"].IdentityOf([]byte(`{"sub":"x","oid":"` + oid + `","tid":"` + tenant +
		`","iss":"` + issuer + `"}`))
	if err != nil || id.Subject != "entra:public/"+tenant+"/"+oid {
		t.Errorf("%+v, %v", id, err)
	}
	const stranger = "00000000-0000-4000-8000-000000000000"
	elsewhere := `{"sub":"x","oid":"` + oid + `","tid":"` + stranger +
		`","iss":"https://login.microsoftonline.com/` + stranger + `/v2.0"}`
	guest := `{"sub":"x","oid":"` + oid + `","tid":"` + tenant + `","iss":"` + issuer + `","acct":1}`
	for payload, provider := range map[string]string{
		`[]`: "okta", `{`: "okta", `{}`: "okta", `{"sub":"ada@acme.example"}`: "okta",
		elsewhere: "entra", guest: "entra",
	} {
		if id, err := providers[provider].IdentityOf([]byte(payload)); err == nil ||
			!errors.As(err, new(*Error)) {
			t.Errorf("%s: %+v, %v", payload, id, err)
		}
	}
}
