package authserver_test

import (
	"net/http"
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/proxy/authserver"
	"vexa-sso/proxy/proxytest"
)

// put gives the account of everybody who agreed to something a status.
func (w *world) put(status mapping.Status) {
	w.T.Helper()
	id := w.events(mapping.EventToolAuthorized)[0].Account
	proxytest.Must(w.T, w.Store.Update(w.T.Context(), func(tx mapping.Tx) error {
		acc, err := tx.Account(id)
		if err != nil {
			return err
		}
		acc.Status = status
		return tx.PutAccount(acc)
	}))
}

// Programs of somebody whose account waits for an administrator come back later, with what they have: a
// program that is told that its grant is invalid throws it away.
func TestPendingPerson(t *testing.T) {
	onEachEngine(t, func(t *testing.T, w *world) {
		b := w.browser()
		given := w.post(tokenPath, exchange(b.codeFor(ada, request()))).json(t)
		code, d := b.codeFor(ada, request()), w.device()
		b.allowDevice(ada, devicePath, d.user)

		w.put(mapping.Pending)
		for range 2 {
			for what, c := range map[string]struct {
				got  answer
				want string
			}{
				"refresh": {w.post(tokenPath, renewal(given["refresh_token"])), "temporarily_unavailable"},
				"code":    {w.post(tokenPath, exchange(code)), "temporarily_unavailable"},
				// it gives up at any other error
				"device": {w.post(tokenPath, polling(d.code)), "slow_down"},
			} {
				if status, got := c.got.refusal(t); status != http.StatusServiceUnavailable ||
					got != c.want || c.got.Header.Get("Retry-After") == "" {
					t.Errorf("%s: %d %s %v", what, status, got, c.got.Header)
				}
			}
		}

		w.put(mapping.Active)
		for what, a := range map[string]answer{
			"refresh": w.post(tokenPath, renewal(given["refresh_token"])),
			"code":    w.post(tokenPath, exchange(code)), "device": w.post(tokenPath, polling(d.code)),
		} {
			if a.Status != http.StatusOK {
				t.Errorf("%s, once approved: %d %s", what, a.Status, a.Body)
			}
		}
		if status, got := w.post(tokenPath, exchange(code)).refusal(t); status != http.StatusBadRequest ||
			got != "invalid_grant" {
			t.Errorf("the code again: %d %s", status, got)
		}
	})
}

// A code that is put back has no longer to live than before.
func TestPendingCodeExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	code := w.browser().codeFor(ada, request())
	w.put(mapping.Pending)
	w.post(tokenPath, exchange(code))
	w.put(mapping.Active)
	w.Clock.Advance(authserver.CodeLifetime)
	if status, got := w.post(tokenPath, exchange(code)).refusal(t); status != http.StatusBadRequest ||
		got != "invalid_grant" {
		t.Errorf("%d %s", status, got)
	}
}
