package proxy_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy"
	"vexa-sso/proxy/exchange"
)

// guarded puts two pages on the bridge: one for who is signed in, one for who has just signed in. Both tell who that is.
func guarded(p *proxy.Proxy) {
	tell := func(v *proxy.Visit, who proxy.Person, err error) error {
		if err != nil {
			return err
		}
		return json.NewEncoder(v.Writer()).Encode(map[string]any{"email": who.Account.Identity.Email, "session": who.SessionID, "at": who.AuthTime})
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
	p.Handle("GET /.well-known/test", func(*proxy.Visit) error { return exchange.Refuse("not_found", "Nothing but a test.") })
}

// S8: a page for who is signed in sends a person to sign in and back; a program is told.
func TestVisitSignedIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *worldOptions) { o.pages = guarded })
	b := w.browser()
	res := b.get("/sso/test/signed-in?a=1", navigation...)
	if res.status != http.StatusSeeOther || res.header.Get("Location") != "/sso/login?return_to=%2Fsso%2Ftest%2Fsigned-in%3Fa%3D1" {
		t.Errorf("%d to %q", res.status, res.header.Get("Location"))
	}
	if res := b.get("/sso/test/signed-in"); res.status != http.StatusUnauthorized || res.code() != "unauthenticated" || !strings.Contains(res.body, `"login_url":"`+w.public+`/sso/login"`) {
		t.Errorf("%d %s", res.status, res.body)
	}
	if res := w.signIn(oidctest.Ada).get("/sso/test/signed-in"); !strings.Contains(res.body, oidctest.Ada) || !strings.Contains(res.body, `"session":"ses_`) {
		t.Errorf("%d %s", res.status, res.body)
	}
	if res := b.get("/.well-known/test"); res.code() != "not_found" || len(w.vexa.GatewayWire().Requests()) != 0 {
		t.Errorf("%d %s", res.status, res.body)
	}
	if res := b.get("/.well-known/other"); res.code() == "not_found" {
		t.Error("what nobody put under /.well-known/ is not ours")
	}
}

// S7: what only the person themselves may do needs them to have proven just now that it is them.
func TestVisitFreshlySignedIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *worldOptions) { o.pages = guarded })
	b, provider := w.browser(), w.okta.NewBrowser()
	signIn := func(login string) answer {
		callback, err := provider.SignIn(t.Context(), b.get(login, navigation...).header.Get("Location"), oidctest.Ada)
		must(t, err)
		return b.get(strings.TrimPrefix(callback.URL, w.public))
	}
	signIn("/sso/login")
	if res := b.get("/sso/test/fresh"); res.status != http.StatusOK {
		t.Errorf("right after signing in: %d %s", res.status, res.body)
	}
	w.clock.Advance(5 * time.Minute)
	if res := b.get("/sso/test/fresh"); res.status != http.StatusUnauthorized || res.code() != "login_required" || !strings.Contains(res.body, `"login_url":"`+w.public+`/sso/login?fresh=1"`) {
		t.Errorf("five minutes later: %d %s", res.status, res.body)
	}
	// Who is still signed in at the provider gets another session without anybody having been asked, which proves nothing.
	old := b.cookie()
	signIn("/sso/login")
	if b.cookie() == old {
		t.Fatal("there is no new session")
	}
	res := b.get("/sso/test/fresh?a=1", navigation...)
	if want := "/sso/login?fresh=1&return_to=%2Fsso%2Ftest%2Ffresh%3Fa%3D1"; res.status != http.StatusSeeOther || res.header.Get("Location") != want {
		t.Fatalf("%d to %q", res.status, res.header.Get("Location"))
	}
	asked, err := url.Parse(b.get(res.header.Get("Location"), navigation...).header.Get("Location"))
	must(t, err)
	if q := asked.Query(); q.Get("prompt") != "login" || q.Get("max_age") != "0" || q.Get("login_hint") != oidctest.Ada {
		t.Errorf("the provider is asked with %v", q)
	}
	if back := signIn(res.header.Get("Location")); back.header.Get("Location") != "/sso/test/fresh?a=1" {
		t.Errorf("back to %q", back.header.Get("Location"))
	}
	if res := b.get("/sso/test/fresh", navigation...); res.status != http.StatusOK {
		t.Errorf("afresh: %d %s", res.status, res.body)
	}
}

// S7: somebody at the browser who takes prompt=login and max_age off the way to the provider has proven nothing.
func TestFreshSignInIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *worldOptions) { o.pages = guarded })
	b, provider := w.browser(), w.okta.NewBrowser()
	_, err := provider.SignIn(t.Context(), b.get("/sso/login").header.Get("Location"), oidctest.Ada)
	must(t, err)
	w.clock.Advance(10 * time.Minute)
	asked, err := url.Parse(b.get("/sso/login?fresh=1").header.Get("Location"))
	must(t, err)
	q := asked.Query()
	q.Del("prompt")
	q.Del("max_age")
	asked.RawQuery = q.Encode()
	callback, err := provider.Open(t.Context(), asked.String())
	must(t, err)
	res := b.get(strings.TrimPrefix(callback.URL, w.public))
	if res.code() != "login_required" || b.cookie() != "" {
		t.Errorf("%d %s, cookie %q", res.status, res.body, b.cookie())
	}
}

// S7: what changes something by the cookie is refused unless a page of ours asks for it.
func TestVisitSameSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *worldOptions) { o.pages = guarded })
	b := w.browser()
	for _, c := range []struct {
		header []string
		status int
	}{
		{nil, http.StatusForbidden},
		{[]string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{[]string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{[]string{"Sec-Fetch-Site", "same-origin"}, http.StatusSeeOther},
		{[]string{"Origin", w.public}, http.StatusSeeOther},
	} {
		if res := b.send("POST", "/sso/test/change", "", c.header...); res.status != c.status {
			t.Errorf("%v: %d %s", c.header, res.status, res.body)
		}
	}
}
