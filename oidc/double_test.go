package oidc_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

const (
	callback = "http://127.0.0.1:4180/sso/callback/sim"
	back     = "http://127.0.0.1:4180/sso/signed-out"
	secret   = "client-secret-0123456789-0123456789-abc"
)

// client registers the relying party at a double.
func client() oidctest.Client {
	return oidctest.Client{
		ID: "2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91", Secrets: []string{secret},
		RedirectURIs: []string{callback, back}, PostLogoutURIs: []string{back}, RequirePKCE: true,
	}
}

func provider(t *testing.T, cfg oidc.Config) *oidc.Provider {
	t.Helper()
	cfg.Name, cfg.ClientID, cfg.RedirectURL = "sim", client().ID, callback
	if cfg.ClientSecret == "" && cfg.ClientSecrets == nil {
		cfg.ClientSecret = secret
	}
	p, err := oidc.New(cfg, oidc.Env{})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(p.Close)
	return p
}

func okta(t *testing.T, o oidctest.OktaOptions) *oidctest.Okta {
	t.Helper()
	double := oidctest.StartOkta(t, o)
	double.AddCast()
	double.AddClient(client())
	return double
}

func entra(t *testing.T, o oidctest.EntraOptions) *oidctest.Entra {
	t.Helper()
	double := oidctest.StartEntra(t, o)
	double.AddCast()
	double.AddClient(client())
	return double
}

// signIn walks a whole sign-in: there in the browser, back with what the provider gave it.
func signIn(
	t *testing.T, p *oidc.Provider, b *oidctest.Browser, who string, o oidc.BeginOptions,
) (*oidc.SignIn, error) {
	t.Helper()
	redirect, attempt, err := p.Begin(t.Context(), o)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	cb, err := b.SignIn(t.Context(), redirect, who)
	if err != nil {
		return nil, fmt.Errorf("at the provider: %w", err)
	}
	return p.Finish(t.Context(), attempt, cb.Params)
}

func signedIn(t *testing.T, p *oidc.Provider, b *oidctest.Browser, who string) *oidc.SignIn {
	t.Helper()
	s, err := signIn(t, p, b, who, oidc.BeginOptions{})
	if err != nil {
		t.Fatalf("%s: %v", who, err)
	}
	return s
}

func refused(t *testing.T, err error, code string) {
	t.Helper()
	var e *oidc.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got %v, want code %s", err, code)
	}
}

// One person has one subject, whichever authorization server of the org proved them, thin token or fat.
func TestCastAtOkta(t *testing.T) {
	t.Parallel()
	for _, fat := range []bool{false, true} {
		double := okta(t, oidctest.OktaOptions{FatIDTokens: fat, ReturnIssuer: fat, SID: fat})
		org := provider(t,
			oidc.Config{Type: oidc.TypeOkta, Issuer: double.OrgIssuer() + "/", Scopes: []string{"groups"}})
		custom := provider(t,
			oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer(), Scopes: []string{"groups"}})
		for _, person := range double.People() {
			a, b := signedIn(t, org, double.NewBrowser(), person.Email), signedIn(t, custom,
				double.NewBrowser(), person.Email)
			if a.Identity.Subject != b.Identity.Subject ||
				a.Identity.Subject != "okta:"+double.OrgIssuer()+"/"+person.ID {
				t.Errorf("%s is %q and %q", person.Email, a.Identity.Subject, b.Identity.Subject)
			}
			for _, s := range []*oidc.SignIn{a, b} {
				groups := slices.DeleteFunc(slices.Clone(s.Identity.Groups), func(g string) bool {
					return g == "Everyone"
				})
				slices.Sort(groups)
				if s.Identity.Email != person.Email || s.Identity.Name != person.Name ||
					!slices.Equal(groups, slices.Sorted(slices.Values(person.Groups))) ||
					!s.Identity.GroupsComplete {
					t.Errorf("%s (fat %v): %+v", person.Email, fat, s.Identity)
				}
				if s.IDToken == "" || s.RefreshToken == "" || s.AuthTime.IsZero() ||
					(s.Identity.SID != "") != fat {
					t.Errorf("%s (fat %v): %+v", person.Email, fat, s)
				}
			}
		}
	}
}

