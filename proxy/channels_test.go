package proxy_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
)

// twoProviders is a world with an Okta whose sessions have names and an Entra beside it.
func twoProviders(t *testing.T) (*world, *oidctest.Entra) {
	t.Helper()
	entra := oidctest.StartEntra(t, oidctest.EntraOptions{})
	entra.AddCast()
	w := newWorld(t, func(o *worldOptions) {
		o.okta.SID = true
		o.more = []oidc.Config{{Name: "entra", Type: oidc.TypeEntra, Cloud: entra.BaseURL(), Tenant: oidctest.TenantA, ClientID: "6f0e", ClientSecret: "entra-secret", TrustedDomains: []string{"acme.example"}}}
		o.rules[0].Match.Groups = append(o.rules[0].Match.Groups, oidctest.GroupID(oidctest.GroupUsers))
	})
	entra.AddClient(oidctest.Client{ID: "6f0e", Secrets: []string{"entra-secret"}, RedirectURIs: []string{w.public + "/sso/callback/entra"}})
	return w, entra
}

// signInAt signs somebody in at a provider other than Okta.
func (b *browser) signInAt(provider interface {
	NewBrowser() *oidctest.Browser
}, name, who string,
) {
	b.w.t.Helper()
	b.signInFrom(provider.NewBrowser(), name, who)
}

// signInFrom signs somebody in with a browser at the provider, whose session there goes on.
func (b *browser) signInFrom(there *oidctest.Browser, name, who string) {
	b.w.t.Helper()
	start := b.get("/sso/login?provider=" + name)
	back, err := there.SignIn(b.w.t.Context(), start.header.Get("Location"), who)
	must(b.w.t, err)
	if res := b.get(strings.TrimPrefix(back.URL, b.w.public)); res.status != http.StatusSeeOther || b.cookie() == "" {
		b.w.t.Fatalf("signing %s in at %s: %d %s", who, name, res.status, res.body)
	}
}

// sid is the provider's name of the only session of an account.
func (w *world) sid(provider string) string {
	w.t.Helper()
	sessions, err := w.store.Sessions(w.t.Context())
	must(w.t, err)
	for _, s := range sessions {
		if s.Provider == provider && s.SID != "" {
			return s.SID
		}
	}
	w.t.Fatalf("no session of %s has a sid", provider)
	return ""
}

func (b *browser) signedIn() bool { return b.get("/sso/whoami").status == http.StatusOK }

