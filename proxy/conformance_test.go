package proxy_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// The relying-party modules of the OpenID Foundation's conformance plans that ask something of our
// endpoints, cookies and sessions, by their names without the prefix oidcc-client-test-. The others
// are shown in package oidc.
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
		"rp-init-logout-other-state":             rpInitLogoutOtherState,
		"rp-backchannel-rpinitlogout-alg-none":   refusesLogoutToken("", nil, oidctest.Unsigned()),
		"rp-backchannel-rpinitlogout-no-event":   refusesLogoutToken("events", nil),
		"rp-backchannel-rpinitlogout-with-nonce": refusesLogoutToken("nonce", "n"),
		"rp-backchannel-rpinitlogout-wrong-alg":  refusesLogoutToken("", nil, oidctest.Algorithm("PS256")),
		"rp-backchannel-rpinitlogout-wrong-aud":  refusesLogoutToken("aud", "0oa2other"),
		"rp-backchannel-rpinitlogout-wrong-event": refusesLogoutToken("events",
			map[string]any{proxytest.LogoutEvent + "-not": map[string]any{}}),
		"rp-backchannel-rpinitlogout-wrong-iss": refusesLogoutToken("iss", "https://evil.example"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			module(t, newConformance(t))
		})
	}
}

// conformance is a bridge with an Okta and a plain provider, and Ada's browser.
type conformance struct {
	*proxytest.World
	plain *oidctest.Plain
	ada   *proxytest.Browser
}

func newConformance(t *testing.T) *conformance {
	t.Helper()
	plain := oidctest.StartPlain(t, oidctest.PlainOptions{})
	plain.AddCast()
	w := proxytest.Start(t, func(o *proxytest.Options) {
		o.Okta.SID = true
		o.More = []oidc.Config{{
			Name: "plain", Type: oidc.TypeOIDC, Issuer: plain.Issuer(),
			ClientID: "bridge", ClientSecret: "plain-secret", Scopes: []string{"groups"},
			TrustedDomains: []string{"acme.example"},
		}}
	})
	plain.AddClient(oidctest.Client{
		ID: "bridge", Secrets: []string{"plain-secret"},
		RedirectURIs:   []string{w.Public + "/sso/callback/plain"},
		PostLogoutURIs: []string{w.Public + "/sso/signed-out"},
	})
	return &conformance{w, plain, w.Browser()}
}

// signOut signs Ada out here and at the provider, and returns where the provider sends her with which state.
func (c *conformance) signOut(there *oidctest.Browser) (back, state string) {
	c.T.Helper()
	res := c.ada.Send("POST", "/sso/logout", "", "Origin", c.Public)
	out, err := url.Parse(res.Header.Get("Location"))
	proxytest.Must(c.T, err)
	if res.Status != http.StatusSeeOther || c.ada.SignedIn() {
		c.T.Fatalf("signing out: %d %s, signed in %v", res.Status, res.Body, c.ada.SignedIn())
	}
	callback, err := there.Open(c.T.Context(), out.String())
	proxytest.Must(c.T, err)
	state = out.Query().Get("state")
	if len(state) < 43 || callback.Params.Get("state") != state {
		c.T.Fatalf("the state %q came back as %q", state, callback.Params.Get("state"))
	}
	return strings.TrimPrefix(callback.URL, c.Public), state
}

func rpInitLogout(t *testing.T, c *conformance) {
	for name, there := range map[string]*oidctest.Browser{
		"okta": c.Okta.NewBrowser(), "plain": c.plain.NewBrowser(),
	} {
		c.ada.SignInFrom(there, name, oidctest.Ada)
		back, first := c.signOut(there)
		if !c.ada.KeepsLogoutState() || !c.ada.Arrives(back) || c.ada.KeepsLogoutState() {
			t.Errorf("%s: the answer was not accepted once", name)
		}
		if res := c.ada.Get(back); res.Status != http.StatusBadRequest {
			t.Errorf("%s: the same answer again: %d", name, res.Status)
		}
		c.ada.SignInFrom(there, name, oidctest.Ada)
		if _, second := c.signOut(there); second == first {
			t.Errorf("%s: two sign-outs have the state %q", name, first)
		}
	}
}

func rpInitLogoutNoState(t *testing.T, c *conformance) {
	there := c.plain.NewBrowser()
	c.ada.SignInFrom(there, "plain", oidctest.Ada)
	c.signOut(there)
	if !c.ada.Arrives("/sso/signed-out") || c.ada.KeepsLogoutState() {
		t.Error("an answer without state was not accepted")
	}
}

