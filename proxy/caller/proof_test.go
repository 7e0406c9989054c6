package caller_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vexa-sso/mapping"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// D12: 200 requests over two replicas at the moment when the proof is due: one refresh, and nobody is signed
// out; the next time the same.
func TestOneRefreshForACrowd(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	w.Rotating()
	other := w.Replica()
	b := w.SignIn(oidctest.Ada)
	there := b.At(other)
	b.Get("/bots")
	for round := 1; round <= 2; round++ {
		w.Clock.Advance(12 * time.Minute)
		var crowd errgroup.Group
		for i := range 200 {
			crowd.Go(func() error {
				from := []*proxytest.Browser{b, there}[i%2]
				if i%20 < 2 {
					if err := from.W.Accounts.RenewProofs(t.Context()); err != nil &&
						!errors.Is(err, mapping.ErrStoreUnavailable) {
						return err
					}
				}
				req, _ := http.NewRequestWithContext(t.Context(), "GET", w.Public+"/bots", nil)
				res, err := from.Do(req)
				if err != nil {
					return err
				}
				defer res.Body.Close()
				// A store that a busy machine keeps waiting is 503, which signs nobody out.
				if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
					return fmt.Errorf("answered %d", res.StatusCode)
				}
				return nil
			})
		}
		if err := crowd.Wait(); err != nil {
			t.Fatal(err)
		}
		w.WaitFor("the refresh to be over", func() bool { return len(w.Refreshes()) >= round })
		for _, from := range []*proxytest.Browser{b, there} {
			w.WaitFor("everybody to be served", func() bool {
				return from.Get("/bots").Status == http.StatusOK
			})
		}
		if got := w.Refreshes(); len(got) != round || slices.Contains(got, 400) {
			t.Fatalf("refreshes in round %d: %v", round, got)
		}
	}
	if strings.Contains(w.Logs.String(), `"event":"session_ended"`) ||
		strings.Contains(w.Logs.String(), `"event":"access_ended"`) ||
		strings.Contains(w.Logs.String(), `"event":"grant_over"`) {
		t.Error("somebody was signed out")
	}
}

// D9: a group that is taken away at the provider is gone at the next renewal, without a new sign-in: on every
// replica, for streams that are open, and for the key that had become too wide.
func TestGroupTakenAway(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	other := w.Replica()
	b := w.SignIn(oidctest.Ada)
	there := b.At(other)
	if res := b.Get("/bots"); res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	there.Get("/bots")
	wide := w.Vexa.Tokens()[0]
	proxytest.Must(t, w.Okta.SetGroups(oidctest.Ada, oidctest.GroupViewers))
	w.Clock.Advance(12 * time.Minute)
	proxytest.Must(t, w.Accounts.RenewProofs(t.Context()))
	began := oidctest.StartStopwatch(t)
	for _, from := range []*proxytest.Browser{b, there} {
		w.WaitFor("the shrunk grant to hold", func() bool {
			res := from.Send("POST", "/bots", "{}", "Origin", w.Public)
			return res.Status == http.StatusForbidden && res.Code() == "scope_missing"
		})
	}
	if took := began.Took(); took > oidctest.Promised { // S5
		t.Errorf("it took %s", took)
	}
	if res := b.Get("/sso/whoami"); !strings.Contains(res.Body, `"scopes":["tx"]`) {
		t.Error(res.Body)
	}
	w.WaitFor("the wide key to die", func() bool {
		for _, token := range w.Vexa.Tokens() {
			if token.ID == wide.ID {
				return false
			}
		}
		return true
	})
	proxytest.Must(t, w.Okta.SetGroups(oidctest.Ada))
	socket := b.MustSocket()
	w.Clock.Advance(12 * time.Minute)
	proxytest.Must(t, w.Accounts.RenewProofs(t.Context()))
	proxytest.HangsUp(t, socket)
	w.WaitFor("nothing to be left", func() bool {
		return b.Get("/bots").Code() == "not_mapped" && len(w.Vexa.Tokens()) == 0
	})
}