// Front-channel logout ends the session that the provider names, on every replica, and is framed by the provider alone. What does
// not fit ends nothing.
func TestFrontChannelLogout(t *testing.T) {
	t.Parallel()
	w, entra := twoProviders(t)
	other := w.replica()
	ada, grace := w.browser(), w.browser()
	ada.signIn(oidctest.Ada, "/sso/login?provider=okta")
	grace.signInAt(entra, "entra", oidctest.Grace)
	adaThere := ada.at(other)
	if !adaThere.signedIn() {
		t.Fatal("not signed in on the other replica")
	}
	oktaSID, entraSID := w.sid("okta"), w.sid("entra")
	socket := grace.mustSocket()

	okta, iss := "/sso/logout/frontchannel/okta?", url.QueryEscape(w.okta.Issuer())
	frame := w.browser() // no cookies of ours come with a frame
	for name, tc := range map[string]struct {
		path   string
		status int
	}{
		"an unknown session":     {okta + "sid=nobody", 200},
		"another provider's sid": {okta + "sid=" + entraSID, 200},
		"an issuer that is not":  {okta + "sid=" + oktaSID + "&iss=https%3A%2F%2Fevil.example", 400},
		"C9: sid twice":          {okta + "sid=" + oktaSID + "&sid=x", 400},
		"C9: iss twice":          {okta + "sid=" + oktaSID + "&iss=" + iss + "&iss=" + iss, 400},
		"no sid":                 {okta + "iss=" + iss, 400},
		"a sid without end":      {okta + "sid=" + strings.Repeat("x", 300), 400},
		"no such provider":       {"/sso/logout/frontchannel/nobody?sid=" + oktaSID, 404},
	} {
		if res := frame.get(tc.path); res.status != tc.status {
			t.Errorf("%s: %d %s", name, res.status, res.body)
		}
	}
	if res := frame.send("PUT", okta+"sid="+oktaSID, ""); res.status != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", res.status)
	}
	if !ada.signedIn() || !grace.signedIn() {
		t.Fatal("what does not fit ended something")
	}

	// Entra says the sid alone.
	res := frame.get("/sso/logout/frontchannel/entra?sid=" + entraSID)
	if csp := res.header.Get("Content-Security-Policy"); res.status != 200 || !strings.Contains(csp, "frame-ancestors "+entra.BaseURL()) || res.header.Get("X-Frame-Options") != "" ||
		!strings.Contains(res.header.Get("Cache-Control"), "no-store") {
		t.Errorf("%d %v", res.status, res.header)
	}
	if grace.signedIn() || !ada.signedIn() {
		t.Error("the wrong session ended")
	}
	if closed := hangsUp(t, socket); closed.Code != 4401 {
		t.Errorf("the socket was closed with %d", closed.Code)
	}

	// Okta names itself and may post.
	if res := frame.send("POST", "/sso/logout/frontchannel/okta", "iss="+iss+"&sid="+oktaSID, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site"); res.status != 200 {
		t.Errorf("POST: %d %s", res.status, res.body)
	}
	if ada.signedIn() {
		t.Error("the session lives")
	}
	w.waitFor("the other replica to know", func() bool { return !adaThere.signedIn() }) // S5
	if log := w.logs.String(); strings.Count(log, `"event":"provider_logout"`) != 2 || strings.Count(log, `"event":"session_ended"`) != 2 {
		t.Error("the audit does not tell")
	}
}

// An application's sign-out at the provider reaches us through a page of the provider's.
func TestFrontChannelLogoutByTheProvidersPage(t *testing.T) {
	t.Parallel()
	for _, post := range []bool{false, true} {
		w := newWorld(t, func(o *worldOptions) { o.okta.SID, o.okta.FrontChannelPOST = true, post })
		must(t, w.okta.ChangeClient("0oa1bridge", func(c *oidctest.Client) { c.FrontChannelLogoutURI = w.public + "/sso/logout/frontchannel/okta" }))
		w.okta.AddClient(oidctest.Client{ID: "0oa2other", Secrets: []string{"s"}, RedirectURIs: []string{"http://127.0.0.1:1/cb"}})
		ada, there := w.browser(), w.okta.NewBrowser()
		back, err := there.SignIn(t.Context(), ada.get("/sso/login").header.Get("Location"), oidctest.Ada)
		must(t, err)
		ada.get(strings.TrimPrefix(back.URL, w.public))
		person, _ := w.okta.Person(oidctest.Ada)
		hint := w.okta.Sign(w.okta.IDTokenClaims(person.Email, "0oa2other", ""))
		frames, err := there.Frames(t.Context(), w.okta.Issuer()+"/v1/logout?id_token_hint="+hint)
		must(t, err)
		if len(frames) != 1 {
			t.Fatalf("frames: %v", frames)
		}
		if res := w.browser().send(map[bool]string{false: "GET", true: "POST"}[post], strings.TrimPrefix(frames[0], w.public), ""); res.status != 200 || ada.signedIn() {
			t.Errorf("posting is %v: %d %s, signed in %v", post, res.status, res.body, ada.signedIn())
		}
	}
}

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutClaims are those of a good logout token about Ada's session.
func (w *world) logoutClaims(jti string) oidctest.Claims {
	now := w.clock.Now()
	return oidctest.Claims{
		"iss": w.okta.Issuer(), "aud": "0oa1bridge", "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": jti,
		"events": map[string]any{logoutEvent: map[string]any{}},
	}
}

