package signin_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"vexa-sso/proxy/proxytest"
)

// guest is refused by a rule, with an admin's words.
const guest = "guest@partner.example"

// refused is what the callback answers to a browser in which the guest signs in.
func refused(t *testing.T, w *proxytest.World, b *proxytest.Browser, login string) proxytest.Answer {
	t.Helper()
	callback, err := w.Okta.SignIn(t.Context(), b.Get(login).Header.Get("Location"), guest)
	proxytest.Must(t, err)
	return b.Get(strings.TrimPrefix(callback.URL, w.Public), proxytest.Navigation...)
}

func refusalCookies(t *testing.T, b *proxytest.Browser) (found []*http.Cookie) {
	t.Helper()
	for _, c := range b.Jar.Cookies(proxytest.MustURL(t, b.W.Public)) {
		if strings.HasPrefix(c.Name, "vexa_sso_refused_") {
			found = append(found, c)
		}
	}
	return found
}

var tracePage = regexp.MustCompile(`^/sso/refused/([0-9a-f]{32})$`)

// The provider's code does not stay in the address, and loading the page again loses nothing: neither the
// admin's words nor the trace, on any replica, and whether or not the store answers (S10). It is there for
// this browser alone, and names nobody in the clear.
func TestRefusalHasItsOwnPage(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	other := w.Replica()
	b := w.Browser()
	back := refused(t, w, b, "/sso/login?return_to=/meetings")
	location := back.Header.Get("Location")
	trace := tracePage.FindStringSubmatch(location)
	if back.Status != http.StatusSeeOther || trace == nil || back.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d to %q %s", back.Status, location, back.Body)
	}
	for _, clear := range []string{guest, "partner", "Ask it@", "meetings"} {
		if strings.Contains(proxytest.HeaderText(back.Header), clear) {
			t.Errorf("%q goes in the clear: %v", clear, back.Header)
		}
	}
	now := w.Clock.Now().UTC().Format("2 January 2006, 15:04")
	w.Clock.Advance(10 * time.Minute)
	w.Away.Store(true)
	other.Away.Store(true)
	for _, at := range []*proxytest.Browser{b, b, b.At(other)} {
		page := at.Get(location, proxytest.Navigation...)
		for _, want := range []string{
			guest, "Ask it@acme.example.", "denied_by_rule", trace[1], now, "return_to=%2Fmeetings",
		} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("the page lacks %q: %s", want, page.Body)
			}
		}
		if page.Status != http.StatusForbidden || page.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %v", page.Status, page.Header)
		}
	}
	if logged := w.Logs.String(); strings.Count(logged, `"code":"denied_by_rule"`) < 4 ||
		!strings.Contains(logged, `"event":"sign_in_refused"`) || strings.Contains(logged, "code=") {
		t.Error("the log does not tell of it as of other refusals")
	}

	gone := func(name string, from *proxytest.Browser, path string) {
		t.Helper()
		if page := from.Get(path, proxytest.Navigation...); page.Status != http.StatusNotFound ||
			!strings.Contains(page.Body, "refusal_gone") || strings.Contains(page.Body, guest) ||
			!strings.Contains(page.Body, `href="/sso/login"`) {
			t.Errorf("%s: %d %s", name, page.Status, page.Body)
		}
	}
	gone("another browser", w.Browser(), location)
	gone("another id", b, location[:len(location)-1]+"g")
	gone("a part of the id", b, location[:len("/sso/refused/")+12])
	w.Clock.Advance(6 * time.Minute)
	gone("after 15 minutes", b, location)
	forged := w.Browser()
	forged.DropCookie("vexa_sso_refused_"+trace[1][:12], refusalCookies(t, b)[0].Value[:40]+"AAAA")
	gone("a changed cookie", forged, location)
}

// Several tabs may be refused at once; a browser holds three refusals at most, the newest.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	b := w.Browser()
	var pages []string
	for range 5 {
		pages = append(pages, refused(t, w, b, "/sso/login").Header.Get("Location"))
		w.Clock.Advance(time.Second)
	}
	for i, page := range pages {
		want := http.StatusForbidden
		if i < 2 {
			want = http.StatusNotFound
		}
		if got := b.Get(page, proxytest.Navigation...).Status; got != want {
			t.Errorf("refusal %d: %d, want %d", i, got, want)
		}
	}
	if n := len(refusalCookies(t, b)); n != 3 {
		t.Errorf("the browser holds %d", n)
	}

	// A long way back is left out, rather than letting the browser send more than proxies take.
	long := "/meetings?q=" + strings.Repeat("x", 1900)
	page := b.Refusal(refused(t, w, b, "/sso/login?return_to="+strings.ReplaceAll(long, "?", "%3F")))
	if page.Status != http.StatusForbidden || !strings.Contains(page.Body, "Ask it@acme.example.") ||
		strings.Contains(page.Body, "xxxx") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
	for _, c := range refusalCookies(t, b) {
		if len(c.Value) > 2400 {
			t.Errorf("a cookie of %d characters", len(c.Value))
		}
	}
}

// Words too long for a cookie are shown all the same.
func TestLongRefusal(t *testing.T) {
	t.Parallel()
	rules := proxytest.StaffRules()
	words := strings.Repeat("\U0001f6ab", 490) // in the most bytes that a rule's words may have
	rules[2].Deny = words + "Sorry."
	w := proxytest.Start(t, func(o *proxytest.Options) { o.Rules = rules })
	b := w.Browser()
	if page := refused(t, w, b, "/sso/login"); page.Status != http.StatusForbidden ||
		!strings.Contains(page.Body, words+"Sorry.") || len(refusalCookies(t, b)) != 0 {
		t.Errorf("%d %s", page.Status, page.Body)
	}
}

// Every end of a callback that a person sees is one: also that of an answer that belongs to nobody, and of
// one that comes by POST.
func TestEveryRefusedCallbackHasAPage(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	for target, code := range map[string]string{
		"GET /sso/callback/okta?code=canary&state=x":  "sign_in_expired",
		"GET /sso/callback/okta?code=canary":          "sign_in_invalid",
		"GET /sso/callback/other?code=canary&state=x": "not_found",
		"POST /sso/callback/okta?code=canary":         "sign_in_invalid",
		"PUT /sso/callback/okta?code=canary":          "",
	} {
		b := w.Browser()
		method, path, _ := strings.Cut(target, " ")
		back := b.Send(method, path, "", proxytest.Navigation...)
		if code == "" {
			if back.Status != http.StatusMethodNotAllowed {
				t.Errorf("%s: %d", target, back.Status)
			}
			continue
		}
		if page := b.Refusal(back); !strings.Contains(page.Body, code) || page.Status/100 != 4 {
			t.Errorf("%s: %d %s", target, page.Status, page.Body)
		}
	}
	if strings.Contains(w.Logs.String(), "canary") {
		t.Error("the log has the code")
	}
	// a program is told at once
	if res := w.Browser().Get("/sso/callback/okta?code=x&state=y"); res.Code() != "sign_in_expired" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if res := w.Browser().Send("POST", "/sso/refused/"+fmt.Sprintf("%032x", 1), ""); res.Status !=
		http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", res.Status)
	}
}
