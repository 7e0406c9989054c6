package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vexa-sso/mapping/store/storetest"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
)

// oneBack is the release before: what it serves, this one serves beside it.
const oneBack = "9c3bcc1c9ac0847af8ac0fe00384cf8e3840149a"

// buildOneBack builds the program of the release before.
func buildOneBack(t *testing.T) (program string) {
	t.Helper()
	dir := t.TempDir()
	program = filepath.Join(dir, "vexa-sso")
	build := exec.Command("sh", "-ec", `git -C ../.. archive "$1" | tar -x -C "$0"; cd "$0"
		go build -buildvcs=false -o "$2" ./cmd/vexa-sso`, dir, oneBack, program)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the release before: %v\n%s", err, out)
	}
	return program
}

// The release before serves a store that this one has extended: side by side, when it is started again, and
// back alone. Whoever signed in at one is served by the other, and what is taken away by either is taken away
// at both.
//
// S5, S13
func TestReleaseBeforeBesideThisOne(t *testing.T) {
	t.Parallel()
	if exec.Command("git", "-C", "../..", "cat-file", "-e", oneBack+"^{commit}").Run() != nil {
		t.Skip("the history of the release before is not here: fetch it (git fetch --unshallow)")
	}
	program := buildOneBack(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			now := newMortal(t, vexatest.Generation012)
			if engine == "postgres" {
				now.storeAt(storetest.Postgres(t))
			}
			before := now.twin()
			before.program = program

			before.start()
			before.served()
			now.start()
			now.letIn()
			before.kill() // as a rolling upgrade may, while this release has extended the store
			before.start()
			before.letIn()

			before.admin("accounts", "suspend", oidctest.Ada, "--reason", "left")
			now.turnedAway()
			before.turnedAway()
			now.admin("accounts", "resume", oidctest.Ada)
			now.served()
			before.letIn()
			now.admin("accounts", "suspend", oidctest.Ada, "--reason", "left")
			before.turnedAway()
			now.turnedAway()

			now.admin("accounts", "resume", oidctest.Ada)
			now.kill() // rolled back
			before.kill()
			before.start()
			before.served()
		})
	}
}

// storeAt has the program use another store.
func (m *mortal) storeAt(url string) {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, "vexa-sso.yaml"))
	m.must(err)
	m.write("vexa-sso.yaml", strings.Replace(string(text), "sqlite:"+m.store(), url, 1))
}

// letIn has Ada be served without signing in again.
func (m *mortal) letIn() {
	m.t.Helper()
	if status, body, _ := m.ask(mortalURL + "/auth/me"); status != http.StatusOK {
		m.t.Fatalf("Ada, who is signed in, is told %d %s\n%s", status, body, m.log)
	}
}

// turnedAway waits until Ada is not served any more.
func (m *mortal) turnedAway() {
	m.t.Helper()
	clock := oidctest.StartStopwatch(m.t)
	m.wait("Ada to be turned away", func() bool {
		status, _, _ := m.ask(mortalURL + "/auth/me")
		return status == http.StatusUnauthorized || status == http.StatusForbidden
	})
	if took := clock.Took(); took > soon {
		m.t.Errorf("it took %s", took)
	}
}