func (w *world) backChannel(claims oidctest.Claims, options ...oidctest.SignOption) answer {
	w.t.Helper()
	token := w.okta.Sign(claims, append([]oidctest.SignOption{oidctest.Header("typ", "logout+jwt")}, options...)...)
	return w.browser().send("POST", "/sso/logout/backchannel/okta", "logout_token="+token, "Content-Type", "application/x-www-form-urlencoded")
}

// Back-channel logout ends the session of a sid, or by sub all sessions of a person; a token is good once; and what does not hold
// ends nothing.
func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	w, _ := twoProviders(t)
	other := w.replica()
	ada, second, tim := w.browser(), w.browser(), w.browser()
	ada.signIn(oidctest.Ada, "/sso/login?provider=okta")
	sid := w.sid("okta")
	second.signIn(oidctest.Ada, "/sso/login?provider=okta")
	tim.signIn(oidctest.Tim, "/sso/login?provider=okta")
	person, _ := w.okta.Person(oidctest.Ada)
	timThere, _ := w.okta.Person(oidctest.Tim)

	good := w.logoutClaims("bad").With("sid", sid)
	for name, token := range map[string]func() answer{
		"none": func() answer { return w.backChannel(good, oidctest.Unsigned()) },
		"an ID token": func() answer {
			return w.backChannel(good.With("nonce", "n").With("sub", person.ID), oidctest.Header("typ", "JWT"))
		},
		"another audience": func() answer { return w.backChannel(good.With("aud", "0oa2other")) },
		"another issuer":   func() answer { return w.backChannel(good.With("iss", "https://evil.example")) },
		"no event":         func() answer { return w.backChannel(good.With("events", nil)) },
		"expired":          func() answer { return w.backChannel(good.With("exp", w.clock.Now().Add(-5*time.Minute).Unix())) },
		"nobody named":     func() answer { return w.backChannel(good.With("sid", nil)) },
		"garbage": func() answer {
			return w.browser().send("POST", "/sso/logout/backchannel/okta", "logout_token=x", "Content-Type", "application/x-www-form-urlencoded")
		},
		"no token": func() answer { return w.browser().send("POST", "/sso/logout/backchannel/okta", "") },
		"GET":      func() answer { return w.browser().get("/sso/logout/backchannel/okta") },
		"too long": func() answer {
			return w.browser().send("POST", "/sso/logout/backchannel/okta", "logout_token="+strings.Repeat("x", 100<<10), "Content-Type", "application/x-www-form-urlencoded")
		},
		"C9: two tokens": func() answer {
			return w.browser().send("POST", "/sso/logout/backchannel/okta", "logout_token=a&logout_token=b", "Content-Type", "application/x-www-form-urlencoded")
		},
		"to another provider": func() answer {
			token := w.okta.Sign(good, oidctest.Header("typ", "logout+jwt"))
			return w.browser().send("POST", "/sso/logout/backchannel/entra", "logout_token="+token, "Content-Type", "application/x-www-form-urlencoded")
		},
	} {
		if res := token(); res.status != 400 || !strings.Contains(res.body, `"error":"invalid_request"`) || res.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %s", name, res.status, res.header, res.body)
		}
	}
	if res := w.backChannel(w.logoutClaims("both").With("sid", sid).With("sub", timThere.ID)); res.status != 200 { // a sid of another person
		t.Errorf("%d %s", res.status, res.body)
	}
	if !ada.signedIn() || !second.signedIn() {
		t.Fatal("what does not hold ended something")
	}

	if res := w.backChannel(w.logoutClaims("sid").With("sid", sid)); res.status != 200 || res.header.Get("Cache-Control") != "no-store" {
		t.Errorf("by sid: %d %s", res.status, res.body)
	}
	if ada.signedIn() || !second.signedIn() || !tim.signedIn() {
		t.Error("by sid: the wrong sessions ended")
	}
	socket := second.mustSocket()
	bySub := w.logoutClaims("sub").With("sub", person.ID)
	if res := w.backChannel(bySub); res.status != 200 {
		t.Errorf("by sub: %d %s", res.status, res.body)
	}
	if second.signedIn() || !tim.signedIn() {
		t.Error("by sub: the wrong sessions ended")
	}
	if closed := hangsUp(t, socket); closed.Code != 4401 {
		t.Errorf("the socket was closed with %d", closed.Code)
	}
	if res := w.backChannel(w.logoutClaims("nobody").With("sub", "00uNobody")); res.status != 200 {
		t.Errorf("somebody unknown: %d %s", res.status, res.body)
	}

	// A replay, at another replica: it does not end the session of now.
	ada.signIn(oidctest.Ada, "/sso/login?provider=okta")
	token := w.okta.Sign(bySub, oidctest.Header("typ", "logout+jwt"))
	if res := w.browser().at(other).send("POST", "/sso/logout/backchannel/okta", "logout_token="+token, "Content-Type", "application/x-www-form-urlencoded"); res.status != 400 || !ada.signedIn() {
		t.Errorf("a replay: %d %s, signed in: %v", res.status, res.body, ada.signedIn())
	}
}

