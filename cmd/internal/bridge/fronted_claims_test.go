package bridge_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/mapping/store"
)

// The provider sends people back to the address that they typed, over TLS, and the cookies are of the
// sort that only TLS allows.
func (f *fronted) holdSignIn() {
	b := f.browser()
	asked := b.get("/meetings", page...)
	if asked.status != http.StatusSeeOther ||
		asked.header.Get("Location") != "/sso/login?return_to=%2Fmeetings" {
		f.t.Fatalf("a page without a session: %v", asked)
	}
	at := b.get(asked.header.Get("Location")+"&provider=okta", page...)
	if location := at.header.Get("Location"); !strings.Contains(location,
		"redirect_uri=https%3A%2F%2Fvexa.acme.example%2Fsso%2Fcallback%2Fokta") {
		f.t.Errorf("the provider is told to send people to %s", location)
	}
	back := b.get(f.w.atProvider("okta", at.header.Get("Location"), ada), page...)
	if back.header.Get("Location") != "/meetings" {
		f.t.Errorf("after the provider: %v", back)
	}
	for _, set := range append(at.header["Set-Cookie"], back.header["Set-Cookie"]...) {
		if !strings.HasPrefix(set, "__Host-vexa_sso") || !strings.Contains(set, "; Secure") ||
			!strings.Contains(set, "; Path=/;") {
			f.t.Errorf("a cookie: %s", set)
		}
	}
	good(f.t, "signed in", b)
	if res := b.get("/sso/whoami"); res.header.Get("Strict-Transport-Security") == "" {
		f.t.Errorf("no Strict-Transport-Security: %v", res)
	}
	res, err := b.open(f.t.Context(), "GET", "/sso/whoami", "")
	must(f.t, err)
	if read(f.t, res); res.ProtoMajor != 2 {
		f.t.Errorf("spoken: %s", res.Proto)
	}
	if res := b.get("/bots/none/none"); res.status == http.StatusOK ||
		res.header.Get("Strict-Transport-Security") == "" {
		f.t.Errorf("an error: %v", res)
	}
}

// B8, B9: whom the audit, and Vexa, take a request to be from is who opened the connection to the proxy,
// whatever it says of itself.
func (f *fronted) holdAddress() {
	began := time.Now().Add(-time.Millisecond)
	for _, forged := range []string{"", "203.0.113.7", "203.0.113.7, 127.0.0.1", "junk"} {
		b := f.browser()
		b.signIn("okta", ada, "X-Forwarded-For", forged, "Forwarded", "for=203.0.113.8",
			"X-Real-IP", "203.0.113.9", "True-Client-IP", "203.0.113.10")
		good(f.t, "claiming "+forged, b)
	}
	cfg, err := f.w.load()
	must(f.t, err)
	admin, err := bridge.OpenAdmin(f.t.Context(), cfg)
	must(f.t, err)
	defer admin.Close()
	events, err := admin.Store.Events(f.t.Context(),
		store.EventFilter{Event: mapping.EventSignIn, Since: began})
	must(f.t, err)
	if len(events) != 4 {
		f.t.Errorf("%d sign-ins in the audit", len(events))
	}
	for _, e := range events {
		if e.Address != clientIP {
			f.t.Errorf("the audit has a sign-in from %q", e.Address)
		}
	}
	f.ada.get("/meetings", "X-Forwarded-For", "203.0.113.7")
	if got := f.vexa.last("/meetings").Header; !slices.Equal(got["X-Forwarded-For"], []string{clientIP}) {
		f.t.Errorf("Vexa is told %q", got["X-Forwarded-For"])
	}
	// From where the proxy itself is, whose word about others counts.
	near := f.browser()
	near.Transport = f.front.near
	near.Jar = f.ada.Jar
	near.get("/meetings", "X-Forwarded-For", "203.0.113.7")
	if got := f.vexa.last("/meetings").Header["X-Forwarded-For"]; !slices.Equal(got, []string{"127.0.0.1"}) {
		f.t.Errorf("from beside the proxy, Vexa is told %q", got)
	}
}

