package channel_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// twoProviders is a world with an Okta whose sessions have names and an Entra beside it.
func twoProviders(t *testing.T) (*proxytest.World, *oidctest.Entra) {
	t.Helper()
	entra := oidctest.StartEntra(t, oidctest.EntraOptions{})
	entra.AddCast()
	w := proxytest.Start(t, func(o *proxytest.Options) {
		o.Okta.SID = true
		o.More = []oidc.Config{{
			Name: "entra", Type: oidc.TypeEntra, Cloud: entra.BaseURL(), Tenant: oidctest.TenantA,
			ClientID: "6f0e", ClientSecret: "entra-secret", TrustedDomains: []string{"acme.example"},
		}}
		o.Rules[0].Match.Groups = append(o.Rules[0].Match.Groups, oidctest.GroupID(oidctest.GroupUsers))
	})
	entra.AddClient(oidctest.Client{
		ID: "6f0e", Secrets: []string{"entra-secret"},
		RedirectURIs: []string{w.Public + "/sso/callback/entra"},
	})
	return w, entra
}

// Front-channel logout ends the session that the provider names, on every replica, and is framed by the
// provider alone. What does not fit ends nothing.
func TestFrontChannelLogout(t *testing.T) {
	t.Parallel()
	w, entra := twoProviders(t)
	other := w.Replica()
	ada, grace := w.Browser(), w.Browser()
	ada.SignIn(oidctest.Ada, "/sso/login?provider=okta")
	grace.SignInAt(entra, "entra", oidctest.Grace)
	adaThere := ada.At(other)
	if !adaThere.SignedIn() {
		t.Fatal("not signed in on the other replica")
	}
	oktaSID, entraSID := w.Sid("okta"), w.Sid("entra")
	socket := grace.MustSocket()

	okta, iss := "/sso/logout/frontchannel/okta?", url.QueryEscape(w.Okta.Issuer())
	frame := w.Browser() // no cookies of ours come with a frame
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
		if res := frame.Get(tc.path); res.Status != tc.status {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	if res := frame.Send("PUT", okta+"sid="+oktaSID, ""); res.Status != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", res.Status)
	}
	if !ada.SignedIn() || !grace.SignedIn() {
		t.Fatal("what does not fit ended something")
	}

	// Entra says the sid alone.
	res := frame.Get("/sso/logout/frontchannel/entra?sid=" + entraSID)
	if csp := res.Header.Get("Content-Security-Policy"); res.Status != 200 ||
		!strings.Contains(csp, "frame-ancestors "+entra.BaseURL()) ||
		res.Header.Get("X-Frame-Options") != "" ||
		!strings.Contains(res.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("%d %v", res.Status, res.Header)
	}
	if grace.SignedIn() || !ada.SignedIn() {
		t.Error("the wrong session ended")
	}
	if closed := proxytest.HangsUp(t, socket); closed.Code != 4401 {
		t.Errorf("the socket was closed with %d", closed.Code)
	}

	// Okta names itself and may post.
	if res := frame.Send("POST", "/sso/logout/frontchannel/okta", "iss="+iss+"&sid="+oktaSID, "Content-Type",
		"application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site"); res.Status != 200 {
		t.Errorf("POST: %d %s", res.Status, res.Body)
	}
	if ada.SignedIn() {
		t.Error("the session lives")
	}
	w.WaitFor("the other replica to know", func() bool { return !adaThere.SignedIn() }) // S5
	if log := w.Logs.String(); strings.Count(log, `"event":"provider_logout"`) != 2 ||
		strings.Count(log, `"event":"session_ended"`) != 2 {
		t.Error("the audit does not tell")
	}
}

