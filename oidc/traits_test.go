package oidc

import "testing"

func TestTraits(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]struct {
		prompt                   string
		maxAge, authTime, logout bool
	}{
		TypeOkta:  {prompt: "login", maxAge: true, authTime: true, logout: true},
		TypeEntra: {prompt: "select_account"},
		TypeOIDC:  {prompt: "login", maxAge: true, authTime: true},
	} {
		cfg := Config{Name: "x", Type: kind, Issuer: "https://acme.okta.com", ClientID: "x", RedirectURL: redirectURL}
		if kind == TypeEntra {
			cfg.Issuer, cfg.Tenant = "", tenantA
		}
		p, err := New(cfg, Env{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		age := p.MaxAgeForFreshSignIn()
		if p.PromptForAccount() != want.prompt || (age != nil && *age == 0) != want.maxAge || p.TellsAuthTime() != want.authTime || p.SupportsUniversalLogout() != want.logout {
			t.Errorf("%s: prompt %q, max_age %v, auth_time %v, Universal Logout %v", kind, p.PromptForAccount(), age, p.TellsAuthTime(), p.SupportsUniversalLogout())
		}
		if !IsType(kind) || IsType(kind+"x") {
			t.Errorf("%s: is it a type?", kind)
		}
	}
	if IsType("") {
		t.Error("nothing is a type")
	}
}