// An answer with another state is refused, in whatever browser, and does not stand in
// the way of the right one.
func rpInitLogoutOtherState(t *testing.T, c *conformance) {
	there := c.plain.NewBrowser()
	c.ada.SignInFrom(there, "plain", oidctest.Ada)
	back, state := c.signOut(there)
	for name, res := range map[string]proxytest.Answer{
		"another state":   c.ada.Get("/sso/signed-out?state=other"),
		"an empty state":  c.ada.Get("/sso/signed-out?state="),
		"C9: two states":  c.ada.Get(back + "&state=" + state),
		"another browser": c.Browser().Get(back),
		"no state of its": c.Browser().Get("/sso/signed-out?state="),
	} {
		if res.Status != http.StatusBadRequest || res.Code() != "bad_request" {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	page := c.ada.Get("/sso/signed-out?state=other", "Accept", "text/html", "Sec-Fetch-Mode", "navigate",
		"Sec-Fetch-Dest", "document")
	if page.Status != http.StatusBadRequest ||
		!strings.Contains(page.Body, "This sign-out answer does not belong to this browser.") {
		t.Errorf("the page: %d %s", page.Status, page.Body)
	}
	if !c.ada.Arrives(back) {
		t.Error("the right answer was not accepted any more")
	}
}

// The frame of a sign-out that we began comes when our session is over already.
func frontChannelAfterOurs(t *testing.T, c *conformance) {
	there := c.Okta.NewBrowser()
	c.ada.SignInFrom(there, "okta", oidctest.Ada)
	again := c.Browser() // of the same session at the provider
	again.SignInFrom(there, "okta", oidctest.Ada)
	sid := c.Sid("okta")
	back, _ := c.signOut(there)
	if res := c.frontChannel(sid); res.Status != http.StatusOK {
		t.Errorf("the frame: %d %s", res.Status, res.Body)
	}
	if c.ada.SignedIn() || again.SignedIn() || !c.ada.Arrives(back) {
		t.Error("not all that belonged to the session is over")
	}
}

func frontChannelByTheProvider(t *testing.T, c *conformance) {
	c.ada.SignInFrom(c.Okta.NewBrowser(), "okta", oidctest.Ada)
	sid := c.Sid("okta")
	tim := c.Browser()
	tim.SignInFrom(c.Okta.NewBrowser(), "okta", oidctest.Tim)
	if res := c.frontChannel(sid); res.Status != http.StatusOK || c.ada.SignedIn() || !tim.SignedIn() {
		t.Errorf("%d %s; Ada is signed in: %v, Tim: %v",
			res.Status, res.Body, c.ada.SignedIn(), tim.SignedIn())
	}
}

// frontChannel loads our frame as a page of Okta's does: without our cookies.
func (c *conformance) frontChannel(sid string) proxytest.Answer {
	return c.Browser().Get("/sso/logout/frontchannel/okta?" +
		url.Values{"iss": {c.Okta.Issuer()}, "sid": {sid}}.Encode())
}

// The logout token of a sign-out that we began ends what else belongs to the provider's session.
func backChannelAfterOurs(t *testing.T, c *conformance) {
	there := c.Okta.NewBrowser()
	c.ada.SignInFrom(there, "okta", oidctest.Ada)
	again := c.Browser()
	again.SignInFrom(there, "okta", oidctest.Ada)
	person, _ := c.Okta.Person(oidctest.Ada)
	claims := c.LogoutClaims("jti-1").With("sid", c.Sid("okta")).With("sub", person.ID)
	back, _ := c.signOut(there)
	if !again.SignedIn() {
		t.Fatal("signing out in one browser signed the other out")
	}
	if res := c.BackChannel(claims); res.Status != http.StatusOK {
		t.Errorf("the logout token: %d %s", res.Status, res.Body)
	}
	if again.SignedIn() || !c.ada.Arrives(back) {
		t.Error("not all that belonged to the session is over")
	}
}

// refusesLogoutToken spoils one claim, or the signature, of a good logout token: refused, it ends nothing and
// does not use up the good one.
func refusesLogoutToken(
	claim string, value any, options ...oidctest.SignOption,
) func(*testing.T, *conformance) {
	return func(t *testing.T, c *conformance) {
		c.ada.SignInFrom(c.Okta.NewBrowser(), "okta", oidctest.Ada)
		good := c.LogoutClaims("jti-1").With("sid", c.Sid("okta"))
		spoiled := good
		if claim != "" {
			spoiled = good.With(claim, value)
		}
		if res := c.BackChannel(spoiled, options...); res.Status != http.StatusBadRequest ||
			!strings.Contains(res.Body, `"error":"invalid_request"`) || !c.ada.SignedIn() {
			t.Errorf("%d %s, signed in: %v", res.Status, res.Body, c.ada.SignedIn())
		}
		if res := c.BackChannel(good); res.Status != http.StatusOK || c.ada.SignedIn() {
			t.Errorf("the good one: %d %s, signed in: %v", res.Status, res.Body, c.ada.SignedIn())
		}
	}
}

// Whoever starts a sign-in names an issuer of ours, and where to go on: here, and nowhere else.
func thirdPartyInitLogin(t *testing.T, c *conformance) {
	start := func(iss, target string) proxytest.Answer {
		return c.Browser().Get("/sso/login?" +
			url.Values{"iss": {iss}, "login_hint": {oidctest.Ada}, "target_link_uri": {target}}.Encode())
	}
	for name, issuer := range map[string]string{"okta": c.Okta.Issuer(), "plain": c.plain.Issuer()} {
		asked := proxytest.MustURL(t, start(issuer, c.Public+"/meetings").Header.Get("Location"))
		if q := asked.Query(); q.Get("redirect_uri") != c.Public+"/sso/callback/"+name ||
			q.Get("login_hint") != oidctest.Ada || q.Get("state") == "" || q.Get("nonce") == "" {
			t.Errorf("%s: asked %s", name, asked)
		}
	}
	if res := start("https://evil.example", c.Public+"/meetings"); res.Status != http.StatusOK ||
		res.Header.Get("Location") != "" {
		t.Errorf("an issuer that is not ours: %d to %q", res.Status, res.Header.Get("Location"))
	}
	for target, want := range map[string]string{
		c.Public + "/meetings": "/meetings", "https://evil.example/": "/sso/",
	} {
		login := "/sso/login?" + url.Values{"iss": {c.Okta.Issuer()}, "target_link_uri": {target}}.Encode()
		ada := c.Browser()
		if res := ada.SignIn(oidctest.Ada, login); res.Status != http.StatusSeeOther ||
			res.Header.Get("Location") != want || !ada.SignedIn() {
			t.Errorf("to %s: %d to %q", target, res.Status, res.Header.Get("Location"))
		}
	}
}
