package proxy_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

// The relying-party modules of the OpenID Foundation's conformance plans that ask something of our endpoints, cookies and
// sessions, by their names without the prefix oidcc-client-test-. The others are shown in package oidc.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, module := range map[string]func(*testing.T, *conformance){
		// must accept
		"rp-init-logout":               rpInitLogout,
		"rp-init-logout-no-state":      rpInitLogoutNoState,
		"rp-frontchannel-rpinitlogout": frontChannelAfterOurs,
		"rp-frontchannel-opinitlogout": frontChannelByTheProvider,
		"rp-backchannel-rpinitlogout":  backChannelAfterOurs,
		"3rd-party-init-login":         thirdPartyInitLogin,

		// must refuse
		"rp-init-logout-other-state":              rpInitLogoutOtherState,
		"rp-backchannel-rpinitlogout-alg-none":    refusesLogoutToken("", nil, oidctest.Unsigned()),
		"rp-backchannel-rpinitlogout-no-event":    refusesLogoutToken("events", nil),
		"rp-backchannel-rpinitlogout-with-nonce":  refusesLogoutToken("nonce", "n"),
		"rp-backchannel-rpinitlogout-wrong-alg":   refusesLogoutToken("", nil, oidctest.Algorithm("PS256")),
		"rp-backchannel-rpinitlogout-wrong-aud":   refusesLogoutToken("aud", "0oa2other"),
		"rp-backchannel-rpinitlogout-wrong-event": refusesLogoutToken("events", map[string]any{logoutEvent + "-not": map[string]any{}}),
		"rp-backchannel-rpinitlogout-wrong-iss":   refusesLogoutToken("iss", "https://evil.example"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			module(t, newConformance(t))
		})
	}
}

// conformance is a bridge with an Okta and a plain provider, and Ada's browser.
type conformance struct {
	*world
	plain *oidctest.Plain
	ada   *browser
}

func newConformance(t *testing.T) *conformance {
	t.Helper()
	plain := oidctest.StartPlain(t, oidctest.PlainOptions{})
	plain.AddCast()
	w := newWorld(t, func(o *worldOptions) {
		o.okta.SID = true
		o.more = []oidc.Config{{Name: "plain", Type: oidc.TypeOIDC, Issuer: plain.Issuer(), ClientID: "bridge", ClientSecret: "plain-secret", Scopes: []string{"groups"}, TrustedDomains: []string{"acme.example"}}}
	})
	plain.AddClient(oidctest.Client{ID: "bridge", Secrets: []string{"plain-secret"}, RedirectURIs: []string{w.public + "/sso/callback/plain"}, PostLogoutURIs: []string{w.public + "/sso/signed-out"}})
	return &conformance{w, plain, w.browser()}
}

// signOut signs Ada out here and at the provider, and returns where the provider sends her with which state.
func (c *conformance) signOut(there *oidctest.Browser) (back, state string) {
	c.t.Helper()
	res := c.ada.send("POST", "/sso/logout", "", "Origin", c.public)
	out, err := url.Parse(res.header.Get("Location"))
	must(c.t, err)
	if res.status != http.StatusSeeOther || c.ada.signedIn() {
		c.t.Fatalf("signing out: %d %s, signed in %v", res.status, res.body, c.ada.signedIn())
	}
	callback, err := there.Open(c.t.Context(), out.String())
	must(c.t, err)
	state = out.Query().Get("state")
	if len(state) < 43 || callback.Params.Get("state") != state {
		c.t.Fatalf("the state %q came back as %q", state, callback.Params.Get("state"))
	}
	return strings.TrimPrefix(callback.URL, c.public), state
}

// arrives says whether the browser ends on the page that says that it is over.
func (b *browser) arrives(back string) bool {
	res := b.get(back)
	if location := res.header.Get("Location"); res.status == http.StatusSeeOther {
		res = b.get(location)
	}
	return res.status == http.StatusOK && strings.Contains(res.body, "signed out")
}

