package proxy_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
	"vexa-sso/proxy/proxytest"
)

// both runs a test before either generation of Vexa.
func both(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	for _, generation := range []string{vexatest.Generation012, vexatest.Generation010} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, func(o *worldOptions) { o.generation = generation }))
		})
	}
}

// A part of a recording can be asked for.
func TestRange(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		b := w.signIn("ada@acme.example")
		if res := b.send("POST", "/bots", `{"platform":"zoom","native_meeting_id":"1"}`, "Content-Type", "application/json", "Origin", w.public); res.status != http.StatusCreated {
			t.Fatal(res.status, res.body)
		}
		if res := b.send("DELETE", "/bots/zoom/1", "", "Origin", w.public); res.status != http.StatusOK {
			t.Fatal(res.status, res.body)
		}
		res := b.get("/recordings/1/media/1/raw", "Range", "bytes=1-3")
		if res.status != http.StatusPartialContent || res.body != "\x01\x02\x03" || res.header.Get("Content-Range") != "bytes 1-3/10000" || res.header.Get("Accept-Ranges") != "bytes" {
			t.Errorf("%d %v %q", res.status, res.header, res.body)
		}
		if res := b.get("/recordings/1/media/1/raw", "Range", "bytes=10000-"); res.status != http.StatusRequestedRangeNotSatisfiable || res.header.Get("Content-Range") != "bytes */10000" {
			t.Errorf("%d %v", res.status, res.header)
		}
		if res := b.get("/recordings/1/media/1/raw"); res.status != http.StatusOK || len(res.body) != 10000 {
			t.Errorf("%d, %d bytes", res.status, len(res.body))
		}
	})
}

// V16: a redirect that Vexa builds from its own name leads to a path of ours.
func TestTrailingSlash(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		b := w.signIn("ada@acme.example")
		res := b.get("/bots/?limit=1")
		if res.status != http.StatusTemporaryRedirect || res.header.Get("Location") != "/bots?limit=1" {
			t.Errorf("%d to %q", res.status, res.header.Get("Location"))
		}
	})
}

// V13: Vexa's own limit, and when to come back, reach the client.
func TestVexaLimits(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		b := w.signIn("ada@acme.example")
		b.get("/bots")
		w.vexa.SetRateLimit(vexatest.RateLimit{Burst: 1, PerSecond: 0.001, PerMinute: 1})
		var res answer
		for range 3 {
			res = b.get("/bots")
		}
		if res.status != http.StatusTooManyRequests || !strings.Contains(strings.ToLower(res.body), "rate limit") || res.code() != "" {
			t.Errorf("%d %s", res.status, res.body)
		}
		if w.vexa.GatewayWire().Requests()[0].Get("X-API-Key") == nil || res.header.Get("Retry-After") == "" {
			t.Errorf("%v", res.header)
		}
	})
}

// S1: neither the cookie that Vexa's services set for each other nor 0.10's CORS reaches a client.
func TestVexaHeadersThatStay(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		b := w.signIn("ada@acme.example")
		w.vexa.SetEcho(vexatest.MeetingAPI, true)
		for range 2 {
			res := b.get("/bots", "Origin", "https://evil.example")
			if res.status != http.StatusOK {
				t.Fatal(res.status, res.body)
			}
			for name := range res.header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" || name == "Server" || strings.HasPrefix(name, "X-Stub") {
					t.Errorf("%s came back: %v", name, res.header)
				}
			}
		}
	})
}

// fixed is a gateway that answers as a test says.
func fixed(t *testing.T, handle http.HandlerFunc) *world {
	g := startGateway(t, handle)
	return newWorld(t, func(o *worldOptions) { o.gateway = g.URL })
}

const transferSize = 64 << 20

// sample is a long body that never says the same thing twice in a row.
type sample struct{ left int }

var sampleText = func() []byte {
	text := make([]byte, 1<<20-1) // no divisor of any buffer's size
	_, _ = rand.NewChaCha8([32]byte{}).Read(text)
	return text
}()

var sampleSum = func() uint32 {
	sum := crc32.NewIEEE()
	_, _ = io.Copy(sum, &sample{transferSize})
	return sum.Sum32()
}()

func (s *sample) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	at := (transferSize - s.left) % len(sampleText)
	n := copy(p[:min(len(p), s.left)], sampleText[at:])
	s.left -= n
	return n, nil
}

// pausing reads until half has been read and goes on when it may.
type pausing struct {
	from   io.Reader
	at     int
	resume <-chan struct{}
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.at <= 0 && p.resume != nil {
		<-p.resume
		p.resume = nil
	}
	n, err := p.from.Read(b)
	p.at -= n
	return n, err
}

