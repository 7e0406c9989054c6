package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"vexa-sso/oidc/oidctest"
)

// follow starts a program whose output grows while the script goes on: follow vexa-sso audit --follow.
func follow(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	w.followed = &oidctest.LogBook{}
	program := exec.Command(found(ts, args[0]), args[1:]...)
	program.Dir, program.Stdout = ts.MkAbs("."), w.followed
	ts.Check(program.Start())
	ts.Defer(func() {
		_ = program.Process.Kill()
		_ = program.Wait()
	})
	w.interrupt = func() {
		ts.Check(program.Process.Signal(os.Interrupt))
		ts.Check(program.Wait())
	}
}

// found is where a program is in the PATH of the script.
func found(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	ts.Fatalf("there is no %s", name)
	return ""
}

// told waits until what is followed has said a text so many times: told account_resumed 1.
func told(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	eventually(ts, oidctest.Patience, "how often "+args[0]+" was said", args[1], func() string {
		return strconv.Itoa(strings.Count(w.followed.String(), args[0]))
	})
}

// unfollow interrupts what is followed, which must end well.
func unfollow(ts *testscript.TestScript, neg bool, args []string) { worldOf(ts).interrupt() }
