package oidc

import "testing"

func TestTraits(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]struct {
		prompt         string
		maxAge, logout bool
	}{
		TypeOkta:  {prompt: "login", maxAge: true, logout: true},
		TypeEntra: {prompt: "select_account"},
		TypeOIDC:  {prompt: "login", maxAge: true},
	} {
		cfg := Config{Name: "x", Type: kind, ClientID: "x", RedirectURL: redirectURL}
		if kind == TypeEntra {
			cfg.Tenant = tenantA
		} else {
			cfg.Issuer = "https://acme.okta.com"
		}
		p, err := New(cfg, Env{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		age := p.MaxAgeForFreshSignIn()
		if got := p.PromptForAccount(); got != want.prompt {
			t.Errorf("%s: prompt %q for another account", kind, got)
		}
		if (age != nil && *age == 0) != want.maxAge {
			t.Errorf("%s: max_age %v", kind, age)
		}
		if p.TrustsPrompt() {
			t.Errorf("%s: trusts what it asked for", kind)
		}
		if got := p.SupportsUniversalLogout(); got != want.logout {
			t.Errorf("%s: supports Universal Logout: %v", kind, got)
		}
		if !IsType(kind) || IsType(kind+"x") {
			t.Errorf("%s: is it a type?", kind)
		}
	}
	if IsType("") {
		t.Error("nothing is a type")
	}
}
