package authserver_test

import (
	"net/http"
	"net/url"
	"testing"

	"vexa-sso/mapping"
	"vexa-sso/proxy/proxytest"
)

// S5: what ends all that a person has ends also what they have agreed to and a program has not
// fetched yet; that they sign in again, or that an admin lets them, brings it back as little as it
// brings back their tokens.
func TestAgreementEndsWithAllElse(t *testing.T) {
	onEachEngine(t, func(t *testing.T, w *world) {
		for name, end := range map[string]func(account string){
			"signed out everywhere": func(account string) {
				proxytest.Must(t, w.Accounts.SignOutEverywhere(t.Context(), account, "lost laptop", "admin"))
			},
			"suspended and resumed": func(account string) {
				proxytest.Must(t, w.Accounts.Revoke(t.Context(), mapping.Revocation{
					Kind: mapping.RevokeAccount, Account: account, Reason: "left",
				}, "admin"))
				proxytest.Must(t, w.Accounts.Resume(t.Context(), account, "admin"))
			},
		} {
			b := w.browser()
			d := w.device()
			b.allowDevice(ada, "/sso/device?user_code="+d.user, d.user)
			code := b.codeFor(ada, request())
			end(w.events(mapping.EventToolAuthorized)[0].Account)
			w.browser().openAs(ada, "/sso/device") // she is back
			if got := w.poll(d); got == "" {
				t.Errorf("%s: a device code gives tokens", name)
			}
			if a := w.post(tokenPath, exchange(code)); a.Status == http.StatusOK {
				t.Errorf("%s: an authorization code gives tokens", name)
			}
		}
	})
}

// S5: nor does anybody agree to anything on a replica that has not heard yet that all of theirs was ended.
func TestNobodyAgreesAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	there := w.browser().at(w.replica())
	ticket := there.openAs(ada, request()).ticket(t)
	d := w.device()
	device := there.submit(devicePath, url.Values{"user_code": {d.user}}).ticket(t)
	proxytest.Must(t, w.Accounts.SignOutEverywhere(t.Context(), w.events(mapping.EventSignIn)[0].Account,
		"lost laptop", "admin"))

	consent := there.submit("/sso/oauth/consent", url.Values{"ticket": {ticket}, "decision": {"allow"}})
	allowed := there.submit(devicePath, url.Values{"ticket": {device}, "decision": {"allow"}})
	if consent.Status != http.StatusUnauthorized || allowed.Status != http.StatusUnauthorized {
		t.Errorf("%d %s, %d %s", consent.Status, consent.Body, allowed.Status, allowed.Body)
	}
	w.browser().openAs(ada, devicePath) // she is back
	if w.poll(d) == "" {
		t.Error("the device has tokens")
	}
	if events := w.events(mapping.EventToolAuthorized); len(events) > 0 {
		t.Errorf("the audit has %v", events)
	}
}
