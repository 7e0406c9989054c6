package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vexa-sso/proxy/page/pagetest"

	"vexa-sso/oidc/oidctest"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// window is a browser of its own, with no cookies.
type window struct {
	t   *testing.T
	ctx context.Context
	l   look
}

func open(t *testing.T, l look) *window {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(pagetest.Chromium(t)),
		chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting the browser: %v", err)
	}
	ctx, cancel = context.WithTimeout(ctx, oidctest.Patience)
	t.Cleanup(cancel)
	w := &window{t, ctx, l}
	_, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: l.width, Height: 900, DeviceScaleFactor: 1, Mobile: l.width < 500,
	})
	w.must(err)
	_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
	})
	w.must(err)
	return w
}

func (w *window) must(err error) {
	w.t.Helper()
	if err != nil {
		at, _ := chromedp.Run(w.ctx, chromedp.Location())
		w.t.Fatalf("%v (at %s)", err, at)
	}
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	w.must(chromedp.Do(w.ctx, steps...))
}

func (w *window) text() string {
	w.t.Helper()
	text, err := chromedp.Run(w.ctx, chromedp.Text(chromedp.CSS("body")))
	w.must(err)
	return text
}

func (w *window) address() string {
	w.t.Helper()
	at, err := chromedp.Run(w.ctx, chromedp.Location())
	w.must(err)
	return at
}

// photograph keeps a picture of the page where VEXA_SSO_TEST_SCREENSHOTS names a folder.
func (w *window) photograph(name string) {
	w.t.Helper()
	dir := os.Getenv("VEXA_SSO_TEST_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
	w.must(err)
	w.must(os.WriteFile(filepath.Join(dir, w.l.name+"-"+name+".png"), png, 0o644))
}

// fetch asks for a path of the page's origin from the page itself, as an application
// would, and returns the status.
func (w *window) fetch(method, path string) int {
	w.t.Helper()
	body := "null"
	if method != "GET" {
		body = "'{}'"
	}
	status, err := chromedp.Run(w.ctx, chromedp.Evaluate[int](`fetch('`+path+`', {method: '`+method+
		`', headers: {'content-type': 'application/json'}, body: `+body+`}).then(r => r.status)`,
		chromedp.EvalAwaitPromise))
	w.must(err)
	return status
}

type look struct {
	name   string
	width  int64
	scheme string
}

var looks = []look{{"light", 1280, "light"}, {"dark", 1280, "dark"}, {"phone", 390, "light"}}

// In a real browser, the provider on another site: everybody signs in through both providers, sees who they
// are, calls Vexa from the page's origin, and signs out, here and there.
func TestInABrowser(t *testing.T) {
	pagetest.Chromium(t)
	for i, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			bridge := play(t)
			for _, provider := range []string{"okta", "entra"} {
				for _, who := range []string{"ada@acme.example", "grace@acme.example", "tim@acme.example"} {
					if i > 0 && who != "ada@acme.example" {
						continue // once is enough to see that everybody can; the other looks are for the eye
					}
					t.Run(provider+" "+who[:3], func(t *testing.T) { walk(t, l, bridge, provider, who) })
				}
				refused(t, l, bridge, provider, "mallory@acme.example", "No rule")
			}
			refused(t, l, bridge, "okta", "guest@partner.example", "Ask it@acme.example.")
			refused(t, l, bridge, "entra", "guest@partner.example", "Guest accounts")
		})
	}
}

// signIn opens the bridge, chooses the provider and presses the person's button on its
// page, until landmark is there.
func (w *window) signIn(bridge, provider, who, landmark string) {
	w.t.Helper()
	choice := chromedp.CSS(`a[href*="provider=` + provider + `"]`)
	button := chromedp.Search(`//button[contains(., "` + who + `")]`)
	w.do(chromedp.Navigate(bridge+"/"), chromedp.WaitVisible(choice))
	w.photograph("choose")
	w.do(chromedp.Click(choice), chromedp.WaitVisible(button))
	w.photograph(provider + "-page")
	// The provider's page may have a landmark of that name, too: what tells ours is its stylesheet.
	w.do(chromedp.Click(button),
		chromedp.WaitReady(chromedp.CSS(`html:has(link[href^="/sso/assets/"]) `+landmark)))
}

func walk(t *testing.T, l look, bridge, provider, who string) {
	w := open(t, l)
	w.signIn(bridge, provider, who, `form[action="/sso/logout"]`)
	if at, text := w.address(), w.text(); at != bridge+"/sso/" || !strings.Contains(text, who) {
		t.Errorf("came to %s: %s", at, text)
	}
	w.photograph(provider + "-home-" + who[:3])
	wantWrite := 422 // Vexa's own answer to an empty order for a bot
	if strings.HasPrefix(who, "tim") {
		wantWrite = 403
	}
	if read, write, foreign := w.fetch("GET", "/meetings"), w.fetch("POST", "/bots"),
		w.fetch("GET", "/admin/users"); read != 200 || write != wantWrite || foreign != 403 {
		t.Errorf("reading %d, writing %d, what is not theirs %d", read, write, foreign)
	}
	w.do(chromedp.Click(chromedp.CSS(`form[action="/sso/logout"] button`)),
		chromedp.WaitVisible(chromedp.CSS(`main a[href^="/sso/login"]`)))
	w.photograph(provider + "-signed-out")
	if at := w.address(); !strings.HasPrefix(at, bridge+"/sso/signed-out") ||
		w.fetch("GET", "/meetings") != 401 {
		t.Errorf("signed out, at %s", at)
	}
	// Signed out at the provider too: it asks who it is again.
	w.do(chromedp.Click(chromedp.CSS(`main a[href^="/sso/login"]`)),
		chromedp.Click(chromedp.CSS(`a[href*="provider=`+provider+`"]`)),
		chromedp.WaitVisible(chromedp.Search(`//button[contains(., "`+who+`")]`)))
}

func refused(t *testing.T, l look, bridge, provider, who, words string) {
	t.Helper()
	w := open(t, l)
	w.signIn(bridge, provider, who, "main h1")
	if text := w.text(); !strings.Contains(text, words) {
		t.Errorf("%s through %s: %s", who, provider, text)
	}
	w.photograph(provider + "-refused-" + who[:3])
}
