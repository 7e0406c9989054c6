package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// deploy/vexa-sso.example.yaml loads as soon as its secrets are there.
func TestDeployedExampleLoads(t *testing.T) {
	t.Parallel()
	text := deployedExample(t)
	secrets := t.TempDir()
	key, err := ring()
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`/run/secrets/([a-z.-]+)`).FindAllStringSubmatch(text, -1)
	for _, name := range names {
		content := []byte("a-secret\n")
		if strings.HasSuffix(name[1], ".json") {
			content = key
		}
		if err := os.WriteFile(filepath.Join(secrets, name[1]), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(folder(t, strings.ReplaceAll(text, "/run/secrets", secrets)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Providers) != 2 || len(c.Rules) < 3 {
		t.Errorf("%d providers, %d rules", len(c.Providers), len(c.Rules))
	}
	samePrint(t, c)
}

// The example shows every setting there is, in use or commented out.
func TestDeployedExampleIsComplete(t *testing.T) {
	t.Parallel()
	text := deployedExample(t)
	var look func(typ reflect.Type)
	look = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for _, f := range fields(typ) {
			if !regexp.MustCompile(`\b` + f.name + `:`).MatchString(text) {
				t.Errorf("the example does not show %s of %s", f.name, typ)
			}
			look(f.typ)
		}
	}
	look(reflect.TypeFor[Config]())
}

func deployedExample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../deploy/vexa-sso.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