func TestOktaSaysNo(t *testing.T) {
	t.Parallel()
	double := okta(t, oidctest.OktaOptions{})
	p := provider(t, oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer(), Scopes: []string{"groups"}})
	double.AddPerson(oidctest.Person{Email: "un@acme.example", Unassigned: true})
	double.AddPerson(oidctest.Person{Email: "mfa@acme.example", MFARequired: true})
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("group-", i)
	}
	double.AddPerson(oidctest.Person{Email: "many@acme.example", Groups: many})
	double.AddPerson(oidctest.Person{Email: "unverified@acme.example", EmailUnverified: true})

	for who, code := range map[string]string{
		"un@acme.example": oidc.CodeSignInRefused, "mfa@acme.example": oidc.CodeSignInRefused,
	} {
		_, err := signIn(t, p, double.NewBrowser(), who, oidc.BeginOptions{})
		refused(t, err, code)
	}
	org := provider(t,
		oidc.Config{Type: oidc.TypeOkta, Issuer: double.OrgIssuer(), Scopes: []string{"groups"}})
	_, err := signIn(t, org, double.NewBrowser(), "many@acme.example", oidc.BeginOptions{})
	refused(t, err, oidc.CodeGroupsTooMany)
	if s := signedIn(t, p, double.NewBrowser(), "unverified@acme.example"); s.Identity.Email != "" ||
		s.Identity.UnprovenEmail != "unverified@acme.example" {
		t.Errorf("an unverified address counts: %+v", s.Identity)
	}

	redirect, attempt, err := p.Begin(t.Context(), oidc.BeginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cb, err := double.NewBrowser().Refuse(t.Context(), redirect)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Finish(t.Context(), attempt, cb.Params)
	refused(t, err, oidc.CodeSignInRefused)

	_, err = openSilently(t, p, double.NewBrowser())
	refused(t, err, oidc.CodeLoginRequired)
	wrong := provider(t,
		oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer(), Scopes: []string{"nonesuch"}})
	_, err = signIn(t, wrong, double.NewBrowser(), oidctest.Ada, oidc.BeginOptions{})
	refused(t, err, oidc.CodeProviderMisset)
}

func openSilently(t *testing.T, p *oidc.Provider, b *oidctest.Browser) (*oidc.SignIn, error) {
	t.Helper()
	redirect, attempt, err := p.Begin(t.Context(), oidc.BeginOptions{Prompt: "none"})
	if err != nil {
		t.Fatal(err)
	}
	cb, err := b.Open(t.Context(), redirect)
	if err != nil {
		t.Fatal(err)
	}
	return p.Finish(t.Context(), attempt, cb.Params)
}

func TestCastAtEntra(t *testing.T) {
	t.Parallel()
	double := entra(t, oidctest.EntraOptions{})
	host := strings.TrimPrefix(double.BaseURL(), "http://")
	one := provider(t,
		oidc.Config{Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA, Guests: "allow"})
	many := provider(t, oidc.Config{
		Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: "organizations",
		AllowedTenants: []string{oidctest.TenantA, oidctest.TenantB}, Guests: "allow",
		ResponseMode: "form_post",
	})
	for _, person := range double.People() {
		a := signedIn(t, one, double.NewBrowser(), person.Email)
		if want := "entra:" + host + "/" + oidctest.TenantA + "/" + person.ID; a.Identity.Subject != want {
			t.Errorf("%s is %q, want %q", person.Email, a.Identity.Subject, want)
		}
		var groups []string
		for _, g := range person.Groups {
			groups = append(groups, oidctest.GroupID(g))
		}
		if got := slices.Sorted(
			slices.Values(a.Identity.Groups),
		); !slices.Equal(got, slices.Sorted(slices.Values(groups))) || !a.Identity.GroupsComplete {
			t.Errorf("%s has the groups %q, want %q", person.Email, got, groups)
		}
		if a.LogoutHint == "" || a.Identity.SID == "" || a.RefreshToken == "" {
			t.Errorf("%s: %+v", person.Email, a)
		}
		if person.Guest {
			continue // signs in at home when any tenant will do
		}
		if b := signedIn(t, many, double.NewBrowser(),
			person.Email); b.Identity.Subject != a.Identity.Subject {
			t.Errorf("%s is %q and %q", person.Email, a.Identity.Subject, b.Identity.Subject)
		}
	}
	if n := double.Requests(oidctest.EndpointGraph) + double.Requests(oidctest.EndpointUserInfo); n != 0 {
		t.Errorf("Graph was asked %d times", n)
	}
}