// S1, B1, B8: no claim of a client's gets through, in whichever spelling the proxy lets pass, and none
// keeps it from being served.
func (f *fronted) holdClaims() {
	for _, claim := range [][]string{
		{"X-Forwarded-Host", "evil.example"},
		{"X-Forwarded-Host", "evil.example", "X-Forwarded-Host", "vexa.acme.example"},
		{
			"X-Forwarded-Proto", "http", "X-Forwarded-Port", "80", "X-Forwarded-Prefix", "/evil",
			"X-Forwarded-Uri", "/sso/healthz",
		},
		{"Forwarded", "for=203.0.113.8;host=evil.example;proto=http"},
		{
			"X-Original-URL", "/sso/healthz", "X-Rewrite-URL", "/sso/healthz",
			"X-HTTP-Method-Override", "DELETE",
		},
		{
			"X_API_Key", "canary", "X_Forwarded_Host", "evil.example", "X_Forwarded_For",
			"203.0.113.7", "X_User_Id", "1",
		},
		{
			"X-Admin-API-Key", "canary", "X-Internal-Secret", "canary", "X-User-Id", "1",
			"X-Envoy-External-Address", "203.0.113.7",
		},
		{"Te", "trailers"},
	} {
		if res := f.ada.get("/meetings?what=claims", claim...); res.status != http.StatusOK {
			f.t.Errorf("claiming %q: %v", claim, res)
			continue
		}
		got := f.vexa.last("/meetings").Header
		for name, values := range got {
			said := strings.Join(values, " ")
			if strings.Contains(name, "_") || strings.Contains(said, "203.0.113") ||
				strings.Contains(said, "canary") || strings.Contains(said, "evil") ||
				strings.HasPrefix(name, "X-User") {
				f.t.Errorf("claiming %q, Vexa is told %s: %q", claim, name, values)
			}
		}
		if keys := got["X-Api-Key"]; len(keys) != 1 || !slices.Contains(f.w.keys(), keys[0]) {
			f.t.Errorf("claiming %q, Vexa is shown %d keys", claim, len(keys))
		}
	}
	// The cookie is no way out for somebody whose own credential is refused.
	if res := f.ada.get("/meetings", "X-API-Key", "vxa_canary"); res.status != http.StatusUnauthorized ||
		res.code() != "native_key_refused" {
		f.t.Errorf("with a key of Vexa's: %v", res)
	}
	for line := range strings.Lines(f.front.tap.text()) {
		if name, _, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(strings.ToUpper(name), "X_") {
			f.t.Errorf("the bridge is shown %q", line)
		}
	}
}

// S4: the proxy leaves it to the bridge to judge an address: what the bridge would refuse is not
// made acceptable on the way.
func (f *fronted) holdPaths() {
	began := f.vexa.requests()
	for _, path := range []string{
		"/recordings%2f1", "/recordings%2F1", "/sso/%2e%2e/meetings", "/meetings%2f..%2fbots", "//meetings",
		"/sso//whoami", "/meetings/..%2fadmin", "/meetings%5c1", "/meetings%00",
	} {
		res, err := f.raw("GET " + path + " HTTP/1.1\r\nHost: vexa.acme.example\r\nCookie: " +
			f.ada.cookie() + "\r\nConnection: close\r\n\r\n")
		must(f.t, err)
		if res.status != http.StatusBadRequest {
			f.t.Errorf("%s: %v", path, res)
		}
	}
	if n := f.vexa.requests() - began; n != 0 {
		f.t.Errorf("%d requests reached Vexa", n)
	}
	if res := f.ada.get("/meetings?q=a%2Fb%26c&q=%C3%A9"); res.status != http.StatusOK ||
		f.vexa.last("/meetings").URL.RawQuery != "q=a%2Fb%26c&q=%C3%A9" {
		f.t.Errorf("Vexa is asked %s: %v", f.vexa.last("/meetings").URL.RawQuery, res)
	}
}

// S9, A9: another name is none of ours, and who comes without TLS is led to TLS.
func (f *fronted) holdNames() {
	began := f.vexa.requests()
	res, err := f.raw(
		"GET /meetings HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: vexa.acme.example\r\nCookie: " +
			f.ada.cookie() + "\r\nConnection: close\r\n\r\n",
	)
	must(f.t, err)
	if res.status == http.StatusOK && res.body != "" || f.vexa.requests() != began {
		f.t.Errorf("another name: %v", res)
	}
	for line := range strings.Lines(f.front.tap.text()) {
		if host, ok := strings.CutPrefix(line, "Host: "); ok && host != "vexa.acme.example\r\n" {
			f.t.Errorf("the bridge is asked for %q", host)
		}
	}
	client := &http.Client{Transport: f.front.plain, CheckRedirect: f.ada.CheckRedirect}
	plain, err := client.Get("http://vexa.acme.example/meetings?q=1")
	must(f.t, err)
	if res := read(f.t, plain); res.status != http.StatusPermanentRedirect ||
		res.header.Get("Location") != frontedPublic+"/meetings?q=1" {
		f.t.Errorf("without TLS: %v", res)
	}
}

