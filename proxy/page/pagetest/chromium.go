// Package pagetest opens pages in Chromium.
package pagetest

import (
	"os"
	"os/exec"
	"testing"
)

// Chromium returns the path of a browser: VEXA_SSO_TEST_CHROMIUM, or one on the machine. Where there is none,
// the test is skipped.
func Chromium(t testing.TB) string {
	t.Helper()
	if program := os.Getenv("VEXA_SSO_TEST_CHROMIUM"); program != "" {
		return program
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	t.Skip("no Chromium: install it, or name it in VEXA_SSO_TEST_CHROMIUM")
	return ""
}
