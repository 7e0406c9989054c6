package oidc

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestThinIDTokenIsCompleted(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{Scopes: []string{"groups"}, ClientSecret: "secret-canary"})
	thin := but(f.oktaClaims(),
		map[string]any{"name": nil, "email": nil, "email_verified": nil, "groups": nil})
	var asked *http.Request
	f.answer("userinfo", func(w http.ResponseWriter, r *http.Request) {
		f.change(func() { asked = r })
		status(200, `{"sub":"`+adaOkta+`","name":"Ada Byron","email":"ada@acme.example","email_verified":true,"groups":["vexa-users"],"department":"R&D",
			"iss":"https://evil.example","aud":"evil","exp":1,"auth_time":1,"sid":"evil","amr":["evil"],"ver":9}`)(w, r)
	})
	s := f.signedIn(t, p, thin)
	id := s.Identity
	if id.Name != "Ada Byron" || id.Email != "ada@acme.example" ||
		!slices.Equal(id.Groups, []string{"vexa-users"}) || id.Claims["department"] != "R&D" {
		t.Errorf("identity %+v", id)
	}
	if id.SID != "" || s.AuthTime.Unix() == 1 || id.Claims["iss"] != f.document["issuer"] ||
		id.Claims["aud"] != clientID || id.Claims["ver"] != json.Number("1") {
		t.Errorf("userinfo replaced claims of the ID token: %+v", id.Claims)
	}
	if got := asked.Header.Get("Authorization"); got != "Bearer at-canary-5d1f" {
		t.Errorf("userinfo was asked with %q", got)
	}
	for name := range asked.Header { // B11
		switch name {
		case "Accept", "Accept-Encoding", "Authorization", "User-Agent":
		default:
			t.Errorf("userinfo was asked with the header %s", name)
		}
	}
}

func TestWhenUserinfoIsAsked(t *testing.T) {
	t.Parallel()
	groups := Config{Scopes: []string{"groups"}}
	type is = map[string]any
	for name, test := range map[string]struct {
		cfg    Config
		claims map[string]any
		asks   int
	}{
		"nothing is missing":    {cfg: groups},
		"name":                  {claims: is{"name": nil}, asks: 1},
		"email":                 {claims: is{"email": nil}, asks: 1},
		"groups, asked for":     {cfg: groups, claims: is{"groups": nil}, asks: 1},
		"groups, by claim":      {cfg: Config{GroupsClaim: "teams"}, asks: 1},
		"roles, by claim":       {cfg: Config{RolesClaim: "roles"}, asks: 1},
		"groups, not asked for": {claims: is{"groups": nil}},
		"groups, empty":         {cfg: groups, claims: is{"groups": []string{}}},
		"groups, too many":      {cfg: groups, claims: is{"groups": nil, "hasgroups": true}},
		"proof of the address":  {claims: is{"email_verified": nil}, asks: 1},
		"proof, but the domain is proof": {
			cfg: Config{TrustedDomains: []string{"acme.example"}}, claims: is{"email_verified": nil},
		},
		"proof, the address is denied it": {claims: is{"email_verified": false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.okta(t, test.cfg)
			f.change(func() { f.userinfo = map[string]any{"sub": adaOkta} })
			f.signedIn(t, p, but(f.oktaClaims(), test.claims))
			if n := f.count("userinfo"); n != test.asks {
				t.Errorf("asked %d times, want %d", n, test.asks)
			}
		})
	}
}

// Half an identity is not signed in.
func TestUserinfoFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		code   string
	}{
		"somebody else": {
			status(200, `{"sub":"00uMallory","email":"eve@acme.example","email_verified":true}`),
			CodeSignInInvalid,
		}, // E8
		"nobody":         {status(200, `{"email":"eve@acme.example"}`), CodeSignInInvalid}, // E8
		"sub in capital": {status(200, `{"Sub":"`+adaOkta+`"}`), CodeSignInInvalid},        // E8
		"null":           {status(200, `null`), CodeSignInInvalid},
		"down":           {status(503, ""), CodeProviderUnavailable},
		"throttled":      {status(429, ""), CodeProviderUnavailable},
		"invalid token":  {status(401, ""), CodeProviderUnavailable},
		"no scope":       {status(403, ""), CodeProviderUnavailable},
		"not JSON":       {status(200, "<html>"), CodeProviderUnavailable},
		"a list":         {status(200, "[]"), CodeProviderUnavailable},
		"endless":        {endless, CodeProviderUnavailable},
		"large": {
			status(200, `{"sub":"`+adaOkta+`","x":"`+strings.Repeat("x", 300<<10)+`"}`),
			CodeProviderUnavailable,
		},
		"redirect": {http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP, CodeProviderUnavailable},
		"signed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwt; charset=utf-8")
			_, _ = w.Write([]byte("a.b.c"))
		}, CodeProviderMisset},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.okta(t, Config{})
			f.answer("userinfo", test.answer)
			_, err := f.signIn(t, p, but(f.oktaClaims(), map[string]any{"email": nil}))
			refused(t, err, test.code)
			if f.count("elsewhere") != 0 {
				t.Error("a redirect was followed with an access token")
			}
		})
	}
}

// An address and its proof are never put together from two places.
func TestMergingKeepsAddressAndProofTogether(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ token, userinfo, want claims }{
		"both from userinfo": {claims{}, claims{"email": "a@x.y", "email_verified": true}, claims{
			"email": "a@x.y", "email_verified": true,
		}},
		"proof without address": {
			claims{"email_verified": true}, claims{"email": "a@x.y"}, claims{"email": "a@x.y"},
		},
		"proof without address, denied": {
			claims{"email_verified": true},
			claims{"email": "a@x.y", "email_verified": false},
			claims{"email": "a@x.y", "email_verified": false},
		},
		"proof of the same": {
			claims{"email": "a@x.y"},
			claims{"email": "a@x.y", "email_verified": true},
			claims{"email": "a@x.y", "email_verified": true},
		},
		"proof of another": {
			claims{"email": "a@x.y"},
			claims{"email": "b@x.y", "email_verified": true},
			claims{"email": "a@x.y"},
		},
		"the token's word stands": {
			claims{"email": "a@x.y", "email_verified": false},
			claims{"email": "a@x.y", "email_verified": true},
			claims{"email": "a@x.y", "email_verified": false},
		},
		"neither": {claims{}, claims{"email_verified": true}, claims{"email_verified": true}},
	} {
		got := merged(test.token, test.userinfo)
		if name == "neither" {
			if got.has("email") {
				t.Errorf("%s: %v", name, got)
			}
			continue
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