// E1, E12: whoever writes a colleague's address into their own directory is not the
// colleague, nor is a guest.
func TestStrangersAtEntra(t *testing.T) {
	t.Parallel()
	double := entra(t, oidctest.EntraOptions{})
	attacker := oidctest.Attacker(oidctest.Ada)
	double.AddPerson(attacker)
	both := provider(t, oidc.Config{
		Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: "organizations",
		AllowedTenants: []string{oidctest.TenantA, oidctest.TenantB},
	})
	s := signedIn(t, both, double.NewBrowser(), attacker.Login)
	if s.Identity.Email != "" || s.Identity.UnprovenEmail != oidctest.Ada ||
		!strings.Contains(s.Identity.Subject, oidctest.TenantB) {
		t.Errorf("the attacker is %+v", s.Identity)
	}
	only := provider(t, oidc.Config{
		Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: "organizations",
		AllowedTenants: []string{oidctest.TenantA},
	})
	_, err := signIn(t, only, double.NewBrowser(), attacker.Login, oidc.BeginOptions{})
	refused(t, err, oidc.CodeTenantRefused)

	strict := provider(t,
		oidc.Config{Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA})
	_, err = signIn(t, strict, double.NewBrowser(), oidctest.Guest, oidc.BeginOptions{})
	refused(t, err, oidc.CodeGuestRefused)
	_, err = openSilently(t, strict, double.NewBrowser())
	refused(t, err, oidc.CodeLoginRequired)
}

func TestOverageAtEntra(t *testing.T) {
	t.Parallel()
	double := entra(t, oidctest.EntraOptions{})
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprint("group-", i)
	}
	double.AddPerson(oidctest.Person{Email: "many@acme.example", Groups: many})
	p := provider(t, oidc.Config{Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA})
	if id := signedIn(t, p, double.NewBrowser(), "many@acme.example").Identity; len(id.Groups) != 0 ||
		id.GroupsComplete || id.GroupsProblem == "" {
		t.Errorf("got %d groups, complete %v, problem %q",
			len(id.Groups), id.GroupsComplete, id.GroupsProblem)
	}
}

func TestKeysRotateAndFlap(t *testing.T) {
	t.Parallel()
	double := entra(t, oidctest.EntraOptions{})
	p := provider(t, oidc.Config{Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA})
	for range 3 {
		signedIn(t, p, double.NewBrowser(), oidctest.Ada)
		key, err := double.Keys().Rotate() // unannounced
		if err != nil {
			t.Fatal(err)
		}
		signedIn(t, p, double.NewBrowser(), oidctest.Ada)
		double.Keys().Flap(key.ID)
		signedIn(t, p, double.NewBrowser(), oidctest.Ada)
	}
}

