package bridge_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/mapping/store"
	"vexa-sso/proxy/proxytest"
)

// What is shipped for nginx and Caddy is held to what the bridge promises without a proxy in front: nothing is held back, cut off,
// believed or told that would not be otherwise. Both are real, and so is all between the client and Vexa.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	testFronted(t, findProxy(t, "nginx", "VEXA_SSO_TEST_NGINX", "/usr/sbin/nginx"), startNginx)
}

func TestBehindCaddy(t *testing.T) {
	t.Parallel()
	testFronted(t, findProxy(t, "caddy", "VEXA_SSO_TEST_CADDY", "/usr/bin/caddy"), startCaddy)
}

// frontedPublic is the public_url that the files speak of.
const frontedPublic = "https://vexa.acme.example"

// fronted is a bridge behind somebody else's proxy, and two people who are signed in.
type fronted struct {
	t        *testing.T
	w        *world
	r        *replica
	vexa     *behind
	front    *front
	ada, tim *browser
}

func testFronted(t *testing.T, program string, start func(t *testing.T, program, bridge string) *front) {
	w := newWorld(t, with("public", frontedPublic))
	w.document = strings.Replace(document, "metrics:", "trusted_proxies: [127.0.0.1]\nmetrics:", 1)
	vexa := startBehind(t, w.vexa)
	w.settings["gateway"] = vexa.url
	w.configure()
	f := &fronted{t: t, w: w, vexa: vexa, r: w.serve()}
	f.front = start(t, program, f.r.address)
	f.ada, f.tim = f.signIn(ada), f.signIn(tim)

	// They are opened first and looked at last: by then they have been silent for longer than what surrounds the file lets pass.
	opened := time.Now()
	socket, stream := f.socket(f.ada), f.stream(silentPath, f.front.http2)
	for _, test := range []struct {
		what string
		hold func(*fronted)
	}{
		{"sign-in", (*fronted).holdSignIn},
		{"the client's address", (*fronted).holdAddress},
		{"what a client claims", (*fronted).holdClaims},
		{"paths", (*fronted).holdPaths},
		{"names", (*fronted).holdNames},
		{"WebSocket", (*fronted).holdSocket},
		{"events", (*fronted).holdEvents},
		{"lines", (*fronted).holdLines},
		{"upload", (*fronted).holdUpload},
		{"refused upload", (*fronted).holdRefusedUpload},
		{"recording", (*fronted).holdRecording},
		{"long headers", (*fronted).holdLongHeaders},
		{"long answers", (*fronted).holdLongAnswers},
		{"nothing is cached", (*fronted).holdNoCache},
		{"connections", (*fronted).holdConnections},
		{"log", (*fronted).holdLog},
	} {
		t.Run(test.what, func(t *testing.T) { test.hold(f.in(t)) })
	}
	t.Run("silence", func(t *testing.T) {
		on := f.in(t)
		<-time.After(time.Until(opened.Add(2 * surroundingTimeout)))
		talks(t, "after a silence", socket)
		on.say(silentPath, "after a silence")
		on.hear(stream, "after a silence")
	})
	t.Run("suspension", func(t *testing.T) { f.in(t).holdSuspension(socket, stream) })
}

// in is the same for a test within this one.
func (f *fronted) in(t *testing.T) *fronted {
	on, w := *f, *f.w
	on.t, w.t, on.w = t, t, &w
	for _, b := range []**browser{&on.ada, &on.tim} {
		bound := **b
		bound.w, *b = &w, &bound
	}
	return &on
}

// browser is a person's, led to the proxy. It speaks HTTP/2.
func (f *fronted) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(f.t, err)
	b := f.r.browserWith(jar)
	b.w, b.Transport = f.w, f.front.http2
	return b
}

func (f *fronted) signIn(who string) *browser {
	f.t.Helper()
	b := f.browser()
	if res := b.signIn("okta", who); res.status != http.StatusSeeOther || b.cookie() == "" {
		f.t.Fatalf("signing %s in: %v\n%s", who, res, f.front.log())
	}
	good(f.t, "after signing in", b)
	return b
}

