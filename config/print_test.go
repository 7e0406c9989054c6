package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vexa-sso/oidc"
)

// Every text that is tagged secret is redacted, alone and in lists, wherever it is. S2
func TestSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	const canary = "canary-K7x"
	c := Default()
	c.Providers = make([]oidc.Config, 2)
	paths := plant(reflect.ValueOf(c).Elem(), "", canary)
	for _, path := range []string{
		"vexa.admin_token", "providers.client_secret", "providers.client_secrets", "providers.proxy_url",
		"store.url", "store.notify_url",
	} {
		if !strings.Contains(strings.Join(paths, " "), path) {
			t.Errorf("%s is not tagged secret; these are: %q", path, paths)
		}
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), canary) {
		t.Errorf("a secret is shown:\n%s", text)
	}
	if got, want := strings.Count(string(text), redacted), len(paths); got != want {
		t.Errorf("%d of %d secrets are marked as redacted:\n%s", got, want, text)
	}
}

// plant writes a text into everything that is tagged secret, twice into lists, and returns where.
func plant(v reflect.Value, path, text string) []string {
	var planted []string
	for _, f := range fields(v.Type()) {
		value, p := v.FieldByIndex(f.index), join(path, f.name)
		switch {
		case f.secret && f.typ.Kind() == reflect.String:
			value.SetString(text)
			planted = append(planted, p)
		case f.secret:
			value.Set(reflect.ValueOf([]string{text, text}))
			planted = append(planted, p, p)
		case isGroup(f.typ):
			planted = append(planted, plant(value, p, text)...)
		case f.typ.Kind() == reflect.Slice && isGroup(f.typ.Elem()):
			for i := range value.Len() {
				planted = append(planted, plant(value.Index(i), p, text)...)
			}
		}
	}
	return planted
}

// No key exists twice, whichever package declares it: the second could never be set.
func TestKeysAreUnique(t *testing.T) {
	t.Parallel()
	var look func(path string, typ reflect.Type)
	look = func(path string, typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		seen := map[string]bool{}
		for _, f := range fields(typ) {
			if p := join(path, f.name); seen[f.name] {
				t.Errorf("%s is declared twice", p)
			} else {
				look(p, f.typ)
			}
			seen[f.name] = true
		}
	}
	look("", reflect.TypeFor[Config]())
}

func TestWithoutPassword(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"postgres://u:pw@db/x":                         "postgres://u:[redacted]@db/x",
		"postgres://u@db/x":                            "postgres://u@db/x",
		"postgres://u:p%40w@db:5432/x?sslmode=disable": "postgres://u:[redacted]@db:5432/x?sslmode=disable",
		"postgres://u:p@w@db/x":                        "postgres://u:[redacted]@db/x",
		"postgres://u:@db/x":                           "postgres://u:[redacted]@db/x",
		"postgres://db/x?password=pw&user=u":           "postgres://db/x?password=[redacted]&user=u",
		"postgres://db/x?user=u&PassWord=pw":           "postgres://db/x?user=u&PassWord=[redacted]",
		"postgres://db/x?sslpassword=pw#pw":            "postgres://db/x?sslpassword=[redacted]#pw",
		"postgres://u:p/w@db/x":                        "[redacted]",
		"postgres://u:1/w@db/x":                        "[redacted]",
		"postgres://u:1?w@db/x":                        "[redacted]",
		"postgres://u:1#w@db/x":                        "[redacted]",
		"postgres://u:%zz@db/x":                        "[redacted]",
		"http://gateway:8000":                          "http://gateway:8000",
	} {
		if got := withoutPassword(text); got != want {
			t.Errorf("%s is shown as %s, want %s", text, got, want)
		}
	}
}

func TestStoreIsShownWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"sqlite:vexa-sso.db":            "sqlite:vexa-sso.db",
		"postgres://u:${env:PW}@db/x":   "postgres://u:[redacted]@db/x",
		"postgresql://u:literal@db/x":   "postgresql://u:[redacted]@db/x",
		"postgres://db/x?password=pass": "postgres://db/x?password=[redacted]",
	} {
		c := load(t, good+"store: { url: '"+text+"' }\n", "PW=canary")
		shown, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(shown), "\n  url: "+want+"\n") {
			t.Errorf("%s is shown as:\n%s", text, shown)
		}
	}
}

// What is printed is a document again, with the same meaning: nothing is lost, and nothing is spelled so that
// it reads as something else.
func TestPrintedDocumentLoads(t *testing.T) {
	t.Parallel()
	document := replace(t, good, "name: staff", "name: '0.10'",
		"[vexa-users]", `["yes", "null", "a: b # c", "1e3", "~", "líne\nbreak"]`) +
		"limits: { body_replay: 1536KiB, requests_per_second: 2.5 }\nsession: { idle: 90m, lifetime: 100h, renew: 1m30s }\nlisten: '[::1]:0'\n"
	samePrint(t, load(t, document))
}

// samePrint prints a configuration, loads that and prints it again.
func samePrint(t *testing.T, c *Config) {
	t.Helper()
	printed, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	// The references are resolved: what is printed needs no environment.
	again, err := Load(folder(t, string(printed)), nil)
	if err != nil {
		t.Fatalf("what was printed does not load: %v\n%s", err, printed)
	}
	twice, err := again.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(printed), string(twice)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(c.Rules, again.Rules); diff != "" {
		t.Error(diff)
	}
}
