package proxytest

import (
	"net/http"
	"strings"
	"time"

	"vexa-sso/oidc/oidctest"
)

// SignInAt signs somebody in at a provider other than Okta.
func (b *Browser) SignInAt(provider interface {
	NewBrowser() *oidctest.Browser
}, name, who string,
) {
	b.W.T.Helper()
	b.SignInFrom(provider.NewBrowser(), name, who)
}

// SignInFrom signs somebody in with a browser that keeps its session at the provider.
func (b *Browser) SignInFrom(there *oidctest.Browser, name, who string) {
	b.W.T.Helper()
	start := b.Get("/sso/login?provider=" + name)
	back, err := there.SignIn(b.W.T.Context(), start.Header.Get("Location"), who)
	Must(b.W.T, err)
	if res := b.Get(strings.TrimPrefix(back.URL, b.W.Public)); res.Status != http.StatusSeeOther ||
		b.Cookie() == "" {
		b.W.T.Fatalf("signing %s in at %s: %d %s", who, name, res.Status, res.Body)
	}
}

// Sid returns the sid of the only session of an account.
func (w *World) Sid(provider string) string {
	w.T.Helper()
	sessions, err := w.Store.Sessions(w.T.Context())
	Must(w.T, err)
	for _, s := range sessions {
		if s.Provider == provider && s.SID != "" {
			return s.SID
		}
	}
	w.T.Fatalf("no session of %s has a sid", provider)
	return ""
}

func (b *Browser) SignedIn() bool { return b.Get("/sso/whoami").Status == http.StatusOK }

// LogoutClaims returns the claims of a valid logout token for Ada's session.
func (w *World) LogoutClaims(jti string) oidctest.Claims {
	now := w.Clock.Now()
	return oidctest.Claims{
		"iss": w.Okta.Issuer(), "aud": "0oa1bridge", "iat": now.Unix(),
		"exp": now.Add(2 * time.Minute).Unix(), "jti": jti,
		"events": map[string]any{LogoutEvent: map[string]any{}},
	}
}

func (w *World) BackChannel(claims oidctest.Claims, options ...oidctest.SignOption) Answer {
	w.T.Helper()
	token := w.Okta.Sign(claims,
		append([]oidctest.SignOption{oidctest.Header("typ", "logout+jwt")}, options...)...)
	return w.Browser().Send("POST", "/sso/logout/backchannel/okta", "logout_token="+token,
		"Content-Type", "application/x-www-form-urlencoded")
}

// Refreshes returns the statuses of Okta's responses to refresh tokens.
func (w *World) Refreshes() (statuses []int) {
	for _, r := range w.Okta.TokenRequests() {
		if r.GrantType == oidctest.GrantRefresh {
			statuses = append(statuses, r.Status)
		}
	}
	return statuses
}

// Rotating makes Okta's refresh tokens single-use, with no leeway: using one twice revokes all that came of
// its sign-in.
func (w *World) Rotating() {
	Must(w.T,
		w.Okta.ChangeClient("0oa1bridge", func(c *oidctest.Client) { c.RotateRefresh, c.Leeway = true, 0 }))
}

const LogoutEvent = "http://schemas.openid.net/event/backchannel-logout"
