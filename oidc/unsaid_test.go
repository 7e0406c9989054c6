package oidc_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

// S18: what a refresh does not repeat is not known, rather than not so; what it says is news.
func TestThinRefreshIsNoNews(t *testing.T) {
	t.Parallel()
	double := okta(t, oidctest.OktaOptions{})
	must(t, double.ChangeClient(client().ID, func(c *oidctest.Client) { c.LeanRefresh = true }))
	p := provider(t, oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer(), Scopes: []string{"groups"}})
	was := signedIn(t, p, double.NewBrowser(), oidctest.Grace)
	if !was.Identity.GroupsComplete || len(was.Identity.Groups) == 0 || was.Identity.Thin() {
		t.Fatalf("%+v", was.Identity)
	}
	is, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	must(t, err)
	if is.Identity.GroupsComplete || !slices.Equal(is.Identity.Unsaid, []string{oidc.SaidGroups}) {
		t.Fatalf("%+v", is.Identity)
	}

	at := time.Unix(1_790_000_000, 0)
	kept := is.Identity.KeepFrom(was.Identity, at)
	if !kept.GroupsComplete || !slices.Equal(kept.Groups, was.Identity.Groups) ||
		!kept.Kept[oidc.SaidGroups].Equal(at) || len(kept.Unsaid) != 0 {
		t.Errorf("kept %+v", kept)
	}
	// Once more, and it is still of its own time.
	again, err := p.Refresh(t.Context(), was.RefreshToken, kept)
	must(t, err)
	if more := again.Identity.KeepFrom(kept, at.Add(time.Hour)); !more.Kept[oidc.SaidGroups].Equal(at) {
		t.Errorf("kept since %s", more.Kept[oidc.SaidGroups])
	}
	// What was kept for too long is unknown, and stays so until somebody tells.
	forgot := kept.Forget(at.Add(time.Second))
	if forgot.GroupsComplete || len(forgot.Groups) != 0 || !slices.Contains(forgot.Unsaid, oidc.SaidGroups) {
		t.Errorf("forgot %+v", forgot)
	}
	again, err = p.Refresh(t.Context(), was.RefreshToken, forgot)
	must(t, err)
	if id := again.Identity.KeepFrom(forgot, at); id.GroupsComplete ||
		!slices.Contains(id.Unsaid, oidc.SaidGroups) {
		t.Errorf("known again: %+v", id)
	}
	must(t, double.ChangeClient(client().ID, func(c *oidctest.Client) { c.LeanRefresh = false }))
	again, err = p.Refresh(t.Context(), was.RefreshToken, forgot)
	must(t, err)
	if id := again.Identity; !id.GroupsComplete || id.Thin() {
		t.Errorf("not known again: %+v", id)
	}
}

// S18: where the source that told something is asked again and does not repeat it, that is news: userinfo,
// and Entra's ID tokens.
func TestWholeRefreshIsNews(t *testing.T) {
	t.Parallel()
	double := okta(t, oidctest.OktaOptions{})
	p := provider(t, oidc.Config{Type: oidc.TypeOkta, Issuer: double.Issuer(), Scopes: []string{"groups"}})
	was := signedIn(t, p, double.NewBrowser(), oidctest.Grace)
	must(t, double.ChangePerson(oidctest.Grace, func(p *oidctest.Person) {
		p.Claims = map[string]any{"groups": nil}
	}))
	is, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
	must(t, err)
	if id := is.Identity; !id.GroupsComplete || len(id.Groups) != 0 || id.Thin() {
		t.Errorf("okta: %+v", id)
	}

	tenant := entra(t, oidctest.EntraOptions{})
	q := provider(t, oidc.Config{
		Type: oidc.TypeEntra, Cloud: tenant.BaseURL(), Tenant: oidctest.TenantA, GroupsClaim: "groups",
	})
	must(t, tenant.ChangePerson(oidctest.Ada, func(p *oidctest.Person) { p.Roles = []string{"Operator"} }))
	was = signedIn(t, q, tenant.NewBrowser(), oidctest.Ada)
	must(t, tenant.ChangePerson(oidctest.Ada, func(p *oidctest.Person) { p.Roles, p.Groups = nil, nil }))
	is, err = q.Refresh(t.Context(), was.RefreshToken, was.Identity)
	must(t, err)
	if id := is.Identity; len(was.Identity.Roles) != 1 || len(id.Roles) != 0 || !id.GroupsComplete ||
		len(id.Groups) != 0 || id.Thin() {
		t.Errorf("entra: %+v", id)
	}
}

// Okta cuts the claim of an expression off at 100 groups, or at the expression's own cap, and says nothing: a
// list of so many is not complete.
func TestOktaCutsGroupsOff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		has, cap, limit int
		complete        bool
	}{
		{99, 100, 0, true},
		{100, 100, 0, false},
		{150, 100, 0, false},
		{49, 50, 50, true},
		{50, 50, 50, false},
		{70, 50, 50, false},
		{100, 0, 50, false},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			t.Parallel()
			double := okta(t, oidctest.OktaOptions{GroupsCap: test.cap})
			var groups []string
			for i := range test.has {
				groups = append(groups, fmt.Sprint("group-", i))
			}
			must(t, double.SetGroups(oidctest.Ada, groups...))
			p := provider(t, oidc.Config{
				Type: oidc.TypeOkta, Issuer: double.Issuer(), Scopes: []string{"groups"},
				GroupsLimit: test.limit,
			})
			id := signedIn(t, p, double.NewBrowser(), oidctest.Ada).Identity
			if id.GroupsComplete != test.complete || (id.GroupsProblem == "") != test.complete {
				t.Errorf("complete %v (%s)", id.GroupsComplete, id.GroupsProblem)
			}
		})
	}
}
