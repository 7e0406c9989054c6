package oidc_test

import (
	"fmt"
	"slices"
	"testing"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

// A change at the provider is in the next refresh, without a new sign-in, and the token to keep follows the
// provider's way: the same one from a static client of Okta, another from a rotating one and from Entra.
func TestRefreshFollowsTheDirectory(t *testing.T) {
	t.Parallel()
	for _, rotate := range []bool{false, true} {
		t.Run(fmt.Sprint("okta, rotating ", rotate), func(t *testing.T) {
			t.Parallel()
			double := okta(t, oidctest.OktaOptions{SID: true})
			must(t, double.ChangeClient(client().ID, func(c *oidctest.Client) { c.RotateRefresh = rotate }))
			p := provider(t,
				oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer(), Scopes: []string{"groups"}})
			was := signedIn(t, p, double.NewBrowser(), oidctest.Grace)
			must(t, double.SetGroups(oidctest.Grace, oidctest.GroupUsers))
			is, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(is.Identity.Groups, oidctest.GroupAdmins) ||
				!slices.Contains(is.Identity.Groups, oidctest.GroupUsers) || !is.Identity.GroupsComplete {
				t.Errorf("the groups are %q", is.Identity.Groups)
			}
			if is.Identity.Subject != was.Identity.Subject || is.Identity.SID != was.Identity.SID ||
				is.Identity.Email != oidctest.Grace || is.AuthTime != was.AuthTime {
				t.Errorf("%+v became %+v", was.Identity, is.Identity)
			}
			if is.RefreshToken == "" || (is.RefreshToken != was.RefreshToken) != rotate {
				t.Errorf("rotating is %v, and the token changed: %v",
					rotate, is.RefreshToken != was.RefreshToken)
			}
		})
	}
	t.Run("entra", func(t *testing.T) {
		t.Parallel()
		double := entra(t, oidctest.EntraOptions{})
		p := provider(t, oidc.Config{Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA})
		was := signedIn(t, p, double.NewBrowser(), oidctest.Grace)
		must(t, double.SetGroups(oidctest.Grace, oidctest.GroupUsers))
		is, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(is.Identity.Groups, []string{oidctest.GroupID(oidctest.GroupUsers)}) ||
			is.Identity.Subject != was.Identity.Subject {
			t.Errorf("%+v became %+v", was.Identity, is.Identity)
		}
		if is.RefreshToken == "" || is.RefreshToken == was.RefreshToken || is.IDToken == "" ||
			is.LogoutHint == "" {
			t.Errorf("%+v", is)
		}
	})
}

// What fails after a rotating token was used must not lose the token that took its place.
func TestRefreshKeepsTheTokenOfAHalfDoneRefresh(t *testing.T) {
	t.Parallel()
	double := okta(t, oidctest.OktaOptions{})
	must(t, double.ChangeClient(client().ID, func(c *oidctest.Client) { c.RotateRefresh = true }))
	p := provider(t, oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer(), Scopes: []string{"groups"}})
	was := signedIn(t, p, double.NewBrowser(), oidctest.Grace)
	double.Break(oidctest.EndpointUserInfo, oidctest.Status(503))
	half, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	if err == nil || half == nil || half.RefreshToken == "" || half.RefreshToken == was.RefreshToken ||
		half.Identity.Subject != "" {
		t.Fatalf("%+v, %v", half, err)
	}
	double.Mend(oidctest.EndpointUserInfo)
	if is, err := p.Refresh(t.Context(), half.RefreshToken, was.Identity); err != nil ||
		is.Identity.Subject != was.Identity.Subject {
		t.Errorf("with the token that was kept: %+v, %v", is, err)
	}
}

// The doubles' refusals, each as what it means for somebody who is signed in.
func TestRefreshRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		do   func(d *oidctest.Double) error
		want string
	}{
		{"disabled", func(d *oidctest.Double) error { return d.Disable(oidctest.Ada) }, "final"},
		{"deleted", func(d *oidctest.Double) error {
			return d.RemovePerson(oidctest.Ada)
		}, "final"},
		{"revoked", func(d *oidctest.Double) error {
			return d.RevokeTokens(oidctest.Ada)
		}, oidc.CodeGrantOver},
		{"unassigned", func(d *oidctest.Double) error {
			return d.ChangePerson(oidctest.Ada, func(p *oidctest.Person) { p.Unassigned = true })
		}, oidc.CodeAccessEnded},
		{"more proof wanted", func(d *oidctest.Double) error {
			return d.ChangePerson(oidctest.Ada, func(p *oidctest.Person) { p.MFARequired = true })
		}, oidc.CodeLoginRequired},
		{"wrong secret", func(d *oidctest.Double) error {
			return d.ChangeClient(client().ID, func(c *oidctest.Client) {
				c.Secrets = []string{"another-secret-0123456789-0123456789"}
			})
		}, oidc.CodeProviderMisset},
		{"down", func(d *oidctest.Double) error {
			d.Break(oidctest.EndpointToken, oidctest.Down())
			return nil
		}, oidc.CodeProviderUnavailable},
		{"throttled", func(d *oidctest.Double) error {
			d.Break(oidctest.EndpointToken, oidctest.TooManyRequests(7))
			return nil
		}, oidc.CodeProviderUnavailable},
	} {
		t.Run("okta/"+test.name, func(t *testing.T) {
			t.Parallel()
			double := okta(t, oidctest.OktaOptions{})
			refuseAfter(t, double.Double, provider(t,
				oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer(), Scopes: []string{"groups"}}),
				test.do, test.want)
		})
		t.Run("entra/"+test.name, func(t *testing.T) {
			t.Parallel()
			double := entra(t, oidctest.EntraOptions{})
			refuseAfter(t, double.Double, provider(t,
				oidc.Config{Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA}),
				test.do, test.want)
		})
	}
}

func refuseAfter(
	t *testing.T, double *oidctest.Double, p *oidc.Provider, do func(*oidctest.Double) error, want string,
) {
	t.Helper()
	was := signedIn(t, p, double.NewBrowser(), oidctest.Ada)
	must(t, do(double))
	_, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	if want == "final" { // Okta says of a dead refresh token no more than that
		want = oidc.CodeAccessEnded
		if p.Type() == oidc.TypeOkta {
			want = oidc.CodeGrantOver
		}
	}
	refused(t, err, want)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
