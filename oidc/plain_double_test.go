package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

// A plain provider on a certified library: everything that the standard has, with
// nothing of Okta's or Entra's.
func TestPlainProvider(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]oidctest.PlainOptions{
		"fat, JWT": {}, "thin, opaque": {ThinIDTokens: true, OpaqueAccessTokens: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			double := oidctest.StartPlain(t, o)
			double.AddCast()
			c := client()
			c.RotateRefresh = true
			double.AddClient(c)
			p := provider(t, oidc.Config{
				Type: oidc.TypeOIDC, Issuer: double.Issuer(), Scopes: []string{"groups", "roles"},
			})
			browser := double.NewBrowser()
			was := signedIn(t, p, browser, oidctest.Grace)
			if id := was.Identity; id.Email != oidctest.Grace ||
				!slices.Contains(id.Groups, oidctest.GroupAdmins) || !id.GroupsComplete {
				t.Errorf("%+v", id)
			}
			if silent, err := openSilently(t, p, browser); err != nil ||
				silent.Identity.Subject != was.Identity.Subject {
				t.Errorf("silently: %v", err)
			}

			must(t, double.SetGroups(oidctest.Grace, oidctest.GroupUsers))
			is, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
			must(t, err)
			if is.Identity.Subject != was.Identity.Subject || is.RefreshToken == was.RefreshToken ||
				slices.Contains(is.Identity.Groups, oidctest.GroupAdmins) {
				t.Errorf("%+v became %+v", was, is)
			}
			_, err = double.Keys().Rotate()
			must(t, err)
			if is, err = p.Refresh(t.Context(), is.RefreshToken, was.Identity); err != nil {
				t.Fatalf("after a rotation of keys: %v", err)
			}

			out, ok := p.EndSession(t.Context(), is.IDToken, "", back)
			if !ok {
				t.Fatal("there is nowhere to sign out")
			}
			if cb, err := browser.Open(t.Context(), oidc.WithState(out, "state-1")); err != nil ||
				cb.Params.Get("state") != "state-1" {
				t.Errorf("signed out: %+v, %v", cb, err)
			}
			_, err = openSilently(t, p, browser)
			refused(t, err, oidc.CodeLoginRequired)

			must(t, double.Disable(oidctest.Grace))
			_, err = p.Refresh(t.Context(), is.RefreshToken, was.Identity)
			refused(t, err, oidc.CodeGrantOver)
		})
	}
}

// Its logout tokens hold, and name whom and what its ID tokens named.
func TestPlainBackChannel(t *testing.T) {
	t.Parallel()
	double := oidctest.StartPlain(t, oidctest.PlainOptions{})
	double.AddCast()
	double.AddClient(client())
	p := provider(t, oidc.Config{Type: oidc.TypeOIDC, Issuer: double.Issuer()})
	was := signedIn(t, p, double.NewBrowser(), oidctest.Ada)
	_, claims, err := oidctest.Decode(was.IDToken)
	must(t, err)
	var got []oidc.LogoutToken
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := p.VerifyLogoutToken(r.Context(), r.PostFormValue("logout_token"))
		if err != nil {
			t.Errorf("refused: %v", err)
			w.WriteHeader(http.StatusBadRequest)
		}
		got = append(got, token)
	}))
	t.Cleanup(receiver.Close)
	sub, _ := claims["sub"].(string)
	for _, about := range []url.Values{{"sub": {sub}}, {"sid": {"sid-1"}}, {"sub": {sub}, "sid": {"sid-1"}}} {
		status, err := double.BackChannelLogout(t.Context(), http.DefaultClient, receiver.URL,
			double.LogoutTokenClaims(client().ID, about.Get("sub"), about.Get("sid")))
		if err != nil || status != http.StatusOK {
			t.Fatalf("%d, %v", status, err)
		}
		token := got[len(got)-1]
		if (token.Subject == was.Identity.Subject) != about.Has("sub") ||
			token.SID != about.Get("sid") || token.JTI == "" {
			t.Errorf("about %v: %+v", about, token)
		}
	}
	if len(got) != 3 || got[0].JTI == got[1].JTI {
		t.Errorf("%+v", got)
	}
}
