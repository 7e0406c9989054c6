package oidc

import "testing"

// E1, E2: when is an address proven?
func TestProvenEmail(t *testing.T) {
	t.Parallel()
	const ada, acme = "ada@acme.example", "acme.example"
	okta, plain := func(f *idp, t *testing.T, cfg Config) *Provider { return f.okta(t, cfg) },
		func(f *idp, t *testing.T, cfg Config) *Provider { return f.plain(t, cfg) }
	entra := func(f *idp, t *testing.T, cfg Config) *Provider { return f.entra(t, cfg) }
	many := Config{Tenant: "organizations", AllowedTenants: []string{tenantA, tenantB}}
	oneOfMany := Config{
		Tenant: "organizations", AllowedTenants: []string{tenantA}, TrustedDomains: []string{acme},
	}
	trusting := Config{TrustedDomains: []string{"ACME.example "}}
	guests := Config{Guests: "allow", TrustedDomains: []string{acme}}
	type is = map[string]any
	for name, test := range map[string]struct {
		provider func(*idp, *testing.T, Config) *Provider
		cfg      Config
		claims   map[string]any
		want     emailClaim
	}{
		"okta, verified": {
			okta, Config{}, is{"email": "ADA@acme.example", "email_verified": true}, emailClaim{proven: ada},
		},
		"okta, verified, a string": {
			okta, Config{}, is{"email": ada, "email_verified": "true"}, emailClaim{proven: ada},
		},
		"okta, verified and trusted": {
			okta, trusting, is{"email": ada, "email_verified": true}, emailClaim{proven: ada, trusted: true},
		},
		"okta, trusted, nothing said": {
			okta, trusting, is{"email": ada, "email_verified": nil}, emailClaim{proven: ada, trusted: true},
		},
		"okta, trusted, denied": {
			okta, trusting, is{"email": ada, "email_verified": false}, emailClaim{unproven: ada},
		},
		"okta, trusted, odd": {
			okta, trusting, is{"email": ada, "email_verified": "yes"}, emailClaim{unproven: ada},
		},
		"okta, nothing said": {
			okta, Config{}, is{"email": ada, "email_verified": nil}, emailClaim{unproven: ada},
		},
		"okta, a number": {okta, Config{}, is{"email": ada, "email_verified": 1}, emailClaim{unproven: ada}},
		"okta, a longer domain": {okta, trusting, is{
			"email": "ada@evilacme.example", "email_verified": nil,
		}, emailClaim{unproven: "ada@evilacme.example"}},
		"okta, a subdomain": {okta, trusting, is{
			"email": "ada@sub.acme.example", "email_verified": nil,
		}, emailClaim{unproven: "ada@sub.acme.example"}},
		"okta, the domain in front": {okta, trusting, is{
			"email": "ada@acme.example.evil.com", "email_verified": nil,
		}, emailClaim{unproven: "ada@acme.example.evil.com"}},
		"okta, two @": {okta, trusting, is{
			"email": "eve@evil.com@acme.example", "email_verified": true,
		}, emailClaim{unproven: "eve@evil.com@acme.example"}},
		"okta, a line break": {okta, trusting, is{
			"email": "eve@evil.com\n@acme.example", "email_verified": true,
		}, emailClaim{unproven: "eve@evil.com@acme.example"}},
		"okta, another's domain in capitals": {okta, Config{TrustedDomains: []string{"strasse.example"}}, is{
			"email": "eve@STRA\u1e9eE.EXAMPLE", "email_verified": nil,
		}, emailClaim{unproven: "eve@xn--strae-oqa.example"}},
		"okta, an own domain in capitals": {okta, Config{TrustedDomains: []string{"stra\u00dfe.example"}}, is{
			"email": "ada@STRA\u1e9eE.EXAMPLE", "email_verified": nil,
		}, emailClaim{proven: "ada@xn--strae-oqa.example", trusted: true}},
		"okta, none":      {okta, trusting, is{"email": nil}, emailClaim{}},
		"okta, blank":     {okta, trusting, is{"email": " "}, emailClaim{}},
		"okta, no string": {okta, trusting, is{"email": []string{ada}}, emailClaim{}},
		"plain, verified": {
			plain, Config{}, is{"email": ada, "email_verified": true}, emailClaim{proven: ada},
		},
		"plain, trusted, nothing said": {
			plain, trusting, is{"email": ada, "email_verified": nil}, emailClaim{unproven: ada},
		},
		"plain, xms_edov is Entra's": {plain, Config{}, is{
			"email": ada, "email_verified": nil, "xms_edov": true,
		}, emailClaim{unproven: ada}},
		"entra, edov true":  {entra, Config{}, is{"email": ada, "xms_edov": true}, emailClaim{proven: ada}},
		"entra, edov \"1\"": {entra, Config{}, is{"email": ada, "xms_edov": "1"}, emailClaim{proven: ada}},
		"entra, edov 1":     {entra, Config{}, is{"email": ada, "xms_edov": 1}, emailClaim{proven: ada}},
		"entra, edov \"true\"": {
			entra, Config{}, is{"email": ada, "xms_edov": "true"}, emailClaim{proven: ada},
		},
		"entra, edov \"True\"": {
			entra, Config{}, is{"email": ada, "xms_edov": "True"}, emailClaim{proven: ada},
		},
		"entra, edov false": {
			entra, trusting, is{"email": ada, "xms_edov": false}, emailClaim{unproven: ada},
		},
		"entra, edov 0":     {entra, trusting, is{"email": ada, "xms_edov": 0}, emailClaim{unproven: ada}},
		"entra, edov \"0\"": {entra, trusting, is{"email": ada, "xms_edov": "0"}, emailClaim{unproven: ada}},
		"entra, edov list": {
			entra, trusting, is{"email": ada, "xms_edov": []bool{true}}, emailClaim{unproven: ada},
		},
		"entra, nothing said": {
			entra, Config{}, is{"email": ada, "xms_edov": nil}, emailClaim{unproven: ada},
		},
		"entra, trusted, nothing said": {
			entra, trusting, is{"email": ada, "xms_edov": nil}, emailClaim{proven: ada, trusted: true},
		},
		"entra, one of many, trusted": {
			entra, oneOfMany, is{"email": ada, "xms_edov": nil}, emailClaim{proven: ada, trusted: true},
		},
		"entra, email_verified is nothing": {entra, Config{}, is{
			"email": ada, "xms_edov": nil, "email_verified": true,
		}, emailClaim{unproven: ada}},
		"entra, many, nothing said": {
			entra, many, is{"email": ada, "xms_edov": nil}, emailClaim{unproven: ada},
		},
		"entra, guest, trusted": {
			entra, guests, is{"email": ada, "xms_edov": nil, "acct": 1}, emailClaim{unproven: ada},
		},
		"entra, guest, edov": {entra, guests, is{"email": ada, "xms_edov": true, "acct": 1}, emailClaim{
			proven: ada, trusted: true,
		}},
		"entra, only preferred_username": {
			entra, trusting, is{"email": nil, "preferred_username": ada}, emailClaim{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := test.provider(f, t, test.cfg)
			claims := f.entraClaims()
			if p.Type() != TypeEntra {
				claims = f.oktaClaims()
				f.change(func() { f.userinfo = map[string]any{"sub": adaOkta} })
			}
			id := f.signedIn(t, p, but(claims, test.claims)).Identity
			got := emailClaim{proven: id.Email, trusted: id.EmailTrusted, unproven: id.UnprovenEmail}
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestHandlesDomain(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{TrustedDomains: []string{"Acme.Example", "@bücher.example"}})
	for domain, want := range map[string]bool{
		"acme.example": true, "ACME.EXAMPLE": true, " acme.example": true,
		"bücher.example": true, "xn--bcher-kva.example": true,
		"": false, "example": false, "sub.acme.example": false, "evilacme.example": false,
		"acme.example.evil.com": false, "acme.example.": false, "acme.example\x00": false,
	} {
		if got := p.HandlesDomain(domain); got != want {
			t.Errorf("%q: %v", domain, got)
		}
	}
}
