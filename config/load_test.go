package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vexa-sso/mapping/keyring"
)

// good is a document that is complete: each test changes one thing in it.
const good = `instance: prod
public_url: https://vexa.acme.example
vexa:
  gateway_url: http://gateway:8000
  admin_url: http://admin-api:8001
  admin_token: ${env:ADMIN_TOKEN}
providers:
  - name: okta
    type: okta
    issuer: https://acme.okta.com/oauth2/default
    client_id: 0oa1
    client_secret: ${file:client-secret}
    trusted_domains: [acme.example]
rules:
  - name: staff
    match: { providers: [okta], groups: [vexa-users] }
    grant: { scopes: [bot, tx] }
keyring_file: ring.json
`

const (
	adminToken   = "canary-admin-token"
	clientSecret = "canary-client-secret"
)

var ring = sync.OnceValues(keyring.Generate)

// folder writes the files of a configuration and returns the path of its document.
func folder(t testing.TB, document string, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	key, err := ring()
	if err != nil {
		t.Fatal(err)
	}
	files := []string{
		"vexa-sso.yaml", document, "ring.json", string(key), "client-secret", clientSecret + "\n",
	}
	files = append(files, more...)
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "vexa-sso.yaml")
}

func environment(more ...string) []string {
	return append([]string{"PATH=/bin", "ADMIN_TOKEN=" + adminToken}, more...)
}

// replace changes a document, and fails when it is not what was meant to be changed.
func replace(t testing.TB, document string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(document, pairs[i]) {
			t.Fatalf("the document has no %q", pairs[i])
		}
		document = strings.Replace(document, pairs[i], pairs[i+1], 1)
	}
	return document
}

