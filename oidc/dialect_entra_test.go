package oidc

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// E1, E12 and the rest of Entra's own: whose token is it?
func TestEntraTokens(t *testing.T) {
	t.Parallel()
	many := Config{Tenant: "organizations", AllowedTenants: []string{tenantA}}
	issuer := func(f *idp, tenant string) string { return f.URL + "/" + tenant + "/v2.0" }
	tests := map[string]struct {
		cfg    Config
		claims func(f *idp) map[string]any // changes
		code   string
	}{
		"member":               {},
		"member, many tenants": {cfg: many},
		"tid in capitals": {cfg: many, claims: func(f *idp) map[string]any {
			up := strings.ToUpper(tenantA)
			return map[string]any{"tid": up, "iss": issuer(f, up)}
		}},
		"another tenant": {claims: func(f *idp) map[string]any {
			return map[string]any{"tid": tenantB, "iss": issuer(f, tenantB)}
		}, code: CodeSignInInvalid},
		"a tenant not on the list": {cfg: many, claims: func(f *idp) map[string]any {
			return map[string]any{"tid": tenantB, "iss": issuer(f, tenantB)}
		}, code: CodeTenantRefused},
		"tid not that of iss": {cfg: many, claims: func(*idp) map[string]any {
			return map[string]any{"tid": tenantB}
		}, code: CodeSignInInvalid},
		"iss not that of tid": {cfg: many, claims: func(f *idp) map[string]any {
			return map[string]any{"iss": issuer(f, tenantB)}
		}, code: CodeSignInInvalid},
		"iss of another host": {cfg: many, claims: func(*idp) map[string]any {
			return map[string]any{"iss": "https://evil.example/" + tenantA + "/v2.0"}
		}, code: CodeSignInInvalid},
		"iss of version 1": {claims: func(*idp) map[string]any {
			return map[string]any{"iss": "https://sts.windows.net/" + tenantA + "/", "ver": "1.0"}
		}, code: CodeSignInInvalid},
		"iss of version 1, many": {cfg: many, claims: func(*idp) map[string]any {
			return map[string]any{"iss": "https://sts.windows.net/" + tenantA + "/", "ver": "1.0"}
		}, code: CodeSignInInvalid},
		"iss is the template": {cfg: many, claims: func(f *idp) map[string]any {
			return map[string]any{"iss": issuer(f, "{tenantid}"), "tid": "{tenantid}"}
		}, code: CodeSignInInvalid},
		"no tid": {cfg: many, claims: func(*idp) map[string]any {
			return map[string]any{"tid": nil}
		}, code: CodeSignInInvalid},
		"empty tid": {cfg: many, claims: func(f *idp) map[string]any {
			return map[string]any{"tid": "", "iss": f.URL + "//v2.0"}
		}, code: CodeSignInInvalid},
		"tid is a path": {cfg: many, claims: func(f *idp) map[string]any {
			return map[string]any{"tid": "../evil", "iss": f.URL + "/../evil/v2.0"}
		}, code: CodeSignInInvalid},
		"tid with a path behind": {cfg: many, claims: func(f *idp) map[string]any {
			return map[string]any{"tid": tenantA + "/..", "iss": issuer(f, tenantA+"/..")}
		}, code: CodeSignInInvalid},
		"tid with a line break": {cfg: many, claims: func(f *idp) map[string]any {
			return map[string]any{"tid": tenantA + "\n", "iss": issuer(f, tenantA+"\n")}
		}, code: CodeSignInInvalid},
		"tid no string": {cfg: many, claims: func(*idp) map[string]any {
			return map[string]any{"tid": []string{tenantA}}
		}, code: CodeSignInInvalid},
		"personal account": {cfg: many, claims: func(f *idp) map[string]any {
			return map[string]any{"tid": consumerTenant, "iss": issuer(f, consumerTenant)}
		}, code: CodeTenantRefused},
		"no oid": {claims: func(*idp) map[string]any {
			return map[string]any{"oid": nil}
		}, code: CodeProviderMisset},
		"oid no GUID": {claims: func(*idp) map[string]any {
			return map[string]any{"oid": "../x"}
		}, code: CodeProviderMisset},
		"guest by acct": {claims: func(*idp) map[string]any {
			return map[string]any{"acct": 1}
		}, code: CodeGuestRefused},
		"guest by acct, a string": {claims: func(*idp) map[string]any {
			return map[string]any{"acct": "1"}
		}, code: CodeGuestRefused},
		"guest by upn": {claims: func(*idp) map[string]any {
			return map[string]any{"upn": "eve_partner.example#EXT#@nwsim.onmicrosoft.com"}
		}, code: CodeGuestRefused},
		"guest by upn, lower case": {claims: func(*idp) map[string]any {
			return map[string]any{"upn": "eve_partner.example#ext#@nwsim.onmicrosoft.com"}
		}, code: CodeGuestRefused},
		"guest by idp": {claims: func(*idp) map[string]any {
			return map[string]any{"acct": nil, "idp": "https://sts.windows.net/" + tenantB + "/"}
		}, code: CodeGuestRefused},
		"guest by idp live.com": {claims: func(*idp) map[string]any {
			return map[string]any{"acct": nil, "idp": "live.com"}
		}, code: CodeGuestRefused},
		"guest by idp mail": {claims: func(*idp) map[string]any {
			return map[string]any{"acct": nil, "idp": "mail"}
		}, code: CodeGuestRefused},
		"idp is our tenant, version 1": {claims: func(*idp) map[string]any {
			return map[string]any{"idp": "https://sts.windows.net/" + tenantA + "/"}
		}},
		"idp is the issuer": {claims: func(f *idp) map[string]any {
			return map[string]any{"idp": issuer(f, tenantA)}
		}},
		"guest, allowed": {cfg: Config{Guests: "allow"}, claims: func(*idp) map[string]any {
			return map[string]any{"acct": 1, "upn": "eve#EXT#@x"}
		}},
	}
	for name, test := range tests {
		// A key that names no issuer, as those of version 1 do, does not make the other checks superfluous.
		for _, scoped := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", key scoped ", scoped), func(t *testing.T) {
				t.Parallel()
				f := newIDP(t)
				p := f.entra(t, test.cfg)
				if !scoped {
					f.signer = f.signer.with("issuer", "")
					f.publish(f.signer)
				}
				claims := f.entraClaims()
				if test.claims != nil {
					claims = but(claims, test.claims(f))
				}
				s, err := f.signIn(t, p, claims)
				if test.code != "" {
					refused(t, err, test.code)
					return
				}
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				if want := "entra:" + f.URL[len("http://"):] + "/" + tenantA + "/" +
					adaOID; s.Identity.Subject != want {
					t.Errorf("subject %q, want %q", s.Identity.Subject, want)
				}
			})
		}
	}
}

