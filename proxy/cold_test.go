package proxy_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/proxytest"
)

// readStore tells of each read of a session.
type readStore struct {
	caller.SessionStore
	read func(context.Context)
}

func (s readStore) SessionByHash(ctx context.Context, hash [32]byte) (caller.SignedIn, error) {
	s.read(ctx)
	return s.SessionStore.SessionByHash(ctx, hash)
}

// reading has every read of a session told to read.
func reading(read func(context.Context)) func(*proxytest.Options) {
	return func(o *proxytest.Options) {
		o.Sessions = func(s caller.SessionStore) caller.SessionStore { return readStore{s, read} }
	}
}

// A cold request reads its session once, however many others are revoked while it does, and by that has
// itself remembered. It is looked at again when its own account is.
func TestColdRequestWhileOthersAreRevoked(t *testing.T) {
	t.Parallel()
	var w *proxytest.World
	var reads atomic.Int64
	own := ""
	w = proxytest.Start(t, reading(func(context.Context) {
		reads.Add(1)
		for i := range 20 {
			other := mapping.Revocation{Kind: mapping.RevokeGrant, Account: fmt.Sprint("other ", i)}
			if i%2 == 0 {
				other.Kind = mapping.RevokeAccount
			}
			w.Accounts.Apply(other)
			w.Proxy.Apply(other)
		}
		if own != "" && reads.Load() == 1 {
			w.Proxy.Apply(mapping.Revocation{Kind: mapping.RevokeGrant, Account: own})
		}
	}))
	b := w.SignIn(oidctest.Ada)
	cold := func() int64 {
		w.Proxy.Apply(mapping.Revocation{Kind: mapping.RevokeEverything})
		reads.Store(0)
		for range 2 {
			if res := b.Get("/meetings"); res.Status != http.StatusOK {
				t.Fatalf("%d %s", res.Status, res.Body)
			}
		}
		return reads.Load()
	}
	for range 10 {
		if n := cold(); n != 1 {
			t.Errorf("read %d times", n)
		}
	}
	own = proxytest.AccountOf(t, w, oidctest.Ada)
	if n := cold(); n < 2 || n > 3 { // the third looks at the request that is under way
		t.Errorf("revoked itself: read %d times", n)
	}
}

// S5: after a change of the rules several accounts are looked at again at a time, and meanwhile what has
// expired ends as always.
func TestRulesChangeIsNotOneAfterAnother(t *testing.T) {
	t.Parallel()
	people := []string{oidctest.Ada, oidctest.Grace, oidctest.Tim}
	var hold atomic.Bool
	arrived, goOn := make(chan struct{}, 100), make(chan struct{})
	w := proxytest.Start(t, reading(func(context.Context) {
		if hold.Load() {
			arrived <- struct{}{}
			<-goOn
		}
	}))
	release := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(release)
	var open []*proxytest.Events
	for _, person := range people {
		open = append(open, w.SignIn(person).Open("GET", "/agent/meeting/stream"))
	}
	hold.Store(true)
	w.ReplaceRules(proxytest.StaffRules())
	for range people { // none goes on before all have come
		<-arrived
	}
	w.Clock.Advance(25 * time.Hour)
	for _, events := range open {
		if !events.Ends() {
			t.Error("a stream goes on whose session is over")
		}
	}
	release()
}
