package terminal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// onUnix skips where permissions are not bits.
func onUnix(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("files have access lists here")
	}
}

// Without a keyring the secrets are in a file of mode 0600 in a folder of mode 0700, which is said once; and
// they move into the keyring when there is one at the next sign-in.
func TestWithoutKeyring(t *testing.T) {
	t.Parallel()
	onUnix(t)
	d, p := newDouble(t), newPerson(t, t.TempDir())
	p.keys.broken = errNoBus
	if in := p.signIn(d); in.Kept != InFile {
		t.Errorf("kept in %s", in.Kept)
	}
	path := p.Wallet.path(d.origin)
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
	for range 2 {
		p.clock.Advance(2 * time.Hour)
		_, err := p.Token(t.Context(), d.origin, Soon)
		must(t, err)
		p.signIn(d)
	}
	if n := strings.Count(p.out.String(), "keyring"); n != 1 || !strings.Contains(p.out.String(), path) ||
		!strings.Contains(p.out.String(), "no bus here") {
		t.Errorf("said %d times: %s", n, p.out)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("after a renewal it has mode %v, %v", info.Mode(), err)
	}
	p.keys.broken = nil
	if in := p.signIn(d); in.Kept != InKeyring {
		t.Errorf("with a keyring again, kept in %s", in.Kept)
	}
	if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "canary") {
		t.Errorf("the file still has it: %s", text)
	}
	must(t, p.SignOut(t.Context(), d.origin))
}

// A keyring that breaks between two renewals costs no sign-in.
func TestKeyringBreaks(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	p.signIn(d)
	in, err := p.Wallet.get(d.origin)
	must(t, err)
	p.keys.broken = errNoBus
	_, err = p.Token(t.Context(), d.origin, Soon)
	refused(t, err, "opening the system's keyring", "no bus here")
	noKeyring, err := p.Wallet.put(in)
	if noKeyring != errNoBus || err != nil {
		t.Errorf("kept with %v, %v", noKeyring, err)
	}
	if token, err := p.Token(t.Context(), d.origin, Soon); err != nil || token != "canary-access-1" {
		t.Errorf("%q, %v", token, err)
	}

	p.keys.broken = nil
	p.signIn(d)
	delete(p.keys.secrets, string(d.origin)) // somebody tidied up
	_, err = p.Token(t.Context(), d.origin, Soon)
	refused(t, err, "sign in again")
	p.keys.secrets[string(d.origin)] = "{"
	_, err = p.Token(t.Context(), d.origin, Soon)
	refused(t, err, "sign in again")
}

// What others could have read or written is not used.
func TestExposedFiles(t *testing.T) {
	t.Parallel()
	onUnix(t)
	d, p := newDouble(t), newPerson(t, t.TempDir())
	p.keys.broken = errNoBus
	p.signIn(d)
	path := p.Wallet.path(d.origin)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o777} {
		must(t, os.Chmod(path, mode))
		_, err := p.Token(t.Context(), d.origin, Soon)
		refused(t, err, "others may use "+path, "chmod go=")
		_, err = p.Choose()
		refused(t, err, "others may use")
	}
	must(t, os.Chmod(path, 0o600))
	_, err := p.Token(t.Context(), d.origin, Soon)
	must(t, err)

	must(t, os.Chmod(p.Wallet.dir, 0o770))
	_, err = OpenWallet(p.Wallet.dir, p.keys)
	refused(t, err, "others may use "+p.Wallet.dir)
}

// A file that is none, or about another server, is never used in its name.
func TestFilesThatAreWrong(t *testing.T) {
	t.Parallel()
	d, p := newDouble(t), newPerson(t, t.TempDir())
	p.keys.broken = errNoBus
	p.signIn(d)
	path := p.Wallet.path(d.origin)
	text, err := os.ReadFile(path)
	must(t, err)
	var in SignIn
	must(t, json.Unmarshal(text, &in))
	in.Origin = "https://evil.example"
	other, err := json.Marshal(in)
	must(t, err)
	for content, words := range map[string]string{
		"{": "cannot be read", "": "cannot be read",
		string(other): "is not about " + string(d.origin), "{}": "is not about",
	} {
		must(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := p.Token(t.Context(), d.origin, Soon)
		refused(t, err, words, path)
	}
	must(t, os.WriteFile(path, text[:len(text)/2], 0o600))
	p.signIn(d) // heals it
	_, err = p.Token(t.Context(), d.origin, Soon)
	must(t, err)
}

func TestFolder(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	got, err := Folder(func(string) string { return home })
	if err != nil || got != filepath.Join(home, "vexa-sso") {
		t.Errorf("%q, %v", got, err)
	}
	got, err = Folder(func(string) string { return "relative" }) // not to be heeded, says the specification
	if err == nil && (!filepath.IsAbs(got) || strings.Contains(got, "relative")) {
		t.Errorf("%q, %v", got, err)
	}
}
