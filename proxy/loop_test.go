package proxy_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// Three sign-ins within a minute, and yet another is wanted: the circle stops at a page that says where the session got lost.
func TestSignInLoop(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lose func(w *world, b *browser) // what happens to the session each time
		says string
	}{
		"the cookie does not come back": {func(w *world, b *browser) { b.dropCookie("vexa_sso", "") }, "did not send our session cookie back"},
		"another key ring":              {func(w *world, b *browser) { b.dropCookie("vexa_sso", "bm90IG91cnM") }, "different keys"},
		"a store that is not shared": {func(w *world, b *browser) {
			must(w.t, w.accounts.SignOutEverywhere(w.t.Context(), accountOf(w.t, w, oidctest.Ada), "lost", "test"))
		}, "do not share their sessions"},
		"nothing is lost": {func(*world, *browser) {}, "still something sends it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.browser()
			for range 3 {
				b.signIn(oidctest.Ada, "/sso/login?return_to=/meetings")
				tc.lose(w, b)
			}
			res := b.get("/sso/login?return_to=/meetings", navigation...)
			if res.status != http.StatusBadRequest || !strings.Contains(res.body, "sign_in_loop") || !strings.Contains(res.body, tc.says) || !strings.Contains(res.body, w.host) {
				t.Fatalf("%d to %s %s", res.status, res.header.Get("Location"), res.body)
			}
			if log := w.logs.String(); !strings.Contains(log, `"code":"sign_in_loop"`) || !strings.Contains(log, `"remedy":"`) {
				t.Error("the log names no remedy")
			}
			// A person who means it gets through, and after a minute everybody does.
			if res := b.get("/sso/login?prompt=select_account&return_to=/meetings", navigation...); res.status != http.StatusSeeOther {
				t.Errorf("with another account: %d", res.status)
			}
			w.clock.Advance(61 * time.Second)
			if res := b.get("/sso/login?return_to=/meetings", navigation...); res.status != http.StatusSeeOther {
				t.Errorf("a minute later: %d", res.status)
			}
		})
	}
}

// Signing out and in again, however often, is no circle.
func TestSigningOutIsNoLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	for range 5 {
		if res := b.signIn(oidctest.Ada, "/sso/login"); res.status != http.StatusSeeOther {
			t.Fatalf("%d %s", res.status, res.body)
		}
		b.send("POST", "/sso/logout", "", "Origin", w.public)
	}
}

// dropCookie replaces a cookie of ours, or with an empty value takes it away.
func (b *browser) dropCookie(name, value string) {
	age := 0
	if value == "" {
		age = -1
	}
	b.Jar.SetCookies(b.w.url(), []*http.Cookie{{Name: name, Value: value, Path: "/", MaxAge: age}})
}

func (w *world) url() *url.URL {
	u, err := url.Parse(w.public)
	must(w.t, err)
	return u
}
