package bridge_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/config"
	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/oidc/oidctest"
)

const (
	bot  = `{"platform":"google_meet","native_meeting_id":"abc"}`
	only = `
- name: only-tim
  match: { emails: [tim@acme.example] }
  grant: { scopes: [bot, tx] }
`
)

func (b *browser) sendBot() answer {
	return b.send("POST", "/bots", bot, "Origin", public, "Content-Type", "application/json")
}

// Rules that change while the bridge serves hold from the next request on: more, less and nothing; what is
// open and no longer granted ends, and keys that are too wide are deleted. Each way of asking for a reload.
func TestRulesChange(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]func(*testing.T) (*replica, func(string)){
		"the file is written": func(t *testing.T) (*replica, func(string)) {
			w := newWorld(t)
			r := w.serve()
			return r, func(rules string) { w.write("rules.yaml", rules) }
		},
		"the file is replaced": func(t *testing.T) (*replica, func(string)) {
			w := newWorld(t)
			r := w.serve()
			return r, func(rules string) {
				w.write("rules.next", rules)
				must(t, os.Rename(filepath.Join(w.dir, "rules.next"), filepath.Join(w.dir, "rules.yaml")))
			}
		},
		"by signal": func(t *testing.T) (*replica, func(string)) {
			w := newWorld(t)
			reloads := make(chan os.Signal, 1)
			var path atomic.Pointer[string] // of a configuration in a folder that nobody watches
			r := w.serve(func(o *bridge.Options) {
				o.Reloads = reloads
				o.Reload = func() (*config.Config, error) {
					if path.Load() == nil {
						return w.load()
					}
					return config.Load(*path.Load(), nil)
				}
			})
			return r, func(rules string) {
				text, err := os.ReadFile(filepath.Join(w.dir, "vexa-sso.yaml"))
				must(t, err)
				dir := t.TempDir()
				must(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(rules), 0o600))
				elsewhere := filepath.Join(dir, "vexa-sso.yaml")
				must(t, os.WriteFile(elsewhere, []byte(strings.Replace(
					string(text), "rules_file: "+w.dir, "rules_file: "+dir, 1,
				)), 0o600))
				path.Store(&elsewhere)
				reloads <- syscall.SIGHUP
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, change := changes(t)
			generation := 1.0
			changed := func(rules string) {
				t.Helper()
				change(rules)
				generation++
				r.waitFor("the rules to be in force", func() bool {
					return r.metric("vexa_sso_rules_generation") == generation
				})
			}
			hers, his := r.signIn("okta", ada), r.signIn("okta", tim)
			if res := his.sendBot(); res.status != http.StatusForbidden || res.code() != "scope_missing" {
				t.Errorf("before, his: %v", res)
			}
			if res := hers.sendBot(); res.status != http.StatusCreated {
				t.Errorf("before, hers: %v", res)
			}
			socket, stream := hers.mustSocket(), hers.events()

			changed(strings.Replace(rules, "scopes: [tx]", "scopes: [bot, tx]", 1))
			if res := his.get("/bots/status"); res.status != http.StatusOK {
				t.Errorf("granted more: %v", res)
			}
			changed(strings.Replace(rules, "scopes: [bot, tx]", "scopes: [tx]", 1))
			if res := hers.get("/bots/status"); res.status != http.StatusForbidden ||
				res.code() != "scope_missing" {
				t.Errorf("granted less: %v", res)
			}
			good(t, "with what is left", hers)
			changed(only)
			if res := hers.get("/meetings"); res.status != http.StatusForbidden ||
				res.code() != "not_mapped" {
				t.Errorf("granted nothing: %v", res)
			}
			good(t, "who is still granted something", his)
			if closed := closing(t, socket); closed != 4401 {
				t.Errorf("the socket was closed with %d", closed)
			}
			ends(t, stream)
			r.waitFor("keys that are too wide to be deleted", func() bool { return len(r.w.keys()) == 1 })
		})
	}
}