func load(t testing.TB, document string, environ ...string) *Config {
	t.Helper()
	c, err := Load(folder(t, document), environment(environ...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// problems loads a document that must not load, and returns the lines of the error with
// the folder's name taken off.
func problems(t testing.TB, path string, environ ...string) []string {
	t.Helper()
	c, err := Load(path, environment(environ...))
	var errs Errors
	if !errors.As(err, &errs) || c != nil {
		t.Fatalf("Load: %v, %v; want Errors", c, err)
	}
	for _, secret := range []string{adminToken, clientSecret} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows a secret: %v", err) // S2
		}
	}
	text := strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", "")
	return strings.Split(strings.ReplaceAll(text, filepath.Dir(path), "FOLDER"), "\n")
}

func TestLoad(t *testing.T) {
	t.Parallel()
	c := load(t, good)
	if c.Vexa.AdminToken != adminToken || c.Providers[0].ClientSecret != clientSecret {
		t.Errorf("references: %q, %q", c.Vexa.AdminToken, c.Providers[0].ClientSecret)
	}
	if got, want := c.Providers[0].RedirectURL, "https://vexa.acme.example/sso/callback/okta"; got != want {
		t.Errorf("redirect URL %q, want %q", got, want)
	}
	if c.Ring == nil || c.RuleSet == nil {
		t.Error("the ring or the rules are not there")
	}
	var names []string
	for _, f := range c.Files {
		names = append(names, filepath.Base(f))
	}
	if diff := cmp.Diff([]string{"client-secret", "ring.json", "vexa-sso.yaml"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := load(t, good)
	got := []any{
		c.Listen, c.Metrics.Listen, c.Log.Level, c.Log.Format, c.Vexa.Generation,
		c.Session.Idle, c.Session.Lifetime, c.Session.Renew, int(c.Limits.BodyReplay),
		c.Limits.StreamsPerAccount, c.Limits.RequestsPerSecond,
		c.Limits.Connections, c.Limits.ConnectionsPerAddress,
		c.Tokens.MaxLifetime, c.Tokens.MaxOffline, c.Tokens.NativeKeys, c.AdoptExisting, c.Audit.Retention,
		c.Store.URL, c.Store.Grace,
	}
	want := []any{
		"127.0.0.1:4180", "127.0.0.1:4181", "info", "json", "auto",
		8 * time.Hour, 24 * time.Hour, 15 * time.Minute, 64 << 10, 20, 0.0, 10_000, 1000,
		2160 * time.Hour, 24 * time.Hour, "deny", "trusted", 2160 * time.Hour,
		"sqlite:vexa-sso.db", 30 * time.Second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGenerationIsText(t *testing.T) {
	t.Parallel()
	c := load(t, replace(t, good, "vexa:\n", "vexa:\n  generation: 0.10\n"))
	if c.Vexa.Generation != "0.10" {
		t.Errorf("generation %q, want 0.10: it is a name, no number", c.Vexa.Generation)
	}
}

func TestWindowsText(t *testing.T) {
	t.Parallel()
	c := load(t, "\ufeff"+strings.ReplaceAll(good, "\n", "\r\n"))
	if c.Instance != "prod" || c.KeyringFile == "" {
		t.Errorf("instance %q", c.Instance)
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"postgres://u:${env:A}@db/vexa": "postgres://u:a@db/vexa",
		// once: what comes out is not looked through again
		"sqlite:${env:PW}":          "sqlite:s3cret-$${env:A}",
		"sqlite:$${env:PW}":         "sqlite:${env:PW}",
		`"sqlite:${env:A}${env:A}"`: "sqlite:aa",
		"sqlite:${file:two-lines}":  "sqlite:one\ntwo\n", // one trailing newline is taken off, not two
		"sqlite:a$b":                "sqlite:a$b",
		"sqlite:${file:crlf}":       "sqlite:x",
		"|-\n    sqlite:${env:A}":   "sqlite:a",
		"sqlite:{${env:A}}":         "sqlite:{a}",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			path := folder(t, good+"store:\n  url: "+text+"\n", "two-lines", "one\ntwo\n\n", "crlf", "x\r\n")
			c, err := Load(path, environment("PW=s3cret-$${env:A}", "A=a"))
			if err != nil {
				t.Fatal(err)
			}
			if c.Store.URL != want {
				t.Errorf("%q, want %q", c.Store.URL, want)
			}
		})
	}
}

func TestEnvironmentOverrides(t *testing.T) {
	t.Parallel()
	c := load(t, replace(t, good, "instance: prod\n", "", "${env:ADMIN_TOKEN}", "from-the-document"),
		"VEXA_SSO_INSTANCE=blue",
		"VEXA_SSO_STORE_URL=postgres://db/vexa",
		"VEXA_SSO_VEXA_ADMIN_TOKEN=${file:client-secret}",
		"VEXA_SSO_SESSION_IDLE=1h",
		"VEXA_SSO_LIMITS_BODY_REPLAY=1MiB",
		"VEXA_SSO_LIMITS_REQUESTS_PER_SECOND=2.5",
		"VEXA_SSO_TRUSTED_PROXIES=10.0.0.0/8, 192.0.2.1",
		"VEXA_SSO_CORS_ORIGINS=",
	)
	got := []any{
		c.Instance, c.Store.URL, c.Store.Grace, c.Vexa.AdminToken, c.Session.Idle, c.Session.Lifetime,
		int(c.Limits.BodyReplay), c.Limits.RequestsPerSecond, c.TrustedProxies, len(c.CORS.Origins),
	}
	want := []any{
		"blue", "postgres://db/vexa", 30 * time.Second, clientSecret, time.Hour, 24 * time.Hour, 1 << 20, 2.5,
		[]string{"10.0.0.0/8", "192.0.2.1"},
		0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Every setting that is no list of rules or providers has a variable of its own, and no two have the same.
func TestVariableNames(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	leaves(reflect.TypeFor[Config](), "", func(path string, _ reflect.Type) {
		name := variableOf(path)
		if other, taken := seen[name]; taken {
			t.Errorf("%s is %s and %s", name, other, path)
		}
		seen[name] = path
	})
	for _, name := range []string{
		"VEXA_SSO_PUBLIC_URL", "VEXA_SSO_STORE_NOTIFY_URL", "VEXA_SSO_TLS_CERT_FILE", "VEXA_SSO_RULES_FILE",
		"VEXA_SSO_TOKENS_NATIVE_KEYS", "VEXA_SSO_METRICS_LISTEN", "VEXA_SSO_KEYRING_FILE",
	} {
		if seen[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
	for name := range seen {
		if serviceLink.MatchString(name + "=tcp://10.0.0.1:80") {
			t.Errorf("%s would be taken for what Kubernetes sets", name)
		}
	}
}

func TestForeignVariables(t *testing.T) {
	t.Parallel()
	load(t, good,
		"VEXA_SSO_TEST_POSTGRES=x", "VEXA_SSO_CONFIG=", "VEXA_SSO_SERVER=https://vexa.acme.example",
		"VEXA_SSO_SERVICE_HOST=10.0.0.1", "VEXA_SSO_SERVICE_PORT=80",
		"VEXA_SSO_SERVICE_PORT_HTTP=80", "VEXA_SSO_PORT=tcp://10.0.0.1:80",
		"VEXA_SSO_PORT_80_TCP=tcp://10.0.0.1:80", "VEXA_SSO_PORT_80_TCP_ADDR=10.0.0.1",
		"VEXA_SSO_METRICS_SERVICE_HOST=10.0.0.2", "VEXA_SSO_METRICS_PORT_4181_TCP_PROTO=tcp")
}

func TestWholeDocumentInVariable(t *testing.T) {
	t.Parallel()
	path := folder(t, "")
	document := replace(t, good, "ring.json", filepath.Dir(path)+"/ring.json",
		"client-secret", filepath.Dir(path)+"/client-secret")
	c, err := Load("nowhere.yaml", environment("VEXA_SSO_CONFIG="+document, "VEXA_SSO_INSTANCE=other"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Instance != "other" {
		t.Errorf("instance %q", c.Instance)
	}
	_, err = Load("nowhere.yaml",
		environment("VEXA_SSO_CONFIG="+replace(t, document, "instance:", "instanec:")))
	if want := "VEXA_SSO_CONFIG:1:1: instanec: unknown key: did you mean instance?"; err == nil ||
		err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestRulesFile(t *testing.T) {
	t.Parallel()
	inline, rules, _ := strings.Cut(good, "rules:\n")
	rules, rest, _ := strings.Cut(rules, "keyring_file")
	document := inline + "rules_file: rules.yaml\nkeyring_file" + rest
	for form, text := range map[string]string{"list": rules, "key": "rules:\n" + rules} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			c, err := Load(folder(t, document, "rules.yaml", text), environment())
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Rules) != 1 || c.Rules[0].Name != "staff" || c.RuleSet == nil {
				t.Errorf("rules %+v", c.Rules)
			}
			if got := filepath.Base(c.Files[2]); got != "rules.yaml" {
				t.Errorf("files to watch %q", c.Files)
			}
		})
	}
	t.Run("errors", func(t *testing.T) {
		t.Parallel()
		got := problems(t,
			folder(t, document, "rules.yaml", "# ours\n"+replace(t, rules, "groups", "gruops")))
		if diff := cmp.Diff(
			[]string{"rules.yaml:3:33: rules[0].match.gruops: unknown key: did you mean groups?"}, got,
		); diff != "" {
			t.Error(diff)
		}
	})
}

// What was loaded stays whole when a reload fails. A13
func TestReload(t *testing.T) {
	t.Parallel()
	path := folder(t, good)
	first, err := Load(path, environment())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "client-secret"),
		[]byte("second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := Load(path, environment())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(path), "client-secret")); err != nil {
		t.Fatal(err)
	}
	problems(t, path)
	if first.Providers[0].ClientSecret != clientSecret || second.Providers[0].ClientSecret != "second" {
		t.Errorf("secrets %q, %q", first.Providers[0].ClientSecret, second.Providers[0].ClientSecret)
	}
}