// The provider sends people back to the address that they typed, over TLS, and the cookies are of the sort that only TLS allows.
func (f *fronted) holdSignIn() {
	b := f.browser()
	asked := b.get("/meetings", page...)
	if asked.status != http.StatusSeeOther || asked.header.Get("Location") != "/sso/login?return_to=%2Fmeetings" {
		f.t.Fatalf("a page without a session: %v", asked)
	}
	at := b.get(asked.header.Get("Location")+"&provider=okta", page...)
	if location := at.header.Get("Location"); !strings.Contains(location, "redirect_uri=https%3A%2F%2Fvexa.acme.example%2Fsso%2Fcallback%2Fokta") {
		f.t.Errorf("the provider is told to send people to %s", location)
	}
	back := b.get(f.w.atProvider("okta", at.header.Get("Location"), ada), page...)
	if back.header.Get("Location") != "/meetings" {
		f.t.Errorf("after the provider: %v", back)
	}
	for _, set := range append(at.header["Set-Cookie"], back.header["Set-Cookie"]...) {
		if !strings.HasPrefix(set, "__Host-vexa_sso") || !strings.Contains(set, "; Secure") || !strings.Contains(set, "; Path=/;") {
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
	if res := b.get("/bots/none/none"); res.status == http.StatusOK || res.header.Get("Strict-Transport-Security") == "" {
		f.t.Errorf("an error: %v", res)
	}
}

// B8, B9: whom the audit, and Vexa, take a request to be from is who opened the connection to the proxy, whatever it says of itself.
func (f *fronted) holdAddress() {
	began := time.Now().Add(-time.Millisecond)
	for _, forged := range []string{"", "203.0.113.7", "203.0.113.7, 127.0.0.1", "junk"} {
		b := f.browser()
		b.signIn("okta", ada, "X-Forwarded-For", forged, "Forwarded", "for=203.0.113.8", "X-Real-IP", "203.0.113.9", "True-Client-IP", "203.0.113.10")
		good(f.t, "claiming "+forged, b)
	}
	cfg, err := f.w.load()
	must(f.t, err)
	admin, err := bridge.OpenAdmin(f.t.Context(), cfg)
	must(f.t, err)
	defer admin.Close()
	events, err := admin.Store.Events(f.t.Context(), store.EventFilter{Event: mapping.EventSignIn, Since: began})
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
}

// S1, B1, B8: no claim of a client's gets through, in whichever spelling the proxy lets pass, and none keeps it from being served.
func (f *fronted) holdClaims() {
	for _, claim := range [][]string{
		{"X-Forwarded-Host", "evil.example"},
		{"X-Forwarded-Host", "evil.example", "X-Forwarded-Host", "vexa.acme.example"},
		{"X-Forwarded-Proto", "http", "X-Forwarded-Port", "80", "X-Forwarded-Prefix", "/evil", "X-Forwarded-Uri", "/sso/healthz"},
		{"Forwarded", "for=203.0.113.8;host=evil.example;proto=http"},
		{"X-Original-URL", "/sso/healthz", "X-Rewrite-URL", "/sso/healthz", "X-HTTP-Method-Override", "DELETE"},
		{"X_API_Key", "canary", "X_Forwarded_Host", "evil.example", "X_Forwarded_For", "203.0.113.7", "X_User_Id", "1"},
		{"X-Admin-API-Key", "canary", "X-Internal-Secret", "canary", "X-User-Id", "1", "X-Envoy-External-Address", "203.0.113.7"},
		{"Te", "trailers"},
	} {
		if res := f.ada.get("/meetings?what=claims", claim...); res.status != http.StatusOK {
			f.t.Errorf("claiming %q: %v", claim, res)
			continue
		}
		got := f.vexa.last("/meetings").Header
		for name, values := range got {
			said := strings.Join(values, " ")
			if strings.Contains(name, "_") || strings.Contains(said, "203.0.113") || strings.Contains(said, "canary") || strings.Contains(said, "evil") || strings.HasPrefix(name, "X-User") {
				f.t.Errorf("claiming %q, Vexa is told %s: %q", claim, name, values)
			}
		}
		if keys := got["X-Api-Key"]; len(keys) != 1 || !slices.Contains(f.w.keys(), keys[0]) {
			f.t.Errorf("claiming %q, Vexa is shown %d keys", claim, len(keys))
		}
	}
	// The cookie is no way out for somebody whose own credential is refused.
	if res := f.ada.get("/meetings", "X-API-Key", "vxa_canary"); res.status != http.StatusUnauthorized || res.code() != "native_key_refused" {
		f.t.Errorf("with a key of Vexa's: %v", res)
	}
	for line := range strings.Lines(f.front.tap.text()) {
		if name, _, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(strings.ToUpper(name), "X_") {
			f.t.Errorf("the bridge is shown %q", line)
		}
	}
}

// S4: the proxy leaves it to the bridge to judge an address: what the bridge would refuse is not made acceptable on the way.
func (f *fronted) holdPaths() {
	began := f.vexa.requests()
	for _, path := range []string{"/recordings%2f1", "/recordings%2F1", "/sso/%2e%2e/meetings", "/meetings%2f..%2fbots", "//meetings", "/sso//whoami", "/meetings/..%2fadmin", "/meetings%5c1", "/meetings%00"} {
		res, err := f.raw("GET " + path + " HTTP/1.1\r\nHost: vexa.acme.example\r\nCookie: " + f.ada.cookie() + "\r\nConnection: close\r\n\r\n")
		must(f.t, err)
		if res.status != http.StatusBadRequest {
			f.t.Errorf("%s: %v", path, res)
		}
	}
	if n := f.vexa.requests() - began; n != 0 {
		f.t.Errorf("%d requests reached Vexa", n)
	}
	if res := f.ada.get("/meetings?q=a%2Fb%26c&q=%C3%A9"); res.status != http.StatusOK || f.vexa.last("/meetings").URL.RawQuery != "q=a%2Fb%26c&q=%C3%A9" {
		f.t.Errorf("Vexa is asked %s: %v", f.vexa.last("/meetings").URL.RawQuery, res)
	}
}

// S9, A9: another name is none of ours, and who comes without TLS is led to TLS.
func (f *fronted) holdNames() {
	began := f.vexa.requests()
	res, err := f.raw("GET /meetings HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: vexa.acme.example\r\nCookie: " + f.ada.cookie() + "\r\nConnection: close\r\n\r\n")
	must(f.t, err)
	if res.status == http.StatusOK && res.body != "" || f.vexa.requests() != began {
		f.t.Errorf("another name: %v", res)
	}
	client := &http.Client{Transport: f.front.plain, CheckRedirect: f.ada.CheckRedirect}
	plain, err := client.Get("http://vexa.acme.example/meetings?q=1")
	must(f.t, err)
	if res := read(f.t, plain); res.status != http.StatusPermanentRedirect || res.header.Get("Location") != frontedPublic+"/meetings?q=1" {
		f.t.Errorf("without TLS: %v", res)
	}
}

// socket opens a WebSocket as a page of this site does; that is never HTTP/2.
func (f *fronted) socket(b *browser) *websocket.Conn {
	f.t.Helper()
	conn, _, err := f.dialSocket(b, "Origin", frontedPublic)
	must(f.t, err)
	return conn
}

func (f *fronted) dialSocket(b *browser, header ...string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	h := http.Header{"Cookie": {b.cookie()}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	conn, res, err := websocket.Dial(ctx, "wss://vexa.acme.example/ws", &websocket.DialOptions{HTTPClient: &http.Client{Transport: f.front.http1}, HTTPHeader: h})
	if err == nil {
		f.t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, res, err
}

func (f *fronted) holdSocket() {
	conn := f.socket(f.tim)
	talks(f.t, "through the proxy", conn)
	for _, size := range []int{1, 200, 70_000} { // Vexa's answer tells the length, in a way: it quotes nothing, but reads all
		must(f.t, conn.Write(f.t.Context(), websocket.MessageText, []byte(`{"action":"`+strings.Repeat("x", size)+`"}`)))
		if _, said, err := conn.Read(f.t.Context()); err != nil || !bytes.Contains(said, []byte("unknown_action")) {
			f.t.Errorf("to %d bytes: %s %v", size, said, err)
		}
	}
	must(f.t, conn.Close(websocket.StatusNormalClosure, ""))
	if _, res, err := f.dialSocket(f.tim, "Origin", "https://evil.example"); err == nil || res == nil || res.StatusCode != http.StatusForbidden {
		f.t.Errorf("from another site: %v %v", res, err) // S7
	}
	if _, res, err := f.dialSocket(f.browser(), "Origin", frontedPublic); err == nil || res == nil || res.StatusCode != http.StatusUnauthorized {
		f.t.Errorf("from nobody: %v %v", res, err)
	}
	res, err := f.raw("GET /meetings HTTP/1.1\r\nHost: vexa.acme.example\r\nCookie: " + f.tim.cookie() + "\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n")
	if err != nil || res.status != http.StatusOK {
		f.t.Errorf("asking for another protocol: %v %v", res, err)
	}
}

// Event streams of Vexa's: the first says at once that it is ready, and the other says nothing until there is something to say.
const (
	silentPath = "/agent/meeting/stream"
	eventsPath = "/mcp"
)

// stream is an answer that goes on.
type stream struct {
	*http.Response
	lines *bufio.Scanner
}

func (f *fronted) stream(path string, client http.RoundTripper) *stream {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), "GET", frontedPublic+path, nil)
	must(f.t, err)
	request.Header = http.Header{"Cookie": {f.ada.cookie()}, "Accept": {"text/event-stream"}}
	var res *http.Response
	f.soon("the head of "+path, func() { res, err = client.RoundTrip(request) })
	must(f.t, err)
	f.t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		f.t.Fatalf("%s: %v", path, read(f.t, res))
	}
	return &stream{res, bufio.NewScanner(res.Body)}
}

// say has Vexa send an event.
func (f *fronted) say(path, what string) {
	f.t.Helper()
	if f.w.vexa.Emit(path, "message", what) != 1 {
		f.t.Fatalf("not one stream %s is open at Vexa", path)
	}
}

// hear waits for an event, which must arrive while the stream is open.
func (f *fronted) hear(s *stream, what string) {
	f.t.Helper()
	f.soon("an event", func() {
		for s.lines.Scan() && s.lines.Text() != "data: "+what {
		}
	})
	if got := s.lines.Text(); got != "data: "+what {
		f.t.Errorf("heard %q and not %q: %v", got, what, s.lines.Err())
	}
}

// soon fails the test when something takes much longer than it should, which is at once.
func (f *fronted) soon(what string, do func()) {
	f.t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		f.t.Fatalf("%s does not come", what)
	}
}