// A13: what is bad changes nothing, is said on the log and counted, and does not keep what is good
// from coming into force later.
func TestBadFilesChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.serve()
	b := r.signIn("okta", ada)
	good(t, "before", b)
	document, err := os.ReadFile(filepath.Join(w.dir, "vexa-sso.yaml"))
	must(t, err)
	failed := 0.0
	for _, bad := range []struct{ name, file, text string }{
		{"no YAML", "rules.yaml", "- name: [\n"},
		{"empty", "rules.yaml", ""},
		{
			"a rule that matches anybody", "rules.yaml",
			"- name: all\n  grant: { scopes: [bot] }\n  when: identity.\n",
		},
		{"an unknown key", "rules.yaml", strings.Replace(rules, "groups:", "group:", 1)},
		{"an unknown provider", "rules.yaml", strings.Replace(rules, "[okta]", "[okto]", 1)},
		{"half a document", "vexa-sso.yaml", string(document[:len(document)/2])},
		{"no key ring", "vexa-sso.yaml", strings.Replace(string(document), "keyring.json",
			"nothing.json", 1)},
	} {
		w.write(bad.file, bad.text)
		failed++
		r.waitFor(bad.name+" to be counted", func() bool {
			return r.metric("vexa_sso_rules_reload_failed_total") == failed
		})
		if said := r.heard("configuration not reloaded; the old one stays in use"); said == nil ||
			said["level"] != "ERROR" || said["error"] == "" {
			t.Errorf("%s: the log says %v", bad.name, said)
		}
		good(t, "after "+bad.name, b)
		if generation := r.metric("vexa_sso_rules_generation"); generation != 1 {
			t.Errorf("%s is in force: %v", bad.name, generation)
		}
	}
	w.write("rules.yaml", only)
	w.write("vexa-sso.yaml", string(document))
	r.waitFor("good rules to be in force", func() bool { return b.get("/meetings").code() == "not_mapped" })
}

// A file that is gone is no change: what was read from it stays in force.
func TestRulesFileIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reloads := make(chan os.Signal, 1)
	r := w.serve(func(o *bridge.Options) { o.Reloads = reloads })
	b := r.signIn("okta", ada)
	must(t, os.Remove(filepath.Join(w.dir, "rules.yaml")))
	reloads <- syscall.SIGHUP
	r.waitFor("the failure to be counted", func() bool {
		return r.metric("vexa_sso_rules_reload_failed_total") == 1
	})
	good(t, "without the file", b)
}

// What only takes effect at start is said to need one.
func TestChangeThatNeedsARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.serve()
	const message = "configuration changed in more than rules, client secrets and the key ring; " +
		"restart to use the rest"
	w.write("rules.yaml", only)
	r.waitFor("the rules to be in force", func() bool { return r.metric("vexa_sso_rules_generation") == 2 })
	if r.heard(message) != nil {
		t.Error("a change of the rules alone is said to need a restart")
	}
	w.document = strings.Replace(w.document, "level: debug", "level: info", 1)
	w.configure()
	r.waitFor("it to say so", func() bool { return r.heard(message) != nil })
}

// certificate makes one for the bridge's address and writes it and its key in PEM.
func certificate(t *testing.T, name string) (certPEM, keyPEM string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// The listener speaks TLS, and takes a new certificate without a restart once
// certificate and key belong together.
func TestCertificateChanges(t *testing.T) {
	t.Parallel()
	firstCert, firstKey := certificate(t, "first")
	secondCert, secondKey := certificate(t, "second")
	w := newWorld(t, with("public", "https://"+host))
	w.document = strings.Replace(document, "metrics:",
		"tls: { cert_file: {dir}/tls.crt, key_file: {dir}/tls.key }\nmetrics:", 1)
	w.write("tls.crt", firstCert)
	w.write("tls.key", firstKey)
	w.configure()
	r := w.serve()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(firstCert + secondCert))
	b := r.browser()
	b.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}

	res := b.signIn("okta", ada)
	cookies := strings.Join(res.header["Set-Cookie"], "\n")
	if res.status != http.StatusSeeOther || !strings.Contains(cookies, "__Host-vexa_sso=") ||
		!strings.Contains(cookies, "Secure") {
		t.Fatalf("signing in over TLS: %v", res)
	}
	good(t, "over TLS", b)
	shown := func() string {
		res, err := b.open(t.Context(), "GET", "/sso/healthz", "")
		must(t, err)
		res.Body.Close()
		return res.TLS.PeerCertificates[0].Subject.CommonName
	}
	if name := shown(); name != "first" {
		t.Errorf("it shows the certificate %s", name)
	}
	w.write("tls.crt", secondCert) // and the key is still the first one's
	r.waitFor("the pair to be refused", func() bool {
		return r.heard("certificate not reloaded; the old one stays in use") != nil
	})
	if name := shown(); name != "first" {
		t.Errorf("with half a pair it shows the certificate %s", name)
	}
	w.write("tls.key", secondKey)
	r.waitFor("the new certificate to be shown", func() bool { return shown() == "second" })
	good(t, "with the new certificate", b)

	plain := &http.Client{Timeout: oidctest.Patience}
	if res, err := plain.Get("http://" + r.address + "/sso/healthz"); err == nil {
		if res.Body.Close(); res.StatusCode == http.StatusOK {
			t.Error("it speaks plain http, too")
		}
	}
	old := &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", r.address, old); err == nil {
		conn.Close()
		t.Error("it speaks TLS 1.1")
	}
}

