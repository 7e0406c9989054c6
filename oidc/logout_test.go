package oidc

import (
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEndSession(t *testing.T) {
	t.Parallel()
	const back = "http://127.0.0.1:4180/sso/signed-out"
	okta := func(f *idp, t *testing.T) *Provider { return f.okta(t, Config{}) }
	plain := func(f *idp, t *testing.T) *Provider { return f.plain(t, Config{}) }
	entra := func(f *idp, t *testing.T) *Provider { return f.entra(t, Config{}) }
	for name, test := range map[string]struct {
		provider func(*idp, *testing.T) *Provider
		token    string // ours, another's, garbage, none
		hint     string
		want     url.Values // nil: none
	}{
		"okta": {
			okta, "ours", "", url.Values{"id_token_hint": {"ours"}, "post_logout_redirect_uri": {back}},
		},
		"okta without the token": {okta, "none", "", nil},
		"okta, another's token":  {okta, "another's", "", nil}, // S2
		"okta, garbage":          {okta, "garbage", "", nil},
		"entra": {
			entra, "ours", "O.hint",
			url.Values{"logout_hint": {"O.hint"}, "post_logout_redirect_uri": {back}},
		},
		"entra without a hint": {entra, "none", "", url.Values{"post_logout_redirect_uri": {back}}},
		"plain": {plain, "ours", "h", url.Values{
			"id_token_hint": {"ours"}, "client_id": {clientID}, "logout_hint": {"h"},
			"post_logout_redirect_uri": {back},
		}},
		"plain without the token": {
			plain, "none", "", url.Values{"client_id": {clientID}, "post_logout_redirect_uri": {back}},
		},
		"plain, another's token": {
			plain, "another's", "", url.Values{"client_id": {clientID}, "post_logout_redirect_uri": {back}},
		}, // S2
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := test.provider(f, t)
			ours := f.signer.sign(map[string]any{"iss": f.document["issuer"]}, nil)
			token := map[string]string{
				"ours": ours, "another's": f.signer.sign(map[string]any{"iss": "https://other.example"}, nil),
				"garbage": "a.%.b", "none": "",
			}[test.token]
			got, ok := p.EndSession(t.Context(), token, test.hint, back)
			if !ok || test.want == nil {
				if ok != (test.want != nil) {
					t.Errorf("got %q, %v", got, ok)
				}
				return
			}
			u, err := url.Parse(got)
			if err != nil || u.Scheme+"://"+u.Host+u.Path != f.URL+"/v1/logout" {
				t.Fatalf("got %q, %v", got, err)
			}
			if _, has := test.want["id_token_hint"]; has {
				test.want.Set("id_token_hint", ours)
			}
			if diff := cmp.Diff(test.want, u.Query()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEndSessionWithoutEndpoint(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	delete(f.document, "end_session_endpoint")
	p := f.plain(t, Config{})
	if u, ok := p.EndSession(t.Context(), "", "", ""); ok {
		t.Errorf("got %q of a provider that has no such endpoint", u)
	}
	f.answer(wellKnown, status(503, ""))
	if u, ok := f.plain(t, Config{}).EndSession(t.Context(), "", "", ""); ok {
		t.Errorf("got %q of a provider that is down", u)
	}
}

func TestEndSessionKeepsTheEndpointsQuery(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	f.document["end_session_endpoint"] = f.URL + "/v1/logout?p=b2c_policy"
	p := f.plain(t, Config{})
	got, ok := p.EndSession(t.Context(), "", "", "https://x.example/?a=b&c")
	u, err := url.Parse(got)
	if !ok || err != nil || u.Query().Get("p") != "b2c_policy" ||
		u.Query().Get("post_logout_redirect_uri") != "https://x.example/?a=b&c" {
		t.Errorf("got %q", got)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.plain(t, Config{})
	f.document["end_session_endpoint"] = "https://logout.example/x"
	if got := p.Origins(t.Context()); !slices.Equal(got, []string{f.URL, "https://logout.example"}) {
		t.Errorf("origins %q", got)
	}
	if got := p.AuthorizationOrigin(); got != f.URL {
		t.Errorf("origin %q", got)
	}
}

func TestHandlesIssuer(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	okta, plain := f.okta(t, Config{}), newIDP(t).plain(t, Config{})
	one, many := newIDP(t).entra(t, Config{}),
		newIDP(t).entra(t, Config{Tenant: "organizations", AllowedTenants: []string{tenantA}})
	for _, test := range []struct {
		p    *Provider
		iss  string
		want bool
	}{
		{okta, f.URL + "/oauth2/default", true},
		{okta, f.URL, true},
		{okta, f.URL + "/", true},
		{okta, f.URL + "/oauth2/other", false},
		{okta, "", false},
		{okta, "https://evil.example", false},
		{plain, plain.Issuer(), true},
		{plain, plain.Issuer() + "/x", false},
		{plain, f.URL, false},
		{one, one.Issuer(), true},
		{one, "https://login.microsoftonline.com/" + tenantA + "/v2.0", false},
		{many, many.Issuer(), false},
		{many, issuerOf(many.Issuer(), tenantA), true},
		{many, issuerOf(many.Issuer(), tenantB), false},
	} {
		if got := test.p.HandlesIssuer(test.iss); got != test.want {
			t.Errorf("%s, %q: %v", test.p.Issuer(), test.iss, got)
		}
	}
}
