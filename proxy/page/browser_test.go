package page

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"vexa-sso/proxy/page/pagetest"

	"vexa-sso/oidc/oidctest"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

// What the headers and the stylesheet promise, browsers keep; so a browser is asked. One
// browser, a tab for each test.
func TestInBrowser(t *testing.T) {
	t.Parallel()
	browser := startChromium(t)

	// S7: a form of ours shows its origin.
	t.Run("sign-out over named origins", func(t *testing.T) {
		w := newWay(t, redirect)
		w.named = []string{crossSite(w.provider), crossSite(w.further)}
		w.expect(t, browser, "arrived")
		if w.origin != w.ours.URL {
			t.Errorf("the form came with Origin %q, want %q", w.origin, w.ours.URL)
		}
	})
	t.Run("sign-out over an origin that is not named", func(t *testing.T) {
		w := newWay(t, redirect)
		w.named = []string{crossSite(w.provider)}
		w.expect(t, browser, "stopped")
	})
	t.Run("sign-out over unknown origins by Continue", func(t *testing.T) {
		w := newWay(t, func(w http.ResponseWriter, r *http.Request, to string) {
			_ = testPages().Continue(w, r, Continue{To: to, Where: "Okta"})
		})
		w.expect(t, browser, "arrived")
	})
	t.Run("a phone and a desk by day and by night", func(t *testing.T) { checkLooks(t, browser) })
	t.Run("keyboard", func(t *testing.T) { checkKeyboard(t, browser) })
}

func startChromium(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(pagetest.Chromium(t)),
		chromedp.DisableGPU)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses to run as root
	}
	ctx, stop := context.WithTimeout(context.Background(), oidctest.Patience)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func newTab(t *testing.T, browser context.Context) context.Context {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	return ctx
}

// way is what a sign-out may have to go through: our home page, a provider that redirects on, and a provider
// further on that it redirects to.
type way struct {
	ours, provider, further *httptest.Server

	named  []string // in the home page's form-action
	origin string   // that the form came with
	result chan string
}

func newWay(t *testing.T, signOut func(w http.ResponseWriter, r *http.Request, to string)) *way {
	t.Helper()
	s := &way{result: make(chan string, 10)}
	s.further = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		s.say("arrived")
	}))
	s.provider = httptest.NewServer(http.RedirectHandler(crossSite(s.further)+"/", http.StatusFound))

	mux := http.NewServeMux()
	mux.Handle(AssetsPath, testPages().Assets())
	mux.HandleFunc("GET /sso/{$}", func(w http.ResponseWriter, r *http.Request) {
		testPages().Home(w, r, Home{Name: "Ada", FormActionOrigins: s.named})
	})
	mux.HandleFunc("POST /sso/logout", func(w http.ResponseWriter, r *http.Request) {
		s.origin = r.Header.Get("Origin")
		signOut(w, r, crossSite(s.provider)+"/")
	})
	s.ours = httptest.NewServer(mux)
	for _, server := range []*httptest.Server{s.further, s.provider, s.ours} {
		t.Cleanup(server.Close)
	}
	return s
}

func redirect(w http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// crossSite is the URL of the server under the name that makes it another site for the browser.
func crossSite(server *httptest.Server) string {
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	return "http://localhost:" + port
}

func (s *way) say(result string) {
	select {
	case s.result <- result:
	default: // it was said already
	}
}

// expect presses "Sign out" and waits until the way was gone to its end, or the browser stopped it.
func (s *way) expect(t *testing.T, browser context.Context, want string) {
	t.Helper()
	tab := newTab(t, browser)
	err := chromedp.Listen(tab, func(event any) {
		if e, ok := event.(*log.EventEntryAdded); ok && strings.Contains(e.Entry.Text, "form-action") {
			s.say("stopped")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(tab, chromedp.Navigate(s.ours.URL+"/sso/"),
		chromedp.Click(chromedp.CSS("form button"))); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-s.result:
		if got != want {
			t.Errorf("the way from sign-out was %s, want %s", got, want)
		}
	case <-tab.Done():
		t.Fatalf("nothing happened after sign-out: %v", tab.Err())
	}
}

// servePages serves every page with many words and a very long one, and says under which paths.
func servePages(t *testing.T) (base string, paths []string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(AssetsPath, testPages().Assets())
	for name, h := range everyPage(strings.Repeat("many words ", 20)+strings.Repeat("w", 200), "/sso/") {
		if name == "continue" {
			continue // it leads on at once
		}
		path := "/" + strings.ReplaceAll(name, " ", "-")
		mux.Handle(path, h)
		paths = append(paths, path)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, paths
}

// checkLooks sees that no page has to be scrolled sideways, that the stylesheet is in
// force, and that night is dark.
func checkLooks(t *testing.T, browser context.Context) {
	base, paths := servePages(t)
	tab := newTab(t, browser)
	for scheme, background := range map[string]string{
		"light": "rgb(245, 246, 244)", "dark": "rgb(14, 19, 18)",
	} {
		for _, width := range []int64{320, 1280} {
			emulate(t, tab, scheme, width)
			for _, path := range paths {
				if err := chromedp.Do(tab, chromedp.Navigate(base+path)); err != nil {
					t.Fatal(err)
				}
				needs, err := chromedp.Run(tab,
					chromedp.Evaluate[int64]("document.documentElement.scrollWidth"))
				if err != nil {
					t.Fatal(err)
				}
				if needs > width {
					t.Errorf("page %s needs %d px of %d", path, needs, width)
				}
			}
			got, err := chromedp.Run(tab,
				chromedp.Evaluate[string]("getComputedStyle(document.body).backgroundColor"))
			if err != nil {
				t.Fatal(err)
			}
			if width == 1280 && got != background {
				t.Errorf("%s: the background is %s, want %s", scheme, got, background)
			}
		}
	}
}

func emulate(t *testing.T, tab context.Context, scheme string, width int64) {
	t.Helper()
	_, err := chromedp.Call(tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: 844, DeviceScaleFactor: 1, Mobile: width < 500,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkKeyboard tabs through the page for choosing, and sees where it is each time.
func checkKeyboard(t *testing.T, browser context.Context) {
	mux := http.NewServeMux()
	mux.Handle(AssetsPath, testPages().Assets())
	mux.HandleFunc("/sso/login", func(w http.ResponseWriter, r *http.Request) {
		testPages().Choose(w, r,
			Choose{Providers: []Provider{{Name: "okta"}, {Name: "entra"}}, AskEmail: true})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	tab := newTab(t, browser)
	if err := chromedp.Do(tab, chromedp.Navigate(server.URL+"/sso/login")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A okta solid", "A entra solid", "INPUT  solid", "BUTTON Continue solid"} {
		if err := chromedp.Do(tab, chromedp.KeyEvent("\t")); err != nil {
			t.Fatal(err)
		}
		got, err := chromedp.Run(tab, chromedp.Evaluate[string](`(e => e.tagName + " " + e.innerText + " " + getComputedStyle(e).outlineStyle)(document.activeElement)`))
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("Tab leads to %q, want %q", got, want)
		}
	}
}