// keepsLogoutState says whether the browser still waits for a sign-out to come back.
func (b *browser) keepsLogoutState() bool {
	u, _ := url.Parse(b.w.public)
	for _, cookie := range b.Jar.Cookies(u) {
		if cookie.Name == "vexa_sso_logout" {
			return true
		}
	}
	return false
}

func rpInitLogout(t *testing.T, c *conformance) {
	for name, there := range map[string]*oidctest.Browser{"okta": c.okta.NewBrowser(), "plain": c.plain.NewBrowser()} {
		c.ada.signInFrom(there, name, oidctest.Ada)
		back, first := c.signOut(there)
		if !c.ada.keepsLogoutState() || !c.ada.arrives(back) || c.ada.keepsLogoutState() {
			t.Errorf("%s: the answer was not accepted once", name)
		}
		if res := c.ada.get(back); res.status != http.StatusBadRequest {
			t.Errorf("%s: the same answer again: %d", name, res.status)
		}
		c.ada.signInFrom(there, name, oidctest.Ada)
		if _, second := c.signOut(there); second == first {
			t.Errorf("%s: two sign-outs have the state %q", name, first)
		}
	}
}

func rpInitLogoutNoState(t *testing.T, c *conformance) {
	there := c.plain.NewBrowser()
	c.ada.signInFrom(there, "plain", oidctest.Ada)
	c.signOut(there)
	if !c.ada.arrives("/sso/signed-out") || c.ada.keepsLogoutState() {
		t.Error("an answer without state was not accepted")
	}
}

