package proxy_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// entraWorld is a world with a page for who has just signed in, and Entra ID, whose ID tokens have these
// optional claims.
func entraWorld(t *testing.T, reauthentication string, claims ...string) (*proxytest.World, *oidctest.Entra) {
	t.Helper()
	var w *proxytest.World
	now := func() time.Time { return w.Clock.Now() } // nobody asks before there is a world
	entra := oidctest.StartEntra(t, oidctest.EntraOptions{Now: now})
	entra.AddCast()
	w = proxytest.Start(t, withGuardedPages, func(o *proxytest.Options) {
		o.More = []oidc.Config{{
			Name: "entra", Type: oidc.TypeEntra, Cloud: entra.BaseURL(), Tenant: oidctest.TenantA,
			ClientID: "6f0e", ClientSecret: "entra-secret", TrustedDomains: []string{"acme.example"},
			Reauthentication: reauthentication,
		}}
		o.Rules[0].Match.Groups = append(o.Rules[0].Match.Groups, oidctest.GroupID(oidctest.GroupUsers))
	})
	entra.AddClient(oidctest.Client{
		ID: "6f0e", Secrets: []string{"entra-secret"}, OptionalClaims: claims,
		RedirectURIs: []string{w.Public + "/sso/callback/entra"},
	})
	return w, entra
}

// At Entra ID, too, only what the ID token says of the time counts: whoever takes prompt=login off the way to
// the provider has proven nothing, and where Entra does not say, nobody has. The admin reads which claim.
func TestFreshSignInAtEntra(t *testing.T) { // S7
	t.Parallel()
	const path = "/sso/login?provider=entra&fresh=1&return_to=%2Fsso%2Ftest%2Ffresh"
	with, without := []string{"email", "auth_time"}, []string{"email"}
	for name, c := range map[string]struct {
		reauthentication string
		claims           []string
		strip            bool
		code             string
	}{
		"it says so, asked":         {"", with, false, ""},
		"it says so, not asked":     {"", with, true, "login_required"},
		"it says nothing, asked":    {"", without, false, "login_required"},
		"it says nothing, not":      {"auth_time", without, true, "login_required"},
		"the prompt has to do":      {"prompt", without, false, ""},
		"it says so, not the asked": {"prompt", with, true, "login_required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, entra := entraWorld(t, c.reauthentication, c.claims...)
			b, provider := w.Browser(), entra.NewBrowser()
			login := b.Get("/sso/login?provider=entra").Header.Get("Location")
			if _, err := provider.SignIn(t.Context(), login, oidctest.Ada); err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(10 * time.Minute)
			asked, err := url.Parse(b.Get(path).Header.Get("Location"))
			proxytest.Must(t, err)
			var callback *oidctest.Callback
			if q := asked.Query(); c.strip {
				q.Del("prompt")
				asked.RawQuery = q.Encode()
				callback, err = provider.Open(t.Context(), asked.String())
			} else {
				callback, err = provider.SignIn(t.Context(), asked.String(), oidctest.Ada)
			}
			proxytest.Must(t, err)
			res := b.Get(strings.TrimPrefix(callback.URL, w.Public))
			if c.code != "" {
				if res.Code() != c.code || b.Cookie() != "" {
					t.Errorf("%d %s, cookie %q", res.Status, res.Body, b.Cookie())
				}
				if strings.Contains(res.Body, "optional claim") || len(c.claims) == 1 &&
					!strings.Contains(w.Logs.String(), "Add optional claim") {
					t.Error("the remedy is for the log, and not in the answer")
				}
				return
			}
			if got := b.Get(res.Header.Get("Location")); got.Status != 200 {
				t.Errorf("back at %q: %d %s", res.Header.Get("Location"), got.Status, got.Body)
			}
		})
	}
}
