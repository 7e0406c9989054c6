package proxy_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy"
	"vexa-sso/proxy/exchange"
	"vexa-sso/proxy/proxytest"
)

func withGuardedPages(o *proxytest.Options) {
	o.Rooms = func(w *proxytest.World) func(context.Context) error {
		guarded(w.Proxy)
		return nil
	}
}

// guarded puts two pages on the bridge: one for who is signed in, one for who has just signed
// in. Both tell who that is.
func guarded(p *proxy.Proxy) {
	tell := func(v *proxy.Visit, who proxy.Person, err error) error {
		if err != nil {
			return err
		}
		return json.NewEncoder(v.Writer()).Encode(map[string]any{
			"email": who.Account.Identity.Email, "session": who.SessionID, "at": who.AuthTime,
		})
	}
	p.Handle("/sso/test/signed-in", func(v *proxy.Visit) error {
		who, err := v.SignedIn()
		return tell(v, who, err)
	})
	p.Handle("/sso/test/fresh", func(v *proxy.Visit) error {
		who, err := v.FreshlySignedIn()
		return tell(v, who, err)
	})
	p.Handle("POST /sso/test/change", func(v *proxy.Visit) error {
		if err := v.SameOrigin(); err != nil {
			return err
		}
		v.Redirect("/sso/")
		return nil
	})
	p.Handle("GET /.well-known/test", func(*proxy.Visit) error {
		return exchange.Refuse("not_found", "Nothing but a test.")
	})
}

// S8: a page for who is signed in sends a person to sign in and back; a program is told.
func TestVisitSignedIn(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, withGuardedPages)
	b := w.Browser()
	res := b.Get("/sso/test/signed-in?a=1", proxytest.Navigation...)
	if res.Status != http.StatusSeeOther ||
		res.Header.Get("Location") != "/sso/login?return_to=%2Fsso%2Ftest%2Fsigned-in%3Fa%3D1" {
		t.Errorf("%d to %q", res.Status, res.Header.Get("Location"))
	}
	if res := b.Get("/sso/test/signed-in"); res.Status != http.StatusUnauthorized ||
		res.Code() != "unauthenticated" ||
		!strings.Contains(res.Body, `"login_url":"`+w.Public+`/sso/login"`) {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if res := w.SignIn(oidctest.Ada).Get("/sso/test/signed-in"); !strings.Contains(res.Body, oidctest.Ada) ||
		!strings.Contains(res.Body, `"session":"ses_`) {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if res := b.Get("/.well-known/test"); res.Code() != "not_found" ||
		len(w.Vexa.GatewayWire().Requests()) != 0 {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if res := b.Get("/.well-known/other"); res.Code() == "not_found" {
		t.Error("what nobody put under /.well-known/ is not ours")
	}
}

// S7: what only the person themselves may do needs them to have proven just now that it is them.
func TestVisitFreshlySignedIn(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, withGuardedPages)
	b, provider := w.Browser(), w.Okta.NewBrowser()
	signIn := func(login string) proxytest.Answer {
		callback, err := provider.SignIn(t.Context(),
			b.Get(login, proxytest.Navigation...).Header.Get("Location"), oidctest.Ada)
		proxytest.Must(t, err)
		return b.Get(strings.TrimPrefix(callback.URL, w.Public))
	}
	signIn("/sso/login")
	if res := b.Get("/sso/test/fresh"); res.Status != http.StatusOK {
		t.Errorf("right after signing in: %d %s", res.Status, res.Body)
	}
	w.Clock.Advance(5 * time.Minute)
	if res := b.Get("/sso/test/fresh"); res.Status != http.StatusUnauthorized ||
		res.Code() != "login_required" ||
		!strings.Contains(res.Body, `"login_url":"`+w.Public+`/sso/login?fresh=1"`) {
		t.Errorf("five minutes later: %d %s", res.Status, res.Body)
	}
	// Who is still signed in at the provider gets another session without anybody having been
	// asked, which proves nothing.
	old := b.Cookie()
	signIn("/sso/login")
	if b.Cookie() == old {
		t.Fatal("there is no new session")
	}
	res := b.Get("/sso/test/fresh?a=1", proxytest.Navigation...)
	if want := "/sso/login?fresh=1&return_to=%2Fsso%2Ftest%2Ffresh%3Fa%3D1"; res.Status !=
		http.StatusSeeOther ||
		res.Header.Get("Location") != want {
		t.Fatalf("%d to %q", res.Status, res.Header.Get("Location"))
	}
	asked, err := url.Parse(b.Get(res.Header.Get("Location"), proxytest.Navigation...).Header.Get("Location"))
	proxytest.Must(t, err)
	if q := asked.Query(); q.Get("prompt") != "login" || q.Get("max_age") != "0" ||
		q.Get("login_hint") != oidctest.Ada {
		t.Errorf("the provider is asked with %v", q)
	}
	if back := signIn(res.Header.Get("Location")); back.Header.Get("Location") != "/sso/test/fresh?a=1" {
		t.Errorf("back to %q", back.Header.Get("Location"))
	}
	if res := b.Get("/sso/test/fresh", proxytest.Navigation...); res.Status != http.StatusOK {
		t.Errorf("afresh: %d %s", res.Status, res.Body)
	}
}

// S7: somebody at the browser who takes prompt=login and max_age off the way to the
// provider has proven nothing.
func TestFreshSignInIsChecked(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, withGuardedPages)
	b, provider := w.Browser(), w.Okta.NewBrowser()
	_, err := provider.SignIn(t.Context(), b.Get("/sso/login").Header.Get("Location"), oidctest.Ada)
	proxytest.Must(t, err)
	w.Clock.Advance(10 * time.Minute)
	asked, err := url.Parse(b.Get("/sso/login?fresh=1").Header.Get("Location"))
	proxytest.Must(t, err)
	q := asked.Query()
	q.Del("prompt")
	q.Del("max_age")
	asked.RawQuery = q.Encode()
	callback, err := provider.Open(t.Context(), asked.String())
	proxytest.Must(t, err)
	res := b.Get(strings.TrimPrefix(callback.URL, w.Public))
	if res.Code() != "login_required" || b.Cookie() != "" {
		t.Errorf("%d %s, cookie %q", res.Status, res.Body, b.Cookie())
	}
}

// S7: what changes something by the cookie is refused unless a page of ours asks for it.
func TestVisitSameSite(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, withGuardedPages)
	b := w.Browser()
	for _, c := range []struct {
		header []string
		status int
	}{
		{nil, http.StatusForbidden},
		{[]string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{[]string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{[]string{"Sec-Fetch-Site", "same-origin"}, http.StatusSeeOther},
		{[]string{"Origin", w.Public}, http.StatusSeeOther},
	} {
		if res := b.Send("POST", "/sso/test/change", "", c.header...); res.Status != c.status {
			t.Errorf("%v: %d %s", c.header, res.Status, res.Body)
		}
	}
}
