package bridge_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/config"
	"vexa-sso/mapping/keyring"
)

// Operators read what each replica runs; the public reads nothing of it.
func TestReadyzShowsWhatRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	build := func(version string) func(*bridge.Options) {
		return func(o *bridge.Options) { o.Build = version }
	}
	one := w.serve(build("v1-canary"))
	w.serve(build("v2-canary"))
	ring, err := keyring.LoadFile(filepath.Join(w.dir, "keyring.json"))
	must(t, err)
	one.waitFor("both to be known", func() bool {
		res := one.operator("/readyz")
		return strings.Contains(res.body, "v1-canary") && strings.Contains(res.body, "v2-canary") &&
			strings.Contains(res.body, ring.ID()) && res.status == http.StatusOK
	})
	host, err := os.Hostname()
	must(t, err)
	body := one.browser().get("/sso/readyz").body
	for _, internal := range []string{"canary", host, ring.ID()} {
		if strings.Contains(body, internal) || !strings.Contains(body, `"replicas":"ok"`) {
			t.Errorf("the public reads %s", body)
		}
	}
}

// S13: a replica that lacks the key with which others seal ends nothing of theirs: it says which key it
// lacks, and lets everybody in again once it has it.
func TestLackOfAKeyEndsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var late atomic.Bool
	late.Store(true)
	hangup := make(chan os.Signal, 1)
	has := w.serve()
	lacks := w.serve(func(o *bridge.Options) {
		o.Reloads = hangup
		o.Reload = func() (*config.Config, error) {
			if late.Load() {
				return nil, errors.New("the file has not come yet")
			}
			return w.load()
		}
	})
	path := filepath.Join(w.dir, "keyring.json")
	old, err := os.ReadFile(path)
	must(t, err)
	rotated, err := keyring.Rotate(old)
	must(t, err)
	ring, err := keyring.Load(rotated)
	must(t, err)
	w.write("keyring.json", string(rotated))
	has.waitFor("the new ring to be read", func() bool {
		return has.heard("key ring reloaded and now in use") != nil
	})

	b := has.signIn("okta", ada)
	good(t, "where the key is", b)
	there := b.moved(lacks)
	if res := there.get("/meetings"); res.status != http.StatusUnauthorized {
		t.Errorf("where the key is lacking: %v", res)
	}
	lacks.waitFor("it to say which key it lacks", func() bool {
		said := lacks.heard("replicas differ")
		return said != nil && strings.Contains(fmt.Sprint(said["difference"]), "lacks the key "+ring.ID())
	})
	good(t, "where the key is, afterwards", b)

	late.Store(false)
	hangup <- syscall.SIGHUP
	lacks.waitFor("the replicas to agree", func() bool { return lacks.heard("replicas agree again") != nil })
	good(t, "where the key was lacking", there)
	if calls := w.vexa.Calls(); calls.TokensMinted != 1 {
		t.Errorf("%d keys were minted", calls.TokensMinted)
	}
}
