package tokens_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"vexa-sso/proxy/page/pagetest"
	"vexa-sso/proxy/proxytest"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"vexa-sso/oidc/oidctest"
)

// A person makes a token in a real browser, the provider being on another site: they sign in, fill in the
// form, prove again that it is them because the sign-in is too old, find the form as they left it, see the
// value once, use it, and revoke it by keyboard. With VEXA_SSO_TEST_SCREENSHOTS each page is photographed.
func TestTokensInABrowser(t *testing.T) {
	t.Parallel()
	for _, look := range []look{
		{"light", 1280, "light"},
		{"dark", 1280, "dark"},
		{"phone", 390, "light"},
		{"phone-dark", 390, "dark"},
	} {
		w := proxytest.Start(t)
		tab := openTab(t, look)
		tab.open(w.Public + "/sso/tokens")
		tab.signIn(oidctest.Ada)
		tab.waitFor("#make")
		tab.photograph("tokens-none")

		w.Clock.Advance(10 * time.Minute)
		tab.open(w.Public + "/sso/tokens")
		tab.do(
			chromedp.SendKeys(chromedp.CSS("#name"), "n8n & build-3"),
			chromedp.Click(chromedp.CSS(`input[name="scope"][value="tx"]`)),
			chromedp.Click(chromedp.CSS(`input[name="expires_in"][value="604800"]`)),
		)
		tab.photograph("tokens-form")
		tab.press("Sign in again and continue")
		tab.signIn(oidctest.Ada)
		tab.waitFor("#make")
		if got := tab.js(
			`[...document.querySelectorAll("#name, input:checked")].map(e => e.value).join("|")`,
		); got != "n8n & build-3|tx|604800" {
			t.Errorf("after signing in again the form has %q", got)
		}
		tab.press("Make token")
		tab.waitFor("#value")
		tab.photograph("tokens-new")

		// The value has the focus; all of it is selected and copied by keyboard, without a script of ours.
		value := tab.js(`document.querySelector("#value").value`)
		tab.key("a", chromedp.ModifierCtrl)
		if got := tab.js(
			`(e => e.value.slice(e.selectionStart, e.selectionEnd))(document.activeElement)`,
		); got != value || !aTokenValue.MatchString(value) {
			t.Errorf("Ctrl+A selects %q of %q", got, value)
		}
		if address := tab.js("location.href"); strings.Contains(address, value) || !w.Alive(value) {
			t.Errorf("at %s the value stands for a token: %v", address, w.Alive(value))
		}
		if res := w.Browser().Get("/meetings", "X-API-Key", value); res.Status != http.StatusOK {
			t.Errorf("a program with the token: %d %s", res.Status, res.Body)
		}

		// Reloading shows the value no more and makes no other token.
		tab.do(chromedp.Reload())
		tab.waitFor(".notice")
		if got := tab.js("document.body.innerText"); !strings.Contains(got, "That form was sent already") ||
			strings.Contains(got, value) || len(w.TokensOf(oidctest.Ada)) != 1 {
			t.Errorf("after reloading: %s", got)
		}
		tab.photograph("tokens-one")

		tab.open(w.Public + "/sso/")
		tab.photograph("tokens-home")
		tab.do(chromedp.Click(chromedp.CSS(`nav a[href="/sso/tokens"]`)))
		tab.waitFor("#make")
		if got := tab.js(`document.querySelector(".token").innerText`); !strings.Contains(
			got, "from 127.0.0.1",
		) {
			t.Errorf("the page doesn't say that the token was used: %s", got)
		}
		tab.do(chromedp.Focus(chromedp.CSS(".token summary")))
		tab.key("\r")
		tab.key("\t")
		tab.photograph("tokens-revoke")
		tab.key("\r")
		tab.waitFor(`.notice`)
		if got := tab.js("document.body.innerText"); !strings.Contains(got, "It is revoked") ||
			w.Alive(value) {
			t.Errorf("after revoking: %s", got)
		}
		if res := w.Browser().Get("/meetings", "X-API-Key", value); res.Status != http.StatusUnauthorized {
			t.Errorf("a program with the revoked token: %d %s", res.Status, res.Body)
		}
		tab.photograph("tokens-revoked")
	}
}

// look is a screen.
type look struct {
	name   string
	width  int64
	scheme string
}

// tab is a tab of a browser of its own.
type tab struct {
	t    *testing.T
	ctx  context.Context
	look look
}

func openTab(t *testing.T, l look) *tab {
	t.Helper()
	b := &tab{t, pagetest.BrowserTab(t), l}
	_, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride,
		emulation.SetDeviceMetricsOverrideParams{
			Width: l.width, Height: 900, DeviceScaleFactor: 1, Mobile: l.width < 500,
		})
	b.must(err)
	_, err = chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
	})
	b.must(err)
	return b
}

func (b *tab) must(err error) {
	b.t.Helper()
	if err != nil {
		at, _ := chromedp.Run(b.ctx, chromedp.Location())
		b.t.Fatalf("%v (at %s)", err, at)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, steps...))
}

func (b *tab) open(address string)    { b.t.Helper(); b.do(chromedp.Navigate(address)) }
func (b *tab) photograph(name string) { pagetest.Photograph(b.t, b.ctx, name+"-"+b.look.name) }
func (b *tab) waitFor(selector string) {
	b.t.Helper()
	b.do(chromedp.WaitReady(chromedp.CSS(`html:has(link[href^="/sso/assets/"]) ` + selector)))
}

// signIn presses the person's button on the provider's page.
func (b *tab) signIn(who string) {
	b.t.Helper()
	b.press(who)
}

// press presses the button with those words on it.
func (b *tab) press(words string) {
	b.t.Helper()
	button := chromedp.Search(`//button[contains(., "` + words + `")]`)
	b.do(chromedp.WaitVisible(button), chromedp.Click(button))
}

func (b *tab) key(key string, modifiers ...chromedp.Modifier) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers...)))
}

// js is what an expression comes to on the page, as a string.
func (b *tab) js(expression string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	b.must(err)
	return text
}
