package oidc

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestGroupsAndRoles(t *testing.T) {
	t.Parallel()
	type is = map[string]any
	for name, test := range map[string]struct {
		cfg      Config
		claims   map[string]any
		groups   []string
		complete bool
		roles    []string
	}{
		"lists": {
			claims: is{"groups": []string{"a", "b"}, "roles": []string{"r"}}, groups: []string{"a", "b"},
			complete: true, roles: []string{"r"},
		},
		"single strings": {
			claims: is{"groups": "a", "roles": "r"}, groups: []string{"a"},
			complete: true, roles: []string{"r"},
		},
		"blank ones match nothing": {
			claims: is{"groups": []string{"", "a", " ", "\t"}, "roles": ""},
			groups: []string{"a"}, complete: true,
		}, // E5
		"a blank one alone": {claims: is{"groups": " "}, complete: true}, // E5
		"spelled exactly": {
			claims: is{"groups": []string{" Admins"}}, groups: []string{" Admins"}, complete: true,
		},
		"none": {cfg: Config{Scopes: []string{"groups"}}, claims: is{"groups": nil}, complete: true},
		"null": {
			cfg:    Config{Scopes: []string{"groups"}},
			claims: is{"groups": json.RawMessage("null")}, complete: true,
		},
		"none, of a claim named": {
			cfg: Config{GroupsClaim: "groups"}, claims: is{"groups": nil}, complete: true,
		},
		"none, and never asked": {claims: is{"groups": nil}}, // S18: a deny must not be passed by
		"other claims": {
			cfg: Config{GroupsClaim: "https://acme.example/groups", RolesClaim: "realm_access.roles"},
			claims: is{"groups": "no", "https://acme.example/groups": []string{"yes"}, "realm_access": is{
				"roles": []string{"admin"},
			}}, groups: []string{"yes"}, complete: true, roles: []string{"admin"},
		},
		"a number among them": {claims: is{"groups": []any{"a", 7}}},
		"objects":             {claims: is{"groups": []any{is{"name": "a"}}}},
		"a number":            {claims: is{"groups": 7}},
		"too many":            {claims: is{"groups": nil, "_claim_names": is{"groups": "s"}}},
		"too many, another claim": {
			cfg:    Config{GroupsClaim: "memberOf"},
			claims: is{"memberOf": []string{"a"}, "_claim_names": is{"memberOf": "s"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.plain(t, test.cfg)
			f.change(func() { f.userinfo = map[string]any{"sub": adaOkta} })
			id := f.signedIn(t, p, but(f.oktaClaims(), test.claims)).Identity
			if !slices.Equal(id.Groups, test.groups) || id.GroupsComplete != test.complete ||
				(id.GroupsProblem == "") != test.complete {
				t.Errorf("groups %q, complete %v, problem %q", id.Groups, id.GroupsComplete, id.GroupsProblem)
			}
			if !slices.Equal(id.Roles, test.roles) {
				t.Errorf("roles %q", id.Roles)
			}
		})
	}
}

func TestClaimsForRules(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.entra(t, Config{})
	claims := but(f.entraClaims(),
		map[string]any{"c_hash": "x", "s_hash": "x", "department": "R&D", "wids": []string{"b79fbf4d"}})
	got := slices.Sorted(maps.Keys(f.signedIn(t, p, claims).Identity.Claims))
	want := []string{
		"acct", "aud", "department", "email", "exp", "groups", "iat", "iss", "login_hint", "name", "nbf",
		"oid", "preferred_username", "roles", "sid", "sub", "tid", "ver", "wids", "xms_edov",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// B10: a name may end up in a header or a page.
func TestNamesAreOneLine(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Ada\r\nX-API-Key: b":       "AdaX-API-Key: b",
		"  Ada Byron\x00 ":          "Ada Byron",
		"Ada\u202eyroB":             "AdayroB",
		"Zoë 🦊":                     "Zoë 🦊",
		strings.Repeat("é", 1<<10):  strings.Repeat("é", 100) + "…",
		"<script>alert(1)</script>": "<script>alert(1)</script>", // escaping is for whoever makes the page
		"\xff\xfe":                  "",
	} {
		if got := forPeople(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

// FuzzIdentity feeds payloads that a provider has signed, in any shape, to what makes an identity of them.
func FuzzIdentity(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"00u1","email":"ada@acme.example","email_verified":true,"groups":["a",""]}`,
		`{"sub":"x","tid":"7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3","oid":"e4b7d8a1-6c35-4f02-9a8e-71d2c5f0b346","acct":1,"idp":"live.com","xms_edov":"1"}`, `{"sub":5,"groups":{"a":1},"_claim_names":{"groups":7},"hasgroups":"true","name":["x"],"email":null}`, `{"sub":"ada@acme.example","uid":"00u1","cid":"0oa1","scp":["vexa"]}`, `{"sub":"0oa1","cid":"0oa1","scp":["vexa"]}`, `{"ver":"2.0","iss":"https://login.microsoftonline.com/7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3/v2.0","tid":"7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3","azp":"8b1e5f77-3c2d-4a69-b0e4-d9c8b7a65432","oid":"e4b7d8a1-6c35-4f02-9a8e-71d2c5f0b346","sub":"q","scp":"a b"}`, `{"ver":"1.0","iss":"https://sts.windows.net/7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3/","tid":"7a1f3c52-9d0e-4b6f-8c21-5e4d90ab17f3","appid":"8b1e5f77-3c2d-4a69-b0e4-d9c8b7a65432","oid":"e4b7d8a1-6c35-4f02-9a8e-71d2c5f0b346","sub":"e4b7d8a1-6c35-4f02-9a8e-71d2c5f0b346","roles":["a"],"upn":"x"}`,
		`{"sub":"u","client_id":"c","scope":"a b"}`, `{"sub":"c@clients","azp":"c"}`,
		`{"sub":"c","client_id":"c","email":"ada@acme.example"}`,
		`{"sub":"a","SUB":"b","sub":"c"}`, `null`, `[]`, `"x"`, `{"exp":1e400}`,
		`{"groups":[[["a"]]],"roles":[null]}`, `{"email":"a@b@c","name":"\u0000\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	providers := make([]*Provider, 0, 3)
	for _, cfg := range []Config{
		{Type: TypeOkta, Issuer: "https://acme.okta.com"},
		{Type: TypeEntra, Tenant: tenantA},
		{Type: TypeOIDC, Issuer: "https://idp.example", GroupsClaim: "a.b.c"},
	} {
		cfg.Name, cfg.ClientID, cfg.RedirectURL, cfg.TrustedDomains = "sim", clientID,
			redirectURL, []string{"acme.example"}
		p, err := New(cfg, Env{})
		if err != nil {
			f.Fatal(err)
		}
		providers = append(providers, p)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, checked, err := decodeClaims(payload)
		if err != nil {
			return
		}
		if !json.Valid(checked) {
			t.Errorf("go-oidc is handed %q", checked)
		}
		for _, p := range providers {
			doc := &document{}
			doc.IssuerURL = p.Issuer()
			_ = p.dialect.check(doc, c)
			_ = p.dialect.keyFits(doc, publicKey{issuer: "https://x/{tenantid}", cloud: "y"}, c)
			p.incomplete(c)
			merged(c, c)
			checkAccess(t, p, c)
			who, refusal := p.signedIn(c)
			if refusal != nil {
				continue
			}
			id := p.identity(c, who)
			if id.Email != "" && strings.Count(id.Email, "@") != 1 ||
				id.EmailTrusted && !strings.HasSuffix(id.Email, "@acme.example") {
				t.Errorf("email %q, trusted %v", id.Email, id.EmailTrusted)
			}
			if slices.ContainsFunc(id.Groups, func(g string) bool { return strings.TrimSpace(g) == "" }) {
				t.Errorf("groups %q", id.Groups)
			}
			if strings.ContainsFunc(id.Name+id.Email+id.UnprovenEmail, unicode.IsControl) {
				t.Errorf("name %q, email %q, unproven %q", id.Name, id.Email, id.UnprovenEmail)
			}
			if _, err := json.Marshal(id); err != nil {
				t.Errorf("the identity cannot be stored: %v", err)
			}
		}
	})
}

// checkAccess holds what any claims say as an access token's: one person or one program, whose subjects never
// meet, or a refusal that is fit to be shown.
func checkAccess(t *testing.T, p *Provider, c claims) {
	t.Helper()
	shown, refusal := p.dialect.access(c)
	if refusal == nil {
		_, refusal = p.checkAudience(c)
	}
	if refusal == nil {
		refusal = checkTimes(c, p.now())
	}
	if refusal != nil {
		if refusal.Message == "" || refusal.Remedy == "" || len(refusal.Message) > 4<<10 ||
			strings.ContainsFunc(refusal.Error()+refusal.Message, unicode.IsControl) {
			t.Errorf("refused by %q", refusal.Error())
		}
	}
	who := shown.who
	if who.subject == "" {
		return
	}
	program := strings.Contains(who.subject, "/client/") && p.cfg.Type != TypeOIDC ||
		strings.HasPrefix(who.subject, "oidc:"+p.Issuer()+"?client=")
	if program != (who.kind == Service) || who.kind != User && who.kind != Service || shown.client == "" {
		t.Errorf("%+v of the client %q", who, shown.client)
	}
	id := p.identity(shown.claims, who)
	if id.Subject != who.subject || id.Kind == Service && id.Email != "" {
		t.Errorf("%+v", id)
	}
}
