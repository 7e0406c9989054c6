package bridge_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
)

// takeoverRules are as careless as an admin could write them: whoever has an address of ours.
const takeoverRules = `
- name: everybody
  match: { domains: [acme.example] }
  grant: { scopes: [bot, tx] }
`

// organizations makes the application one for several tenants.
func organizations(allowed ...string) func(*world) {
	const tenant, trusted = "tenant: " + oidctest.TenantA,
		"client_secret: '{entra-secret}'\n    trusted_domains: [acme.example]"
	return func(w *world) {
		w.document = strings.Replace(w.document, tenant,
			"tenant: organizations\n    allowed_tenants: ["+strings.Join(allowed, ", ")+"]", 1)
		if len(allowed) > 1 { // or it would not start
			w.document = strings.Replace(w.document, trusted, "client_secret: '{entra-secret}'", 1)
		}
	}
}

// E1, E6, E11, S3: who comes under another's address, by each of the known ways, before both generations of
// Vexa. Whoever it is gets nothing of theirs: neither their Vexa user, nor a key of it, whether they were
// here before or only at Vexa.
func TestTakeover(t *testing.T) {
	t.Parallel()
	ways := []struct {
		name     string
		document func(*world)
		attack   func(*world, *replica) *browser // signs the attacker in, as far as they come
		codes    []string                        // one of which they are refused with
	}{
		{
			"E1: nOAuth from a tenant that is not ours", organizations(oidctest.TenantA),
			func(w *world, r *replica) *browser {
				w.entra.AddPerson(oidctest.Attacker(ada))
				b := r.browser()
				b.signIn("entra", "mallory@evil.example")
				return b
			},
			[]string{"unauthenticated"},
		},
		{"E1: nOAuth from a tenant that is allowed", organizations(
			oidctest.TenantA, oidctest.TenantB,
		), func(w *world, r *replica) *browser {
			w.entra.AddPerson(oidctest.Attacker(ada))
			b := r.browser()
			b.signIn("entra", "mallory@evil.example")
			return b
		}, []string{"unauthenticated", "email_unproven", "not_mapped"}},
		{"E11: the address of somebody who left", func(*world) {}, func(w *world, r *replica) *browser {
			must(w.t, w.okta.RemovePerson(ada))
			w.okta.AddPerson(oidctest.Person{
				Email: ada, Name: "Another Ada", Groups: []string{oidctest.GroupUsers},
			})
			b := r.browser()
			b.signIn("okta", ada)
			return b
		}, []string{"pending_approval"}},
		{"E6: the address in another spelling", func(*world) {}, func(w *world, r *replica) *browser {
			w.okta.AddPerson(oidctest.Person{
				Email: "ADA@Acme.Example", Login: "other.ada@acme.example", Name: "Other Ada",
				Groups: []string{oidctest.GroupUsers},
			})
			b := r.browser()
			b.signIn("okta", "other.ada@acme.example")
			return b
		}, []string{"pending_approval"}},
	}
	for _, g := range []string{vexatest.Generation012, vexatest.Generation010} {
		for _, way := range ways {
			t.Run(g+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, generation(g), way.document)
				w.write("rules.yaml", takeoverRules)
				must(t, w.entra.ChangeClient(
					"2d9e6a40-1b7c-4f83-a5d2-3c0f8e7b6a91", func(c *oidctest.Client) { c.Tenant = "" },
				))
				r := w.serve()
				victim := r.signIn("okta", ada)
				good(t, "the victim", victim)
				user, found := w.vexa.User(ada)
				if !found {
					t.Fatal("the victim has no user")
				}
				keys := w.keys()

				attacker := way.attack(w, r)
				for _, path := range []string{"/meetings", "/auth/me", "/bots"} {
					res := attacker.get(path)
					if (res.status != http.StatusUnauthorized && res.status != http.StatusForbidden) ||
						!slices.Contains(way.codes, res.code()) {
						t.Errorf("%s as the attacker: %v", path, res)
					}
				}
				if users := w.vexa.Users(); len(users) != 1 || users[0].ID != user.ID {
					t.Errorf("users at Vexa: %+v", users)
				}
				if now := w.keys(); !slices.Equal(now, keys) {
					t.Errorf("keys at Vexa were %q, are %q", keys, now)
				}
			})
		}
	}
}
