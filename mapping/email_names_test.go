package mapping_test

import (
	"slices"
	"testing"

	"vexa-sso/oidc"
)

// A provider that names somebody by an address means whose proven email it is: not who merely claims it, nor
// who had it before somebody else, nor whom another provider knows by it. Where it is nobody's, it may still
// mean who had it last: a change at the provider is heard of later.
func TestAddressNamesWhoseItIsProven(t *testing.T) { // S17
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	ada, bob, eve := person("ada"), person("bob"), person("eve")
	w.signIn(a, ada)
	w.signIn(a, bob)
	w.signIn(a, eve)
	named := func(provider, email string, want ...oidc.Identity) {
		t.Helper()
		found, err := a.AccountsByEmail(t.Context(), provider, email)
		var subjects, wanted []string
		for _, acc := range found {
			subjects = append(subjects, acc.Subject)
		}
		for _, id := range want {
			wanted = append(wanted, id.Subject)
		}
		if err != nil || !slices.Equal(subjects, wanted) {
			t.Errorf("%s names %q at %s, want %q; %v", email, subjects, provider, wanted, err)
		}
	}
	named("okta", "Ada@ACME.example", ada)
	named("entra", "ada@acme.example")
	named("okta", "not an address")

	eve.Email, eve.EmailTrusted, eve.UnprovenEmail = "", false, "ada@acme.example"
	if _, _, err := a.SignIn(t.Context(), eve, ""); err != nil { // who claims to be Ada, and is refused
		t.Fatal(err)
	}
	named("okta", "ada@acme.example", ada)
	named("okta", "eve@acme.example", eve)

	ada.Email = "ada.lovelace@acme.example" // and her old address goes to Bob
	w.signIn(a, ada)
	named("okta", "ada@acme.example", ada)
	bob.Email = "ada@acme.example"
	w.signIn(a, bob)
	named("okta", "ada@acme.example", bob)
	named("okta", "ada.lovelace@acme.example", ada)
	named("okta", "bob@acme.example", bob)

	ada.Email, ada.EmailTrusted, ada.UnprovenEmail = "", false, "ada.lovelace@acme.example"
	// the provider does not vouch for it any more
	if _, _, err := a.SignIn(t.Context(), ada, ""); err != nil {
		t.Fatal(err)
	}
	named("okta", "ada.lovelace@acme.example")
}