// A large upload is on its way to Vexa while the client still sends, in whichever form it says how long it is.
func TestUpload(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int64{"with a length": transferSize, "in chunks": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived, hash := make(chan struct{}), crc32.NewIEEE()
			w := fixed(t, func(rw http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost {
					return
				}
				_, _ = io.CopyN(hash, r.Body, transferSize/4)
				close(arrived)
				n, err := io.Copy(hash, r.Body)
				fmt.Fprintf(rw, "%d %v %v", n, err, r.TransferEncoding)
			})
			b := w.signIn("ada@acme.example")
			body := &sample{transferSize}
			req, err := http.NewRequestWithContext(w.within(60*time.Second), "POST", w.public+"/bots", &pausing{from: body, at: transferSize / 2, resume: arrived})
			must(t, err)
			req.ContentLength = length
			req.Header.Set("Origin", w.public)
			res, err := b.Do(req)
			must(t, err)
			defer res.Body.Close()
			said, _ := io.ReadAll(res.Body)
			want := fmt.Sprintf("%d <nil> []", transferSize/4*3)
			if length < 0 {
				want = fmt.Sprintf("%d <nil> [chunked]", transferSize/4*3)
			}
			if string(said) != want || hash.Sum32() != sampleSum {
				t.Errorf("%d: the gateway says %q, want %q", res.StatusCode, said, want)
			}
		})
	}
}

// A large download reaches the client while Vexa still sends.
func TestDownload(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]string{"with a length": strconv.Itoa(transferSize), "in chunks": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, arrived := &sample{transferSize}, make(chan struct{})
			w := fixed(t, func(rw http.ResponseWriter, _ *http.Request) {
				if length != "" {
					rw.Header().Set("Content-Length", length)
				}
				_, _ = io.Copy(rw, &pausing{from: body, at: transferSize / 2, resume: arrived})
			})
			b := w.signIn("ada@acme.example")
			req, err := http.NewRequestWithContext(w.within(60*time.Second), "GET", w.public+"/recordings/1/media/1/raw", nil)
			must(t, err)
			res, err := b.Do(req)
			must(t, err)
			defer res.Body.Close()
			hash := crc32.NewIEEE()
			_, err = io.CopyN(hash, res.Body, transferSize/4)
			must(t, err)
			close(arrived)
			_, err = io.Copy(hash, res.Body)
			if err != nil || hash.Sum32() != sampleSum || res.Header.Get("Content-Length") != length {
				t.Errorf("%v %v", err, res.Header)
			}
		})
	}
}

// A client that takes its time with an answer costs nobody else any.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	w := fixed(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/bots" {
			_, _ = io.Copy(rw, &sample{transferSize})
		}
	})
	b := w.signIn("ada@acme.example")
	var slow []net.Conn
	for range 20 {
		conn, err := net.Dial("tcp", w.host)
		must(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, w.fill("GET /recordings/1/media/1/raw HTTP/1.1\r\n"+signedIn+"\r\n", b.cookie(), ""))
		must(t, err)
		_, err = io.ReadFull(conn, make([]byte, 1000)) // it has begun, and goes no further
		must(t, err)
		slow = append(slow, conn)
	}
	began := proxytest.Start(t)
	for range 20 {
		if res := b.get("/bots"); res.status != http.StatusOK {
			t.Error(res.status, res.body)
		}
	}
	if took := began.Took(); took > 5*time.Second {
		t.Errorf("twenty requests took %s beside %d slow ones", took, len(slow))
	}
}

