package signin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// Three sign-ins within a minute, and yet another is wanted: the circle stops at a page that says
// where the session got lost.
func TestSignInLoop(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lose func(w *proxytest.World, b *proxytest.Browser) // what happens to the session each time
		says string
	}{
		"the cookie does not come back": {func(w *proxytest.World, b *proxytest.Browser) {
			b.DropCookie("vexa_sso", "")
		}, "did not send our session cookie back"},
		"another key ring": {func(w *proxytest.World, b *proxytest.Browser) {
			b.DropCookie("vexa_sso", "bm90IG91cnM")
		}, "different keys"},
		"a store that is not shared": {func(w *proxytest.World, b *proxytest.Browser) {
			proxytest.Must(w.T, w.Accounts.SignOutEverywhere(w.T.Context(),
				proxytest.AccountOf(w.T, w, oidctest.Ada), "lost", "test"))
		}, "do not share their sessions"},
		"nothing is lost": {func(*proxytest.World, *proxytest.Browser) {}, "still something sends it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := proxytest.Start(t)
			b := w.Browser()
			for range 3 {
				b.SignIn(oidctest.Ada, "/sso/login?return_to=/meetings")
				tc.lose(w, b)
			}
			res := b.Get("/sso/login?return_to=/meetings", proxytest.Navigation...)
			if res.Status != http.StatusBadRequest || !strings.Contains(res.Body, "sign_in_loop") ||
				!strings.Contains(res.Body, tc.says) || !strings.Contains(res.Body, w.Host) {
				t.Fatalf("%d to %s %s", res.Status, res.Header.Get("Location"), res.Body)
			}
			if log := w.Logs.String(); !strings.Contains(log, `"code":"sign_in_loop"`) ||
				!strings.Contains(log, `"remedy":"`) {
				t.Error("the log names no remedy")
			}
			// A person who means it gets through, and after a minute everybody does.
			if res := b.Get("/sso/login?prompt=select_account&return_to=/meetings",
				proxytest.Navigation...); res.Status != http.StatusSeeOther {
				t.Errorf("with another account: %d", res.Status)
			}
			w.Clock.Advance(61 * time.Second)
			if res := b.Get("/sso/login?return_to=/meetings",
				proxytest.Navigation...); res.Status != http.StatusSeeOther {
				t.Errorf("a minute later: %d", res.Status)
			}
		})
	}
}

// Signing out and in again, however often, is no circle.
func TestSigningOutIsNoLoop(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.Browser()
	for range 5 {
		if res := b.SignIn(oidctest.Ada, "/sso/login"); res.Status != http.StatusSeeOther {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
		b.Send("POST", "/sso/logout", "", "Origin", w.Public)
	}
}
