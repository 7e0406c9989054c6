package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vexa-sso/mapping/vexa/vexatest"
)

// A mode of FIPS 140 in which a good key ring cannot be used is not the ring's fault, and nobody is told to
// make a new one.
func TestKeyRingUnderFIPS(t *testing.T) {
	t.Parallel()
	m := newMortal(t, vexatest.Generation012)
	m.start()
	m.kill()
	before, err := os.ReadFile(filepath.Join(m.dir, "keyring.json"))
	m.must(err)
	for _, command := range [][]string{{"serve"}, {"check"}, {"keyring", "add"}, {"accounts", "list"}} {
		cmd := m.command(command...)
		cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "run with GODEBUG=fips140=on in place of only") ||
			!strings.Contains(string(out), "leave the file as it is") ||
			strings.Contains(string(out), "keyring generate") {
			t.Errorf("%v: %v: %s", command, err, out)
		}
	}
	after, err := os.ReadFile(filepath.Join(m.dir, "keyring.json"))
	m.must(err)
	if string(after) != string(before) {
		t.Error("the key ring was changed")
	}
}
