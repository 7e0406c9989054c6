package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"vexa-sso/cmd/vexa-sso/internal/terminal"
	"vexa-sso/oidc/oidctest"
)

// atTerminal is the program, with a keyring in the folder $VEXA_SSO_TEST_KEYRING, or with none: never with
// that of who runs the tests.
func atTerminal() {
	systemKeyring = noKeyring{}
	if dir := os.Getenv("VEXA_SSO_TEST_KEYRING"); dir != "" {
		systemKeyring = folderKeyring(dir)
	}
	main()
}

// noKeyring is a machine without a keyring.
type noKeyring struct{}

var errNoKeyring = errors.New("there is none on this machine")

func (noKeyring) Set(string, string) error   { return errNoKeyring }
func (noKeyring) Get(string) (string, error) { return "", errNoKeyring }
func (noKeyring) Delete(string) error        { return errNoKeyring }

// folderKeyring is a keyring that scripts can look into.
type folderKeyring string

func (k folderKeyring) at(server string) string {
	return filepath.Join(string(k), strings.NewReplacer("/", "", ":", "").Replace(server))
}

func (k folderKeyring) Set(server, secret string) error {
	return os.WriteFile(k.at(server), []byte(secret), 0o600)
}

func (k folderKeyring) Get(server string) (string, error) {
	text, err := os.ReadFile(k.at(server))
	if errors.Is(err, os.ErrNotExist) {
		err = terminal.ErrNoSecret
	}
	return string(text), err
}

func (k folderKeyring) Delete(server string) error {
	err := os.Remove(k.at(server))
	if errors.Is(err, os.ErrNotExist) {
		err = terminal.ErrNoSecret
	}
	return err
}

// invitation is the address that somebody who signs in is to open.
var invitation = regexp.MustCompile(`https?://\S+(?:/authorize\?\S+|user_code=\S+)`)

// alongside runs the program, and has somebody do in a browser what it says: alongside ada
// allow login --device $BRIDGE.
func alongside(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: alongside <name> allow|deny <arguments of vexa-sso>")
	}
	ctx, cancel := context.WithTimeout(context.Background(), oidctest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx,
		filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], "vexa-sso"),
		args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{
		"PATH", "HOME", "XDG_CONFIG_HOME", "VEXA_SSO_TEST_KEYRING", "VEXA_SSO_SERVER",
		"BROWSER", "BROWSE_LOG",
	} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout = &stdout
	said, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	for piece, found := make([]byte, 4096), false; ; {
		n, err := said.Read(piece)
		stderr.Write(piece[:n])
		if address := invitation.Find(stderr.Bytes()); address != nil && !found {
			found = true
			ts.Check(walk(ctx, string(address), args[0], args[1]))
		}
		if err != nil {
			break
		}
	}
	err = cmd.Wait()
	io.Copy(ts.Stdout(), &stdout)
	io.Copy(ts.Stderr(), &stderr)
	if (err != nil) != neg {
		ts.Fatalf("vexa-sso %s: %v\n%s", args[2], err, ts.ReadFile("stderr"))
	}
}

var accessExpires = regexp.MustCompile(`("access_expires_at": ?")[^"]*`)

// expire ends the access token that is kept, as an hour does: expire.
func expire(ts *testscript.TestScript, neg bool, args []string) {
	kept, err := filepath.Glob(filepath.Join(ts.Getenv("XDG_CONFIG_HOME"), "vexa-sso", "*.json"))
	ts.Check(err)
	if dir := ts.Getenv("VEXA_SSO_TEST_KEYRING"); dir != "" {
		kept, err = filepath.Glob(filepath.Join(dir, "*"))
		ts.Check(err)
	}
	for _, path := range kept {
		text, err := os.ReadFile(path)
		ts.Check(err)
		past := accessExpires.ReplaceAll(text, []byte("${1}2026-01-01T00:00:00Z"))
		if bytes.Equal(text, past) {
			ts.Fatalf("%s keeps no access token", path)
		}
		ts.Check(os.WriteFile(path, past, 0o600))
	}
}

// impostor starts a server that is not what it should be, whose address is then $IMPOSTOR: impostor
// issuer|endpoint|redirect|garbage. impostor unasked: nothing was sent to where it wanted us.
func impostor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: impostor issuer|endpoint|redirect|garbage|unasked")
	}
	asked := &worldOf(ts).strangerAsked
	if args[0] == "unasked" {
		if n := asked.Load(); n != 0 {
			ts.Fatalf("the stranger was asked %d times", n)
		}
		return
	}
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	ts.Defer(other.Close)
	stranger := other.URL
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		self := "http://" + r.Host
		at := self + "/sso/oauth/"
		m := map[string]any{
			"issuer": self + "/sso/oauth", "authorization_endpoint": at + "authorize",
			"token_endpoint": at + "token", "revocation_endpoint": at + "revoke",
			"device_authorization_endpoint":    at + "device_authorization",
			"code_challenge_methods_supported": []string{"S256"},
		}
		switch args[0] {
		case "issuer":
			m["issuer"] = stranger + "/sso/oauth"
		case "endpoint":
			m["token_endpoint"] = stranger + "/sso/oauth/token"
		case "redirect":
			http.Redirect(w, r, stranger+r.URL.Path, http.StatusFound)
			return
		case "garbage":
			fmt.Fprint(w, "<!doctype html><h1>It works!</h1>")
			return
		}
		json.NewEncoder(w).Encode(m)
	}))
	ts.Defer(server.Close)
	ts.Setenv("IMPOSTOR", server.URL)
}
