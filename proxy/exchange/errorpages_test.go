package exchange

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"vexa-sso/proxy/page/pagetest"

	"github.com/chromedp/chromedp"

	"vexa-sso/oidc"
	"vexa-sso/proxy/page"
)

// Every code has a page that a person can read: its title, its sentence, what to do about it, and what to
// pass on. With VEXA_SSO_TEST_SCREENSHOTS each is photographed.
func TestEachErrorPage(t *testing.T) {
	t.Parallel()
	tab := pagetest.BrowserTab(t)
	edge := &Edge{Pages: page.New(page.Config{Site: "vexa.acme.example"}), Log: Discard}
	mux := http.NewServeMux()
	mux.Handle(page.AssetsPath, edge.Pages.Assets())
	mux.HandleFunc("/{code}", func(w http.ResponseWriter, r *http.Request) {
		ex := &Exchange{
			ResponseWriter: w, Site: &Site{}, Path: r.URL.Path, TraceID: "0123456789abcdef0123456789abcdef",
		}
		edge.Answer(ex, r, Refuse(Code(r.PathValue("code")), ""))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for _, code := range slices.Sorted(maps.Keys(outcomes)) {
		o := outcomes[code]
		if err := chromedp.Do(tab, chromedp.Navigate(server.URL+"/"+string(code)),
			chromedp.WaitVisible(chromedp.CSS("h1"))); err != nil {
			t.Fatal(code, err)
		}
		text, err := chromedp.Run(tab, chromedp.Evaluate[string]("document.body.innerText"))
		if err != nil {
			t.Fatal(code, err)
		}
		text = strings.Join(strings.Fields(text), " ")
		for _, want := range []string{o.Title, o.Detail, o.Next, string(code), "0123456789abcdef"} {
			if !strings.Contains(text, strings.Join(strings.Fields(want), " ")) {
				t.Errorf("the page of %s lacks %q: %s", code, want, text)
			}
		}
		pagetest.Photograph(t, tab, "error-"+string(code))
	}
}

// What the admin reads in the log about a provider's refusal names the remedy.
func TestTheLogNamesTheRemedy(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	edge := &Edge{Log: slog.New(slog.NewTextHandler(&log, nil))}
	r := httptest.NewRequest("GET", "/sso/callback/entra", nil)
	edge.Answer(&Exchange{ResponseWriter: httptest.NewRecorder(), Site: &Site{}}, r, &oidc.Error{
		Code: oidc.CodeProviderMisset, Message: "not set up",
		Remedy: "register https://vexa.acme.example/sso/callback/entra", Err: errors.New("AADSTS50011"),
	})
	if !strings.Contains(log.String(), `remedy="register https://vexa.acme.example/sso/callback/entra"`) ||
		!strings.Contains(log.String(), "AADSTS50011") {
		t.Error(log.String())
	}
}

// S7: what a cookie opens is not there for other sites to embed, and is what its type says.
func TestJSONIsNotForOtherSites(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	WriteJSON(rec, http.StatusOK, "x")
	for name, want := range map[string]string{
		"Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
		"Cache-Control": "no-store",
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
