package bridge_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"vexa-sso/cmd/internal/bridge"
	"vexa-sso/mapping"
	"vexa-sso/oidc/oidctest"
)

// socket opens a WebSocket as a page of this site does; that is never HTTP/2.
func (f *fronted) socket(b *browser) *websocket.Conn {
	f.t.Helper()
	conn, _, err := f.dialSocket(b, "Origin", frontedPublic)
	must(f.t, err)
	return conn
}

func (f *fronted) dialSocket(b *browser, header ...string) (*websocket.Conn, *http.Response, error) {
	ctx := oidctest.Within(f.t)
	h := http.Header{"Cookie": {b.cookie()}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	conn, res, err := websocket.Dial(ctx, "wss://vexa.acme.example/ws",
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: f.front.http1}, HTTPHeader: h})
	if err == nil {
		f.t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, res, err
}

func (f *fronted) holdSocket() {
	conn := f.socket(f.tim)
	talks(f.t, "through the proxy", conn)
	// Vexa's answer tells the length, in a way: it quotes nothing, but reads all
	for _, size := range []int{1, 200, 70_000} {
		must(f.t, conn.Write(f.t.Context(), websocket.MessageText,
			[]byte(`{"action":"`+strings.Repeat("x", size)+`"}`)))
		if _, said, err := conn.Read(f.t.Context()); err != nil ||
			!bytes.Contains(said, []byte("unknown_action")) {
			f.t.Errorf("to %d bytes: %s %v", size, said, err)
		}
	}
	must(f.t, conn.Close(websocket.StatusNormalClosure, ""))
	for _, head := range strings.Split(f.front.tap.text(), "GET /")[1:] { // RFC 9110, section 7.8
		head, _, _ = strings.Cut(strings.ToLower(head), "\r\n\r\n")
		if socket := strings.HasPrefix(
			head, "ws ",
		); strings.Contains(head, "\r\nconnection: upgrade\r\n") != socket {
			f.t.Errorf("the bridge is asked for %s", head)
		}
	}
	if _, res, err := f.dialSocket(f.tim, "Origin", "https://evil.example"); err == nil || res == nil ||
		res.StatusCode != http.StatusForbidden {
		f.t.Errorf("from another site: %v %v", res, err) // S7
	}
	if _, res, err := f.dialSocket(f.browser(), "Origin", frontedPublic); err == nil || res == nil ||
		res.StatusCode != http.StatusUnauthorized {
		f.t.Errorf("from nobody: %v %v", res, err)
	}
	res, err := f.raw("GET /meetings HTTP/1.1\r\nHost: vexa.acme.example\r\nCookie: " + f.tim.cookie() +
		"\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n")
	if err != nil || res.status != http.StatusOK {
		f.t.Errorf("asking for another protocol: %v %v", res, err)
	}
}

// Event streams of Vexa's: the first says at once that it is ready, and the other says nothing until
// there is something to say.
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

// soon fails the test when something that comes at once does not come.
func (f *fronted) soon(what string, do func()) {
	f.t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(oidctest.Patience):
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
		f.streamsAtVexa(1)
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
	if err := f.w.vexa.WaitStreams(oidctest.Within(f.t), eventsPath, n); err != nil {
		f.t.Error(err)
	}
}

// What is written line by line arrives so, also where its type does not say that it would.
func (f *fronted) holdLines() {
	s := f.stream(linesPath, f.front.http2)
	for i, line := range []string{"one", "two", "three"} {
		if i > 0 { // the first comes by itself
			f.soon("somebody to hear a line", func() {
				select {
				case f.vexa.lines <- line:
				case <-f.t.Context().Done():
				}
			})
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
	request.Header = http.Header{
		"Cookie": {f.ada.cookie()}, "Sec-Fetch-Site": {"same-origin"},
		"Content-Type": {"application/octet-stream"},
	}
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

// A recording of 50 MB flows: its beginning is at Vexa long before its end has left the client,
// in either version of HTTP.
func (f *fronted) holdUpload() {
	const size, first = 50 << 20, 1 << 20
	for version, client := range map[string]http.RoundTripper{
		"HTTP/1.1": f.front.http1, "HTTP/2": f.front.http2,
	} {
		began := f.vexa.uploaded.Load()
		body, answered := f.upload(uploadPath, client)
		f.soon("the beginning of an upload", func() {
			_, _ = body.Write(make([]byte, first))
			oidctest.Await(func() bool { return f.vexa.uploaded.Load() >= began+first/2 })
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
		if res := <-answered; res.status != http.StatusRequestEntityTooLarge ||
			!strings.Contains(res.body, "Too large for Vexa") {
			f.t.Errorf("%v", res)
		}
	})
}

// A bot is sent and stopped, and a part of what it recorded comes back.
func (f *fronted) holdRecording() {
	fetch := []string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}
	if res := f.ada.send(
		"POST", "/bots",
		`{"platform":"google_meet","native_meeting_id":"abc-defg-hij","bot_name":"Scribe"}`, fetch...,
	); res.status/100 != 2 {
		f.t.Fatalf("sending a bot: %v", res)
	}
	if res := f.ada.send("DELETE", "/bots/google_meet/abc-defg-hij", "", fetch...); res.status/100 != 2 {
		f.t.Fatalf("stopping it: %v", res)
	}
	var list struct {
		Recordings []struct{ ID int }
	}
	if res := f.ada.get("/recordings"); json.Unmarshal([]byte(res.body), &list) != nil ||
		len(list.Recordings) != 1 {
		f.t.Fatalf("recordings: %v", res)
	}
	path := fmt.Sprintf("/recordings/%[1]d/media/%[1]d/raw", list.Recordings[0].ID)
	whole := f.ada.get(path)
	part := f.ada.get(path, "Range", "bytes=1000-1999")
	if part.status != http.StatusPartialContent ||
		part.header.Get("Content-Range") != "bytes 1000-1999/10000" || len(whole.body) != 10000 ||
		part.body != whole.body[1000:2000] {
		f.t.Errorf("a part: %d %v, %d bytes of %d", part.status, part.header, len(part.body), len(whole.body))
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

// S5: who is suspended is out within a second, sockets and streams included, through
// the proxy as without one.
func (f *fronted) holdSuspension(socket *websocket.Conn, stream *stream) {
	cfg, err := f.w.load()
	must(f.t, err)
	admin, err := bridge.OpenAdmin(f.t.Context(), cfg)
	must(f.t, err)
	defer admin.Close()
	account, err := admin.Accounts.Find(f.t.Context(), ada)
	must(f.t, err)
	staying := f.socket(f.tim)

	began := oidctest.StartStopwatch(f.t)
	must(f.t, admin.Accounts.Revoke(f.t.Context(),
		mapping.Revocation{At: time.Now(), Kind: mapping.RevokeAccount, Account: account.ID, Reason: "left"},
		"an admin"))
	if code := closing(f.t, socket); code != 4401 || began.Took() > oidctest.Promised {
		f.t.Errorf("the socket was closed with %d after %s", code, began.Took())
	}
	if ends(f.t, stream.Response); began.Took() > oidctest.Promised {
		f.t.Errorf("the stream ended after %s", began.Took())
	}
	f.r.waitFor("access to end", func() bool { return f.ada.get("/meetings").status != http.StatusOK })
	if took := began.Took(); took > oidctest.Promised {
		f.t.Errorf("access ended after %s", took)
	}
	talks(f.t, "who was not meant", staying)
	good(f.t, "who was not meant", f.tim)
}