// A callback that is repeated does not sign in twice.
func TestCallbackIsRepeated(t *testing.T) {
	t.Parallel()
	double := okta(t, oidctest.OktaOptions{})
	p := provider(t, oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer()})
	redirect, attempt, err := p.Begin(t.Context(), oidc.BeginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cb, err := double.SignIn(t.Context(), redirect, oidctest.Ada)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Finish(t.Context(), attempt, cb.Params); err != nil {
		t.Fatal(err)
	}
	_, err = p.Finish(t.Context(), attempt, cb.Params)
	refused(t, err, oidc.CodeSignInInvalid)

	// C8, C12: an attacker's code in a victim's attempt fails at the provider, by PKCE.
	_, victim, err := p.Begin(t.Context(), oidc.BeginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	theirs, _, err := p.Begin(t.Context(), oidc.BeginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cb, err = double.SignIn(t.Context(), theirs, oidctest.Mallory)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Finish(t.Context(), victim,
		url.Values{"state": {victim.State}, "code": {cb.Params.Get("code")}})
	refused(t, err, oidc.CodeSignInInvalid)
}

func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	e, o := entra(t, oidctest.EntraOptions{}), okta(t, oidctest.OktaOptions{})
	for name, test := range map[string]struct {
		cfg     oidc.Config
		double  *oidctest.Double
		methods string
	}{
		"entra": {
			oidc.Config{Type: oidc.TypeEntra, Cloud: e.BaseURL(), Tenant: oidctest.TenantA},
			e.Double, "client_secret_post",
		},
		"okta": {oidc.Config{Type: oidc.TypeOkta, Issuer: o.Issuer()}, o.Double, "client_secret_basic"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.cfg.ClientSecrets = []string{"not-known-yet-0123456789-0123456789", secret}
			signedIn(t, provider(t, test.cfg), test.double.NewBrowser(), oidctest.Ada)
			requests := test.double.TokenRequests()
			if len(requests) != 2 || requests[0].Status != 401 || requests[1].Status != 200 ||
				requests[1].ClientAuth != test.methods {
				t.Errorf("token requests %+v", requests)
			}
			test.cfg.ClientSecrets = []string{"wrong-0123456789-0123456789-0123456"}
			_, err := signIn(t, provider(t, test.cfg), test.double.NewBrowser(), oidctest.Ada,
				oidc.BeginOptions{})
			refused(t, err, oidc.CodeProviderMisset)
		})
	}
}

func TestOverTLS(t *testing.T) {
	t.Parallel()
	e, o := entra(t, oidctest.EntraOptions{TLS: true}), okta(t, oidctest.OktaOptions{TLS: true})
	for name, test := range map[string]struct {
		cfg    oidc.Config
		double *oidctest.Double
	}{
		"entra": {oidc.Config{Type: oidc.TypeEntra, Cloud: e.BaseURL(), Tenant: oidctest.TenantA}, e.Double},
		"okta":  {oidc.Config{Type: oidc.TypeOkta, Issuer: o.Issuer()}, o.Double},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := provider(t, test.cfg).Begin(t.Context(), oidc.BeginOptions{})
			refused(t, err, oidc.CodeProviderUnavailable)
			test.cfg.CAFile = filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(test.cfg.CAFile, test.double.CAPEM(), 0o600); err != nil {
				t.Fatal(err)
			}
			signedIn(t, provider(t, test.cfg), test.double.NewBrowser(), oidctest.Ada)
		})
	}
}

func TestSignOutAtTheProvider(t *testing.T) {
	t.Parallel()
	e, o := entra(t, oidctest.EntraOptions{}), okta(t, oidctest.OktaOptions{})
	for name, test := range map[string]struct {
		cfg    oidc.Config
		double *oidctest.Double
	}{
		"entra": {oidc.Config{Type: oidc.TypeEntra, Cloud: e.BaseURL(), Tenant: oidctest.TenantA}, e.Double},
		"okta":  {oidc.Config{Type: oidc.TypeOkta, Issuer: o.Issuer()}, o.Double},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, b := provider(t, test.cfg), test.double.NewBrowser()
			s := signedIn(t, p, b, oidctest.Ada)
			if _, err := openSilently(t, p, b); err != nil {
				t.Errorf("the provider's session does not sign in silently: %v", err)
			}
			u, ok := p.EndSession(t.Context(), s.IDToken, s.LogoutHint, back)
			if !ok {
				t.Fatal("there is nowhere to sign out")
			}
			cb, err := b.Open(t.Context(), u)
			if err != nil || !strings.HasPrefix(cb.URL, back) {
				t.Fatalf("signing out ends at %+v, %v", cb, err)
			}
			_, err = openSilently(t, p, b)
			refused(t, err, oidc.CodeLoginRequired)
		})
	}
}