// Events arrive when they happen, in either version of HTTP, and who leaves is missed all the way to Vexa.
func (f *fronted) holdEvents() {
	for _, client := range []http.RoundTripper{f.front.http1, f.front.http2} {
		if f.front.headWaits && client == f.front.http2 {
			go func() { // the first event, as soon as somebody is there to hear it
				f.streamsAtVexa(1)
				f.w.vexa.Emit(eventsPath, "message", "before the first")
			}()
		}
		s := f.stream(eventsPath, client)
		if got := s.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
			f.t.Errorf("%s over %s", got, s.Proto)
		}
		for _, what := range []string{"the first", "the second"} {
			f.say(eventsPath, what)
			f.hear(s, what)
		}
		s.Body.Close()
		f.streamsAtVexa(0)
	}
}

func (f *fronted) streamsAtVexa(n int) {
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	if err := f.w.vexa.WaitStreams(ctx, eventsPath, n); err != nil {
		f.t.Error(err)
	}
}

// What is written line by line arrives so, also where its type does not say that it would.
func (f *fronted) holdLines() {
	s := f.stream(linesPath, f.front.http2)
	for i, line := range []string{"one", "two", "three"} {
		if i > 0 { // the first comes by itself
			f.vexa.lines <- line
		}
		f.soon("a line", func() { s.lines.Scan() })
		if got := s.lines.Text(); got != line {
			f.t.Errorf("%q arrives as %q", line, got)
		}
	}
}

