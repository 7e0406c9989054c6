package vexatest

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds what a service reads of one request.
const maxBody = 8 << 20

// call is one request as a service sees it: headers in order with every byte of their values, the path
// decoded, and of a repeated query key the last, as Starlette and FastAPI have it.
type call struct {
	ctx     context.Context
	method  string
	path    string // decoded: %2F is a slash, which is what Starlette matches on
	query   []pair
	headers []pair // names in lower case
	body    []byte // after read
	unread  io.Reader
	host    string
	remote  string
	params  map[string]string // of the route that matched
	traceID string            // 0.12 gateway
}

type pair struct{ name, value string }

// newCall returns a request whose body has yet to be read, and may have yet to arrive.
func newCall(r *http.Request) *call {
	c := &call{
		ctx:    r.Context(),
		method: r.Method,
		path:   r.URL.Path,
		query:  parseQuery(r.URL.RawQuery),
		host:   r.Host,
		remote: r.RemoteAddr,
		unread: io.LimitReader(r.Body, maxBody),
	}
	c.headers = headersOf(r)
	return c
}

// read waits for the body. A client that goes away before all of it is there is answered nothing.
func (c *call) read() {
	if c.unread == nil {
		return
	}
	body, err := io.ReadAll(c.unread)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	c.body, c.unread = body, nil
}

// headersOf takes the headers from the wire where they were recorded: net/http has lost
// their order and trimmed them.
func headersOf(r *http.Request) []pair {
	var headers []pair
	if recorded := takeRecorded(r.Context()); recorded != nil {
		for _, f := range recorded.Header {
			headers = append(headers, pair{strings.ToLower(f.Name), f.Value})
		}
		return headers
	}
	for name, values := range r.Header {
		for _, v := range values {
			headers = append(headers, pair{strings.ToLower(name), v})
		}
	}
	sort.SliceStable(headers, func(i, j int) bool { return headers[i].name < headers[j].name })
	return append([]pair{{"host", r.Host}}, headers...)
}

// header returns the first of that name.
func (c *call) header(name string) string { value, _ := first(c.headers, name); return value }

func first(pairs []pair, name string) (string, bool) {
	for _, p := range pairs {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

// param returns the query parameter of that name, the last if repeated.
func (c *call) param(name string) (string, bool) {
	for i := len(c.query) - 1; i >= 0; i-- {
		if c.query[i].name == name {
			return c.query[i].value, true
		}
	}
	return "", false
}

// parseQuery is urllib's parse_qsl: it never fails.
func parseQuery(raw string) []pair {
	var query []pair
	for _, part := range strings.Split(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		query = append(query, pair{unquotePlus(name), unquotePlus(value)})
	}
	return query
}

func unquotePlus(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// answer is what a service says.
type answer struct {
	status      int
	contentType string
	headers     []pair
	body        []byte
	stream      func(*eventWriter) // instead of a body

	plain   bool // a crash: it passed no middleware, so it has none of its headers
	hangUp  bool // close the connection afterwards
	doubled bool // 0.10 keeps the downstream's date and server beside its own
	short   int  // how many bytes fewer are sent than announced, see gzip in echo.go
}

const jsonType = "application/json"

func jsonAnswer(status int, v any) answer {
	return answer{status: status, contentType: jsonType, body: compact(v)}
}

// detail is FastAPI's error body.
func detail(status int, text string) answer {
	return jsonAnswer(status, struct {
		Detail string `json:"detail"`
	}{text})
}

// spacedDetail is the same, written by a middleware with json.dumps: it puts a blank after the colon.
func spacedDetail(status int, text string) answer {
	a := detail(status, text)
	a.body = spaced(a.body)
	return a
}

func (a answer) with(name, value string) answer {
	a.headers = append(a.headers, pair{name, value})
	return a
}

// crash is an exception that nobody caught.
func crash() answer {
	return answer{
		status: http.StatusInternalServerError, contentType: "text/plain; charset=utf-8",
		body: []byte("Internal Server Error"), plain: true,
	}
}

var notFound = detail(http.StatusNotFound, "Not Found")

func methodNotAllowed(allow string) answer {
	return detail(http.StatusMethodNotAllowed, "Method Not Allowed").with("Allow", allow)
}

// send writes the answer.
func (a answer) send(w http.ResponseWriter, now time.Time) {
	// Without it, net/http would wait for the rest of the body before it answers.
	_ = http.NewResponseController(w).EnableFullDuplex()
	h := w.Header()
	h.Set("Date", now.Format(http.TimeFormat))
	h.Set("Server", "uvicorn")
	if a.doubled {
		h.Add("Date", now.Format(http.TimeFormat))
		h.Add("Server", "uvicorn")
	}
	for _, p := range a.headers {
		h.Add(p.name, p.value)
	}
	if a.contentType != "" {
		h.Set("Content-Type", a.contentType)
	} else {
		h["Content-Type"] = nil // net/http would guess one
	}
	if a.hangUp {
		h.Set("Connection", "close")
	}
	if a.stream != nil {
		w.WriteHeader(a.status)
		ew := &eventWriter{w: w, flush: http.NewResponseController(w).Flush}
		_ = ew.flush()
		a.stream(ew)
		return
	}
	if a.status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(a.body)+a.short))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
	if a.short > 0 {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

var discardLog = log.New(io.Discard, "", 0)

// absolute makes a URL of ours as Starlette does for redirects: from the Host header, and with the scheme
// that a proxy on this machine (the only one uvicorn trusts) says it had.
func (c *call) absolute(path string) string {
	scheme := "http"
	if strings.HasPrefix(c.remote, "127.0.0.1:") &&
		strings.EqualFold(c.header("x-forwarded-proto"), "https") {
		scheme = "https"
	}
	u := url.URL{Scheme: scheme, Host: c.host, Path: path, RawQuery: encodeQuery(c.query)}
	return u.String()
}

// encodeQuery is urlencode of a dict: of a repeated key the last value, in the first's place.
func encodeQuery(query []pair) string {
	var parts []string
	done := make(map[string]bool)
	for _, p := range query {
		if done[p.name] {
			continue
		}
		done[p.name] = true
		value := p.value
		for _, q := range query {
			if q.name == p.name {
				value = q.value
			}
		}
		parts = append(parts, url.QueryEscape(p.name)+"="+url.QueryEscape(value))
	}
	return strings.Join(parts, "&")
}
