package signin_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// S12: whoever makes answers up has the provider asked one thing at a time, and locks nobody out who signs in
// from the same address meanwhile.
func TestMadeUpAnswersTakeTurns(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	w.Clock.Stop()
	madeUp := func() proxytest.Answer {
		b := w.Browser()
		state := proxytest.MustURL(t, b.Get("/sso/login").Header.Get("Location")).Query().Get("state")
		return b.Get("/sso/callback/okta?code=made-up&state=" + state)
	}
	for range 25 {
		if res := madeUp(); res.Status < 400 {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
	}
	asked := w.Okta.Requests(oidctest.EndpointToken)
	arrived, resume := w.Okta.Hang(oidctest.EndpointToken)
	var flood sync.WaitGroup
	codes := make(chan string, 40)
	for range 40 {
		flood.Go(func() { codes <- madeUp().Code() })
	}
	<-arrived
	limited := 0
	for range 9 { // one has its turn, and 30 wait
		if code := <-codes; code == "rate_limited" {
			limited++
		}
	}
	if n := w.Okta.Requests(oidctest.EndpointToken) - asked; n > 1 || limited != 9 {
		t.Errorf("the provider was asked %d things at once, and %d were told to wait", n, limited)
	}
	resume()
	flood.Wait()
	if b := w.SignIn(oidctest.Ada); b.Cookie() == "" {
		t.Error("a neighbour is locked out")
	}
}

// S12: what opens no attempt asks nobody, and waits in no queue: while one answer of an address that failed
// often has its turn, any number that belong to no attempt, or to one that came back before, are answered at
// once, and leave room for a good one.
func TestCallbacksWithoutAttemptTakeNoTurns(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	w.Clock.Stop()
	madeUp := func() {
		b := w.Browser()
		state := proxytest.MustURL(t, b.Get("/sso/login").Header.Get("Location")).Query().Get("state")
		b.Get("/sso/callback/okta?code=made-up&state=" + state)
	}
	for range 25 {
		madeUp()
	}
	arrived, resume := w.Okta.Hang(oidctest.EndpointToken)
	var held sync.WaitGroup
	held.Go(madeUp)
	<-arrived
	for range 40 { // more than wait
		res := w.Browser().Get("/sso/callback/okta?code=x&state=nobodys")
		if res.Code() != "sign_in_expired" {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
	}
	resume()
	held.Wait()
}

// S12: an account has 50 sessions; the oldest ends, and with it the audit says so.
func TestSessionsOfAnAccountAreBounded(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	first := w.SignIn(oidctest.Ada)
	other := w.SignIn(oidctest.Tim)
	var last *proxytest.Browser
	for range 50 {
		w.Clock.Advance(time.Second)
		last = w.SignIn(oidctest.Ada)
	}
	if first.SignedIn() || !last.SignedIn() || !other.SignedIn() {
		t.Errorf("signed in: first %v, last %v, somebody else %v",
			first.SignedIn(), last.SignedIn(), other.SignedIn())
	}
	held, err := w.Store.SessionsOf(t.Context(), proxytest.AccountOf(t, w, oidctest.Ada))
	if proxytest.Must(t, err); len(held) != 50 {
		t.Errorf("%d sessions", len(held))
	}
	if !strings.Contains(w.Logs.String(), "the account has too many sessions") {
		t.Error("the audit does not say why")
	}
}

// S12: who is refused again and again fills no store: ten times, and then once a minute. What the others do
// is audited all the same.
func TestAuditedRefusalsOfAPersonAreBounded(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	w.Clock.Stop()
	audited := func() int { return strings.Count(w.Logs.String(), `"event":"sign_in_refused"`) }
	for range 15 {
		if res := w.Browser().SignIn(guest, "/sso/login"); res.Status != http.StatusForbidden {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
	}
	if n := audited(); n != 10 {
		t.Errorf("%d of 15 refusals are audited", n)
	}
	w.Browser().SignIn(oidctest.Mallory, "/sso/login")
	if n := audited(); n != 11 {
		t.Errorf("somebody else's refusal: %d", n)
	}
	w.Clock.Advance(time.Minute)
	w.Browser().SignIn(guest, "/sso/login")
	if n := audited(); n != 12 {
		t.Errorf("a minute later: %d", n)
	}
}