// E7: somebody who is deactivated at the provider loses everything at the next renewal, here and on the other
// replica, and may come back when the provider lets them.
func TestDeactivated(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	other := w.Replica()
	b := w.SignIn(oidctest.Ada)
	there := b.At(other)
	b.Get("/bots")
	there.Get("/bots")
	socket := b.MustSocket()
	proxytest.Must(t, w.Okta.Disable(oidctest.Ada))
	w.Clock.Advance(12 * time.Minute)
	proxytest.Must(t, w.Accounts.RenewProofs(t.Context()))
	began := oidctest.StartStopwatch(t)
	if closed := proxytest.HangsUp(t, socket); closed.Code != 4401 {
		t.Errorf("the socket was closed with %d", closed.Code)
	}
	for _, from := range []*proxytest.Browser{b, there} {
		w.WaitFor("the session to be over", func() bool {
			return from.Get("/bots").Status == http.StatusUnauthorized
		})
	}
	if took := began.Took(); took > oidctest.Promised { // S5
		t.Errorf("it took %s", took)
	}
	w.WaitFor("the key to die", func() bool { return len(w.Vexa.Tokens()) == 0 })
	if log := w.Logs.String(); !strings.Contains(log, `"event":"grant_over"`) ||
		!strings.Contains(log, `"actor":"provider okta"`) {
		t.Error("the audit does not tell")
	}
	proxytest.Must(t, w.Okta.Enable(oidctest.Ada))
	if res := w.SignIn(oidctest.Ada).Get("/bots"); res.Status != http.StatusOK {
		t.Errorf("back again: %d %s", res.Status, res.Body)
	}
}

// S10: a provider that is down ends nothing, until the session is over anyway.
func TestProviderDownThroughRenewals(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.SignIn(oidctest.Ada)
	w.Okta.Break(oidctest.EndpointToken, oidctest.Status(http.StatusServiceUnavailable))
	for range 24 {
		w.Clock.Advance(59 * time.Minute)
		proxytest.Must(t, w.Accounts.RenewProofs(t.Context()))
		for _, header := range [][]string{nil, proxytest.Navigation} {
			if res := b.Get("/bots", header...); res.Status != http.StatusOK {
				t.Fatalf("while the provider is down: %d to %s %s",
					res.Status, res.Header.Get("Location"), res.Body)
			}
		}
	}
	if len(w.Refreshes()) != 0 || w.Okta.Requests(oidctest.EndpointToken) < 5 {
		t.Errorf("the provider was asked %d times", w.Okta.Requests(oidctest.EndpointToken))
	}
	w.Clock.Advance(time.Hour)
	if res := b.Get("/bots"); res.Status != http.StatusUnauthorized ||
		!strings.Contains(res.Body, "login_url") {
		t.Errorf("after the session's lifetime: %d %s", res.Status, res.Body)
	}
}

// A refresh without a new refresh token, or without an ID token, renews the proof all the same.
func TestRefreshThatGivesLess(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"refresh_token", "id_token"} {
		t.Run(missing, func(t *testing.T) {
			t.Parallel()
			w := proxytest.Start(t)
			b := w.SignIn(oidctest.Grace)
			w.Okta.Break(oidctest.EndpointToken, without(missing))
			for round := 1; round <= 2; round++ {
				proxytest.Must(t, w.Okta.SetGroups(oidctest.Grace,
					[]string{"", oidctest.GroupViewers, oidctest.GroupUsers}[round]))
				w.Clock.Advance(12 * time.Minute)
				proxytest.Must(t, w.Accounts.RenewProofs(t.Context()))
				want := []string{"", `"scopes":["tx"]`, `"scopes":["bot","tx"]`}[round]
				w.WaitFor("the grant to follow", func() bool {
					return strings.Contains(b.Get("/sso/whoami").Body, want)
				})
				if len(w.Refreshes()) != round {
					t.Errorf("%d refreshes in round %d", len(w.Refreshes()), round)
				}
			}
		})
	}
}

// without takes a member out of a JSON answer.
func without(member string) oidctest.Fault {
	return func(answer http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			whole := httptest.NewRecorder()
			answer.ServeHTTP(whole, r)
			var body map[string]any
			_ = json.Unmarshal(whole.Body.Bytes(), &body)
			delete(body, member)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(whole.Code)
			_ = json.NewEncoder(w).Encode(body)
		})
	}
}
