package oidc

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// E2, E6: one address, one form; and nothing that two programs could read as two addresses.
func TestNormalizeEmail(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"ada@acme.example":                        "ada@acme.example",
		" Ada.Byron@ACME.Example ":                "ada.byron@acme.example",
		"o'brien+tag@acme.example":                "o'brien+tag@acme.example",
		"ada@bücher.example":                      "ada@xn--bcher-kva.example",
		"ada@BÜCHER.example":                      "ada@xn--bcher-kva.example",
		"ada@xn--bcher-kva.example":               "ada@xn--bcher-kva.example",
		"ada@bu\u0308cher.example":                "ada@xn--bcher-kva.example",
		"J\u00c9R\u00d4ME@acme.example":           "j\u00e9r\u00f4me@acme.example",
		"Je\u0301ro\u0302me@acme.example":         "j\u00e9r\u00f4me@acme.example",
		"ada@acme\uff0eexample":                   "ada@acme.example",
		"ada@sub.acme.example":                    "ada@sub.acme.example",
		strings.Repeat("a", 64) + "@acme.example": strings.Repeat("a", 64) + "@acme.example",
	}
	for address, want := range good {
		if got, err := NormalizeEmail(address); got != want || err != nil {
			t.Errorf("%q: got %q, %v; want %q", address, got, err, want)
		}
	}
	bad := []string{
		"", "@", "ada", "ada@", "@acme.example", "attacker@evil.com@acme.example",
		"ada@acme.example@", "ada@@acme.example",
		`"ada"@acme.example`, `"a@b"@acme.example`, `"ada@evil.com"@acme.example`,
		"ada(comment)@acme.example", "ada@acme.example(x)", "<ada@acme.example>",
		"Ada <ada@acme.example>", "ada@acme.example, eve@evil.com", "ada;eve@acme.example",
		"ada byron@acme.example", "ada@acme .example",
		"ada\n@acme.example", "ada\x00@acme.example", "ada@acme.example\x00.evil.com",
		"ada@acme.example\n.evil.com", "ada\t@acme.example",
		"ada\u00a0@acme.example", "ada\u200b@acme.example", "ada\u202e@acme.example",
		"ada\ufeff@acme.example", "ada\u00ad@acme.example",
		"ali\u212ae@acme.example", "\u0130lse@acme.example", "ada\uff20acme.example",
		"ada@evil.com\uff20acme.example", "\ufe6bada@acme.example",
		"ada@acme..example", "ada@.acme.example", "ada@acme.example.", "ada@-acme.example",
		"ada@acme_x.example", "ada@[127.0.0.1]", "ada@acme.example/x",
		"ada@acme.example:25", "ada@acme%2eexample",
		".ada@acme.example", "ada.@acme.example", "a..da@acme.example", "ada\\@acme.example",
		"a\xff@acme.example", "ada@acme\xff.example",
		strings.Repeat("a", 65) + "@acme.example", "ada@" + strings.Repeat("a.", 130) + "example",
		"ada@" + strings.Repeat("a", 64) + ".example", strings.Repeat("a", 1<<20),
	}
	for _, address := range bad {
		if got, err := NormalizeEmail(address); err == nil {
			t.Errorf("%q is taken as %q", address, got)
		} else if len(err.Error()) > 1000 {
			t.Errorf("the error for %.20q… has %d bytes", address, len(err.Error()))
		}
	}
}

func FuzzNormalizeEmail(f *testing.F) {
	for _, seed := range []string{
		"ada@acme.example", " Ada@BÜCHER.example", "e\u0301@x.y", "ali\u212ae@acme.example",
		"attacker@evil.com@acme.example", "\"a\"@b.c", "ada@acme.example\x00", "İ@x.y",
		"ǰ̣@x.y", "ά@x.y", "a@xn--a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		got, err := NormalizeEmail(address)
		if err != nil {
			return
		}
		if again, err := NormalizeEmail(got); again != got || err != nil {
			t.Errorf("%q normalizes to %q, and that to %q, %v", address, got, again, err)
		}
		if strings.Count(got, "@") != 1 || strings.Count(address, "@") != 1 ||
			!utf8.ValidString(got) || len(got) > 254 {
			t.Errorf("%q normalizes to %q", address, got)
		}
		if strings.ContainsFunc(got, func(r rune) bool {
			return unicode.IsControl(r) || unicode.IsSpace(r) || r == '"' || r == ',' || r == '<'
		}) {
			t.Errorf("%q normalizes to %q", address, got)
		}
		if domain := domainOf(got); strings.ContainsFunc(domain, func(r rune) bool {
			return r > '~' || unicode.IsUpper(r)
		}) {
			t.Errorf("%q has the domain %q", address, domain)
		}
		if up, err := NormalizeEmail(strings.ToUpper(got)); err == nil && isASCIIText(got) && up != got {
			t.Errorf("%q and its capitals differ: %q", got, up)
		}
	})
}

func isASCIIText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !isASCII(r) })
}

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
