package pagetest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"vexa-sso/oidc/oidctest"

	"github.com/chromedp/chromedp"
)

// BrowserTab returns a tab of a new Chromium, or skips the test where there is none.
func BrowserTab(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(Chromium(t)),
		chromedp.NoSandbox, chromedp.DisableGPU)
	ctx, stop := context.WithTimeout(t.Context(), oidctest.Patience)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// Photograph saves a screenshot in the folder VEXA_SSO_TEST_SCREENSHOTS, if that is set.
func Photograph(t *testing.T, tab context.Context, name string) {
	t.Helper()
	dir := os.Getenv("VEXA_SSO_TEST_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}