// A key signs for the tenants and the cloud that it was published for, and for no other.
func TestEntraKeyScopes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cfg    Config
		change func(f *idp, key signer) signer
		code   string
	}{
		"of the template": {change: func(_ *idp, k signer) signer { return k }},
		"of the tenant": {change: func(f *idp, k signer) signer {
			return k.with("issuer", f.URL+"/"+tenantA+"/v2.0")
		}},
		"of no issuer (version 1)": {change: func(_ *idp, k signer) signer {
			return k.with("issuer", "").with("cloud_instance_name", "")
		}},
		"of personal accounts": {change: func(f *idp, k signer) signer {
			return k.with("issuer", f.URL+"/"+consumerTenant+"/v2.0")
		}, code: CodeSignInInvalid},
		"of another tenant": {change: func(f *idp, k signer) signer {
			return k.with("issuer", f.URL+"/"+tenantB+"/v2.0")
		}, code: CodeSignInInvalid},
		"of another host": {change: func(_ *idp, k signer) signer {
			return k.with("issuer", "https://login.microsoftonline.us/{tenantid}/v2.0")
		}, code: CodeSignInInvalid},
		"of another cloud": {change: func(_ *idp, k signer) signer {
			return k.with("cloud_instance_name", "microsoftonline.us")
		}, code: CodeSignInInvalid},
		"of personal accounts, many": {
			cfg: Config{Tenant: "organizations", AllowedTenants: []string{tenantA}},
			change: func(f *idp, k signer) signer {
				return k.with("issuer", f.URL+"/"+consumerTenant+"/v2.0")
			}, code: CodeSignInInvalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.entra(t, test.cfg)
			f.publish(newSigner(2, "another"), test.change(f, f.signer))
			_, err := f.signIn(t, p, f.entraClaims())
			if test.code != "" {
				refused(t, err, test.code)
			} else if err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

// Too many groups: said in any way, sign-in works, nobody is in any group, and nobody is asked.
func TestEntraOverage(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.entra(t, Config{})
	trap := f.URL + "/trap"
	for name, marks := range map[string]map[string]any{
		"as documented": {"_claim_names": map[string]any{"groups": "src1"}, "_claim_sources": map[string]any{
			"src1": map[string]any{"endpoint": trap, "access_token": "at-canary"},
		}},
		"beside groups": {
			"_claim_names":   map[string]any{"groups": "src1"},
			"_claim_sources": map[string]any{"src1": map[string]any{"endpoint": trap}},
			"groups":         []string{"some"},
		},
		"source missing": {"_claim_names": map[string]any{"groups": "src1"}},
		"another source": {
			"_claim_names":   map[string]any{"groups": "src1"},
			"_claim_sources": map[string]any{"src2": map[string]any{}},
		},
		"source empty": {
			"_claim_names": map[string]any{"groups": ""}, "_claim_sources": map[string]any{},
		},
		"source no string":       {"_claim_names": map[string]any{"groups": 1}, "_claim_sources": "x"},
		"hasgroups":              {"hasgroups": true},
		"hasgroups, as a string": {"hasgroups": "true"},
	} {
		marks = but(map[string]any{"groups": nil}, marks)
		if name != "beside groups" {
			marks["groups"] = nil
		}
		s := f.signedIn(t, p, but(f.entraClaims(), marks))
		if id := s.Identity; len(id.Groups) != 0 || id.GroupsComplete || id.GroupsProblem == "" {
			t.Errorf("%s: groups %v, complete %v, problem %q",
				name, id.Groups, id.GroupsComplete, id.GroupsProblem)
		}
		for _, claim := range []string{"_claim_names", "_claim_sources"} {
			if _, ok := s.Identity.Claims[claim]; ok {
				t.Errorf("%s: the identity has the claim %s", name, claim)
			}
		}
	}
	if f.count("trap") != 0 {
		t.Error("the endpoint of an overage was asked")
	}
	// No groups and no mark: there are none, where the registration is known to list them (S18).
	for claim, known := range map[string]bool{"": false, "groups": true} {
		of := f.entra(t, Config{GroupsClaim: claim})
		id := f.signedIn(t, of, but(f.entraClaims(), map[string]any{"groups": nil})).Identity
		if len(id.Groups) != 0 || id.GroupsComplete != known || (id.GroupsProblem == "") != known {
			t.Errorf("no groups, groups_claim %q: %v, complete %v, problem %q", claim, id.Groups,
				id.GroupsComplete, id.GroupsProblem)
		}
	}
	// Names of other claims are no business of ours.
	s := f.signedIn(t, p,
		but(f.entraClaims(), map[string]any{"_claim_names": map[string]any{"address": "src1"}}))
	if !s.Identity.GroupsComplete {
		t.Error("the distributed claim address was taken for an overage")
	}
}

// Of several tenants none can prove an address by a trusted domain, even if a configuration
// slipped through that has both.
func TestEntraPinning(t *testing.T) {
	t.Parallel()
	for pinned, tenants := range map[bool][]string{true: {tenantA}, false: {tenantA, tenantB}} {
		if _, got := (&entra{tenants: tenants}).emailWord(claims{}); got != pinned {
			t.Errorf("%d tenants: pinned %v", len(tenants), got)
		}
	}
}

// RFC 9207 with an issuer that the document cannot name.
func TestEntraResponseIssuer(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.entra(t, Config{Tenant: "organizations", AllowedTenants: []string{tenantA}})
	for iss, code := range map[string]string{
		f.URL + "/" + tenantA + "/v2.0":  "",
		f.URL + "/" + tenantB + "/v2.0":  CodeSignInInvalid,
		"https://evil.example":           CodeSignInInvalid,
		f.URL + "/" + tenantA + "/v2.0/": CodeSignInInvalid,
	} {
		a, _ := begin(t, p, BeginOptions{})
		f.gives(f.signer.sign(but(f.entraClaims(), map[string]any{"nonce": a.Nonce}), nil))
		_, err := p.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"c"}, "iss": {iss}})
		if code != "" {
			refused(t, err, code)
		} else if err != nil {
			t.Errorf("%s: %v", iss, err)
		}
	}
}

func TestEntraNeverAsksUserinfo(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.entra(t, Config{})
	f.document["userinfo_endpoint"] = f.URL + "/v1/userinfo"
	f.answer("userinfo", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	s := f.signedIn(t, p, but(f.entraClaims(), map[string]any{"name": nil, "email": nil, "groups": nil}))
	if s.Identity.Email != "" || f.count("userinfo") != 0 {
		t.Errorf("email %q, %d calls to userinfo", s.Identity.Email, f.count("userinfo"))
	}
}