// upload is a body that is sent as the test says.
func (f *fronted) upload(path string, client http.RoundTripper) (*io.PipeWriter, <-chan answer) {
	body, writer := io.Pipe()
	request, err := http.NewRequestWithContext(f.t.Context(), "POST", frontedPublic+path, body)
	must(f.t, err)
	request.Header = http.Header{"Cookie": {f.ada.cookie()}, "Sec-Fetch-Site": {"same-origin"}, "Content-Type": {"application/octet-stream"}}
	answered := make(chan answer, 1)
	go func() {
		res, err := client.RoundTrip(request)
		if err != nil {
			answered <- answer{body: err.Error()}
			return
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		answered <- answer{status: res.StatusCode, header: res.Header, body: string(text)}
	}()
	return writer, answered
}

// A recording of 50 MB flows: its beginning is at Vexa long before its end has left the client, in either version of HTTP.
func (f *fronted) holdUpload() {
	const size, first = 50 << 20, 1 << 20
	for version, client := range map[string]http.RoundTripper{"HTTP/1.1": f.front.http1, "HTTP/2": f.front.http2} {
		began := f.vexa.uploaded.Load()
		body, answered := f.upload(uploadPath, client)
		f.soon("the beginning of an upload", func() {
			_, _ = body.Write(make([]byte, first))
			for f.vexa.uploaded.Load() < began+first/2 {
				time.Sleep(time.Millisecond)
			}
		})
		f.soon("the rest of an upload", func() {
			chunk := make([]byte, 1<<20)
			for range (size - first) / len(chunk) {
				if _, err := body.Write(chunk); err != nil {
					break
				}
			}
			body.Close()
		})
		if res := <-answered; res.status != http.StatusOK || res.body != fmt.Sprint(size) {
			f.t.Errorf("%s: %v", version, res)
		}
	}
}

// Vexa's own word about a body that it does not want arrives.
func (f *fronted) holdRefusedUpload() {
	body, answered := f.upload(refusedPath, f.front.http1)
	go func() {
		chunk := make([]byte, 64<<10)
		for range 100 {
			if _, err := body.Write(chunk); err != nil {
				return
			}
		}
		body.Close()
	}()
	f.soon("the refusal", func() {
		if res := <-answered; res.status != http.StatusRequestEntityTooLarge || !strings.Contains(res.body, "Too large for Vexa") {
			f.t.Errorf("%v", res)
		}
	})
}

// A bot is sent and stopped, and a part of what it recorded comes back.
func (f *fronted) holdRecording() {
	fetch := []string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}
	if res := f.ada.send("POST", "/bots", `{"platform":"google_meet","native_meeting_id":"abc-defg-hij","bot_name":"Scribe"}`, fetch...); res.status/100 != 2 {
		f.t.Fatalf("sending a bot: %v", res)
	}
	if res := f.ada.send("DELETE", "/bots/google_meet/abc-defg-hij", "", fetch...); res.status/100 != 2 {
		f.t.Fatalf("stopping it: %v", res)
	}
	var list struct {
		Recordings []struct{ ID int }
	}
	if res := f.ada.get("/recordings"); json.Unmarshal([]byte(res.body), &list) != nil || len(list.Recordings) != 1 {
		f.t.Fatalf("recordings: %v", res)
	}
	path := fmt.Sprintf("/recordings/%[1]d/media/%[1]d/raw", list.Recordings[0].ID)
	whole := f.ada.get(path)
	part := f.ada.get(path, "Range", "bytes=1000-1999")
	if part.status != http.StatusPartialContent || part.header.Get("Content-Range") != "bytes 1000-1999/10000" || len(whole.body) != 10000 || part.body != whole.body[1000:2000] {
		f.t.Errorf("a part: %d %v, %d bytes of %d", part.status, part.header, len(part.body), len(whole.body))
	}
}

