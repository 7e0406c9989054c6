package main

import (
	"context"
	"os"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vexa-sso": atTerminal, "browser": walkPages})
}

// The transcripts in testdata/script are what an admin types and sees.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "mode": mode,
			"serve": serve, "halt": halt, "signin": signIn, "request": request,
			"stream": stream, "vexa": atVexa,
			"nosecrets": noSecrets, "capture": capture, "alongside": alongside, "impostor": impostor,
			"expire": expire, "issue": issue, "show": show,
			"replicas-have": replicasHave,
			"follow":        follow, "told": told, "unfollow": unfollow,
		},
		Setup: func(env *testscript.Env) error {
			env.Values[worldKey{}] = new(*world)
			return nil
		},
	})
}

// code runs the program and looks at its exit code: code 2 check --config x.yaml.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: code <exit code> <arguments of vexa-sso>")
	}
	err := ts.Exec("vexa-sso", args[1:]...)
	got := "0"
	if exit, ok := err.(interface{ ExitCode() int }); ok {
		got = strconv.Itoa(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// mode looks at the permissions of a file: mode 0600 ring.json.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode <octal> <file>")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := info.Mode().Perm().String(); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

func TestExecuteTellsUsageFromFailure(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want int
	}{
		{[]string{"version"}, exitGood},
		{[]string{"keyring", "rotate", "/nowhere/ring.json"}, exitFailed},
		{[]string{"version", "more"}, exitWrong},
		{[]string{"version", "--what"}, exitWrong},
		{[]string{"config"}, exitWrong},
	} {
		if got := execute(context.Background(), test.args, t.Output(), t.Output()); got != test.want {
			t.Errorf("%q: exit code %d, want %d", test.args, got, test.want)
		}
	}
}