// An answer with another state is refused, in whatever browser, and does not stand in the way of the right one.
func rpInitLogoutOtherState(t *testing.T, c *conformance) {
	there := c.plain.NewBrowser()
	c.ada.signInFrom(there, "plain", oidctest.Ada)
	back, state := c.signOut(there)
	for name, res := range map[string]answer{
		"another state":   c.ada.get("/sso/signed-out?state=other"),
		"an empty state":  c.ada.get("/sso/signed-out?state="),
		"C9: two states":  c.ada.get(back + "&state=" + state),
		"another browser": c.browser().get(back),
		"no state of its": c.browser().get("/sso/signed-out?state="),
	} {
		if res.status != http.StatusBadRequest || res.code() != "bad_request" {
			t.Errorf("%s: %d %s", name, res.status, res.body)
		}
	}
	page := c.ada.get("/sso/signed-out?state=other", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	if page.status != http.StatusBadRequest || !strings.Contains(page.body, "This sign-out answer does not belong to this browser.") {
		t.Errorf("the page: %d %s", page.status, page.body)
	}
	if !c.ada.arrives(back) {
		t.Error("the right answer was not accepted any more")
	}
}

// The frame of a sign-out that we began comes when our session is over already.
func frontChannelAfterOurs(t *testing.T, c *conformance) {
	there := c.okta.NewBrowser()
	c.ada.signInFrom(there, "okta", oidctest.Ada)
	again := c.browser() // of the same session at the provider
	again.signInFrom(there, "okta", oidctest.Ada)
	sid := c.sid("okta")
	back, _ := c.signOut(there)
	if res := c.frontChannel(sid); res.status != http.StatusOK {
		t.Errorf("the frame: %d %s", res.status, res.body)
	}
	if c.ada.signedIn() || again.signedIn() || !c.ada.arrives(back) {
		t.Error("not all that belonged to the session is over")
	}
}

func frontChannelByTheProvider(t *testing.T, c *conformance) {
	c.ada.signInFrom(c.okta.NewBrowser(), "okta", oidctest.Ada)
	sid := c.sid("okta")
	tim := c.browser()
	tim.signInFrom(c.okta.NewBrowser(), "okta", oidctest.Tim)
	if res := c.frontChannel(sid); res.status != http.StatusOK || c.ada.signedIn() || !tim.signedIn() {
		t.Errorf("%d %s; Ada is signed in: %v, Tim: %v", res.status, res.body, c.ada.signedIn(), tim.signedIn())
	}
}

// frontChannel loads our frame as a page of Okta's does: without our cookies.
func (c *conformance) frontChannel(sid string) answer {
	return c.browser().get("/sso/logout/frontchannel/okta?" + url.Values{"iss": {c.okta.Issuer()}, "sid": {sid}}.Encode())
}

// The logout token of a sign-out that we began ends what else belongs to the provider's session.
func backChannelAfterOurs(t *testing.T, c *conformance) {
	there := c.okta.NewBrowser()
	c.ada.signInFrom(there, "okta", oidctest.Ada)
	again := c.browser()
	again.signInFrom(there, "okta", oidctest.Ada)
	person, _ := c.okta.Person(oidctest.Ada)
	claims := c.logoutClaims("jti-1").With("sid", c.sid("okta")).With("sub", person.ID)
	back, _ := c.signOut(there)
	if !again.signedIn() {
		t.Fatal("signing out in one browser signed the other out")
	}
	if res := c.backChannel(claims); res.status != http.StatusOK {
		t.Errorf("the logout token: %d %s", res.status, res.body)
	}
	if again.signedIn() || !c.ada.arrives(back) {
		t.Error("not all that belonged to the session is over")
	}
}

// refusesLogoutToken spoils one claim, or the signature, of a good logout token: refused, it ends nothing and does not use up the
// good one.
func refusesLogoutToken(claim string, value any, options ...oidctest.SignOption) func(*testing.T, *conformance) {
	return func(t *testing.T, c *conformance) {
		c.ada.signInFrom(c.okta.NewBrowser(), "okta", oidctest.Ada)
		good := c.logoutClaims("jti-1").With("sid", c.sid("okta"))
		spoiled := good
		if claim != "" {
			spoiled = good.With(claim, value)
		}
		if res := c.backChannel(spoiled, options...); res.status != http.StatusBadRequest || !strings.Contains(res.body, `"error":"invalid_request"`) || !c.ada.signedIn() {
			t.Errorf("%d %s, signed in: %v", res.status, res.body, c.ada.signedIn())
		}
		if res := c.backChannel(good); res.status != http.StatusOK || c.ada.signedIn() {
			t.Errorf("the good one: %d %s, signed in: %v", res.status, res.body, c.ada.signedIn())
		}
	}
}

// Whoever starts a sign-in names an issuer of ours, and where to go on: here, and nowhere else.
func thirdPartyInitLogin(t *testing.T, c *conformance) {
	start := func(iss, target string) answer {
		return c.browser().get("/sso/login?" + url.Values{"iss": {iss}, "login_hint": {oidctest.Ada}, "target_link_uri": {target}}.Encode())
	}
	for name, issuer := range map[string]string{"okta": c.okta.Issuer(), "plain": c.plain.Issuer()} {
		asked := mustURL(t, start(issuer, c.public+"/meetings").header.Get("Location"))
		if q := asked.Query(); q.Get("redirect_uri") != c.public+"/sso/callback/"+name || q.Get("login_hint") != oidctest.Ada || q.Get("state") == "" || q.Get("nonce") == "" {
			t.Errorf("%s: asked %s", name, asked)
		}
	}
	if res := start("https://evil.example", c.public+"/meetings"); res.status != http.StatusOK || res.header.Get("Location") != "" {
		t.Errorf("an issuer that is not ours: %d to %q", res.status, res.header.Get("Location"))
	}
	for target, want := range map[string]string{c.public + "/meetings": "/meetings", "https://evil.example/": "/sso/"} {
		login := "/sso/login?" + url.Values{"iss": {c.okta.Issuer()}, "target_link_uri": {target}}.Encode()
		ada := c.browser()
		if res := ada.signIn(oidctest.Ada, login); res.status != http.StatusSeeOther || res.header.Get("Location") != want || !ada.signedIn() {
			t.Errorf("to %s: %d to %q", target, res.status, res.header.Get("Location"))
		}
	}
}
