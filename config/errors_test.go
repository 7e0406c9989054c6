package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What must not start, and the one line that says so. S11
func TestRefused(t *testing.T) {
	t.Parallel()
	change := func(pairs ...string) string { return replace(t, good, pairs...) }
	for name, test := range map[string]struct {
		document string
		environ  []string
		want     string
	}{
		"no instance": {document: change("instance: prod\n", ""), want: "vexa-sso.yaml:1:1: instance: is missing: name this installation: its keys at Vexa carry the name, and two installations must differ"},
		"empty instance": {
			document: change("instance: prod", "instance:"),
			want:     "vexa-sso.yaml:1:10: instance: has no value: give it one, or delete the line",
		},
		"long instance": {
			document: change("prod", strings.Repeat("x", 33)),
			want: `vexa-sso.yaml:1:11: instance: "` + strings.Repeat("x", 33) +
				`" cannot be part of a key's ` +
				"name: write up to 32 letters, digits, dots, dashes and underscores, of which the first is a " +
				"letter or digit",
		},
		"instance with a colon":  {document: change("prod", "a:b"), want: `vexa-sso.yaml:1:11: instance: "a:b" cannot be part of a key's name: write up to 32 letters, digits, dots, dashes and underscores, of which the first is a letter or digit`},
		"no public_url":          {document: change("public_url: https://vexa.acme.example\n", ""), want: "vexa-sso.yaml:1:1: public_url: is missing: write what people type, like https://vexa.acme.example"},
		"public_url with path":   {document: change("acme.example\n", "acme.example/\n"), want: "vexa-sso.yaml:2:13: public_url: has a path: the bridge is at the root of its host: write https://vexa.acme.example"},
		"public_url with query":  {document: change("acme.example\n", "acme.example?a\n"), want: "vexa-sso.yaml:2:13: public_url: has more than scheme, host and port: write what people type, like https://vexa.acme.example"},
		"public_url on http":     {document: change("https://vexa.acme", "http://vexa.acme"), want: "vexa-sso.yaml:2:13: public_url: plain http would show sessions and tokens to the network: write https://, and give tls its files or put a TLS terminator in front"},
		"public_url like http":   {document: change("https://vexa.acme.example", "http://localhost.acme.example"), want: "vexa-sso.yaml:2:13: public_url: plain http would show sessions and tokens to the network: write https://, and give tls its files or put a TLS terminator in front"},
		"public_url with a port": {document: change("acme.example\n", "acme.example:443\n"), want: "vexa-sso.yaml:2:13: public_url: names the default port of its scheme: write it as browsers do: https://vexa.acme.example"},
		"public_url in umlauts":  {document: change("vexa.acme.example\n", "vexä.acme.example\n"), want: "vexa-sso.yaml:2:13: public_url: has letters beyond ASCII in its host: write it as browsers do, in its xn-- form"},
		"gateway_url with path":  {document: change("gateway:8000", "gateway:8000/vexa"), want: "vexa-sso.yaml:4:16: vexa.gateway_url: has a path, and the gateway's routes begin at the root: write it as http://host:port"},
		"no keyring_file":        {document: change("keyring_file: ring.json\n", ""), want: "vexa-sso.yaml:1:1: keyring_file: is missing: make a key ring with `vexa-sso keyring generate`; without it nothing could be sealed"},
		"no such keyring_file":   {document: change("ring.json", "nowhere"), want: "vexa-sso.yaml:18:15: keyring_file: cannot read nowhere: no such file or directory: give the path of a file that this user may read"},
		"keyring_file is none":   {document: change("ring.json", "client-secret"), want: "vexa-sso.yaml:18:15: keyring_file: the key ring file client-secret: not a usable key ring: it is not a Tink keyset in JSON, or it is cut short: restore the file from where you keep your secrets, or name the right one in keyring_file"},
		"multi-tenant Entra":     {document: change("type: okta\n    issuer: https://acme.okta.com/oauth2/default", "type: entra\n    tenant: organizations"), want: "vexa-sso.yaml:8:5: providers[0].allowed_tenants: is missing: with tenant organizations, anybody with a work account anywhere could sign in: list the ids of the tenants whose people may"},
		"blank audience":         {document: change("    trusted_domains", "    api: { audiences: [' '] }\n    trusted_domains"), want: `vexa-sso.yaml:13:24: providers[0].api.audiences[0]: " " is not an audience: write what the provider puts into aud, api://default for example, or take the entry away`}, // E5
		"no clients":             {document: change("    trusted_domains", "    api: { audiences: [a], clients: [] }\n    trusted_domains"), want: "vexa-sso.yaml:13:37: providers[0].api.clients: is empty, which would let any program show tokens: list the programs, or take clients away if any may"},      // E5
		"scope without audience": {document: change("    trusted_domains", "    api: { required_scope: vexa }\n    trusted_domains"), want: "vexa-sso.yaml:13:5: providers[0].api.audiences: is missing beside required_scope: list what the provider puts into aud, or take required_scope away"},
		"the org's tokens":       {document: change("/oauth2/default", "", "    trusted_domains", "    api: { audiences: ['api://default'] }\n    trusted_domains"), want: "vexa-sso.yaml:13:5: providers[0].api.issuers: is missing: the org's own authorization server gives access tokens that nobody else can verify: list a custom authorization server of the org, https://acme.okta.com/oauth2/default for example"},
		"no providers":           {document: change("providers:\n", "providers: []\n#\n", "  - name: okta\n    type: okta\n    issuer: https://acme.okta.com/oauth2/default\n    client_id: 0oa1\n    client_secret: ${file:client-secret}\n    trusted_domains: [acme.example]\n", "", "providers: [okta], ", ""), want: "vexa-sso.yaml:7:12: providers: there is no identity provider: list at least one: name, type (okta, entra, oidc), client_id and where it is"},
		"two of a name":          {document: change("rules:", "  - { name: okta, type: okta, issuer: https://b.okta.com, client_id: b }\nrules:"), want: "vexa-sso.yaml:14:13: providers[1].name: okta is the name of providers[0] already: each provider needs a name of its own"},
		"no rules":               {document: change("rules:\n", "rules: []\n", "  - name: staff\n    match: { providers: [okta], groups: [vexa-users] }\n    grant: { scopes: [bot, tx] }\n", ""), want: "vexa-sso.yaml:14:8: rules: there are none, so nobody could use Vexa: write at least one rule with a grant, here or in a rules_file"},
		"rules twice":            {document: good + "rules_file: client-secret\n", want: "vexa-sso.yaml:19:13: rules_file: there are rules in the document and in a file: keep one of the two"},
		"rule of no provider":    {document: change("providers: [okta]", "providers: [octa]"), want: `vexa-sso.yaml:16:26: rules[0].match.providers[0]: no provider is named "octa": write the name of a configured provider: okta`},
		"listen":                 {document: good + "listen: 4180\n", want: `vexa-sso.yaml:19:9: listen: "4180" is not an address to listen at: write host:port, like 127.0.0.1:4180, or :4180 for all interfaces`},
		"metrics.listen":         {document: good + "metrics: { listen: 127.0.0.1:4180 }\n", want: "vexa-sso.yaml:19:20: metrics.listen: is the address of the proxy itself: give it another port"},
		"half of tls":            {document: good + "tls: { cert_file: client-secret }\n", want: "vexa-sso.yaml:19:1: tls.key_file: is missing while there is a cert_file: give both, or none behind a TLS terminator"},
		"no certificate":         {document: good + "tls: { cert_file: client-secret, key_file: ring.json }\n", want: "vexa-sso.yaml:19:1: tls: the certificate and its key cannot be used: tls: failed to find any PEM data in certificate input: give a PEM certificate, the leaf first, and the private key that belongs to it"},
		"everybody is a proxy":   {document: good + "trusted_proxies: [10.0.0.0/8, 0.0.0.0/0]\n", want: "vexa-sso.yaml:19:31: trusted_proxies[1]: 0.0.0.0/0 trusts strangers to say where a request came from: list the networks of your own proxies"}, // A12
		"all of IPv6":            {document: good + "trusted_proxies: ['::/0']\n", want: "vexa-sso.yaml:19:19: trusted_proxies[0]: ::/0 trusts strangers to say where a request came from: list the networks of your own proxies"},                     // A12
		"half of the internet":   {document: good + "trusted_proxies: [128.0.0.0/1]\n", want: "vexa-sso.yaml:19:19: trusted_proxies[0]: 128.0.0.0/1 trusts strangers to say where a request came from: list the networks of your own proxies"},         // A12
		"blank proxy":            {document: good + "trusted_proxies: ['']\n", want: `vexa-sso.yaml:19:19: trusted_proxies[0]: "" is not a network: write CIDR notation, like 10.0.0.0/8, or one address`},                                             // E5
		"proxies by variable":    {document: good, environ: []string{"VEXA_SSO_TRUSTED_PROXIES=10.0.0.0/8,"}, want: `VEXA_SSO_TRUSTED_PROXIES: trusted_proxies[1]: "" is not a network: write CIDR notation, like 10.0.0.0/8, or one address`},         // E5
		"idle over lifetime":     {document: good + "session: { idle: 25h }\n", want: "vexa-sso.yaml:19:18: session.idle: 25h is longer than session.lifetime, 24h: shorten it, or lengthen the lifetime"},
		"renew over lifetime":    {document: good + "session: { renew: 24h }\n", want: "vexa-sso.yaml:19:19: session.renew: 24h is not shorter than session.lifetime, 24h: shorten it: it is how often the provider is asked again"},
		"no time for a token": {
			document: good + "tokens: { max_lifetime: 1s }\n",
			want:     "vexa-sso.yaml:19:25: tokens.max_lifetime: 1s is too short for any token: write 1m or more",
		},
		"port in a list": {document: good + "cors: { origins: [https://a.example:8443] }\n", want: "vexa-sso.yaml:19:19: cors.origins[0]: takes one value: write the value alone; between [ ] or { }, quote it if it has a colon"},
		"no time": {
			document: good + "tokens: { max_offline: 0s }\n",
			want:     "vexa-sso.yaml:19:24: tokens.max_offline: is not longer than 0s: write it like 15m or 24h",
		},
		"days":              {document: good + "audit: { retention: 90d }\n", want: `vexa-sso.yaml:19:21: audit.retention: "90d" is not a duration: write it like 30s, 15m or 720h`},
		"any origin":        {document: good + "cors: { origins: ['*'] }\n", want: `vexa-sso.yaml:19:19: cors.origins[0]: "*" is not the origin of one site: write scheme and host exactly as browsers send them, like https://app.acme.example`},
		"origin with path":  {document: good + "cors: { origins: [https://a.example/] }\n", want: `vexa-sso.yaml:19:19: cors.origins[0]: "https://a.example/" is not the origin of one site: write scheme and host exactly as browsers send them, like https://app.acme.example`},
		"origin on http":    {document: good + "cors: { origins: [http://a.example] }\n", want: `vexa-sso.yaml:19:19: cors.origins[0]: "http://a.example" is not the origin of one site: write scheme and host exactly as browsers send them, like https://app.acme.example`},
		"no gateway":        {document: change("  gateway_url: http://gateway:8000\n", ""), want: "vexa-sso.yaml:3:1: vexa.gateway_url: not an http or https address without query: write it as http://host:port"},
		"admin_token empty": {document: good, environ: []string{"ADMIN_TOKEN="}, want: "vexa-sso.yaml:6:16: vexa.admin_token: the environment variable ADMIN_TOKEN is empty: set it, or write the value here"},
		"admin_token blank": {document: good, environ: []string{"ADMIN_TOKEN=x "}, want: "vexa-sso.yaml:6:16: vexa.admin_token: empty, or not plain ASCII without blanks: set it to the ADMIN_API_TOKEN of the deployment"},
		"no admin_token":    {document: good, environ: []string{"VEXA_SSO_VEXA_ADMIN_TOKEN="}, want: "VEXA_SSO_VEXA_ADMIN_TOKEN: vexa.admin_token: empty, or not plain ASCII without blanks: set it to the ADMIN_API_TOKEN of the deployment"},
		"empty file":        {document: change("file:client-secret", "file:/dev/null"), want: "vexa-sso.yaml:12:20: providers[0].client_secret: /dev/null is not a regular file: give the path of a file that this user may read"},
		"generation": {
			document: change("vexa:\n", "vexa:\n  generation: 0.11\n"),
			want:     "vexa-sso.yaml:4:15: vexa.generation: unknown: write auto, 0.12 or 0.10",
		},
		"store of another kind": {document: good + "store: { url: 'mysql://db' }\n", want: "vexa-sso.yaml:19:15: store.url: is neither SQLite nor PostgreSQL: write sqlite:<file>, or postgres://user:password@host/database for more than one replica"},
		"notify_url and SQLite": {
			document: good + "store: { notify_url: 'postgres://db/x' }\n",
			want:     "vexa-sso.yaml:19:22: store.notify_url: is for PostgreSQL only: delete it",
		},
		"grace":       {document: good + "store: { grace: 24h }\n", want: "vexa-sso.yaml:19:17: store.grace: 24h is not between 0s and 5m: write at most 5m: while the store is away, somebody cut off elsewhere keeps access for that long"},
		"log.level":   {document: good + "log: { level: warning }\n", want: `vexa-sso.yaml:19:15: log.level: "warning" is not one of its values: write debug, info, warn, error`},
		"native_keys": {document: good + "tokens: { native_keys: allow }\n", want: `vexa-sso.yaml:19:24: tokens.native_keys: "allow" is not one of its values: write deny, migrate`},
		"key_grace": {
			document: good + "key_grace: 10s\n",
			want:     `vexa-sso.yaml:19:12: key_grace: 10s is too short or too long: write something from 1m to 1h, like 2m`,
		},
		"adopt_existing": {
			document: good + "adopt_existing: always\n",
			want:     `vexa-sso.yaml:19:17: adopt_existing: "always" is not one of its values: write trusted, never`,
		},
		"no streams": {
			document: good + "limits: { streams_per_account: 0 }\n",
			want:     "vexa-sso.yaml:19:32: limits.streams_per_account: allows no stream at all: write 1 or more",
		},
		"no connection": {
			document: good + "limits: { connections: 0 }\n",
			want:     "vexa-sso.yaml:19:24: limits.connections: allows no connection at all: write 1 or more",
		},
		"no connection from an address": {
			document: good + "limits: { connections_per_address: 0 }\n",
			want: "vexa-sso.yaml:19:36: limits.connections_per_address: allows no connection at all: " +
				"write 1 or more",
		},
		"size":                  {document: good + "limits: { body_replay: 64kb }\n", want: `vexa-sso.yaml:19:24: limits.body_replay: "64kb" is not a size: write bytes, or a number with KiB, MiB or GiB`},
		"unset variable":        {document: change("ADMIN_TOKEN", "ADMIN_TOKN"), want: "vexa-sso.yaml:6:16: vexa.admin_token: the environment variable ADMIN_TOKN is not set: set it, or write the value here"},
		"missing file":          {document: change("file:client-secret", "file:client-secrte"), want: "vexa-sso.yaml:12:20: providers[0].client_secret: cannot read client-secrte: no such file or directory: give the path of a file that this user may read"},
		"file is a folder":      {document: change("file:client-secret", "file:."), want: "vexa-sso.yaml:12:20: providers[0].client_secret: FOLDER is not a regular file: give the path of a file that this user may read"},
		"file never ends":       {document: change("file:client-secret", "file:/dev/zero"), want: "vexa-sso.yaml:12:20: providers[0].client_secret: /dev/zero is not a regular file: give the path of a file that this user may read"}, // S12
		"reference to nothing":  {document: change("env:ADMIN_TOKEN", "ADMIN_TOKEN"), want: "vexa-sso.yaml:6:16: vexa.admin_token: has a reference that names neither a variable nor a file: write ${env:NAME} or ${file:/path}, or $${ for the characters themselves"},
		"reference without end": {document: change("${env:ADMIN_TOKEN}", "${env:ADMIN_TOKEN"), want: "vexa-sso.yaml:6:16: vexa.admin_token: has ${ without }: write ${env:NAME} or ${file:/path}, or $${ for the characters themselves"},
		"unknown key": {
			document: change("instance:", "instanec:"),
			want:     "vexa-sso.yaml:1:1: instanec: unknown key: did you mean instance?",
		}, // E4
		"unknown key inside": {
			document: change("client_id", "clientid"),
			want:     "vexa-sso.yaml:11:5: providers[0].clientid: unknown key: did you mean client_id?",
		}, // E4
		"key at the wrong place": {
			document: good + "native_keys: deny\n",
			want:     "vexa-sso.yaml:19:1: native_keys: unknown key: did you mean tokens.native_keys?",
		}, // E4
		"key like nothing": {
			document: good + "log: { colour: true }\n",
			want:     "vexa-sso.yaml:19:8: log.colour: unknown key: known here: level, format",
		}, // E4
		"trusted_ip": {document: good + "trusted_ip: [10.0.0.1]\n", want: "vexa-sso.yaml:19:1: trusted_ip: unknown key: known here: instance, listen, tls, public_url, trusted_proxies, session, tokens, cors, limits, metrics, log, vexa, providers, rules, rules_file, adopt_existing, key_grace, suspend, audit, store, keyring_file"}, // A12
		"key given twice": {
			document: good + "instance: other\n",
			want:     "vexa-sso.yaml:19:1: instance: is given twice, first on line 1: keep one of them",
		},
		"given twice inside": {document: change("match: {", "match: { groups: [a],"), want: "vexa-sso.yaml:16:46: rules[0].match.groups: is given twice, first on line 16: keep one of them"},
		"list for a value":   {document: change("instance: prod", "instance: [prod]"), want: "vexa-sso.yaml:1:11: instance: takes one value: write the value alone; between [ ] or { }, quote it if it has a colon"},
		"value for a list":   {document: change("groups: [vexa-users]", "groups: vexa-users"), want: "vexa-sso.yaml:16:41: rules[0].match.groups: takes a list: write [a, b], or each on a line of its own after a dash"},
		"value for keys": {
			document: good + "session: 8h\n",
			want:     "vexa-sso.yaml:19:10: session: takes keys of its own: write them below it, indented",
		},
		"item without value": {document: change("groups: [vexa-users]", "groups: [vexa-users, null]"), want: "vexa-sso.yaml:16:54: rules[0].match.groups[1]: has no value: give it one, or delete the line"}, // E5
		"condition left empty": {
			document: change("groups: [vexa-users]", "groups: "),
			want:     "vexa-sso.yaml:16:40: rules[0].match.groups: has no value: give it one, or delete the line",
		}, // E5
		"expression left empty": {document: change("    grant:", "    when: ''\n    grant:"), want: "vexa-sso.yaml:17:11: rules[0].when: the condition is empty: write the condition, or leave when out"}, // E5
		"anchor":                {document: change("prod", "&x prod"), want: "vexa-sso.yaml:1:11: instance: anchors and aliases are not read: write the value out; quote it if it begins with & or *"},
		"alias":                 {document: change("prod", "*x"), want: "vexa-sso.yaml:1:11: instance: anchors and aliases are not read: write the value out; quote it if it begins with & or *"},
		"tag":                   {document: change("prod", "!!str prod"), want: "vexa-sso.yaml:1:11: instance: tags are not read: write the value without the tag; quote it if it begins with !"},
		"second document": {
			document: good + "---\ninstance: b\n",
			want:     "vexa-sso.yaml:20:9: is a second document: put everything into one, without ---",
		},
		"no YAML":             {document: "a: [" + adminToken, want: "vexa-sso.yaml:1:4: is not YAML: sequence end token ']' not found: look at its indentation, brackets and quotes"},
		"indented too far":    {document: good + "session:\n  idle: 8h\n    renew: 15m\n", want: "vexa-sso.yaml:20:9: is not YAML: mapping value is not allowed in this context: look at its indentation, brackets and quotes"},
		"indented by a tab":   {document: good + "session:\n\tidle: 8h\n", want: "vexa-sso.yaml:20:1: is not YAML: found character ' ' that cannot start any token: indent with spaces: this line begins with a tab"},
		"reference in braces": {document: good + "log: { level: ${env:LEVEL} }\n", want: "vexa-sso.yaml:19:16: is not YAML: ',' or '}' must be specified: quote what has ${…} in it when it stands between braces"},
		"no text": {
			document: "a: \xff\xfe", want: "vexa-sso.yaml:1:1: is not UTF-8: save it as UTF-8",
		},
		"too long": {document: strings.Repeat("#", maxDocument+1), want: "vexa-sso.yaml:1:1: has more than 256 KiB: keep it shorter; the rules can be in a rules_file of their own"}, // S12
		"too deep": {
			document: "a: " + strings.Repeat("[", 100_000),
			want:     "vexa-sso.yaml:1:28: is nested too deeply: write it with fewer levels: no setting needs so many",
		}, // S12
		"too many dashes": {
			document: strings.Repeat("- ", 100_000),
			want:     "vexa-sso.yaml:1:49: is nested too deeply: write it with fewer levels: no setting needs so many",
		}, // S12
		"unknown variable": {
			document: good, environ: []string{"VEXA_SSO_STORE_ULR=sqlite:x"},
			want: "VEXA_SSO_STORE_ULR: unknown variable: did you mean VEXA_SSO_STORE_URL?",
		},
		"variable like nothing": {document: good, environ: []string{"VEXA_SSO_XYZZY=1"}, want: "VEXA_SSO_XYZZY: unknown variable: the variables are the keys in capitals, like VEXA_SSO_STORE_URL; unset it"},
		"variable of a list":    {document: good, environ: []string{"VEXA_SSO_RULES=[]"}, want: "VEXA_SSO_RULES: unknown variable: the variables are the keys in capitals, like VEXA_SSO_STORE_URL; unset it"},
		"bad value in variable": {document: good, environ: []string{"VEXA_SSO_SESSION_IDLE=soon"}, want: `VEXA_SSO_SESSION_IDLE: session.idle: "soon" is not a duration: write it like 30s, 15m or 720h`},
		"PORT is no setting":    {document: good, environ: []string{"VEXA_SSO_PORT=8080"}, want: "VEXA_SSO_PORT: unknown variable: the variables are the keys in capitals, like VEXA_SSO_STORE_URL; unset it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff([]string{test.want},
				problems(t, folder(t, test.document), test.environ...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoFile(t *testing.T) {
	t.Parallel()
	got := problems(t, filepath.Join(t.TempDir(), "nowhere.yaml"))
	if diff := cmp.Diff([]string{"nowhere.yaml: cannot read nowhere.yaml: no such file or directory: name the file with --config, or put the document into VEXA_SSO_CONFIG"}, got); diff != "" {
		t.Error(diff)
	}
}

// Everything that is wrong is said at once, in the order in which it is written, and nothing twice.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	document := replace(t, good,
		"instance: prod", "instance: ''",
		"https://vexa.acme.example", "http://vexa.acme.example",
		"  admin_url: http://admin-api:8001\n", "",
		"${file:client-secret}", "${file:nowhere}",
		"grant:", "grnat:",
		"ring.json", "nowhere.json",
	) + "session: { idle: never, lifetime: 1h }\nlog: { level: loud }\n"
	got := problems(t, folder(t, document), "VEXA_SSO_LISTEN=here", "VEXA_SSO_AUDIT_RETENTION=long")
	var where []string
	for _, line := range got {
		where = append(where, strings.Join(strings.SplitN(line, ": ", 3)[:2], " "))
	}
	want := []string{
		"vexa-sso.yaml:1:11 instance",
		"vexa-sso.yaml:2:13 public_url",
		"vexa-sso.yaml:3:1 vexa.admin_url",
		"vexa-sso.yaml:11:20 providers[0].client_secret",
		"vexa-sso.yaml:16:5 rules[0].grnat",
		"vexa-sso.yaml:17:15 keyring_file",
		"vexa-sso.yaml:18:18 session.idle",
		"vexa-sso.yaml:19:15 log.level",
		"VEXA_SSO_AUDIT_RETENTION audit.retention",
		"VEXA_SSO_LISTEN listen",
	}
	if diff := cmp.Diff(want, where); diff != "" {
		t.Error(diff, strings.Join(got, "\n"))
	}
}

// A problem inside an expression is shown where it is in the document, when the document has it as it is.
func TestInsideExpression(t *testing.T) {
	t.Parallel()
	for form, test := range map[string]struct{ when, want string }{
		"plain":  {"identity.email.endsWith(1)", "vexa-sso.yaml:17:34: "},
		"quoted": {`"identity.email.endsWith(1)"`, "vexa-sso.yaml:17:35: "},
		"block":  {"|\n      true &&\n      identity.email.endsWith(1)", "vexa-sso.yaml:19:30: "},
		"escaped": {
			`"\x69dentity.email.endsWith(1)"`,
			"vexa-sso.yaml:17:11: rules[0].when: line 1, column 24 of it: ",
		},
		"folded": {
			">\n      true &&\n      identity.email.endsWith(1)",
			"vexa-sso.yaml:17:11: rules[0].when: line 1, column 32 of it: ",
		},
		"reference": {
			"identity.email.endsWith(${env:ONE})",
			"vexa-sso.yaml:17:11: rules[0].when: line 1, column 24 of it: ",
		},
	} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			document := replace(t, good, "    grant:", "    when: "+test.when+"\n    grant:")
			got := problems(t, folder(t, document), "ONE=1")
			if len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// What came in by a reference is in no message, even where it ends up in a setting that messages quote. S2
func TestReferencesStayOutOfMessages(t *testing.T) {
	t.Parallel()
	document := good + "log: { level: '${env:ADMIN_TOKEN}' }\nlisten: ${file:client-secret}\naudit: { retention: 'x${env:ADMIN_TOKEN}' }\nadopt_existing: ${env:ADMIN_TOKEN}\ncors: { origins: ['${env:ADMIN_TOKEN}'] }\n"
	if got := problems(t, folder(t, document)); len(got) != 5 { // problems looks for the secrets
		t.Errorf("%q", got)
	}
}

// A secret that is written into the document itself, and is wrong there, is not quoted either. S2
func TestWrongSecretsAreNotQuoted(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"admin_token":   replace(t, good, "${env:ADMIN_TOKEN}", "canary é"),
		"client_secret": replace(t, good, "${file:client-secret}", "' canary '"),
		"client_secrets": replace(t, good, "client_secret: ${file:client-secret}",
			"client_secrets: [canary, canary, canary]"),
		"a list": replace(t, good, "${file:client-secret}", "[canary]"),
		"proxy_url": replace(t, good, "    client_secret",
			"    proxy_url: 'http://u:canary@[::1'\n    client_secret"),
		"issuer":      replace(t, good, "https://acme.okta", "https://u:canary@acme.okta"),
		"gateway_url": replace(t, good, "http://gateway", "http://u:canary@gateway"),
		"public_url":  replace(t, good, "https://vexa", "https://u:canary@vexa"),
		"store.url":   good + "store: { url: 'postgres://u:canary@[::1' }\n",
		"a DSN":       good + "store: { url: 'host=db password=canary' }\n",
		"notify_url":  good + "store: { url: 'postgres://db/x', notify_url: 'postgres://u:canary@[::1' }\n",
		"reference":   replace(t, good, "${env:ADMIN_TOKEN}", "x${canary}"),
		"no YAML":     good + "a: [canary\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := problems(t, folder(t, document)); strings.Contains(strings.Join(got, "\n"), "canary") {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestLinesOfWindowsText(t *testing.T) {
	t.Parallel()
	document := "\ufeff" + strings.ReplaceAll(replace(t, good, "ring.json", "nowhere"), "\n", "\r\n")
	got := problems(t, folder(t, document))
	if len(got) != 1 || !strings.HasPrefix(got[0], "vexa-sso.yaml:18:15: keyring_file: ") {
		t.Errorf("%q", got)
	}
}
