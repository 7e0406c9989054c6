package bridge_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vexa-sso/cmd/internal/bridge"
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
