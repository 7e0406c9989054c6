package store

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/store/storetest"
	"vexa-sso/oidc/oidctest"
)

// S5: behind a transaction pooler that nobody told us of, replicas start, even at once and whether it takes
// our parameters or not, say in one line what to set, and hear of revocations within the second.
func TestPoolerIsNoticed(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{"", "ignore_startup_parameters = " + abandonParameter} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel()
			direct := storetest.Database(t)
			url := storetest.Pooler(t, direct, settings)
			stores, log := make([]*Store, 3), &oidctest.LogBook{}
			var all sync.WaitGroup
			for i := range stores {
				all.Go(func() { stores[i] = openLogged(t, Config{URL: url}, log) })
			}
			all.Wait()
			if t.Failed() {
				t.Fatal(log)
			}
			if n := strings.Count(log.String(), "set store.notify_url"); n != len(stores) {
				t.Errorf("%d say what to set:\n%s", n, log)
			}
			for range 20 { // wherever the pooler leads it
				heard := hear(t, stores[1])
				clock := oidctest.StartStopwatch(t)
				publish(t, stores[0], mapping.Revocation{Account: "ada"})
				next(t, heard)
				if took := clock.Took(); took > oidctest.Promised {
					t.Errorf("heard after %s", took)
				}
			}

			told := &oidctest.LogBook{}
			openLogged(t, Config{URL: url, NotifyURL: direct}, told)
			openLogged(t, Config{URL: direct}, told)
			if strings.Contains(told.String(), "pooler") {
				t.Errorf("nothing is to be set:\n%s", told)
			}
		})
	}
}

func openLogged(t *testing.T, config Config, log *oidctest.LogBook) *Store {
	config.Grace = 30 * time.Second
	s, err := open(t.Context(), config, Env{Log: slog.New(slog.NewTextHandler(log, nil))}, testLimits)
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { s.Close() })
	return s
}
