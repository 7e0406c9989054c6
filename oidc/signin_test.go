package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSignInOkta(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{Scopes: []string{"groups"}, TrustedDomains: []string{"acme.example"}})
	s := f.signedIn(t, p, f.oktaClaims())

	got := s.Identity
	got.Claims = nil
	want := Identity{
		Provider: "sim", Subject: "okta:" + f.URL + "/" + adaOkta, Kind: User,
		Email: "ada.byron@acme.example", EmailTrusted: true, Name: "Ada Byron",
		Groups: []string{"Everyone", "vexa-users"}, GroupsComplete: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s.IDToken == "" || s.RefreshToken != "rt-canary-77ab" ||
		!s.AuthTime.Equal(f.clock.Now().Add(-10*time.Second)) {
		t.Errorf("sign-in lacks its tokens or time: %+v", s)
	}
	if f.count("userinfo") != 0 {
		t.Error("userinfo was asked although the ID token had everything")
	}
}

func TestSignInEntra(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"one tenant": {Tenant: tenantA},
		"many":       {Tenant: "organizations", AllowedTenants: []string{tenantB, tenantA}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.entra(t, cfg)
			s := f.signedIn(t, p, f.entraClaims())
			got := s.Identity
			got.Claims = nil
			want := Identity{
				Provider: "sim", Subject: "entra:" + f.URL[len("http://"):] + "/" + tenantA + "/" + adaOID,
				Kind: User, Email: "ada.byron@northwind.example", Name: "Ada Byron",
				Groups: []string{"0b6f6e2a-9a0f-4d54-8f0e-1f2a3b4c5d6e"}, GroupsComplete: true,
				Roles: []string{"Bridge.Admin"}, SID: "00a1b2c3-44d5-4e66-8f77-889900aabbcc",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if s.LogoutHint != "O.simhint" {
				t.Errorf("logout hint %q", s.LogoutHint)
			}
		})
	}
}

func TestSignInPlain(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.plain(t, Config{})
	claims := f.oktaClaims()
	s := f.signedIn(t, p, claims)
	if want := "oidc:" + f.URL + "#" + adaOkta; s.Identity.Subject != want {
		t.Errorf("subject %q, want %q", s.Identity.Subject, want)
	}
}

func TestAuthorizationRequest(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{Scopes: []string{"groups", "email"}, ResponseMode: "form_post"})
	hour := time.Hour
	a, q := begin(t, p, BeginOptions{LoginHint: "ada@acme.example", Prompt: "login", MaxAge: &hour})
	challenge := sha256.Sum256([]byte(a.Verifier))
	want := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURL},
		"scope": {"openid profile email offline_access groups"}, "state": {a.State}, "nonce": {a.Nonce},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
		"login_hint":            {"ada@acme.example"}, "prompt": {"login"}, "max_age": {"3600"},
		"response_mode": {"form_post"},
	}
	if diff := cmp.Diff(want, q); diff != "" {
		t.Error(diff)
	}
	b, _ := begin(t, p, BeginOptions{})
	for _, pair := range [][2]string{
		{a.State, b.State},
		{a.Nonce, b.Nonce},
		{a.Verifier, b.Verifier},
		{a.State, a.Nonce},
		{a.Nonce, a.Verifier},
	} {
		if pair[0] == pair[1] || len(pair[0]) != 43 {
			t.Errorf("%q and %q should be 256 random bits each", pair[0], pair[1])
		}
	}
}
