package upstream_test

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
func both(t *testing.T, test func(t *testing.T, w *proxytest.World)) {
	t.Parallel()
	for _, generation := range []string{vexatest.Generation012, vexatest.Generation010} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			test(t, proxytest.Start(t, func(o *proxytest.Options) { o.Generation = generation }))
		})
	}
}

// A part of a recording can be asked for.
func TestRange(t *testing.T) {
	both(t, func(t *testing.T, w *proxytest.World) {
		b := w.SignIn("ada@acme.example")
		if res := b.Send("POST", "/bots", `{"platform":"zoom","native_meeting_id":"1"}`,
			"Content-Type", "application/json", "Origin", w.Public); res.Status != http.StatusCreated {
			t.Fatal(res.Status, res.Body)
		}
		if res := b.Send("DELETE", "/bots/zoom/1", "", "Origin", w.Public); res.Status != http.StatusOK &&
			res.Status != http.StatusAccepted {
			t.Fatal(res.Status, res.Body)
		}
		res := b.Get("/recordings/1/media/1/raw", "Range", "bytes=1-3")
		if res.Status != http.StatusPartialContent || res.Body != "\x01\x02\x03" ||
			res.Header.Get("Content-Range") != "bytes 1-3/10000" ||
			res.Header.Get("Accept-Ranges") != "bytes" {
			t.Errorf("%d %v %q", res.Status, res.Header, res.Body)
		}
		if res := b.Get("/recordings/1/media/1/raw", "Range",
			"bytes=10000-"); res.Status != http.StatusRequestedRangeNotSatisfiable ||
			res.Header.Get("Content-Range") != "bytes */10000" {
			t.Errorf("%d %v", res.Status, res.Header)
		}
		if res := b.Get("/recordings/1/media/1/raw"); res.Status != http.StatusOK || len(res.Body) != 10000 {
			t.Errorf("%d, %d bytes", res.Status, len(res.Body))
		}
	})
}

// V16: a redirect that Vexa builds from its own name leads to a path of ours.
func TestTrailingSlash(t *testing.T) {
	both(t, func(t *testing.T, w *proxytest.World) {
		b := w.SignIn("ada@acme.example")
		res := b.Get("/bots/?limit=1")
		if res.Status != http.StatusTemporaryRedirect || res.Header.Get("Location") != "/bots?limit=1" {
			t.Errorf("%d to %q", res.Status, res.Header.Get("Location"))
		}
	})
}

// V13: Vexa's own limit, and when to come back, reach the client.
func TestVexaLimits(t *testing.T) {
	both(t, func(t *testing.T, w *proxytest.World) {
		b := w.SignIn("ada@acme.example")
		b.Get("/bots")
		w.Vexa.SetRateLimit(vexatest.RateLimit{Burst: 1, PerSecond: 0.001, PerMinute: 1})
		var res proxytest.Answer
		for range 3 {
			res = b.Get("/bots")
		}
		if res.Status != http.StatusTooManyRequests ||
			!strings.Contains(strings.ToLower(res.Body), "rate limit") || res.Code() != "" {
			t.Errorf("%d %s", res.Status, res.Body)
		}
		if w.Vexa.GatewayWire().Requests()[0].Get("X-API-Key") == nil || res.Header.Get("Retry-After") == "" {
			t.Errorf("%v", res.Header)
		}
	})
}

// S1: neither the cookie that Vexa's services set for each other nor 0.10's CORS reaches a client.
func TestVexaHeadersThatStay(t *testing.T) {
	both(t, func(t *testing.T, w *proxytest.World) {
		b := w.SignIn("ada@acme.example")
		w.Vexa.SetEcho(vexatest.MeetingAPI, true)
		for range 2 {
			res := b.Get("/bots", "Origin", "https://evil.example")
			if res.Status != http.StatusOK {
				t.Fatal(res.Status, res.Body)
			}
			for name := range res.Header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" || name == "Server" ||
					strings.HasPrefix(name, "X-Stub") {
					t.Errorf("%s came back: %v", name, res.Header)
				}
			}
		}
	})
}