// A client secret that is rotated in its file comes into force without a restart, nothing else of the
// provider with it, and nobody who is signed in notices.
func TestClientSecretChanges(t *testing.T) {
	t.Parallel()
	const old, fresh = "okta-secret-canary-77ab", "okta-secret-canary-next"
	w := newWorld(t, with("okta-secret", old))
	w.document = strings.Replace(document, "'{okta-secret}'", "${file:{dir}/okta-secret}", 1)
	w.write("okta-secret", old+"\n")
	w.configure()
	r := w.serve()
	hers := r.signIn("okta", ada)
	works := func() bool { return r.browser().signIn("okta", tim).status == http.StatusSeeOther }
	if !works() {
		t.Fatal("the first secret does not work")
	}
	must(t, w.okta.ChangeClient("0oabridge", func(c *oidctest.Client) { c.Secrets = []string{fresh} }))
	if works() {
		t.Fatal("the secret that Okta no longer takes works")
	}
	w.write("okta-secret", fresh+"\n")
	r.waitFor("the new secret to be in force", func() bool {
		return r.heard("client secrets reloaded and now in use") != nil
	})
	if !works() {
		t.Error("the new secret does not work")
	}
	good(t, "who was signed in", hers)
	const restart = "configuration changed in more than rules, client secrets and the key ring; " +
		"restart to use the rest"
	if r.heard(restart) != nil {
		t.Error("a new secret is said to need a restart")
	}

	w.document = strings.Replace(w.document, "client_id: 0oabridge", "client_id: 0oaanother", 1)
	w.configure()
	r.waitFor("it to say that a restart is needed", func() bool { return r.heard(restart) != nil })
	w.write("okta-secret", "another client's")
	w.write("rules.yaml", rules+only)
	r.waitFor("what was written last to be in force", func() bool {
		return r.metric("vexa_sso_rules_generation") == 2
	})
	if !works() {
		t.Error("another client's secret is in force before its id is")
	}
}

// A key ring that was rotated seals from then on, without a restart; one that could open nothing of what is
// stored changes nothing.
func TestKeyRingChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.serve()
	hers := r.signIn("okta", ada)
	good(t, "before", hers)
	cfg, err := w.load()
	must(t, err)
	old, err := os.ReadFile(cfg.KeyringFile)
	must(t, err)
	stale := func() (keys int) { // that an older key of the ring sealed
		t.Helper()
		cfg, err := w.load()
		must(t, err)
		a, err := bridge.OpenAdmin(t.Context(), cfg)
		must(t, err)
		defer a.Close()
		must(t, a.Store.View(t.Context(), func(tx mapping.Tx) error {
			active, err := tx.KeysAfter(mapping.KeyActive, mapping.Place{}, 100)
			for _, key := range active {
				if cfg.Ring.Stale(key.Sealed) {
					keys++
				}
			}
			return err
		}))
		return keys
	}

	stranger, err := keyring.Generate()
	must(t, err)
	must(t, os.WriteFile(cfg.KeyringFile, stranger, 0o600))
	r.waitFor("a ring that opens nothing to be refused", func() bool {
		return r.heard("key ring not reloaded; the old one stays in use") != nil
	})
	rotated, err := keyring.Rotate(old)
	must(t, err)
	must(t, os.WriteFile(cfg.KeyringFile, rotated, 0o600))
	r.waitFor("the rotated ring to be in use", func() bool {
		return r.heard("key ring reloaded and now in use") != nil
	})
	if n := stale(); n != 1 {
		t.Errorf("%d keys were sealed by the older key, want 1", n)
	}
	good(t, "who came after", r.signIn("okta", tim))
	if n := stale(); n > 1 {
		t.Errorf("after the rotation, %d keys are sealed by the older key", n)
	}
	good(t, "who was here before", hers)
}