// Half an answer does not look like a whole one.
func TestAnswerBreaksOff(t *testing.T) {
	t.Parallel()
	w := fixed(t, func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"meetings":[`)
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	})
	b := w.signIn("ada@acme.example")
	res, err := b.Get(w.public + "/meetings")
	must(t, err)
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", text, err)
	}
}

// D11: a client that asks first hears 100 only once it is known who it is, and Vexa is never asked.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cookie := w.signIn("ada@acme.example").cookie()
	head := "POST /bots HTTP/1.1\r\nHost: {host}\r\nOrigin: {public}\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
	for _, framing := range []struct{ header, body string }{
		{"Content-Length: 43\r\n", `{"platform":"zoom","native_meeting_id":"1"}`},
		{"Transfer-Encoding: chunked\r\n", "2b\r\n" + `{"platform":"zoom","native_meeting_id":"2"}` + "\r\n0\r\n\r\n"},
	} {
		w.vexa.GatewayWire().Forget()
		conn, err := net.Dial("tcp", w.host)
		must(t, err)
		defer conn.Close()
		must(t, conn.SetDeadline(time.Now().Add(oidctest.Patience)))
		_, err = io.WriteString(conn, w.fill(head+"Cookie: {cookie}\r\n"+framing.header+"\r\n", cookie, ""))
		must(t, err)
		expectBytes(t, conn, []byte("HTTP/1.1 100 Continue\r\n\r\n"))
		_, err = io.WriteString(conn, framing.body)
		must(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		if res.StatusCode != http.StatusCreated {
			t.Errorf("%s: %d", framing.header, res.StatusCode)
		}
		if got := w.vexa.GatewayWire().Requests()[0]; len(got.Get("Expect")) != 0 || !strings.Contains(string(got.Body), "native_meeting_id") {
			t.Errorf("the gateway was asked\n%s", got.Raw)
		}
	}
	w.vexa.GatewayWire().Forget()
	if res := w.raw(w.fill(head+"Content-Length: 43\r\n\r\n", "", "")); res.status != http.StatusUnauthorized || w.vexa.GatewayWire().Bytes() != 0 {
		t.Errorf("without a session: %d %s", res.status, res.body)
	}
}

// What comes back as it is, and what does not.
func TestAnswers(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write([]byte(strings.Repeat("meeting ", 1000)))
	must(t, zip.Close())
	for _, tc := range []struct {
		name, method string
		answer       string // bytes from the gateway
		want         string // what the client reads, but for Date, trace and cookie defences
	}{
		{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1234\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nContent-Type: application/json\r\n\r\n"},
		{"no content", "GET", "HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n", "HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n"},
		{"not modified", "GET", "HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Security-Policy: sandbox\r\nEtag: \"a\"\r\n\r\n"},
		{
			"S1: hints before the answer", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </evil>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok",
		},
		{
			"S7: HTML", "GET", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 26\r\n\r\n<script>alert(1)</script>\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 26\r\nContent-Security-Policy: sandbox\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>\n",
		},
		{
			"S1: trailers", "GET", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: Set-Cookie\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: a=b\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		},
		{
			"S1: headers that are only for the connection", "GET", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: X-Trace-Id, close\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok",
		},
		{
			"compressed", "GET", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\nContent-Length: %d\r\n\r\n%s", packed.Len(), packed.String()),
			fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\nContent-Type: application/json\r\nVary: Accept-Encoding\r\n\r\n%s", packed.Len(), packed.String()),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := fixed(t, func(rw http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(rw).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, tc.answer)
				conn.Close()
			})
			b := w.signIn("ada@acme.example")
			conn, err := net.Dial("tcp", w.host)
			must(t, err)
			defer conn.Close()
			must(t, conn.SetDeadline(time.Now().Add(oidctest.Patience)))
			_, err = io.WriteString(conn, w.fill(tc.method+" /meetings HTTP/1.1\r\n"+signedIn+"Connection: close\r\n\r\n", b.cookie(), ""))
			must(t, err)
			got, err := io.ReadAll(conn)
			must(t, err)
			if text := withoutOurs(string(got)); text != tc.want {
				t.Errorf("got\n%q\nwant\n%q", text, tc.want)
			}
		})
	}
}

// withoutOurs drops the lines that are on every answer.
func withoutOurs(answer string) string {
	head, body, _ := strings.Cut(answer, "\r\n\r\n")
	var kept []string
	for _, line := range strings.Split(head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch name {
		case "Date", "X-Trace-Id", "X-Content-Type-Options", "Cache-Control", "Connection":
		default:
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\r\n") + "\r\n\r\n" + body
}

// S1: a gateway that upgrades what did not ask for it is not followed.
func TestUpgradeThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	w := fixed(t, func(rw http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		conn.Close()
	})
	if res := w.signIn("ada@acme.example").get("/bots"); res.status != http.StatusBadGateway {
		t.Errorf("%d %s", res.status, res.body)
	}
}

// loseKey deletes ada's key at Vexa behind our back.
func (w *world) loseKey() (lost vexatest.Token) {
	w.t.Helper()
	tokens := w.vexa.Tokens()
	if len(tokens) != 1 {
		w.t.Fatalf("there are %d keys", len(tokens))
	}
	w.vexa.RevokeToken(tokens[0].ID)
	w.vexa.ForgetValidations() // 0.10 would take it for another minute
	w.vexa.GatewayWire().Forget()
	return tokens[0]
}

// V11, design section 5: a key that is gone is found out about, replaced once, and the request sent again.
func TestHealing(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		b := w.signIn("ada@acme.example")
		b.get("/bots")

		lost := w.loseKey()
		if res := b.get("/bots"); res.status != http.StatusOK {
			t.Errorf("GET: %d %s", res.status, res.body)
		}
		requests := w.vexa.GatewayWire().Requests()
		if len(requests) != 2 || requests[0].Get("X-API-Key")[0] != lost.Secret || requests[1].Get("X-API-Key")[0] != w.keyOf("ada@acme.example") {
			t.Errorf("the gateway was asked\n%s", describe(requests))
		}

		w.loseKey()
		body := `{"platform":"zoom","native_meeting_id":"1"}`
		if res := b.send("POST", "/bots", body, "Content-Type", "application/json", "Origin", w.public); res.status != http.StatusCreated {
			t.Errorf("POST: %d %s", res.status, res.body)
		}
		requests = w.vexa.GatewayWire().Requests()
		if len(requests) != 2 || string(requests[0].Body) != body || string(requests[1].Body) != body {
			t.Errorf("the gateway was asked\n%s", describe(requests))
		}

		w.loseKey()
		b.open("GET", "/mcp")
		b.get("/bots") // 0.10 looks at no key on /mcp

		for name, large := range map[string]io.Reader{
			"one that is too large to keep":       strings.NewReader(strings.Repeat("x", 1<<20)),
			"one of which nobody knows how large": io.MultiReader(strings.NewReader(body)),
		} {
			w.loseKey()
			req, err := http.NewRequestWithContext(t.Context(), "POST", w.public+"/bots", large)
			must(t, err)
			req.Header.Set("Origin", w.public)
			res, err := b.Do(req)
			must(t, err)
			said, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(string(said), "vexa_key_refused") {
				t.Errorf("%s: %d %s", name, res.StatusCode, said)
			}
			if res := b.get("/bots"); res.status != http.StatusOK {
				t.Errorf("after %s: %d %s", name, res.status, res.body)
			}
		}
		if calls := w.vexa.Calls(); calls.TokensMinted != 6 || calls.UsersCreated != 1 {
			t.Errorf("%+v", calls)
		}
	})
}

// S6: however many requests meet the dead key, one mint runs, and all of them go through.
func TestHealingOnce(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		b := w.signIn("ada@acme.example")
		b.get("/bots")
		w.loseKey()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if res := b.get("/bots"); res.status != http.StatusOK {
					t.Errorf("%d %s", res.status, res.body)
				}
			})
		}
		all.Wait()
		if calls := w.vexa.Calls(); calls.TokensMinted != 2 || w.vexa.PeakMints(1) != 1 {
			t.Errorf("%+v, %d at a time", calls, w.vexa.PeakMints(1))
		}
	})
}

// Design section 5: only a key that is gone is replaced. What else Vexa may say costs none.
func TestKeysThatAreKept(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		b := w.signIn("ada@acme.example")
		b.get("/bots")
		for _, said := range []struct {
			status int
			body   string
			passed bool // to the client, as it is
		}{
			{http.StatusForbidden, `{"detail": "Insufficient scope for this endpoint"}`, true},
			{http.StatusServiceUnavailable, `{"detail": "Authentication temporarily unavailable, retry"}`, true},
			{http.StatusUnauthorized, `{"detail": "Missing API key"}`, true},
			{http.StatusUnauthorized, `Invalid API key`, true},
			{http.StatusUnauthorized, `{"detail": "Invalid API key"}`, false}, // which is not true
		} {
			w.vexa.Inject(vexatest.Fault{Part: vexatest.Gateway, Path: "/bots", Status: said.status, Body: said.body})
			res := b.get("/bots")
			switch {
			case said.passed && (res.status != said.status || strings.TrimSpace(res.body) != said.body):
				t.Errorf("%d %s came back as %d %s", said.status, said.body, res.status, res.body)
			case !said.passed && (res.status != http.StatusServiceUnavailable || res.code() != "vexa_key_refused" || res.header.Get("Retry-After") == ""):
				t.Errorf("%d %s came back as %d %s", said.status, said.body, res.status, res.body)
			}
			if res := b.get("/bots"); res.status != http.StatusOK {
				t.Errorf("afterwards: %d %s", res.status, res.body)
			}
		}
		if calls := w.vexa.Calls(); calls.TokensMinted != 1 || calls.TokensDeleted != 0 {
			t.Errorf("%+v", calls)
		}
	})
}

// S10: while Vexa's Admin API is down, 0.12 says so, and 0.10 calls every key invalid that it has not just seen. Neither costs one.
func TestKeysAreKeptWhileTheAdminAPIIsDown(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		b := w.signIn("ada@acme.example")
		b.get("/bots")
		w.vexa.ForgetValidations()
		w.vexa.Set(vexatest.AdminAPI, vexatest.Down)
		if res := b.get("/bots"); res.status != http.StatusServiceUnavailable || res.header.Get("Retry-After") == "" {
			t.Errorf("%d %v %s", res.status, res.header, res.body)
		}
		w.vexa.Heal()
		if res := b.get("/bots"); res.status != http.StatusOK {
			t.Errorf("afterwards: %d %s", res.status, res.body)
		}
		if calls := w.vexa.Calls(); calls.TokensMinted != 1 || calls.TokensDeleted != 0 {
			t.Errorf("%+v", calls)
		}
	})
}
