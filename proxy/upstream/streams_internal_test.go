package upstream

import (
	"net/http"
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/proxy/caller"
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