// Universal Logout ends everything of a person, keys included, by any address that they ever bore here or by issuer and sub.
func TestUniversalLogout(t *testing.T) {
	t.Parallel()
	w, entra := twoProviders(t)
	other := w.replica()
	call := func(who oidctest.SubjectID) int {
		status, err := w.okta.UniversalLogout(t.Context(), w.client(nil), w.public+"/sso/logout/universal/okta", "0oa1bridge", who)
		must(t, err)
		return status
	}
	person, _ := w.okta.Person(oidctest.Ada)
	for name, who := range map[string]oidctest.SubjectID{
		"an email":        {Format: "email", Email: oidctest.Ada},
		"in capitals":     {Format: "email", Email: strings.ToUpper(oidctest.Ada)},
		"a former email":  {Format: "email", Email: oidctest.Ada},
		"issuer and sub":  {Format: "iss_sub", Issuer: w.okta.OrgIssuer(), Sub: person.ID},
		"the same server": {Format: "iss_sub", Issuer: w.okta.Issuer(), Sub: person.ID},
	} {
		ada, namesake := w.browser(), w.browser()
		ada.signIn(oidctest.Ada, "/sso/login?provider=okta")
		if name == "a former email" {
			must(t, w.okta.Rename(oidctest.Ada, "ada.lovelace@acme.example"))
			ada.signIn("ada.lovelace@acme.example", "/sso/login?provider=okta&prompt=login")
			must(t, w.okta.Rename("ada.lovelace@acme.example", oidctest.Ada))
		}
		namesake.signInAt(entra, "entra", oidctest.Ada) // the same address at another provider is another's
		there := ada.at(other)
		if ada.get("/bots").status != 200 || there.get("/bots").status != 200 {
			t.Fatalf("%s: not signed in", name)
		}
		socket := ada.mustSocket()
		ours := len(w.vexa.Tokens())
		if status := call(who); status != http.StatusNoContent {
			t.Errorf("%s: %d", name, status)
		}
		if ada.signedIn() || !namesake.signedIn() {
			t.Errorf("%s: the wrong sessions ended", name)
		}
		if closed := hangsUp(t, socket); closed.Code != 4401 {
			t.Errorf("%s: the socket was closed with %d", name, closed.Code)
		}
		w.waitFor("the other replica to know", func() bool { return !there.signedIn() }) // S5
		w.waitFor("the key to die", func() bool { return len(w.vexa.Tokens()) < ours })
	}
	if log := w.logs.String(); !strings.Contains(log, `"event":"provider_logout"`) || !strings.Contains(log, `Universal Logout`) {
		t.Error("the audit does not tell")
	}
	for name, tc := range map[string]struct {
		who    oidctest.SubjectID
		status int
	}{
		"nobody":           {oidctest.SubjectID{Format: "email", Email: "nobody@acme.example"}, 404},
		"no address":       {oidctest.SubjectID{Format: "email", Email: "@"}, 404},
		"another's issuer": {oidctest.SubjectID{Format: "iss_sub", Issuer: "https://evil.example", Sub: person.ID}, 404},
		"another format":   {oidctest.SubjectID{Format: "opaque", ID: "x"}, 400},
		"half a name":      {oidctest.SubjectID{Format: "iss_sub", Issuer: w.okta.OrgIssuer()}, 400},
	} {
		if status := call(tc.who); status != tc.status {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// Universal Logout at nobody's word but Okta's: every spoiled token is 401, every malformed body 400, and neither ends anything.
func TestUniversalLogoutRefused(t *testing.T) {
	t.Parallel()
	w, _ := twoProviders(t)
	ada := w.browser()
	ada.signIn(oidctest.Ada, "/sso/login?provider=okta")
	const path, body = "/sso/logout/universal/okta", `{"sub_id":{"format":"email","email":"ada@acme.example"}}`
	good := w.okta.UniversalLogoutClaims("0oa1bridge", w.public+path)
	signed := func(claims oidctest.Claims, options ...oidctest.SignOption) string {
		token, err := w.okta.SignUniversalLogout(claims, options...)
		must(t, err)
		return "Bearer " + token
	}
	for name, bearer := range map[string]string{
		"none":               "",
		"not a bearer":       "Basic eDp5",
		"garbage":            "Bearer x.y.z",
		"an ID token's type": signed(good, oidctest.Header("typ", "JWT")),
		"unsigned":           signed(good, oidctest.Unsigned()),
		"another endpoint":   signed(good.With("aud", w.public+"/sso/logout/universal/other")),
		"another app":        signed(good.With("sub", "0oa2other")),
		"another org":        signed(good.With("iss", "https://evil.example")),
		"expired":            signed(good.With("exp", w.clock.Now().Add(-10*time.Minute).Unix())),
		"no jti":             signed(good.With("jti", nil)),
	} {
		header := []string{"Content-Type", "application/json"}
		if bearer != "" {
			header = append(header, "Authorization", bearer)
		}
		res := w.browser().send("POST", path, body, header...)
		if res.status != http.StatusUnauthorized || res.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, res.status, res.body)
		}
	}
	for name, body := range map[string]string{
		"nothing":           ``,
		"no object":         `[]`,
		"no subject":        `{}`,
		"numbers":           `{"sub_id":{"format":"email","email":1}}`,
		"C9: twice":         `{"sub_id":{"format":"email","email":"x@acme.example"},"sub_id":{"format":"email","email":"ada@acme.example"}}`,
		"C9: email twice":   `{"sub_id":{"format":"email","email":"x@acme.example","email":"ada@acme.example"}}`,
		"in capitals":       `{"SUB_ID":{"format":"email","email":"ada@acme.example"}}`,
		"something follows": body + body,
		"too long":          `{"sub_id":{"format":"email","email":"ada@acme.example"},"x":"` + strings.Repeat("x", 100<<10) + `"}`,
	} {
		if res := w.browser().send("POST", path, body, "Authorization", signed(w.okta.UniversalLogoutClaims("0oa1bridge", w.public+path))); res.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, res.status, res.body)
		}
	}
	if res := w.browser().get(path, "Authorization", signed(good)); res.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", res.status)
	}
	if res := w.browser().send("POST", "/sso/logout/universal/entra", body, "Authorization", signed(good)); res.status != http.StatusNotFound {
		t.Errorf("at Entra: %d", res.status)
	}
	if !ada.signedIn() {
		t.Fatal("what does not hold ended something")
	}
	once := signed(good)
	for i, want := range []int{http.StatusNoContent, http.StatusUnauthorized} { // a replay
		if res := w.browser().send("POST", path, body, "Authorization", once); res.status != want {
			t.Errorf("call %d: %d %s", i, res.status, res.body)
		}
		ada.signIn(oidctest.Ada, "/sso/login?provider=okta&prompt=login")
	}
	if !ada.signedIn() {
		t.Error("a replay ended the session")
	}
}
