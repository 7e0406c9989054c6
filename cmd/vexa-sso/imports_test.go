package main

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport says what each room may import of ours: every package of the product is in it. The
// architecture page has the same as a picture; an import against it is a question of design, to be solved
// and not to be added here.
var mayImport = map[string][]string{
	"oidc/address":    {},
	"oidc":            {"oidc/address"},
	"mapping/cache":   {},
	"mapping/keyring": {},
	"mapping/vexa":    {"oidc/address"},
	"mapping/rule":    {"oidc", "oidc/address", "mapping/vexa"},
	"mapping": {
		"oidc", "oidc/address", "mapping/cache", "mapping/keyring", "mapping/rule", "mapping/vexa",
	},
	"mapping/store": {"mapping", "proxy/authserver", "proxy/caller"},

	"proxy/jsonrpc":  {},
	"proxy/page":     {},
	"proxy/exchange": {"mapping", "oidc", "proxy/page"},
	"proxy/caller": {
		"mapping", "mapping/cache", "mapping/keyring", "mapping/rule", "mapping/vexa", "oidc", "oidc/address",
		"proxy/exchange", "proxy/page",
	},
	"proxy/upstream": {
		"mapping", "mapping/keyring", "mapping/rule", "mapping/vexa", "proxy/caller", "proxy/exchange",
		"proxy/jsonrpc",
	},
	"proxy/signin": {
		"mapping", "mapping/keyring", "mapping/rule", "oidc", "proxy/caller", "proxy/exchange", "proxy/page",
	},
	"proxy/channel": {"mapping", "oidc", "proxy/caller", "proxy/exchange"},
	"proxy": {
		"mapping", "mapping/keyring", "mapping/rule", "mapping/vexa", "oidc", "proxy/caller", "proxy/channel",
		"proxy/exchange", "proxy/page", "proxy/signin", "proxy/upstream",
	},
	"proxy/tokens":     {"mapping", "mapping/rule", "proxy", "proxy/page"},
	"proxy/authserver": {"mapping", "mapping/keyring", "mapping/rule", "proxy", "proxy/page"},

	"config": {
		"mapping", "mapping/keyring", "mapping/rule", "mapping/store", "mapping/vexa", "oidc", "proxy",
		"proxy/caller", "proxy/tokens",
	},
}

// The rooms know of each other only what the order of the house lets them know.
func TestImportsKeepTheOrder(t *testing.T) {
	t.Parallel()
	listed, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "vexa-sso/...").
		Output()
	if err != nil {
		t.Fatal(err)
	}
	known := maps.Clone(mayImport)
	for line := range strings.Lines(string(listed)) {
		names := strings.Fields(line)
		room := strings.TrimPrefix(names[0], "vexa-sso/")
		if strings.HasPrefix(room, "cmd/") || strings.HasSuffix(room, "test") {
			continue // programs may import all; doubles and test kits are not the product's
		}
		allowed, ok := mayImport[room]
		if !ok {
			t.Errorf("%s is no room of the house", room)
		}
		delete(known, room)
		for _, name := range names[1:] {
			ours, is := strings.CutPrefix(name, "vexa-sso/")
			if is && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s", room, ours)
			}
		}
	}
	for room := range known {
		t.Errorf("%s is gone", room)
	}
}