// A long token, and many cookies, are for the bridge to judge; beyond its own bound it is the client that is told.
func (f *fronted) holdLongHeaders() {
	if res := f.ada.get("/meetings", "Authorization", "Bearer "+strings.Repeat("x", 24<<10)); res.status != http.StatusUnauthorized || res.code() != "token_invalid" {
		f.t.Errorf("a long token: %v", res)
	}
	cookies := f.ada.cookie()
	for i := range 20 {
		cookies += fmt.Sprintf("; other%d=%s", i, strings.Repeat("y", 1000))
	}
	for name, client := range map[string]http.RoundTripper{"HTTP/1.1": f.front.http1, "HTTP/2": f.front.http2} {
		request, err := http.NewRequestWithContext(f.t.Context(), "GET", frontedPublic+"/meetings", nil)
		must(f.t, err)
		request.Header.Set("Cookie", cookies)
		res, err := client.RoundTrip(request)
		must(f.t, err)
		if res := read(f.t, res); res.status != http.StatusOK {
			f.t.Errorf("many cookies over %s: %v", name, res)
		}
	}
	res, err := f.raw("GET /meetings HTTP/1.1\r\nHost: vexa.acme.example\r\nConnection: close\r\nAuthorization: Bearer " + strings.Repeat("x", 200<<10) + "\r\n\r\n")
	if err == nil && res.status/100 != 4 {
		f.t.Errorf("a monstrous token: %v", res)
	}
	good(f.t, "after all that", f.ada)
}

