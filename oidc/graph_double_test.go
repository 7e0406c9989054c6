package oidc_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

const crowded = "crowded@acme.example"

// crowdedEntra is Entra with somebody in more groups than a token holds, and the
// application allowed to read them.
func crowdedEntra(t *testing.T, groups int, change func(*oidctest.Client)) *oidctest.Entra {
	t.Helper()
	double := entra(t, oidctest.EntraOptions{})
	c := client()
	c.GrantTypes = []string{oidctest.GrantCode, oidctest.GrantRefresh, oidctest.GrantClientCredentials}
	c.GraphPermissions = []string{"User.Read.All", "GroupMember.Read.All"}
	if change != nil {
		change(&c)
	}
	double.AddClient(c)
	many := make([]string, groups)
	for i := range many {
		many[i] = fmt.Sprint("group ", i)
	}
	double.AddPerson(oidctest.Person{Email: crowded, Groups: many})
	return double
}

func hasGroups(t *testing.T, id oidc.Identity, n int) {
	t.Helper()
	if !id.GroupsComplete || id.GroupsProblem != "" || len(id.Groups) != n ||
		n > 0 && !slices.Contains(id.Groups, oidctest.GroupID(fmt.Sprint("group ", n-1))) {
		t.Errorf("%d groups, complete %v, %s", len(id.Groups), id.GroupsComplete, id.GroupsProblem)
	}
}

// What a token points away for is read from Graph, at sign-in and at each refresh; the
// application's token serves them all.
func TestGraphCompletesGroups(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]oidc.Config{
		"one tenant": {Tenant: oidctest.TenantA},
		"many":       {Tenant: "organizations", AllowedTenants: []string{oidctest.TenantA, oidctest.TenantB}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			double := crowdedEntra(t, 250, nil)
			cfg.Type, cfg.Cloud = oidc.TypeEntra, double.BaseURL()
			p := provider(t, cfg)
			was := signedIn(t, p, double.NewBrowser(), crowded)
			hasGroups(t, was.Identity, 250)
			must(t, double.SetGroups(crowded, many("group ", 249)...))
			is, err := p.Refresh(t.Context(), was.RefreshToken, was.Identity)
			must(t, err)
			hasGroups(t, is.Identity, 249)
			if n := grants(double.TokenRequests(), oidctest.GrantClientCredentials); n != 1 {
				t.Errorf("the application asked %d times for a token of its own", n)
			}
		})
	}
}

func many(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(prefix, i)
	}
	return all
}

func grants(requests []oidctest.TokenRequest, grantType string) int {
	n := 0
	for _, r := range requests {
		if r.GrantType == grantType {
			n++
		}
	}
	return n
}

// More than one answer of Graph holds are read page by page.
func TestGraphPages(t *testing.T) {
	t.Parallel()
	double := crowdedEntra(t, 11_500, nil)
	p := provider(t, oidc.Config{Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA})
	hasGroups(t, signedIn(t, p, double.NewBrowser(), crowded).Identity, 11_500)
	if n := double.Requests(oidctest.EndpointGraph); n != 1+12 {
		t.Errorf("Graph was asked %d times", n)
	}
}

// E13, and 14 of the facts: whatever goes wrong on the way to the groups, the list is incomplete and says
// why; nobody is taken to be in no group at all.
func TestGraphFailsClosed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		client func(*oidctest.Client)
		fault  func(*oidctest.Entra) oidctest.Fault
		say    string
	}{
		"no permission": {client: func(c *oidctest.Client) {
			c.GraphPermissions = []string{"User.Read"}
		}, say: "may not read the groups"},
		"grant disabled": {client: func(c *oidctest.Client) {
			c.GrantTypes = []string{oidctest.GrantCode, oidctest.GrantRefresh}
		}, say: "no access to Microsoft Graph"},
		"401": {fault: func(*oidctest.Entra) oidctest.Fault {
			return oidctest.Status(http.StatusUnauthorized)
		}, say: "does not accept the application"},
		"403": {fault: (*oidctest.Entra).GraphForbidden, say: "may not read the groups"},
		"404": {fault: func(*oidctest.Entra) oidctest.Fault {
			return oidctest.Status(http.StatusNotFound)
		}, say: "does not know the person"},
		"429": {fault: func(e *oidctest.Entra) oidctest.Fault {
			return e.GraphThrottled(3600)
		}, say: "too busy"},
		"500": {fault: func(*oidctest.Entra) oidctest.Fault {
			return oidctest.Status(http.StatusInternalServerError)
		}, say: "could not list"},
		"down": {fault: func(*oidctest.Entra) oidctest.Fault {
			return oidctest.Down()
		}, say: "cannot be reached"},
		"nonsense": {fault: func(*oidctest.Entra) oidctest.Fault {
			return oidctest.MalformedJSON()
		}, say: "cannot be read"},
		"huge": {fault: func(*oidctest.Entra) oidctest.Fault {
			return oidctest.HugeBody(64 << 20)
		}, say: "Microsoft Graph"},
		"redirect": {fault: func(*oidctest.Entra) oidctest.Fault {
			return func(http.Handler) http.Handler {
				return http.RedirectHandler("https://evil.example/", http.StatusFound)
			}
		}, say: "could not list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			double := crowdedEntra(t, 201, test.client)
			p := provider(t,
				oidc.Config{Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA})
			if test.fault != nil {
				double.Break(oidctest.EndpointGraph, test.fault(double))
			}
			id := signedIn(t, p, double.NewBrowser(), crowded).Identity
			if id.GroupsComplete || len(id.Groups) != 0 || !strings.Contains(id.GroupsProblem, test.say) {
				t.Errorf("%d groups, complete %v: %q", len(id.Groups), id.GroupsComplete, id.GroupsProblem)
			}
			if test.fault != nil {
				double.Mend(oidctest.EndpointGraph)
			}
			if name == "401" {
				hasGroups(t, signedIn(t, p, double.NewBrowser(), crowded).Identity, 201)
			}
		})
	}
}

// A token of the application's own that Graph refuses is replaced once.
func TestGraphTokenIsReplaced(t *testing.T) {
	t.Parallel()
	double := crowdedEntra(t, 201, nil)
	p := provider(t, oidc.Config{Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA})
	signedIn(t, p, double.NewBrowser(), crowded)
	double.Break(oidctest.EndpointGraph, oidctest.Times(1, oidctest.Status(http.StatusUnauthorized)))
	hasGroups(t, signedIn(t, p, double.NewBrowser(), crowded).Identity, 201)
	if n := grants(double.TokenRequests(), oidctest.GrantClientCredentials); n != 2 {
		t.Errorf("the application asked %d times for a token of its own", n)
	}
}

// A public client has nothing to ask Graph with.
func TestGraphWithoutCredential(t *testing.T) {
	t.Parallel()
	double := crowdedEntra(t, 201, func(c *oidctest.Client) { c.Secrets = nil })
	p := keyProvider(t, oidc.Config{Type: oidc.TypeEntra, Cloud: double.BaseURL(), Tenant: oidctest.TenantA})
	id := signedIn(t, p, double.NewBrowser(), crowded).Identity
	if id.GroupsComplete || !strings.Contains(id.GroupsProblem, "no access to Microsoft Graph") {
		t.Errorf("complete %v: %q", id.GroupsComplete, id.GroupsProblem)
	}
}
