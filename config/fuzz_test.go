package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a document says, Load ends, and either says on one line each what is wrong, without a secret,
// or returns what can be printed and loaded again. For long runs: -fuzzminimizetime 10x, since goroutines
// and maps make coverage vary.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		good, "", "a", "- a", "{}", "null", "---\n---\n", "a: b: c", "\"\\", "'", "|", "? a\n: b",
		"a: &x [*x]", "<<: {a: b}", "instance: !!binary x",
		"instance: ${env:ADMIN_TOKEN}\nlisten: ${env:ADMIN_TOKEN}\n", "instance: ${", "instance: $${x}",
		"rules: [[[[]]]]", "rules:\n- when: |\n\n   x\n",
		"rules: [{name: a, match: {claims: {a: [b]}}, when: 'identity.email == 1', grant: {scopes: [bot], key_lifetime: 1h, vexa_email: '= 1'}}]",
		"%YAML 1.2\n---\ninstance: x", "a:\r\n  b: c\r\n", "\ufeffinstance: x",
		"limits: {body_replay: 9999999999GiB, requests_per_second: .nan}",
		"session: {idle: -1h, lifetime: 99999999999h}", "instance: \"\\u0000\\u2028\"",
		"cors: {origins: ['https://[::1']}", "store: {url: 'postgres://u:p@[::1'}",
	} {
		f.Add(seed)
	}
	ringFile := filepath.Join(filepath.Dir(folder(f, good)), "ring.json")
	f.Fuzz(func(t *testing.T, document string) {
		environ := environment("VEXA_SSO_CONFIG="+document, "VEXA_SSO_KEYRING_FILE="+ringFile)
		c, err := Load("vexa-sso.yaml", environ)
		var errs Errors
		switch {
		case err == nil:
			samePrint(t, c)
		case !errors.As(err, &errs) || len(errs) == 0:
			t.Fatalf("%T: %v", err, err)
		}
		for _, p := range errs {
			line := p.Error()
			if strings.ContainsAny(line, "\n\r\x00") || p.Source == "" || p.Message == "" {
				t.Errorf("%q", line)
			}
			if strings.Contains(line, adminToken) && !strings.Contains(document, adminToken) {
				t.Errorf("a secret is shown: %q", line)
			}
		}
	})
}