// An application's sign-out at the provider reaches us through a page of the provider's.
func TestFrontChannelLogoutByTheProvidersPage(t *testing.T) {
	t.Parallel()
	for _, post := range []bool{false, true} {
		w := proxytest.Start(t, func(o *proxytest.Options) {
			o.Okta.SID, o.Okta.FrontChannelPOST = true, post
		})
		proxytest.Must(t, w.Okta.ChangeClient("0oa1bridge", func(c *oidctest.Client) {
			c.FrontChannelLogoutURI = w.Public + "/sso/logout/frontchannel/okta"
		}))
		w.Okta.AddClient(oidctest.Client{
			ID: "0oa2other", Secrets: []string{"s"}, RedirectURIs: []string{"http://127.0.0.1:1/cb"},
		})
		ada, there := w.Browser(), w.Okta.NewBrowser()
		back, err := there.SignIn(t.Context(), ada.Get("/sso/login").Header.Get("Location"), oidctest.Ada)
		proxytest.Must(t, err)
		ada.Get(strings.TrimPrefix(back.URL, w.Public))
		person, _ := w.Okta.Person(oidctest.Ada)
		hint := w.Okta.Sign(w.Okta.IDTokenClaims(person.Email, "0oa2other", ""))
		frames, err := there.Frames(t.Context(), w.Okta.Issuer()+"/v1/logout?id_token_hint="+hint)
		proxytest.Must(t, err)
		if len(frames) != 1 {
			t.Fatalf("frames: %v", frames)
		}
		if res := w.Browser().Send(map[bool]string{false: "GET", true: "POST"}[post],
			strings.TrimPrefix(frames[0], w.Public), ""); res.Status != 200 || ada.SignedIn() {
			t.Errorf("posting is %v: %d %s, signed in %v", post, res.Status, res.Body, ada.SignedIn())
		}
	}
}

// Back-channel logout ends the session of a sid, or by sub all sessions of a person; a token is good once;
// and what does not hold ends nothing.
func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	w, _ := twoProviders(t)
	other := w.Replica()
	ada, second, tim := w.Browser(), w.Browser(), w.Browser()
	ada.SignIn(oidctest.Ada, "/sso/login?provider=okta")
	sid := w.Sid("okta")
	second.SignIn(oidctest.Ada, "/sso/login?provider=okta")
	tim.SignIn(oidctest.Tim, "/sso/login?provider=okta")
	person, _ := w.Okta.Person(oidctest.Ada)
	timThere, _ := w.Okta.Person(oidctest.Tim)

	good := w.LogoutClaims("bad").With("sid", sid)
	for name, token := range map[string]func() proxytest.Answer{
		"none": func() proxytest.Answer { return w.BackChannel(good, oidctest.Unsigned()) },
		"an ID token": func() proxytest.Answer {
			return w.BackChannel(good.With("nonce", "n").With("sub", person.ID),
				oidctest.Header("typ", "JWT"))
		},
		"another audience": func() proxytest.Answer { return w.BackChannel(good.With("aud", "0oa2other")) },
		"another issuer": func() proxytest.Answer {
			return w.BackChannel(good.With("iss", "https://evil.example"))
		},
		"no event": func() proxytest.Answer { return w.BackChannel(good.With("events", nil)) },
		"expired": func() proxytest.Answer {
			return w.BackChannel(good.With("exp", w.Clock.Now().Add(-5*time.Minute).Unix()))
		},
		"nobody named": func() proxytest.Answer { return w.BackChannel(good.With("sid", nil)) },
		"garbage": func() proxytest.Answer {
			return w.Browser().Send("POST", "/sso/logout/backchannel/okta", "logout_token=x",
				"Content-Type", "application/x-www-form-urlencoded")
		},
		"no token": func() proxytest.Answer {
			return w.Browser().Send("POST", "/sso/logout/backchannel/okta", "")
		},
		"GET": func() proxytest.Answer { return w.Browser().Get("/sso/logout/backchannel/okta") },
		"too long": func() proxytest.Answer {
			return w.Browser().Send("POST",
				"/sso/logout/backchannel/okta", "logout_token="+strings.Repeat("x", 100<<10),
				"Content-Type", "application/x-www-form-urlencoded")
		},
		"C9: two tokens": func() proxytest.Answer {
			return w.Browser().Send("POST", "/sso/logout/backchannel/okta", "logout_token=a&logout_token=b",
				"Content-Type", "application/x-www-form-urlencoded")
		},
		"to another provider": func() proxytest.Answer {
			token := w.Okta.Sign(good, oidctest.Header("typ", "logout+jwt"))
			return w.Browser().Send("POST", "/sso/logout/backchannel/entra", "logout_token="+token,
				"Content-Type", "application/x-www-form-urlencoded")
		},
	} {
		if res := token(); res.Status != 400 || !strings.Contains(res.Body, `"error":"invalid_request"`) ||
			res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %s", name, res.Status, res.Header, res.Body)
		}
	}
	if res := w.BackChannel(w.LogoutClaims("both").With("sid", sid).
		With("sub", timThere.ID)); res.Status != 200 { // a sid of another person
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if !ada.SignedIn() || !second.SignedIn() {
		t.Fatal("what does not hold ended something")
	}

	if res := w.BackChannel(w.LogoutClaims("sid").With("sid", sid)); res.Status != 200 ||
		res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("by sid: %d %s", res.Status, res.Body)
	}
	if ada.SignedIn() || !second.SignedIn() || !tim.SignedIn() {
		t.Error("by sid: the wrong sessions ended")
	}
	socket := second.MustSocket()
	bySub := w.LogoutClaims("sub").With("sub", person.ID)
	if res := w.BackChannel(bySub); res.Status != 200 {
		t.Errorf("by sub: %d %s", res.Status, res.Body)
	}
	if second.SignedIn() || !tim.SignedIn() {
		t.Error("by sub: the wrong sessions ended")
	}
	if closed := proxytest.HangsUp(t, socket); closed.Code != 4401 {
		t.Errorf("the socket was closed with %d", closed.Code)
	}
	if res := w.BackChannel(w.LogoutClaims("nobody").With("sub", "00uNobody")); res.Status != 200 {
		t.Errorf("somebody unknown: %d %s", res.Status, res.Body)
	}

	// A replay, at another replica: it does not end the session of now.
	ada.SignIn(oidctest.Ada, "/sso/login?provider=okta")
	token := w.Okta.Sign(bySub, oidctest.Header("typ", "logout+jwt"))
	if res := w.Browser().At(other).Send("POST", "/sso/logout/backchannel/okta", "logout_token="+token,
		"Content-Type", "application/x-www-form-urlencoded"); res.Status != 400 || !ada.SignedIn() {
		t.Errorf("a replay: %d %s, signed in: %v", res.Status, res.Body, ada.SignedIn())
	}
}

