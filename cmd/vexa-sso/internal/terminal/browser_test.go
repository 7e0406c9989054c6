package terminal

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"vexa-sso/oidc/oidctest"
)

func TestBrowsers(t *testing.T) {
	t.Parallel()
	list := string(os.PathListSeparator)
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	got := browsers(env("BROWSER", "firefox --new-window"+list+list+"w3m -o %s", "DISPLAY", ":0"))
	if want := [][]string{
		{"firefox", "--new-window"}, {"w3m", "-o", "%s"},
	}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%q", got)
	}
	if runtime.GOOS == "linux" {
		if got := browsers(env("DISPLAY", ":0")); len(got) == 0 || got[0][0] != "xdg-open" {
			t.Errorf("with a display: %q", got)
		}
		if Browser(env()) != nil {
			t.Error("a machine without a display has a browser")
		}
	}
	if err := Browser(env(
		"BROWSER", filepath.Join(t.TempDir(), "none"),
	))("https://vexa.acme.example"); err == nil {
		t.Error("what does not exist was started")
	}
}

// A sign-in whose browser does not start goes on with the address alone.
func TestBrowserThatDoesNotStart(t *testing.T) {
	t.Parallel()
	seen := &oidctest.LogBook{}
	tell := (&Terminal{Err: seen}).tell
	invite(tell, func(string) error {
		return os.ErrNotExist
	}, "https://vexa.acme.example", "https://vexa.acme.example/a")
	invite(tell, nil, "https://vexa.acme.example", "https://vexa.acme.example/b")
	if text := seen.String(); strings.Contains(text, "is being opened") ||
		strings.Count(text, "--device") != 2 || !strings.Contains(text, "/a\n") ||
		!strings.Contains(text, "/b\n") {
		t.Errorf("said %q", text)
	}
}
