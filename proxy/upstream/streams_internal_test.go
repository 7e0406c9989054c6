package upstream

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// enderFunc is what happens to a stream when it is cut short.
type enderFunc func()

func (f enderFunc) cutShort(*ending) { f() }

// S5: a token that is revoked takes its own streams with it, at once: those of the account's other tokens
// and of its browser go on.
func TestRevokedTokenCutsItsStreams(t *testing.T) {
	t.Parallel()
	open := NewStreams(20)
	cut := map[string]bool{}
	for _, id := range []string{"tok_1", "tok_2", "ses_1", ""} {
		st := &stream{
			caller: &caller.Caller{CredentialID: id, Account: mapping.Account{ID: "ada"}}, kind: "events",
			ends: enderFunc(func() { cut[id] = true }),
		}
		if err := open.add(st); err != nil {
			t.Fatal(err)
		}
	}
	open.End("ada", "tok_1")
	if len(cut) != 1 || !cut["tok_1"] {
		t.Errorf("cut: %v", cut)
	}
}

// S5, S13: when an account is looked at afresh, what its grant no longer covers ends, and nothing else: what
// no table knows was let through without a scope, and goes on without one.
func TestRecheckEndsWhatIsNotCovered(t *testing.T) {
	t.Parallel()
	bots := vexa.Route{Pattern: "/bots", AnyOf: []string{"bot"}}
	meetings := vexa.Route{Pattern: "/meetings", AnyOf: []string{"tx"}}
	open, cut := NewStreams(20), map[string]bool{}
	was, now := &caller.Caller{Account: mapping.Account{ID: "ada"}}, &caller.Caller{}
	now.Account.ID = "ada"
	for path, route := range map[string]vexa.Route{
		"/bots": bots, "/meetings": meetings, "/of-tomorrow": {}, "/closed": {},
	} {
		st := &stream{
			caller: was, route: route, method: http.MethodGet, path: path, kind: "transfer",
			ends: enderFunc(func() { cut[path] = true }),
		}
		if err := open.add(st); err != nil {
			t.Fatal(err)
		}
	}
	view := &caller.View{Scopes: rule.NewScopes("tx")}
	view.Decision.Grant.DenyRoutes = []string{"GET /closed"}
	open.Keep(was, now, view)
	if len(cut) != 2 || !cut["/bots"] || !cut["/closed"] {
		t.Errorf("cut: %v", cut)
	}
}

// S12: an account has a bound on what is under way, and whatever leaves makes room again.
func TestBoundOfWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	open := NewStreams(20)
	all := make([]*stream, maxUnderWay+1)
	for i := range all {
		all[i] = &stream{caller: &caller.Caller{Account: mapping.Account{ID: "ada"}}, kind: transfer}
	}
	for _, st := range all[1:] {
		if err := open.register(st, changesFunc(unchanged), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := open.register(all[0], changesFunc(unchanged), 0); err == nil {
		t.Error("there is no bound")
	}
	other := &stream{caller: &caller.Caller{Account: mapping.Account{ID: "grace"}}, kind: transfer}
	if err := open.register(other, changesFunc(unchanged), 0); err != nil {
		t.Errorf("another account: %v", err)
	}
	for _, i := range []int{maxUnderWay, 1, maxUnderWay / 2} { // the first, the last, and one between
		open.remove(all[i])
		if err := open.register(all[i], changesFunc(unchanged), 0); err != nil {
			t.Errorf("when one has left: %v", err)
		}
	}
	for _, st := range append(all[1:], other) {
		open.remove(st)
	}
	if len(open.byAccount) != 0 || open.Count(transfer) != 0 {
		t.Errorf("left: %v", open.byAccount)
	}
}

// deadlines is a client's connection that notes its read deadline.
type deadlines struct {
	http.ResponseWriter
	read time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.read = t
	return nil
}

// S12: a forwarded body may take long, but must move: at the least rate on the whole, and never with a pause
// beyond the idle timeout. What has come to its end leaves the connection without a deadline.
func TestBodyRate(t *testing.T) {
	t.Parallel()
	client := &deadlines{}
	g := &Passage{ex: &exchange.Exchange{ResponseWriter: client}, Context: t.Context()}
	r := &http.Request{Body: io.NopCloser(strings.NewReader(strings.Repeat("x", 100*leastBodyRate)))}
	began := time.Now()
	limitBodyRate(g, r)
	one := make([]byte, 1)
	for range 10 {
		if _, err := r.Body.Read(one); err != nil {
			t.Fatal(err)
		}
	}
	if most := time.Since(began) + bodyIdleTimeout + time.Second; client.read.Sub(began) > most {
		t.Errorf("after ten bytes the next may come after %s", client.read.Sub(began))
	}
	if _, err := io.ReadFull(r.Body, make([]byte, 99*leastBodyRate)); err != nil {
		t.Fatal(err)
	}
	_, _ = r.Body.Read(one)
	if left := time.Until(client.read); left > bodyIdleTimeout || left < bodyIdleTimeout/2 {
		t.Errorf("a body that came fast may pause for %s", left)
	}
	if _, err := io.ReadAll(r.Body); err != nil || !client.read.IsZero() {
		t.Errorf("%v, then the deadline is %s", err, client.read)
	}
}

type changesFunc func(account string) bool

func (f changesFunc) ChangedSince(account string, _ int64) bool { return f(account) }

func unchanged(string) bool { return false }

// S5: whether a revocation came since the caller was authenticated is asked once every later one finds the
// stream: none falls in between.
func TestChangesAreAskedOfARegisteredStream(t *testing.T) {
	t.Parallel()
	open := NewStreams(20)
	st := &stream{
		caller: &caller.Caller{Account: mapping.Account{ID: "ada"}}, kind: transfer,
		ends: enderFunc(func() {}),
	}
	found := 0
	if err := open.register(st, changesFunc(func(account string) bool {
		found = len(open.Callers(account))
		return true
	}), 0); err != nil {
		t.Fatal(err)
	}
	if found != 1 {
		t.Error("a revocation between the question and the registration finds nothing")
	}
	if account, ok := open.NextInDoubt(t.Context()); account != "ada" || !ok {
		t.Errorf("in doubt: %q", account)
	}
}