// A long token, and many cookies, are for the bridge to judge; beyond its own bound it
// is the client that is told.
func (f *fronted) holdLongHeaders() {
	if res := f.ada.get(
		"/meetings", "Authorization", "Bearer "+strings.Repeat("x", 24<<10),
	); res.status != http.StatusUnauthorized || res.code() != "token_invalid" {
		f.t.Errorf("a long token: %v", res)
	}
	cookies := f.ada.cookie()
	for i := range 20 {
		cookies += fmt.Sprintf("; other%d=%s", i, strings.Repeat("y", 1000))
	}
	for name, client := range map[string]http.RoundTripper{
		"HTTP/1.1": f.front.http1, "HTTP/2": f.front.http2,
	} {
		request, err := http.NewRequestWithContext(f.t.Context(), "GET", frontedPublic+"/meetings", nil)
		must(f.t, err)
		request.Header.Set("Cookie", cookies)
		res, err := client.RoundTrip(request)
		must(f.t, err)
		if res := read(f.t, res); res.status != http.StatusOK {
			f.t.Errorf("many cookies over %s: %v", name, res)
		}
	}
	res, err := f.raw(
		"GET /meetings HTTP/1.1\r\nHost: vexa.acme.example\r\nConnection: close\r\nAuthorization: Bearer " +
			strings.Repeat("x", 200<<10) + "\r\n\r\n",
	)
	if err == nil && res.status/100 != 4 {
		f.t.Errorf("a monstrous token: %v", res)
	}
	good(f.t, "after all that", f.ada)
}

// The header of an answer may be long: here it carries an address back from sign-in.
func (f *fronted) holdLongAnswers() {
	path := "/meetings?q=" + strings.Repeat("z", 7000)
	if res := f.browser().get(path, page...); res.status != http.StatusSeeOther ||
		len(res.header.Get("Location")) < 7000 {
		f.t.Errorf("a page with a long address: %v", res)
	}
}

// Each asks again, and each gets their own, although Vexa's answer could be taken for one to keep.
func (f *fronted) holdNoCache() {
	for range 2 {
		for b, want := range map[*browser]string{f.ada: ada, f.tim: tim} {
			if res := b.get("/sso/whoami"); !strings.Contains(res.body, want) {
				f.t.Errorf("%s gets %v", want, res)
			}
		}
	}
	began := f.vexa.requests()
	for range 3 {
		if res := f.ada.get(cacheablePath); res.status != http.StatusOK {
			f.t.Error(res)
		}
	}
	if n := f.vexa.requests() - began; n != 3 {
		f.t.Errorf("Vexa is asked %d times", n)
	}
}

// S2: the proxy's log proves nobody to be anybody.
func (f *fronted) holdLog() {
	f.ada.get("/meetings?api_key=canary-in-the-query", "X-API-Key", "canary-as-key",
		"Referer", "https://vexa.acme.example/sso/callback/okta?code=canary-in-referer")
	f.ada.get("/meetings/logged")
	waitFor(f.t, "the request in the log", func() bool {
		return strings.Contains(f.front.log(), "/meetings/logged")
	})
	log := f.front.log()
	_, session, _ := strings.Cut(f.ada.cookie(), "=")
	for _, secret := range []string{"canary", "code=", "state=", session} {
		if i := strings.Index(log, secret); i >= 0 {
			f.t.Errorf("the log has %q: %s", secret, log[max(0, i-300):min(len(log), i+100)])
		}
	}
	if !strings.Contains(log, clientIP) {
		f.t.Error("the log does not say who asked")
	}
}

// S2: nor does its log of what went wrong, in which proxies are more talkative.
func (f *fronted) holdLogOfErrors() {
	f.front.tap.leave()
	logged := len(f.front.log())
	if res := f.tim.get("/meetings/failed", "X-API-Key",
		"canary-as-key"); res.status != http.StatusBadGateway {
		f.t.Errorf("without the bridge: %v", res)
	}
	waitFor(f.t, "the request in the log", func() bool {
		return strings.Contains(f.front.log()[logged:], "/meetings/failed")
	})
	_, session, _ := strings.Cut(f.tim.cookie(), "=")
	if log := f.front.log()[logged:]; strings.Contains(log, "canary") || strings.Contains(log, session) {
		f.t.Errorf("the log has a secret: %s", log)
	}
}