// Universal Logout ends everything of a person, keys included, by the address that is their proven one, or
// was it last, or by issuer and sub.
func TestUniversalLogout(t *testing.T) {
	t.Parallel()
	w, entra := twoProviders(t)
	other := w.Replica()
	call := func(who oidctest.SubjectID) int {
		status, err := w.Okta.UniversalLogout(t.Context(), w.Client(nil),
			w.Public+"/sso/logout/universal/okta", "0oa1bridge", who)
		proxytest.Must(t, err)
		return status
	}
	person, _ := w.Okta.Person(oidctest.Ada)
	for name, who := range map[string]oidctest.SubjectID{
		"an email":        {Format: "email", Email: oidctest.Ada},
		"in capitals":     {Format: "email", Email: strings.ToUpper(oidctest.Ada)},
		"a former email":  {Format: "email", Email: oidctest.Ada},
		"issuer and sub":  {Format: "iss_sub", Issuer: w.Okta.OrgIssuer(), Sub: person.ID},
		"the same server": {Format: "iss_sub", Issuer: w.Okta.Issuer(), Sub: person.ID},
	} {
		ada, namesake := w.Browser(), w.Browser()
		ada.SignIn(oidctest.Ada, "/sso/login?provider=okta")
		if name == "a former email" {
			proxytest.Must(t, w.Okta.Rename(oidctest.Ada, "ada.lovelace@acme.example"))
			ada.SignIn("ada.lovelace@acme.example", "/sso/login?provider=okta&prompt=login")
			proxytest.Must(t, w.Okta.Rename("ada.lovelace@acme.example", oidctest.Ada))
		}
		namesake.SignInAt(entra, "entra", oidctest.Ada) // the same address at another provider is another's
		there := ada.At(other)
		if ada.Get("/bots").Status != 200 || there.Get("/bots").Status != 200 {
			t.Fatalf("%s: not signed in", name)
		}
		socket := ada.MustSocket()
		ours := len(w.Vexa.Tokens())
		if status := call(who); status != http.StatusNoContent {
			t.Errorf("%s: %d", name, status)
		}
		if ada.SignedIn() || !namesake.SignedIn() {
			t.Errorf("%s: the wrong sessions ended", name)
		}
		if closed := proxytest.HangsUp(t, socket); closed.Code != 4401 {
			t.Errorf("%s: the socket was closed with %d", name, closed.Code)
		}
		w.WaitFor("the other replica to know", func() bool { return !there.SignedIn() }) // S5
		w.WaitFor("the key to die", func() bool { return len(w.Vexa.Tokens()) < ours })
	}
	if log := w.Logs.String(); !strings.Contains(log, `"event":"provider_logout"`) ||
		!strings.Contains(log, `Universal Logout`) {
		t.Error("the audit does not tell")
	}
	for name, tc := range map[string]struct {
		who    oidctest.SubjectID
		status int
	}{
		"nobody":     {oidctest.SubjectID{Format: "email", Email: "nobody@acme.example"}, 404},
		"no address": {oidctest.SubjectID{Format: "email", Email: "@"}, 404},
		"another's issuer": {
			oidctest.SubjectID{Format: "iss_sub", Issuer: "https://evil.example", Sub: person.ID}, 404,
		},
		"another format": {oidctest.SubjectID{Format: "opaque", ID: "x"}, 400},
		"half a name":    {oidctest.SubjectID{Format: "iss_sub", Issuer: w.Okta.OrgIssuer()}, 400},
	} {
		if status := call(tc.who); status != tc.status {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// Universal Logout at nobody's word but Okta's: every spoiled token is 401, every malformed body 400,
// and neither ends anything.
func TestUniversalLogoutRefused(t *testing.T) {
	t.Parallel()
	w, _ := twoProviders(t)
	ada := w.Browser()
	ada.SignIn(oidctest.Ada, "/sso/login?provider=okta")
	const path, body = "/sso/logout/universal/okta",
		`{"sub_id":{"format":"email","email":"ada@acme.example"}}`
	good := w.Okta.UniversalLogoutClaims("0oa1bridge", w.Public+path)
	signed := func(claims oidctest.Claims, options ...oidctest.SignOption) string {
		token, err := w.Okta.SignUniversalLogout(claims, options...)
		proxytest.Must(t, err)
		return "Bearer " + token
	}
	for name, bearer := range map[string]string{
		"none":               "",
		"not a bearer":       "Basic eDp5",
		"garbage":            "Bearer x.y.z",
		"an ID token's type": signed(good, oidctest.Header("typ", "JWT")),
		"unsigned":           signed(good, oidctest.Unsigned()),
		"another endpoint":   signed(good.With("aud", w.Public+"/sso/logout/universal/other")),
		"another app":        signed(good.With("sub", "0oa2other")),
		"another org":        signed(good.With("iss", "https://evil.example")),
		"expired":            signed(good.With("exp", w.Clock.Now().Add(-10*time.Minute).Unix())),
		"no jti":             signed(good.With("jti", nil)),
	} {
		header := []string{"Content-Type", "application/json"}
		if bearer != "" {
			header = append(header, "Authorization", bearer)
		}
		res := w.Browser().Send("POST", path, body, header...)
		if res.Status != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
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
		"too long": `{"sub_id":{"format":"email","email":"ada@acme.example"},"x":"` +
			strings.Repeat("x", 100<<10) + `"}`,
	} {
		if res := w.Browser().Send("POST", path, body, "Authorization", signed(w.Okta.UniversalLogoutClaims(
			"0oa1bridge", w.Public+path,
		))); res.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	if res := w.Browser().Get(
		path, "Authorization", signed(good),
	); res.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", res.Status)
	}
	if res := w.Browser().Send("POST", "/sso/logout/universal/entra", body,
		"Authorization", signed(good)); res.Status != http.StatusNotFound {
		t.Errorf("at Entra: %d", res.Status)
	}
	if !ada.SignedIn() {
		t.Fatal("what does not hold ended something")
	}
	once := signed(good)
	for i, want := range []int{http.StatusNoContent, http.StatusUnauthorized} { // a replay
		if res := w.Browser().Send("POST", path, body, "Authorization", once); res.Status != want {
			t.Errorf("call %d: %d %s", i, res.Status, res.Body)
		}
		ada.SignIn(oidctest.Ada, "/sso/login?provider=okta&prompt=login")
	}
	if !ada.SignedIn() {
		t.Error("a replay ended the session")
	}
}
