package oidc

import (
	"testing"
	"time"
)

// What the settings add to every sign-in; what one sign-in asks for goes before.
func TestConfiguredRequest(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.entra(t, Config{
		ACRValues: []string{"phr", "mfa"}, Prompt: "select_account", MaxAge: 8 * time.Hour,
		DomainHint:      "northwind.example",
		ExtraParameters: map[string]string{"claims": `{"id_token":{"acrs":{"essential":true,"value":"c1"}}}`},
	})
	a, params := begin(t, p, BeginOptions{})
	for name, want := range map[string]string{
		"acr_values": "phr mfa", "prompt": "select_account", "max_age": "28800",
		"domain_hint": "northwind.example",
		"claims":      `{"id_token":{"acrs":{"essential":true,"value":"c1"}}}`, "client_id": clientID,
		"redirect_uri": redirectURL,
	} {
		if got := params[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if a.MaxAge == nil || *a.MaxAge != 8*time.Hour {
		t.Errorf("the attempt's max_age is %v", a.MaxAge)
	}
	none := time.Duration(0)
	_, params = begin(t, p, BeginOptions{Prompt: "none", MaxAge: &none})
	if params.Get("prompt") != "none" || params.Get("max_age") != "0" {
		t.Errorf("a silent sign-in asks for %v", params)
	}
}

// The configured max_age is held against what the provider says, as one that was asked for.
func TestConfiguredMaxAge(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{MaxAge: time.Hour})
	f.signedIn(t, p, f.oktaClaims())
	_, err := f.signIn(t, p,
		but(f.oktaClaims(), map[string]any{"auth_time": f.clock.Now().Add(-2 * time.Hour).Unix()}))
	refused(t, err, CodeLoginRequired)
}