// The header of an answer may be long: here it carries an address back from sign-in.
func (f *fronted) holdLongAnswers() {
	path := "/meetings?q=" + strings.Repeat("z", 7000)
	if res := f.browser().get(path, page...); res.status != http.StatusSeeOther || len(res.header.Get("Location")) < 7000 {
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

// One connection to the bridge serves many requests.
func (f *fronted) holdConnections() {
	f.ada.get("/meetings")
	before := f.front.tap.accepted.Load()
	for range 20 {
		f.ada.get("/meetings")
	}
	if n := f.front.tap.accepted.Load() - before; n > 2 {
		f.t.Errorf("%d connections for 20 requests", n)
	}
}

// S2: the proxy's log proves nobody to be anybody.
func (f *fronted) holdLog() {
	f.ada.get("/meetings?api_key=canary-in-the-query", "X-API-Key", "canary-as-key", "Referer", "https://vexa.acme.example/sso/callback/okta?code=canary-in-referer")
	f.ada.get("/meetings/logged")
	waitFor(f.t, "the request in the log", func() bool { return strings.Contains(f.front.log(), "/meetings/logged") })
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

// S5: who is suspended is out within a second, sockets and streams included, through the proxy as without one.
func (f *fronted) holdSuspension(socket *websocket.Conn, stream *stream) {
	cfg, err := f.w.load()
	must(f.t, err)
	admin, err := bridge.OpenAdmin(f.t.Context(), cfg)
	must(f.t, err)
	defer admin.Close()
	account, err := admin.Accounts.Find(f.t.Context(), ada)
	must(f.t, err)
	staying := f.socket(f.tim)

	began := proxytest.Start(f.t)
	must(f.t, admin.Accounts.Revoke(f.t.Context(), mapping.Revocation{At: time.Now(), Kind: mapping.RevokeAccount, Account: account.ID, Reason: "left"}, "an admin"))
	if code := closing(f.t, socket); code != 4401 || began.Took() > proxytest.Promised {
		f.t.Errorf("the socket was closed with %d after %s", code, began.Took())
	}
	if ends(f.t, stream.Response); began.Took() > proxytest.Promised {
		f.t.Errorf("the stream ended after %s", began.Took())
	}
	f.r.waitFor("access to end", func() bool { return f.ada.get("/meetings").status != http.StatusOK })
	if took := began.Took(); took > proxytest.Promised {
		f.t.Errorf("access ended after %s", took)
	}
	talks(f.t, "who was not meant", staying)
	good(f.t, "who was not meant", f.tim)
}
