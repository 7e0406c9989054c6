package main

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// D12: two processes on one file, and a provider whose refresh tokens are good once, with no leeway at all.
// While many ask both, the proof comes of age several times over: each time one of them renews it, no token
// is ever used twice, and nobody is signed out.
func TestTwoProcessesOneRefresh(t *testing.T) {
	t.Parallel()
	one := newMortal(t, "0.12")
	one.must(one.okta.ChangeClient("0oa1", func(c *oidctest.Client) { c.RotateRefresh, c.Leeway = true, 0 }))
	one.settings("session: { renew: 1s }\n")
	other := one.twin()
	one.start()
	other.start()
	one.served()

	const rounds = 8
	for deadline := time.Now().Add(oidctest.Patience); ; {
		good, bad := one.refreshes()
		if len(bad) > 0 {
			t.Fatalf("the provider refused a refresh: %v", bad)
		}
		if good >= rounds {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("only %d refreshes\n%s\n%s", good, one.log, other.log)
		}
		var crowd sync.WaitGroup
		for i := range 200 {
			from := []*mortal{one, other}[i%2]
			crowd.Go(func() {
				if status, body, _ := from.ask(mortalURL + "/meetings"); status != http.StatusOK &&
					status != http.StatusServiceUnavailable {
					t.Errorf("%d %s", status, body)
				}
			})
		}
		crowd.Wait()
		if t.Failed() {
			t.FailNow()
		}
	}
	for _, m := range []*mortal{one, other} {
		if status, body, _ := m.ask(mortalURL + "/meetings"); status != http.StatusOK {
			t.Errorf("in the end: %d %s", status, body)
		}
		for _, event := range []string{"session_ended", "access_ended"} {
			if strings.Contains(m.log.String(), `"event":"`+event+`"`) {
				t.Errorf("%s is in the log:\n%s", event, m.log)
			}
		}
	}
}

// refreshes are the answers that the provider gave to refresh tokens: how many were
// good, and the others' status.
func (m *mortal) refreshes() (good int, bad []int) {
	for _, r := range m.okta.TokenRequests() {
		switch {
		case r.GrantType != oidctest.GrantRefresh:
		case r.Status == http.StatusOK:
			good++
		default:
			bad = append(bad, r.Status)
		}
	}
	return good, bad
}
