package vexatest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// echo makes services behind the gateway answer with what reached them.
type echo struct {
	mu sync.Mutex
	at map[Part]bool
}

// SetEcho makes MeetingAPI, AgentAPI or MCP answer every request with a JSON account of what reached it:
// method, path, query, headers in order, body. REST calls to it obey the query parameters __status,
// __redirect, __gzip and __sleep (seconds); streams n and interval.
func (s *Server) SetEcho(p Part, on bool) {
	s.echo.mu.Lock()
	defer s.echo.mu.Unlock()
	if s.echo.at == nil {
		s.echo.at = make(map[Part]bool)
	}
	s.echo.at[p] = on
}

func (e *echo) on(p Part) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.at[p]
}

// echoHost is the service behind the gateway, as the gateway knows it.
const echoHost = "127.0.0.1:18059"

// echoed is the account.
type echoed struct {
	Stub    string      `json:"stub"`
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	RawPath string      `json:"raw_path"`
	Query   string      `json:"query"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

// downstream is the request that the gateway makes of a request.
func (s *Server) downstream(c *call, who validated, path string) echoed {
	target, _, _ := strings.Cut(path, "#") // it is pasted into a URL, so its ? and # come to life
	target, query, _ := strings.Cut(target, "?")
	if own := encodeQuery(c.query); own != "" {
		query = own
	}
	e := echoed{
		Stub: "echo", Method: c.method, Path: target, RawPath: (&url.URL{Path: target}).EscapedPath(),
		Query: query, Body: string(c.body),
	}
	e.Headers = s.withOwn(s.merged(c, who), c)
	return e
}

// merged are the headers that the gateway passes on: those of its HTTP client that the caller's do not
// replace, all of the caller's, and who the caller is.
func (s *Server) merged(c *call, who validated) [][2]string {
	theirs := s.passedOn(c)
	headers := [][2]string{{"host", echoHost}}
	for _, own := range [][2]string{
		{"accept", "*/*"},
		{"accept-encoding", "gzip, deflate"},
		{"connection", "keep-alive"},
		{"user-agent", "python-httpx/0.28.1"},
	} {
		if !slices.ContainsFunc(theirs, func(h [2]string) bool { return h[0] == own[0] }) {
			headers = append(headers, own)
		}
	}
	headers = append(headers, theirs...)
	return append(headers, s.identity(c, who)...)
}

// passedOn are the caller's headers, of a repeated one the last in the first's place, without those that
// speak of identity (0.10 forgets some of these).
func (s *Server) passedOn(c *call) [][2]string {
	drop := []string{
		"host", "content-length", "transfer-encoding", "x-user-id", "x-user-scopes", "x-user-limits",
	}
	var out [][2]string
	for _, h := range c.headers {
		if slices.Contains(drop, h.name) || !s.legacy() && strings.HasPrefix(h.name, "x-user-") {
			continue
		}
		if i := slices.IndexFunc(out, func(o [2]string) bool { return o[0] == h.name }); i >= 0 {
			out[i][1] = h.value
			continue
		}
		out = append(out, [2]string{h.name, h.value})
	}
	return out
}

// identity are the headers by which services behind the gateway know the caller.
func (s *Server) identity(c *call, who validated) [][2]string {
	var headers [][2]string
	add := func(name, value string) {
		if value != "" {
			headers = append(headers, [2]string{name, value})
		}
	}
	if _, ok := first(c.headers, "x-api-key"); !ok && !s.legacy() {
		add("x-api-key", keyOfAuthorization(c.header("authorization")))
	}
	if who.UserID == 0 {
		return headers
	}
	add("x-user-id", strconv.FormatInt(who.UserID, 10))
	if !s.legacy() {
		add("x-user-email", who.Email)
	}
	add("x-user-scopes", strings.Join(who.Scopes, ","))
	add("x-user-limits", strconv.FormatInt(who.Max, 10))
	if !s.legacy() {
		add("x-user-webhook-url", who.WebhookURL)
		add("x-user-webhook-secret", who.WebhookSecret)
		add("x-user-webhook-events", string(spaced(who.WebhookEvents)))
		if _, ok := first(c.headers, "x-trace-id"); !ok {
			add("x-trace-id", c.traceID)
		}
	}
	return headers
}

// withOwn adds what the gateway's HTTP client adds last: the cookies of its jar, and the length.
func (s *Server) withOwn(headers [][2]string, c *call) [][2]string {
	s.gateway.mu.Lock()
	cookie := s.gateway.cookie
	s.gateway.mu.Unlock()
	if _, ok := first(c.headers, "cookie"); !ok && cookie != "" && !isChat010(c.path) {
		headers = append(headers, [2]string{"cookie", cookie})
	}
	if len(c.body) > 0 {
		headers = append(headers, [2]string{"content-length", strconv.Itoa(len(c.body))})
	}
	return headers
}

// isChat010 says whether 0.10 makes the request with an HTTP client of its own, whose jar is empty.
func isChat010(path string) bool { return path == "/api/chat" }

// echoAnswer is what the service says to the request that reached it.
func (s *Server) echoAnswer(c *call, at Part, e echoed) answer {
	switch {
	case isEventPath(e.Path) || at == MCP && c.method == http.MethodGet && e.Path == "/mcp":
		return s.echoStream(c, at, e)
	case at == MCP && e.Path == "/mcp" && c.method == http.MethodPost:
		return jsonAnswer(http.StatusOK, rpcEcho(e)).with("Mcp-Session-Id", "stub-session-1")
	case strings.HasSuffix(e.Path, "/raw"):
		return ranged(c, "audio/wav", sampleMedia()).with("X-Stub-Extra", "dropped-by-012-gateway?")
	}
	return s.echoREST(c, e)
}

func isEventPath(path string) bool { return path == "/api/chat" || path == "/api/meeting/stream" }

func rpcEcho(e echoed) any {
	type result struct {
		Echo echoed `json:"echo"`
	}
	return struct {
		JSONRPC string `json:"jsonrpc"`
		ID      int    `json:"id"`
		Result  result `json:"result"`
	}{"2.0", 1, result{e}}
}

// echoREST answers, and sets a cookie, which the gateway's jar keeps for whoever comes next.
func (s *Server) echoREST(c *call, e echoed) answer {
	a := jsonAnswer(http.StatusOK, e)
	if text, ok := c.param("__sleep"); ok {
		seconds, _ := strconv.ParseFloat(text, 64)
		s.sleep(c, time.Duration(seconds*float64(time.Second)))
	}
	if text, ok := c.param("__status"); ok {
		a.status, _ = strconv.Atoi(text)
	}
	if _, ok := c.param("__redirect"); ok {
		return answer{status: http.StatusTemporaryRedirect}.with("Location", "http://"+echoHost+"/elsewhere")
	}
	if _, ok := c.param("__gzip"); ok {
		return s.echoGzip(e)
	}
	s.gateway.mu.Lock()
	s.gateway.cookie = "stub=1"
	s.gateway.mu.Unlock()
	return a.with("X-Stub-Extra", "present").with("Set-Cookie", "stub=1; Path=/")
}

// echoGzip answers compressed. Both gateways unpack it; 0.10 then passes on a Content-Encoding that is no
// longer true, and cuts the body before the end that it announces.
func (s *Server) echoGzip(e echoed) answer {
	plain := spaced(compact(e))
	a := answer{status: http.StatusOK, contentType: jsonType, body: plain}
	if !s.legacy() {
		return a
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(plain)
	_ = w.Close()
	a.body, a.short = nil, packed.Len()
	return a.with("Content-Encoding", "gzip").with("Etag", `"abc"`).with("Cache-Control", "max-age=5")
}

func (s *Server) sleep(c *call, d time.Duration) {
	select {
	case <-s.config.After(d):
	case <-c.ctx.Done():
	case <-s.closing.Done():
	}
}

// echoStream tells what was seen, then ticks n times.
func (s *Server) echoStream(c *call, at Part, e echoed) answer {
	n, interval := 3, 0.2
	if text, ok := c.param("n"); ok {
		n, _ = strconv.Atoi(text)
	}
	if text, ok := c.param("interval"); ok {
		interval, _ = strconv.ParseFloat(text, 64)
	}
	a := s.eventStream(at)
	if at == MCP {
		a = a.with("Mcp-Session-Id", "stub-session-1")
	}
	a.stream = func(w *eventWriter) {
		w.event("seen", string(spaced(compact(e))))
		for i := 1; i <= n && c.ctx.Err() == nil; i++ {
			s.sleep(c, time.Duration(interval*float64(time.Second)))
			w.event("tick", fmt.Sprintf(`{"i": %d}`, i))
		}
		w.event("done", "{}")
	}
	return a
}
