package mapping_test

import (
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/mapping/vexa/vexatest"
)

// People of an internationalised mail domain are served by both generations, of which 0.10 answers the domain
// in Unicode: bound, given a key and looked up again; and a Vexa that was 0.10 when their user was made has
// that user and no second one.
func TestInternationalisedDomain(t *testing.T) { // S3
	t.Parallel()
	const ascii, readable = "ada@xn--mnchen-3ya.example", "ada@münchen.example"
	ada := person("ada")
	ada.Email = ascii
	for _, generation := range generations {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vexatest.Generation(generation))
			a := w.replica()
			acc := w.signIn(a, ada)
			if acc.Status != mapping.Active || !acc.Bound() {
				t.Fatalf("%+v", acc)
			}
			w.mustKey(a, acc)
			for _, named := range []string{ascii, readable} {
				if found, err := a.Find(t.Context(), named); err != nil || found.ID != acc.ID {
					t.Errorf("looking for %s: %+v, %v", named, found, err)
				}
			}
			p, _, err := a.Pin(t.Context(), acc.Subject, readable, "cli:admin")
			if err != nil || p.VexaUserID != acc.VexaUserID || p.VexaEmail != ascii {
				t.Errorf("pinned by %s: %+v, %v", readable, p, err)
			}
			if acc, err = a.Account(t.Context(), acc.ID); err != nil {
				t.Fatal(err)
			}
			w.mustKey(a, acc)
		})
		t.Run(generation+", made before", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vexatest.Generation(generation))
			user := w.vexa.AddUser(readable, "Ada")
			acc := w.signIn(w.replica(), ada)
			if acc.Status != mapping.Active || acc.VexaUserID != user.ID || w.vexa.Calls().UsersCreated != 0 {
				t.Errorf("%+v, and the user is %+v", acc, user)
			}
		})
	}
}
