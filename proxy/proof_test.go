package proxy_test

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

// refreshes are the answers that Okta gave to refresh tokens.
func (w *world) refreshes() (statuses []int) {
	for _, r := range w.okta.TokenRequests() {
		if r.GrantType == oidctest.GrantRefresh {
			statuses = append(statuses, r.Status)
		}
	}
	return statuses
}

// rotating makes every refresh token good once, with no leeway: using one twice revokes all that came of its sign-in.
func (w *world) rotating() {
	must(w.t, w.okta.ChangeClient("0oa1bridge", func(c *oidctest.Client) { c.RotateRefresh, c.Leeway = true, 0 }))
}

// D12: 200 requests over two replicas at the moment when the proof is due: one refresh, and nobody is signed out; the next time
// the same.
func TestOneRefreshForACrowd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rotating()
	other := w.replica()
	b := w.signIn(oidctest.Ada)
	there := b.at(other)
	b.get("/bots")
	for round := 1; round <= 2; round++ {
		w.clock.Advance(12 * time.Minute)
		var crowd errgroup.Group
		for i := range 200 {
			crowd.Go(func() error {
				from := []*browser{b, there}[i%2]
				if i%20 < 2 {
					if err := from.w.accounts.RenewProofs(t.Context()); err != nil && !errors.Is(err, mapping.ErrStoreUnavailable) {
						return err
					}
				}
				req, _ := http.NewRequestWithContext(t.Context(), "GET", w.public+"/bots", nil)
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
		w.waitFor("the refresh to be over", func() bool { return len(w.refreshes()) >= round })
		for _, from := range []*browser{b, there} {
			w.waitFor("everybody to be served", func() bool { return from.get("/bots").status == http.StatusOK })
		}
		if got := w.refreshes(); len(got) != round || slices.Contains(got, 400) {
			t.Fatalf("refreshes in round %d: %v", round, got)
		}
	}
	if strings.Contains(w.logs.String(), `"event":"session_ended"`) || strings.Contains(w.logs.String(), `"event":"access_ended"`) {
		t.Error("somebody was signed out")
	}
}

// D9: a group that is taken away at the provider is gone at the next renewal, without a new sign-in: on every replica, for streams
// that are open, and for the key that had become too wide.
func TestGroupTakenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.replica()
	b := w.signIn(oidctest.Ada)
	there := b.at(other)
	if res := b.get("/bots"); res.status != http.StatusOK {
		t.Fatalf("%d %s", res.status, res.body)
	}
	there.get("/bots")
	wide := w.vexa.Tokens()[0]
	must(t, w.okta.SetGroups(oidctest.Ada, oidctest.GroupViewers))
	w.clock.Advance(12 * time.Minute)
	must(t, w.accounts.RenewProofs(t.Context()))
	began := proxytest.Start(t)
	for _, from := range []*browser{b, there} {
		w.waitFor("the shrunk grant to hold", func() bool {
			res := from.send("POST", "/bots", "{}", "Origin", w.public)
			return res.status == http.StatusForbidden && res.code() == "scope_missing"
		})
	}
	if took := began.Took(); took > proxytest.Promised { // S5
		t.Errorf("it took %s", took)
	}
	if res := b.get("/sso/whoami"); !strings.Contains(res.body, `"scopes":["tx"]`) {
		t.Error(res.body)
	}
	w.waitFor("the wide key to die", func() bool {
		for _, token := range w.vexa.Tokens() {
			if token.ID == wide.ID {
				return false
			}
		}
		return true
	})
	must(t, w.okta.SetGroups(oidctest.Ada))
	socket := b.mustSocket()
	w.clock.Advance(12 * time.Minute)
	must(t, w.accounts.RenewProofs(t.Context()))
	hangsUp(t, socket)
	w.waitFor("nothing to be left", func() bool { return b.get("/bots").code() == "not_mapped" && len(w.vexa.Tokens()) == 0 })
}

// E7: somebody who is deactivated at the provider loses everything at the next renewal, here and on the other replica, and may
// come back when the provider lets them.
func TestDeactivated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.replica()
	b := w.signIn(oidctest.Ada)
	there := b.at(other)
	b.get("/bots")
	there.get("/bots")
	socket := b.mustSocket()
	must(t, w.okta.Disable(oidctest.Ada))
	w.clock.Advance(12 * time.Minute)
	must(t, w.accounts.RenewProofs(t.Context()))
	began := proxytest.Start(t)
	if closed := hangsUp(t, socket); closed.Code != 4401 {
		t.Errorf("the socket was closed with %d", closed.Code)
	}
	for _, from := range []*browser{b, there} {
		w.waitFor("the session to be over", func() bool { return from.get("/bots").status == http.StatusUnauthorized })
	}
	if took := began.Took(); took > proxytest.Promised { // S5
		t.Errorf("it took %s", took)
	}
	w.waitFor("the key to die", func() bool { return len(w.vexa.Tokens()) == 0 })
	if log := w.logs.String(); !strings.Contains(log, `"event":"access_ended"`) || !strings.Contains(log, `"actor":"provider okta"`) {
		t.Error("the audit does not tell")
	}
	must(t, w.okta.Enable(oidctest.Ada))
	if res := w.signIn(oidctest.Ada).get("/bots"); res.status != http.StatusOK {
		t.Errorf("back again: %d %s", res.status, res.body)
	}
}

// S10: a provider that is down ends nothing, until the session is over anyway.
func TestProviderDownThroughRenewals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signIn(oidctest.Ada)
	w.okta.Break(oidctest.EndpointToken, oidctest.Status(http.StatusServiceUnavailable))
	for range 24 {
		w.clock.Advance(59 * time.Minute)
		must(t, w.accounts.RenewProofs(t.Context()))
		for _, header := range [][]string{nil, navigation} {
			if res := b.get("/bots", header...); res.status != http.StatusOK {
				t.Fatalf("while the provider is down: %d to %s %s", res.status, res.header.Get("Location"), res.body)
			}
		}
	}
	if len(w.refreshes()) != 0 || w.okta.Requests(oidctest.EndpointToken) < 5 {
		t.Errorf("the provider was asked %d times", w.okta.Requests(oidctest.EndpointToken))
	}
	w.clock.Advance(time.Hour)
	if res := b.get("/bots"); res.status != http.StatusUnauthorized || !strings.Contains(res.body, "login_url") {
		t.Errorf("after the session's lifetime: %d %s", res.status, res.body)
	}
}

// A refresh without a new refresh token, or without an ID token, renews the proof all the same.
func TestRefreshThatGivesLess(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"refresh_token", "id_token"} {
		t.Run(missing, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.signIn(oidctest.Grace)
			w.okta.Break(oidctest.EndpointToken, without(missing))
			for round := 1; round <= 2; round++ {
				must(t, w.okta.SetGroups(oidctest.Grace, []string{"", oidctest.GroupViewers, oidctest.GroupUsers}[round]))
				w.clock.Advance(12 * time.Minute)
				must(t, w.accounts.RenewProofs(t.Context()))
				want := []string{"", `"scopes":["tx"]`, `"scopes":["bot","tx"]`}[round]
				w.waitFor("the grant to follow", func() bool { return strings.Contains(b.get("/sso/whoami").body, want) })
				if len(w.refreshes()) != round {
					t.Errorf("%d refreshes in round %d", len(w.refreshes()), round)
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
