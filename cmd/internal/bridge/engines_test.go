package bridge_test

import (
	"net/http"
	"os"
	"testing"

	"vexa-sso/mapping/store/storetest"
)

// engine is what the store of a test stands on.
type engine struct {
	option func(*testing.T) func(*world)
}

// onEachEngine runs a test with the embedded store, and with PostgreSQL where there is a server for tests.
func onEachEngine(t *testing.T, test func(*testing.T, engine)) {
	t.Parallel()
	for name, on := range map[string]engine{
		"sqlite":   {func(*testing.T) func(*world) { return func(*world) {} }},
		"postgres": {func(t *testing.T) func(*world) { return with("store", storetest.Postgres(t)) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, on)
		})
	}
}

// storeThatLeaves is a store that a test takes away and brings back.
type storeThatLeaves struct {
	option          func(*world)
	leave, comeBack func(*world)
}

func fileThatLeaves(t *testing.T) storeThatLeaves {
	return storeThatLeaves{
		option:   func(*world) {},
		leave:    func(w *world) { must(t, os.Rename(w.store(), w.store()+".away")) },
		comeBack: func(w *world) { must(t, os.Rename(w.store()+".away", w.store())) },
	}
}

func serverThatLeaves(leave func(*storetest.Wire)) func(*testing.T) storeThatLeaves {
	return func(t *testing.T) storeThatLeaves {
		wire := storetest.NewWire(t, storetest.Postgres(t))
		return storeThatLeaves{
			option:   with("store", wire.URL),
			leave:    func(*world) { leave(wire) },
			comeBack: func(*world) { wire.Mend() },
		}
	}
}

// S10: a server that comes up after the program has started. Nobody has to start that again.
func TestStoreComesLate(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*storetest.Wire){
		"refuses": (*storetest.Wire).Cut, "hangs": (*storetest.Wire).Freeze,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := storetest.NewWire(t, storetest.Postgres(t))
			leave(wire)
			w := newWorld(t, with("store", wire.URL), quick)
			r := w.start()
			turnedAway(t, "a stranger", r.browser().get("/meetings"), http.StatusServiceUnavailable,
				"store_unavailable")
			if res := r.operator("/readyz"); res.status != http.StatusServiceUnavailable {
				t.Errorf("readyz: %v", res)
			}
			wire.Mend()
			r.waitFor("it to serve", func() bool { return r.heard("serving") != nil })
			good(t, "once the store is there", r.signIn("okta", ada))
		})
	}
}
