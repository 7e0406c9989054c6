package authserver_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vexa-sso/proxy/page/pagetest"
	"vexa-sso/proxy/proxytest"

	"vexa-sso/oidc/oidctest"

	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"
)

// In a real browser, the provider on another site and the program on a port of this computer: a person is
// sent to sign in, is asked, and is led back to the program; and the same for a device.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	tab := startChromium(t)
	w := newWorld(t, "")
	config, verifier := w.configuration(), oauth2.GenerateVerifier()
	program := listen(t)
	config.RedirectURL = "http://" + program.address + "/callback"

	tab.do(chromedp.Navigate(config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier))))
	tab.press(`//button[contains(., "` + ada + `")]`)
	tab.see(`//h1[contains(., "Vexa command line")]`)
	tab.photograph("consent")
	tab.press(`//button[.="Allow"]`)
	back := program.heard(t)
	if back.Get("state") != "state" || back.Get("iss") != w.Public+"/sso/oauth" {
		t.Errorf("came back with %v", back)
	}
	token, err := config.Exchange(w.context(), back.Get("code"), oauth2.VerifierOption(verifier))
	proxytest.Must(t, err)
	if !w.works(token.AccessToken) {
		t.Error("the access token opens nothing")
	}
	if from := program.referer; from != "" {
		t.Errorf("the program was told where the person was: %s", from)
	}

	tab.do(chromedp.Navigate(config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier))))
	tab.press(`//button[.="Deny"]`)
	if back := program.heard(t); back.Get("error") != "access_denied" || back.Has("code") {
		t.Errorf("came back with %v", back)
	}

	d := w.device("scope", "tx")
	tab.do(chromedp.Navigate(w.Public + "/sso/device?user_code=" + d.user))
	tab.see(`//h1[.="Connect a device"]`)
	tab.photograph("device")
	tab.press(`//button[.="Continue"]`)
	tab.see(`//h1[contains(., "Vexa command line")]`)
	tab.photograph("device-confirm")
	tab.press(`//button[.="Allow"]`)
	tab.see(`//h1[.="You are done here"]`)
	tab.photograph("device-done")
	if got := w.poll(d); got != "" {
		t.Errorf("the device was told %s", got)
	}
	tab.do(chromedp.Navigate(w.Public + strings.Replace(request(), "vexa-sso-cli", "stranger", 1)))
	tab.see(`//h1[contains(., "cannot be answered")]`)
	tab.photograph("refused")
}

// program is what waits on a port of this computer for the browser to come back.
type program struct {
	address string
	visits  chan url.Values
	referer string
}

func listen(t *testing.T) *program {
	t.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	proxytest.Must(t, err)
	p := &program{address: on.Addr().String(), visits: make(chan url.Values, 10)}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/callback" {
			p.referer = r.Referer()
			p.visits <- r.URL.Query()
		}
		fmt.Fprintln(w, "You can close this window.")
	})}
	go func() { _ = server.Serve(on) }()
	t.Cleanup(func() { server.Close() })
	return p
}

func (p *program) heard(t *testing.T) url.Values {
	t.Helper()
	select {
	case q := <-p.visits:
		return q
	case <-time.After(oidctest.Patience):
		t.Fatal("nobody came back")
		return nil
	}
}

// tab is a browser of its own, with no cookies.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func startChromium(t *testing.T) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(pagetest.Chromium(t)),
		chromedp.UserDataDir(t.TempDir()), chromedp.DisableGPU, chromedp.WindowSize(1000, 1000))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses to run as root
	}
	ctx, stop := context.WithTimeout(context.Background(), oidctest.Patience)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &tab{t, ctx}
	b.do()
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		at, _ := chromedp.Run(b.ctx, chromedp.Location())
		text, _ := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
		b.t.Fatalf("%v (at %s: %.500s)", err, at, text)
	}
}

func (b *tab) see(xpath string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.Search(xpath)))
}

func (b *tab) press(xpath string) {
	b.t.Helper()
	b.see(xpath)
	b.do(chromedp.Click(chromedp.Search(xpath)))
}

// photograph keeps a picture of the page where VEXA_SSO_TEST_SCREENSHOTS names a folder.
func (b *tab) photograph(name string) {
	b.t.Helper()
	dir := os.Getenv("VEXA_SSO_TEST_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	proxytest.Must(b.t, err)
	proxytest.Must(b.t, os.WriteFile(filepath.Join(dir, "authserver-"+name+".png"), png, 0o644))
}
