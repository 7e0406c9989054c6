package mapping_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/store"
	"vexa-sso/oidc/oidctest"
)

// S3: the admin's word beats what rules and adoption say about the Vexa user, also before the identity has
// ever signed in.
func TestPinnedBeforeTheFirstSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica(func(c *mapping.Config, _ *mapping.Deps) { c.AdoptExisting = mapping.AdoptNever })
	team := w.vexa.AddUser("team@acme.example", "Team")
	id := person("ada")
	id.Email, id.EmailTrusted, id.UnprovenEmail = "", false, "ada@acme.example"
	if _, _, err := a.Pin(t.Context(), id.Subject, " Team@acme.example", "grace"); err != nil {
		t.Fatal(err)
	}
	acc := w.signIn(a, id)
	if acc.VexaUserID != team.ID || !acc.Pinned || acc.Status != mapping.Active {
		t.Fatalf("%+v", acc)
	}
	w.mustKey(a, acc)
	if tokens := w.vexa.Tokens(); len(tokens) != 1 || tokens[0].UserID != team.ID {
		t.Errorf("%+v", tokens)
	}
	if users := w.vexa.Users(); len(users) != 1 {
		t.Errorf("users were made: %+v", users)
	}
	if again := w.signIn(a, id); again.ID != acc.ID || again.VexaUserID != team.ID {
		t.Errorf("signed in again: %+v", again)
	}
}

// A pin says which user, never whether.
func TestPinGrantsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	w.vexa.AddUser("team@acme.example", "Team")
	id := person("mallory")
	id.Groups = []string{"choir"}
	if _, _, err := a.Pin(t.Context(), id.Subject, "team@acme.example", "grace"); err != nil {
		t.Fatal(err)
	}
	acc, d, err := a.SignIn(t.Context(), id, "")
	if err != nil || d.Allowed || d.Code != rule.CodeNotMapped || acc.ID != "" {
		t.Errorf("%+v %+v %v", acc, d, err)
	}
}

// S3: a request that read the account before an admin took its pin back does not bind it to the pinned user
// again, nor has it wait because that user is not theirs.
func TestUnpinnedUnderARequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	acc := w.signIn(a, person("ada"))
	w.vexa.AddUser("team@acme.example", "Team")
	if _, _, err := a.Pin(t.Context(), acc.Subject, "team@acme.example", "grace"); err != nil {
		t.Fatal(err)
	}
	pinned := w.account(acc.ID)
	if err := a.Unpin(t.Context(), acc.Subject, "grace"); err != nil {
		t.Fatal(err)
	}
	w.key(w.replica(), pinned)
	if now := w.account(acc.ID); now.Status != mapping.Active || now.VexaEmail != "ada@acme.example" {
		t.Errorf("%+v", now)
	}
}

// S3: a pinned account moves at once, with nothing of the old user left: no key, no stream.
func TestPinMovesAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, elsewhere := w.replica(), w.replica()
	acc := w.signIn(a, person("ada"))
	w.mustKey(a, acc)
	w.mustKey(elsewhere, acc)
	heard := listen(t, w)
	w.store.Watch(t.Context(), elsewhere.Apply)
	team := w.vexa.AddUser("team@acme.example", "Team")
	w.rule(rule.Rule{
		Name: "staff", Match: rule.Match{Groups: []string{"staff"}},
		Grant: &rule.GrantSpec{Scopes: []string{"bot"}, VexaEmail: "other@acme.example"},
	}, rule.Rule{
		Name: "more", Match: rule.Match{Groups: []string{"staff"}},
		Grant: &rule.GrantSpec{Scopes: []string{"tx"}, VexaEmail: "another@acme.example"},
	})

	if _, others, err := a.Pin(t.Context(), acc.Subject, "2", "grace"); err != nil || len(others) != 0 {
		t.Fatal(others, err)
	}
	heard.wait(t, func(r mapping.Revocation) bool {
		return r.Kind == mapping.RevokeAccount && r.Account == acc.ID
	})
	acc = w.account(acc.ID)
	if acc.VexaUserID != team.ID || acc.VexaEmail != "team@acme.example" || !acc.Pinned {
		t.Fatalf("%+v", acc)
	}
	if waiting, err := a.DeleteRevoked(t.Context()); waiting != 0 || err != nil {
		t.Fatal(waiting, err)
	}
	secret, _ := w.mustKey(elsewhere, acc)
	if tokens := w.vexa.Tokens(); len(tokens) != 1 || tokens[0].UserID != team.ID ||
		tokens[0].Secret != secret {
		t.Errorf("%+v", tokens)
	}
	if got := a.Decide(acc).Grant; got.Scopes != "bot,tx" || got.VexaEmail != "team@acme.example" {
		t.Errorf("rules that name different users: %+v", got)
	}

	// Taken back, the rules name the user again; what is there is not simply theirs.
	w.allow("bot")
	if err := a.Unpin(t.Context(), acc.Subject, "grace"); err != nil {
		t.Fatal(err)
	}
	if now := w.account(acc.ID); now.Bound() || now.Pinned || now.Status != mapping.Active {
		t.Errorf("unpinned: %+v", now)
	}
	if back := w.signIn(a, person("ada")); back.ID != acc.ID ||
		back.VexaEmail != "ada@acme.example" || !back.Bound() {
		t.Errorf("back: %+v", back)
	}
	if err := a.Unpin(t.Context(), acc.Subject, "grace"); err == nil {
		t.Error("unpinned twice")
	}
}

