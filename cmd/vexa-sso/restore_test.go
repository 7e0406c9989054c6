package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"vexa-sso/mapping/vexa/vexatest"
)

// What the README says of backups holds, before both generations: the store is copied while the server runs,
// life goes on, the store is lost, and the copy and the key ring are put back. The key that was minted
// meanwhile is deleted, the one that is not at Vexa any more is replaced, and who was signed in is still
// until everybody is signed out.
func TestRestore(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{vexatest.Generation012, vexatest.Generation010} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			m := newMortal(t, generation)
			m.start()
			m.served()
			old := m.vexa.Tokens()[0]

			backup := m.store() + ".backup"
			db := m.open()
			_, err := db.Exec("VACUUM INTO ?", backup) // as .backup does
			m.must(err)
			m.must(db.Close())

			m.admin("keys", "revoke", old.Name[strings.LastIndex(old.Name, ":")+1:])
			m.wait("the key to be deleted", func() bool { return len(m.vexa.Tokens()) == 0 })
			m.served()
			m.kill()
			for _, file := range []string{"", "-wal", "-shm"} {
				m.must(os.RemoveAll(m.store() + file))
			}
			m.must(os.Rename(backup, m.store()))
			m.minuteLater() // a copy is old

			m.start()
			m.served()
			// the server does so too as it starts
			m.wait("the keys to be compared", func() bool { return m.command("reconcile").Run() == nil })
			m.served() // 0.10 lets a key that is gone in for a minute: it is noticed by now
			m.wait("one key to be left", func() bool { return m.unsettled() == "" })
			if n := len(m.vexa.Users()); n != 1 {
				t.Errorf("%d users", n)
			}
			m.admin("sessions", "end", "--all")
			m.wait("everybody to be signed out", func() bool {
				status, _, _ := m.ask(mortalURL + "/auth/me")
				return status == http.StatusUnauthorized
			})
			m.served()
		})
	}
}

// served has Ada be served with a key of her own.
func (m *mortal) served() {
	m.t.Helper()
	m.wait("Ada to be served", func() bool {
		status, _ := m.live()
		return status == http.StatusOK
	})
}

// admin has an admin do something that works.
func (m *mortal) admin(args ...string) {
	m.t.Helper()
	if out, err := m.command(args...).CombinedOutput(); err != nil {
		m.t.Fatal(fmt.Errorf("vexa-sso %s: %w\n%s", strings.Join(args, " "), err, out))
	}
}
