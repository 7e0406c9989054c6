package mapping_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
)

// withToken signs Ada in with a refresh token, gives her a token of ours, and signs her browser out again.
func withToken(w *world) (*mapping.Accounts, *directory, mapping.Account, string) {
	w.t.Helper()
	a, d, acc := proven(w)
	_, value := w.token(a, acc, personal("tx"))
	if err := a.Revoke(w.t.Context(),
		mapping.Revocation{Kind: mapping.RevokeSession, Account: acc.ID, Session: "s1"}, acc.ID); err != nil {
		w.t.Fatal(err)
	}
	return a, d, acc, value
}

// The provider is asked about whoever has a token, whether or not a browser is left, as long as one
// lives. Replicas that hold the account are not told where nothing changed: they read it again
// before they pause a token.
func TestProofIsRenewedWhileATokenLives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc, value := withToken(w)
	heard := listen(t, w)
	for round := 1; round <= 3; round++ {
		w.clock.advance(15 * time.Minute)
		renew(t, a)
		if _, owner, err := a.TokenByValue(t.Context(), access(value)); err != nil || d.times() != round ||
			!owner.ProvenAt.Equal(w.clock.Now()) {
			t.Fatalf("asked %d times in round %d; proven at %s, %v", d.times(), round, owner.ProvenAt, err)
		}
	}
	last := mapping.Revocation{Kind: mapping.RevokeGrant, Account: acc.ID, Reason: "the last of them"}
	if err := a.Revoke(t.Context(), last, "ada"); err != nil {
		t.Fatal(err)
	}
	heard.wait(t, func(r mapping.Revocation) bool { return r.Reason == last.Reason })
	heard.mu.Lock()
	defer heard.mu.Unlock()
	if i := slices.IndexFunc(heard.heard, func(r mapping.Revocation) bool {
		return r.Kind == mapping.RevokeGrant && r.Reason != last.Reason
	}); i >= 0 {
		t.Errorf("others were told that nothing changed: %+v", heard.heard[i])
	}
	w.clock.advance(30 * 24 * time.Hour)
	w.due(acc)
	renew(t, a)
	if d.times() != 3 {
		t.Error("asked about somebody who has nothing left")
	}
}

// E7: a disabled person's tokens stop within 15 minutes of the provider knowing, though no browser is signed
// in; while the provider cannot be reached, nothing is vouched for.
func TestTokensStopWithTheirPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc, value := withToken(w)
	last := w.account(acc.ID).ProvenAt
	d.set(func() { d.refuse = &oidc.Error{Code: oidc.CodeProviderUnavailable} })
	for range 100 {
		w.clock.advance(10 * time.Minute)
		renew(t, a)
	}
	if _, owner, err := a.TokenByValue(t.Context(), access(value)); err != nil ||
		!owner.ProvenAt.Equal(last) {
		t.Fatalf("proven at %s, %v; last vouched for at %s", owner.ProvenAt, err, last)
	}
	d.set(func() { d.refuse = nil })
	w.clock.advance(5 * time.Minute)
	renew(t, a)
	if !w.account(acc.ID).ProvenAt.Equal(w.clock.Now()) {
		t.Fatal("not proven when the provider was back")
	}
	d.set(func() { d.refuse = gone() })
	disabled := w.clock.Now()
	for w.opens(a, value) {
		if w.clock.Now().Sub(disabled) > 15*time.Minute {
			t.Fatal("still good after 15 minutes")
		}
		w.clock.advance(10 * time.Second)
		renew(t, a)
	}
}

// An answer that was under way when all somebody had was ended brings nothing back.
func TestEndIsNotUndoneByARenewalUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc, _ := withToken(w)
	d.silent, d.hold, d.arrived = true, make(chan struct{}), make(chan struct{}, 1)
	w.clock.advance(15 * time.Minute)
	done := make(chan error)
	go func() { done <- a.RenewProofs(t.Context()) }()
	<-d.arrived
	if err := a.SignOutEverywhere(t.Context(), acc.ID, "lost laptop", "ada"); err != nil {
		t.Fatal(err)
	}
	close(d.hold)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if now := w.account(acc.ID); !now.ProvenAt.IsZero() {
		t.Errorf("proven again at %s", now.ProvenAt)
	}
	if _, err := a.Present(t.Context(),
		shown(person("ada"), w.clock.Now())); mustCode(err) != mapping.CodeUnauthenticated {
		t.Errorf("a provider's token: %v", err)
	}
}

// A refresh grant stays while anybody needs it, and not longer.
func TestProofGoesWithTheLastWhoNeedsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, d, acc, value := withToken(w)
	has := func(want bool) {
		t.Helper()
		if _, err := a.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		renew(t, a)
		if _, renews, err := w.proven(acc); err != nil || renews != want {
			t.Errorf("a proof: %v, %v; want %v", renews, err, want)
		}
	}
	w.clock.advance(24 * time.Hour)
	has(true) // the token needs it
	if d.times() != 1 {
		t.Fatalf("asked %d times", d.times())
	}
	token, _, err := a.TokenByValue(t.Context(), access(value))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Revoke(t.Context(),
		mapping.Revocation{Kind: mapping.RevokeToken, Account: acc.ID, Token: token.ID}, "ada"); err != nil {
		t.Fatal(err)
	}
	has(true) // it may be that of a sign-in that is just being made
	w.clock.advance(time.Hour)
	has(false)
	w.view(func(tx mapping.Tx) error {
		if _, err := tx.RefreshGrant(acc.ID); !errors.Is(err, mapping.ErrNotFound) {
			t.Errorf("%v", err)
		}
		return nil
	})
}