// S3: whom an admin gave a Vexa user has it; who comes for it by a proven email waits.
func TestPinnedUserIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	w.vexa.AddUser("ada@acme.example", "Ada")
	if _, _, err := a.Pin(t.Context(), person("grace").Subject, "ada@acme.example", "root"); err != nil {
		t.Fatal(err)
	}
	acc := w.signIn(a, person("ada"))
	if acc.Status != mapping.Pending || !strings.Contains(acc.Reason, person("grace").Subject) {
		t.Errorf("%+v", acc)
	}
	if acc, err := a.Approve(t.Context(), acc.ID, "root"); err != nil || !acc.Bound() {
		t.Errorf("approved all the same: %+v, %v", acc, err)
	}
}

// A pending account has the user that it is pinned to, and waits no more.
func TestPinEndsWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica(func(c *mapping.Config, _ *mapping.Deps) { c.AdoptExisting = mapping.AdoptNever })
	w.vexa.AddUser("ada@acme.example", "Ada")
	acc := w.signIn(a, person("ada"))
	if acc.Status != mapping.Pending {
		t.Fatalf("%+v", acc)
	}
	if _, _, err := a.Pin(t.Context(), acc.Subject, "ada@acme.example", "grace"); err != nil {
		t.Fatal(err)
	}
	w.mustKey(a, w.account(acc.ID))
}

// S3: a Vexa that was set up anew between the pin and the first sign-in opens nobody else's data.
func TestPinOfAUserThatIsAnotherNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	w.vexa.AddUser("team@acme.example", "Team")
	if _, _, err := a.Pin(t.Context(), person("ada").Subject, "1", "grace"); err != nil {
		t.Fatal(err)
	}
	w.vexa.Reinstall()
	w.vexa.AddUser("boss@acme.example", "Boss")
	acc := w.signIn(a, person("ada"))
	if _, _, err := w.key(a, acc); code(err) != mapping.CodePendingApproval || len(w.vexa.Tokens()) != 0 {
		t.Errorf("%v, %+v", err, w.vexa.Tokens())
	}
}

func TestPinObjections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	w.vexa.AddUser("team@acme.example", "Team")
	for _, subject := range []string{
		"", "ada@acme.example", "okta:", "ldap:x", "okta:https://acme.okta.com/00u 1",
		"okta:" + strings.Repeat("x", 700),
	} {
		if _, _, err := a.Pin(t.Context(), subject, "team@acme.example", "grace"); !objection(err) {
			t.Errorf("%q: %v", subject, err)
		}
	}
	for _, user := range []string{"", "nobody@acme.example", "99", "no address"} {
		if _, _, err := a.Pin(t.Context(), person("ada").Subject, user, "grace"); !objection(err) {
			t.Errorf("%q: %v", user, err)
		}
	}
	if err := a.EachPin(t.Context(), func(pins []mapping.Pin) error {
		t.Errorf("%+v", pins)
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// Everybody who has the user already is named.
func TestPinToAUserThatOthersHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.replica()
	ada := w.signIn(a, person("ada"))
	_, others, err := a.Pin(t.Context(), person("grace").Subject, "ada@acme.example", "root")
	if err != nil || !slices.Equal(others, []string{ada.ID}) {
		t.Errorf("%v, %v", others, err)
	}
	grace := w.signIn(a, person("grace"))
	if grace.VexaUserID != ada.VexaUserID || w.account(ada.ID).Status != mapping.Active {
		t.Errorf("%+v", grace)
	}
}

func objection(err error) bool {
	_, ok := err.(*mapping.Objection)
	return ok
}

// ear hears the log of revocations, as a replica does.
type ear struct {
	mu    sync.Mutex
	heard []mapping.Revocation
	more  chan struct{}
}

func listen(t *testing.T, w *world) *ear {
	e := &ear{more: make(chan struct{}, 1)}
	w.store.Watch(t.Context(), func(r mapping.Revocation) {
		e.mu.Lock()
		e.heard = append(e.heard, r)
		e.mu.Unlock()
		select {
		case e.more <- struct{}{}:
		default:
		}
	})
	return e
}

func (e *ear) wait(t *testing.T, wanted func(mapping.Revocation) bool) {
	t.Helper()
	for {
		e.mu.Lock()
		heard := slices.ContainsFunc(e.heard, wanted)
		e.mu.Unlock()
		if heard {
			return
		}
		select {
		case <-e.more:
		case <-time.After(oidctest.Patience):
			t.Fatal("never heard of it")
		}
	}
}

// events reads the audit, the latest first.
func (w *world) events(kind string) []mapping.Event {
	w.t.Helper()
	events, err := w.store.Events(context.Background(), store.EventFilter{Event: kind})
	if err != nil {
		w.t.Fatal(err)
	}
	return events
}
