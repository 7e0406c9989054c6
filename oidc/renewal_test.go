package oidc

import (
	"net/http"
	"strings"
	"testing"
)

// A guest among us, when guests are no longer allowed, is not signed in any more; nor is a
// tenant that is off the list.
func TestRefreshUnderNarrowerSettings(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.entra(t, Config{Guests: GuestsAllow})
	guest := but(f.entraClaims(), map[string]any{"acct": 1})
	was := f.signedIn(t, p, guest)
	_, err := f.provider(t, Config{Type: TypeEntra, Cloud: f.URL, Tenant: tenantA}).Refresh(t.Context(),
		was.RefreshToken, was.Identity)
	refused(t, err, CodeAccessEnded)
}

// What a sign-in was, and a refresh does not say again, stays: the session that a logout will name.
func TestRefreshKeepsTheSession(t *testing.T) {
	t.Parallel()
	h := newHostile(t, Config{})
	was := h.accepts(t)
	h.idp.gives(h.sign(t, but(h.claims, map[string]any{"sid": nil})))
	is, err := h.p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	if err != nil || is.Identity.SID != "sid-1" {
		t.Errorf("%+v, %v", is, err)
	}
}

// Entra gives an ID token at a refresh to those who ask for openid; elsewhere the sign-in's scopes stand.
func TestRefreshScopes(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.entra(t, Config{})
	was := f.signedIn(t, p, f.entraClaims())
	if _, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity); err != nil ||
		f.asked.PostForm.Get("scope") != "openid profile email offline_access" {
		t.Errorf("asked %v: %v", f.asked.PostForm, err)
	}
	f = newIDP(t)
	p = f.okta(t, Config{})
	was = f.signedIn(t, p, f.oktaClaims())
	if _, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity); err != nil ||
		f.asked.PostForm.Has("scope") {
		t.Errorf("asked %v: %v", f.asked.PostForm, err)
	}
}

// S2: a token that a provider echoes is shown to nobody, whoever signed it.
func TestEchoedTokensAreBlotted(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	key, _ := clientCertificate(t)
	p := f.okta(t, Config{PrivateKeyFile: key})
	was := f.signedIn(t, p, f.oktaClaims())
	assertion := ""
	f.answer("token", func(w http.ResponseWriter, r *http.Request) {
		assertion = r.PostForm.Get("client_assertion")
		status(401, string(mustJSON(map[string]any{
			"error": "invalid_client", "error_description": "No: " + assertion + " and " + was.IDToken,
		})))(w, r)
	})
	_, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	e := refused(t, err, CodeProviderMisset)
	for _, token := range []string{assertion, was.IDToken} {
		if token == "" || strings.Contains(e.Error()+e.Message, token[:30]) {
			t.Errorf("%v shows %s", err, token)
		}
	}
}