// fixed is a gateway that answers as a test says.
func fixed(t *testing.T, handle http.HandlerFunc) *proxytest.World {
	g := startGateway(t, handle)
	return proxytest.Start(t, func(o *proxytest.Options) { o.Gateway = g.URL })
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

// A large upload is on its way to Vexa while the client still sends, in whichever
// form it says how long it is.
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
			b := w.SignIn("ada@acme.example")
			body := &sample{transferSize}
			req, err := http.NewRequestWithContext(w.Within(60*time.Second), "POST", w.Public+"/bots",
				&pausing{from: body, at: transferSize / 2, resume: arrived})
			proxytest.Must(t, err)
			req.ContentLength = length
			req.Header.Set("Origin", w.Public)
			res, err := b.Do(req)
			proxytest.Must(t, err)
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
	for name, length := range map[string]string{
		"with a length": strconv.Itoa(transferSize), "in chunks": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, arrived := &sample{transferSize}, make(chan struct{})
			w := fixed(t, func(rw http.ResponseWriter, _ *http.Request) {
				if length != "" {
					rw.Header().Set("Content-Length", length)
				}
				_, _ = io.Copy(rw, &pausing{from: body, at: transferSize / 2, resume: arrived})
			})
			b := w.SignIn("ada@acme.example")
			req, err := http.NewRequestWithContext(w.Within(60*time.Second),
				"GET", w.Public+"/recordings/1/media/1/raw", nil)
			proxytest.Must(t, err)
			res, err := b.Do(req)
			proxytest.Must(t, err)
			defer res.Body.Close()
			hash := crc32.NewIEEE()
			_, err = io.CopyN(hash, res.Body, transferSize/4)
			proxytest.Must(t, err)
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
	b := w.SignIn("ada@acme.example")
	var slow []net.Conn
	for range 20 {
		conn, err := net.Dial("tcp", w.Host)
		proxytest.Must(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn,
			w.Fill("GET /recordings/1/media/1/raw HTTP/1.1\r\n"+proxytest.SignedIn+"\r\n", b.Cookie(), ""))
		proxytest.Must(t, err)
		_, err = io.ReadFull(conn, make([]byte, 1000)) // it has begun, and goes no further
		proxytest.Must(t, err)
		slow = append(slow, conn)
	}
	began := oidctest.StartStopwatch(t)
	for range 20 {
		if res := b.Get("/bots"); res.Status != http.StatusOK {
			t.Error(res.Status, res.Body)
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
	b := w.SignIn("ada@acme.example")
	res, err := b.Client.Get(w.Public + "/meetings")
	proxytest.Must(t, err)
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", text, err)
	}
}

// D11: a client that asks first hears 100 only once it is known who it is, and Vexa is never asked.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	cookie := w.SignIn("ada@acme.example").Cookie()
	head := "POST /bots HTTP/1.1\r\nHost: {host}\r\nOrigin: {public}\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
	for _, framing := range []struct{ header, body string }{
		{"Content-Length: 43\r\n", `{"platform":"zoom","native_meeting_id":"1"}`},
		{"Transfer-Encoding: chunked\r\n", "2b\r\n" +
			`{"platform":"zoom","native_meeting_id":"2"}` + "\r\n0\r\n\r\n"},
	} {
		w.Vexa.GatewayWire().Forget()
		conn, err := net.Dial("tcp", w.Host)
		proxytest.Must(t, err)
		defer conn.Close()
		proxytest.Must(t, conn.SetDeadline(time.Now().Add(oidctest.Patience)))
		_, err = io.WriteString(conn, w.Fill(head+"Cookie: {cookie}\r\n"+framing.header+"\r\n", cookie, ""))
		proxytest.Must(t, err)
		expectBytes(t, conn, []byte("HTTP/1.1 100 Continue\r\n\r\n"))
		_, err = io.WriteString(conn, framing.body)
		proxytest.Must(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		proxytest.Must(t, err)
		if res.StatusCode != http.StatusCreated {
			t.Errorf("%s: %d", framing.header, res.StatusCode)
		}
		if got := w.Vexa.GatewayWire().Requests()[0]; len(got.Get("Expect")) != 0 ||
			!strings.Contains(string(got.Body), "native_meeting_id") {
			t.Errorf("the gateway was asked\n%s", got.Raw)
		}
	}
	w.Vexa.GatewayWire().Forget()
	if res := w.Raw(w.Fill(head+"Content-Length: 43\r\n\r\n",
		"", "")); res.Status != http.StatusUnauthorized || w.Vexa.GatewayWire().Bytes() != 0 {
		t.Errorf("without a session: %d %s", res.Status, res.Body)
	}
}

// What comes back as it is, and what does not.
func TestAnswers(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write([]byte(strings.Repeat("meeting ", 1000)))
	proxytest.Must(t, zip.Close())
	for _, tc := range []struct {
		name, method string
		answer       string // bytes from the gateway
		want         string // what the client reads, but for Date, trace and cookie defences
	}{
		{
			"HEAD", "HEAD",
			"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1234\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nContent-Type: application/json\r\n\r\n",
		},
		{
			"no content", "GET", "HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n",
			"HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n",
		},
		{
			"not modified", "GET", "HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\n\r\n",
			"HTTP/1.1 304 Not Modified\r\nContent-Security-Policy: sandbox\r\nEtag: \"a\"\r\n\r\n",
		},
		{
			"S1: hints before the answer", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </evil>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok",
		},
		{
			"S7: HTML", "GET", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 26\r\n\r\n<script>alert(1)</script>\n", "HTTP/1.1 200 OK\r\nContent-Length: 26\r\nContent-Security-Policy: sandbox\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>\n",
		},
		{
			"S1: trailers", "GET", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: Set-Cookie\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: a=b\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		},
		{
			"S1: headers that are only for the connection", "GET", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: X-Trace-Id, close\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok",
		},
		{
			"S1: a redirect to a path of ours", "GET",
			"HTTP/1.1 302 Found\r\nLocation: /bots?limit=1\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nContent-Security-Policy: sandbox\r\n" +
				"Location: /bots?limit=1\r\n\r\n",
		},
		{
			"S1: a redirect to another host", "GET",
			"HTTP/1.1 302 Found\r\nLocation: https://evil.example/bots\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nContent-Security-Policy: sandbox\r\n\r\n",
		},
		{
			"compressed", "GET", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\nContent-Length: %d\r\n\r\n%s", packed.Len(), packed.String()), fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\nContent-Type: application/json\r\nVary: Accept-Encoding\r\n\r\n%s", packed.Len(), packed.String()),
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
			b := w.SignIn("ada@acme.example")
			conn, err := net.Dial("tcp", w.Host)
			proxytest.Must(t, err)
			defer conn.Close()
			proxytest.Must(t, conn.SetDeadline(time.Now().Add(oidctest.Patience)))
			_, err = io.WriteString(conn,
				w.Fill(tc.method+" /meetings HTTP/1.1\r\n"+proxytest.SignedIn+"Connection: close\r\n\r\n",
					b.Cookie(), ""))
			proxytest.Must(t, err)
			got, err := io.ReadAll(conn)
			proxytest.Must(t, err)
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
		case "Date", "X-Trace-Id", "X-Content-Type-Options", "Cache-Control", "Connection",
			"Cross-Origin-Resource-Policy":
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
		_, _ = io.WriteString(conn,
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		conn.Close()
	})
	if res := w.SignIn("ada@acme.example").Get("/bots"); res.Status != http.StatusBadGateway {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// V11, design section 5: a key that is gone is found out about, replaced once, and the request sent again.
func TestHealing(t *testing.T) {
	both(t, func(t *testing.T, w *proxytest.World) {
		b := w.SignIn("ada@acme.example")
		b.Get("/bots")

		lost := w.LoseKey()
		if res := b.Get("/bots"); res.Status != http.StatusOK {
			t.Errorf("GET: %d %s", res.Status, res.Body)
		}
		requests := w.Vexa.GatewayWire().Requests()
		if len(requests) != 2 || requests[0].Get("X-API-Key")[0] != lost.Secret ||
			requests[1].Get("X-API-Key")[0] != w.KeyOf("ada@acme.example") {
			t.Errorf("the gateway was asked\n%s", proxytest.Describe(requests))
		}

		w.LoseKey()
		body := `{"platform":"zoom","native_meeting_id":"1"}`
		if res := b.Send("POST", "/bots", body, "Content-Type", "application/json",
			"Origin", w.Public); res.Status != http.StatusCreated {
			t.Errorf("POST: %d %s", res.Status, res.Body)
		}
		requests = w.Vexa.GatewayWire().Requests()
		if len(requests) != 2 || string(requests[0].Body) != body || string(requests[1].Body) != body {
			t.Errorf("the gateway was asked\n%s", proxytest.Describe(requests))
		}

		w.LoseKey()
		b.Open("GET", "/mcp")
		b.Get("/bots") // 0.10 looks at no key on /mcp

		for name, large := range map[string]io.Reader{
			"one that is too large to keep":       strings.NewReader(strings.Repeat("x", 1<<20)),
			"one of which nobody knows how large": io.MultiReader(strings.NewReader(body)),
		} {
			w.LoseKey()
			req, err := http.NewRequestWithContext(t.Context(), "POST", w.Public+"/bots", large)
			proxytest.Must(t, err)
			req.Header.Set("Origin", w.Public)
			res, err := b.Do(req)
			proxytest.Must(t, err)
			said, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" ||
				!strings.Contains(string(said), "vexa_key_refused") {
				t.Errorf("%s: %d %s", name, res.StatusCode, said)
			}
			if res := b.Get("/bots"); res.Status != http.StatusOK {
				t.Errorf("after %s: %d %s", name, res.Status, res.Body)
			}
		}
		if calls := w.Vexa.Calls(); calls.TokensMinted != 6 || calls.UsersCreated != 1 {
			t.Errorf("%+v", calls)
		}
	})
}

// S6: however many requests meet the dead key, one mint runs, and all of them go through.
func TestHealingOnce(t *testing.T) {
	both(t, func(t *testing.T, w *proxytest.World) {
		b := w.SignIn("ada@acme.example")
		b.Get("/bots")
		w.LoseKey()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if res := b.Get("/bots"); res.Status != http.StatusOK {
					t.Errorf("%d %s", res.Status, res.Body)
				}
			})
		}
		all.Wait()
		if calls := w.Vexa.Calls(); calls.TokensMinted != 2 || w.Vexa.PeakMints(1) != 1 {
			t.Errorf("%+v, %d at a time", calls, w.Vexa.PeakMints(1))
		}
	})
}

// Design section 5: only a key that is gone is replaced. What else Vexa may say costs none.
func TestKeysThatAreKept(t *testing.T) {
	both(t, func(t *testing.T, w *proxytest.World) {
		b := w.SignIn("ada@acme.example")
		b.Get("/bots")
		for _, said := range []struct {
			status int
			body   string
			passed bool // to the client, as it is
		}{
			{http.StatusForbidden, `{"detail": "Insufficient scope for this endpoint"}`, true},
			{
				http.StatusServiceUnavailable,
				`{"detail": "Authentication temporarily unavailable, retry"}`, true,
			},
			{http.StatusUnauthorized, `{"detail": "Missing API key"}`, true},
			{http.StatusUnauthorized, `Invalid API key`, true},
			{http.StatusUnauthorized, `{"detail": "Invalid API key"}`, false}, // which is not true
		} {
			w.Vexa.Inject(vexatest.Fault{
				Part: vexatest.Gateway, Path: "/bots", Status: said.status, Body: said.body,
			})
			res := b.Get("/bots")
			switch {
			case said.passed && (res.Status != said.status || strings.TrimSpace(res.Body) != said.body):
				t.Errorf("%d %s came back as %d %s", said.status, said.body, res.Status, res.Body)
			case !said.passed && (res.Status != http.StatusServiceUnavailable ||
				res.Code() != "vexa_key_refused" || res.Header.Get("Retry-After") == ""):
				t.Errorf("%d %s came back as %d %s", said.status, said.body, res.Status, res.Body)
			}
			if res := b.Get("/bots"); res.Status != http.StatusOK {
				t.Errorf("afterwards: %d %s", res.Status, res.Body)
			}
		}
		if calls := w.Vexa.Calls(); calls.TokensMinted != 1 || calls.TokensDeleted != 0 {
			t.Errorf("%+v", calls)
		}
	})
}

// S10: while Vexa's Admin API is down, 0.12 says so, and 0.10 calls every key invalid that it has not
// just seen. Neither costs one.
func TestKeysAreKeptWhileTheAdminAPIIsDown(t *testing.T) {
	both(t, func(t *testing.T, w *proxytest.World) {
		b := w.SignIn("ada@acme.example")
		b.Get("/bots")
		w.Vexa.ForgetValidations()
		w.Vexa.Set(vexatest.AdminAPI, vexatest.Down)
		if res := b.Get("/bots"); res.Status != http.StatusServiceUnavailable ||
			res.Header.Get("Retry-After") == "" {
			t.Errorf("%d %v %s", res.Status, res.Header, res.Body)
		}
		w.Vexa.Heal()
		if res := b.Get("/bots"); res.Status != http.StatusOK {
			t.Errorf("afterwards: %d %s", res.Status, res.Body)
		}
		if calls := w.Vexa.Calls(); calls.TokensMinted != 1 || calls.TokensDeleted != 0 {
			t.Errorf("%+v", calls)
		}
	})
}
