package vexatest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"vexa-sso/oidc/oidctest"
)

// TestRecordedExchanges walks what the real services were seen to answer, in order, against a fresh Server
// of the generation, and compares status, headers and body. What it leaves out is in leftOut and
// withoutBody, with the reasons.
func TestRecordedExchanges(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{Generation012, Generation010} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			newWalk(t, generation).all()
		})
	}
}

// walk is a Server, and what is known about it that differs from the recording.
type walk struct {
	t       *testing.T
	s       *Server
	clock   *oidctest.Clock
	keys    map[string]string // placeholder to secret
	used    map[exception]bool
	section string
	walked  int
	cells   int
	left    int
}

func newWalk(t *testing.T, generation string) *walk {
	w := &walk{
		t: t, keys: make(map[string]string), used: make(map[exception]bool),
		clock: oidctest.NewClock(time.Date(2026, 11, 23, 0, 33, 16, 123456000, time.UTC)),
	}
	w.s = w.start(generation, false)
	return w
}

// start runs a Server whose waits are over at once, and on which no host name resolves, as
// where the recording was made.
func (w *walk) start(generation string, production bool) *Server {
	over := make(chan time.Time)
	close(over)
	s := Start(w.t, Generation(generation), Clock(w.clock.Now), func(c *Config) {
		c.Production = production
		c.After = func(time.Duration) <-chan time.Time { return over }
		c.Resolve = func(string) bool { return false }
	})
	s.SetRateLimit(RateLimit{}) // most of it was recorded without limits
	return s
}

func (w *walk) all() {
	exchanges, rows := readTranscript(w.t, *w.s.generation.Load())
	for _, e := range exchanges {
		if e.section != w.section {
			w.enter(e.section, rows)
		}
		if reason, left := w.excepted(leftOut, e); left {
			w.left++
			w.t.Logf("left out, as %s: %.60s… / %s", reason, e.section, e.name)
			continue
		}
		if before := w.before(e.section, e.name); before != nil {
			before()
		}
		w.t.Run(e.String(), func(t *testing.T) { w.one(t, e) })
		w.walked++
	}
	for _, x := range slices.Concat(leftOut, withoutBody) {
		if x.generation == *w.s.generation.Load() && !w.used[x] {
			w.t.Errorf("nothing that was recorded begins with %q", x.exchange)
		}
	}
	if w.walked+w.left != len(exchanges) {
		w.t.Errorf("%d exchanges walked and %d left out are not the %d recorded",
			w.walked, w.left, len(exchanges))
	}
	w.t.Logf("walked %d exchanges and %d cells of tables, left out %d exchanges", w.walked, w.cells, w.left)
}

// enter brings the Server into the state that a section was recorded in, and walks the section's table.
func (w *walk) enter(section string, rows []scopeRow) {
	w.section = section
	if setup := w.before(section, ""); setup != nil {
		setup()
	}
	for _, row := range rows {
		if row.section == section {
			w.row(row)
		}
	}
}

func (w *walk) one(t *testing.T, e exchange) {
	switch e.words[0] {
	case "curl":
		w.curl(t, e)
	case "ws":
		w.ws(t, e)
	case "burst":
		w.burst(t, e)
	default:
		t.Fatalf("what is %q?", e.words[0])
	}
}

// at prepares for a port of the recording: what stood behind the gateway there, and where ours is.
func (w *walk) at(port string) string {
	w.s.SetEcho(AgentAPI, true)
	w.s.SetEcho(MCP, true)
	w.s.SetEcho(MeetingAPI, port != "18056")
	if port == "18057" || port == "28057" {
		return strings.TrimPrefix(w.s.AdminURL, "http://")
	}
	return strings.TrimPrefix(w.s.GatewayURL, "http://")
}

var placeholder = regexp.MustCompile(`\{(?:key\d+|live|revoked)(?::\w+)?\}|\{KEY\d+\}`)

// fill puts secrets in the place of placeholders.
func (w *walk) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		if secret, ok := w.keys[p]; ok {
			return secret
		}
		for name, secret := range w.keys {
			if strings.HasPrefix(name, strings.ToLower(strings.TrimSuffix(p, "}"))+":") {
				return strings.ToUpper(secret)
			}
		}
		return p
	})
}

// write makes the bytes that curl sends.
func (w *walk) write(c curl, address string) []byte {
	if c.hostName == "" {
		c.hostName = address
	}
	proto := "HTTP/1.1"
	if c.http10 {
		proto = "HTTP/1.0"
	}
	body := w.fill(c.body)
	lines := []string{c.method + " " + w.fill(c.target) + " " + proto, "Host: " + c.hostName}
	if c.basic != "" {
		lines = append(lines,
			"Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(w.fill(c.basic))))
	}
	lines = append(lines, "User-Agent: curl/7.88.1")
	if !c.has("Accept") {
		lines = append(lines, "Accept: */*")
	}
	for _, h := range c.headers {
		h = w.fill(h)
		switch {
		case strings.HasPrefix(h, "Cookie: a=ccc..."):
			h = "Cookie: a=" + strings.Repeat("c", 64<<10)
		case strings.HasSuffix(h, ": ccc..."):
			h = strings.TrimSuffix(h, "ccc...") + strings.Repeat("c", 100<<10)
		}
		lines = append(lines, h)
	}
	if c.hasBody && !c.chunked {
		lines = append(lines, "Content-Length: "+strconv.Itoa(len(body)))
	}
	if c.hasBody && !c.has("Content-Type") {
		lines = append(lines, "Content-Type: application/x-www-form-urlencoded")
	}
	if c.chunked {
		body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	}
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n" + body)
}

// got is an answer of ours.
type got struct {
	status  int
	headers []pair // names in lower case, sorted
	body    string
	cut     bool // the body ended too early
}

// send makes the request on a connection of its own.
func (w *walk) send(c curl) (got, error) {
	address := w.at(c.port)
	dialer := net.Dialer{Timeout: oidctest.Patience}
	if c.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(c.from)}
	}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		return got{}, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(oidctest.Patience))
	if _, err := conn.Write(w.write(c, address)); err != nil {
		return got{}, err
	}
	reader := bufio.NewReader(conn)
	for {
		g, err := readAnswer(reader, c.method)
		if err != nil || g.status != http.StatusContinue {
			return g, err
		}
	}
}

func readAnswer(reader *bufio.Reader, method string) (got, error) {
	r, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err != nil {
		return got{}, err
	}
	body, err := io.ReadAll(r.Body)
	g := got{status: r.StatusCode, body: string(body), cut: errors.Is(err, io.ErrUnexpectedEOF)}
	for name, values := range r.Header {
		for _, v := range values {
			g.headers = append(g.headers, pair{strings.ToLower(name), v})
		}
	}
	if r.Close && r.ProtoMinor == 1 {
		g.headers = append(g.headers, pair{"connection", "close"})
	}
	for _, coding := range r.TransferEncoding {
		g.headers = append(g.headers, pair{"transfer-encoding", coding})
	}
	sortPairs(g.headers)
	return g, nil
}

func sortPairs(pairs []pair) {
	slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.name, b.name) })
}

// want is a recorded answer.
type want struct {
	got
	truncated bool // the recording ends in the middle of the body
}

func parseReply(reply string) (want, error) {
	var r want
	for {
		if line, rest, _ := strings.Cut(reply, "\n"); strings.HasPrefix(line, "curl rc=18") {
			r.cut, reply = true, rest
		}
		head, body, _ := strings.Cut(reply+"\n", "\n\n")
		body = strings.TrimSuffix(body, "\n")
		lines := strings.Split(head, "\n")
		fields := strings.SplitN(lines[0], " ", 3)
		if len(fields) < 2 || !strings.HasPrefix(fields[0], "HTTP/") {
			return r, fmt.Errorf("no status line: %q", lines[0])
		}
		r.status, _ = strconv.Atoi(fields[1])
		if r.status == http.StatusContinue {
			reply = body
			continue
		}
		for _, line := range lines[1:] {
			if strings.HasPrefix(line, "HTTP/") { // curl -i -I prints the head twice
				break
			}
			name, value, ok := strings.Cut(line, ": ")
			if !ok {
				return r, fmt.Errorf("no header: %q", line)
			}
			r.headers = append(r.headers, pair{name, value})
		}
		if i := strings.LastIndex(body, "\n... ("); i >= 0 {
			body, r.truncated = body[:i], true
		}
		r.body = body
		sortPairs(r.headers)
		return r, nil
	}
}

func (w *walk) curl(t *testing.T, e exchange) {
	c, err := parseCurl(e.words)
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseReply(e.reply)
	if err != nil {
		t.Fatal(err)
	}
	g, err := w.send(c)
	if err != nil {
		t.Fatal(err)
	}
	if g.status != r.status {
		t.Errorf("status %d, recorded %d", g.status, r.status)
	}
	_, bodyNot := w.excepted(withoutBody, e)
	w.compareHeaders(t, g.headers, r.headers, bodyNot)
	w.bind(g.body, r.body)
	if !bodyNot && !c.head {
		w.compareBody(t, g.body, r)
	}
	if g.cut != r.cut {
		t.Errorf("the body was cut short: %v, recorded %v", g.cut, r.cut)
	}
}

func (w *walk) compareHeaders(t *testing.T, ours, recorded []pair, lengthDiffers bool) {
	t.Helper()
	a, b := w.comparable(ours, lengthDiffers), w.comparable(recorded, lengthDiffers)
	if !slices.Equal(a, b) {
		t.Errorf("headers\n ours     %q\n recorded %q", a, b)
	}
}

// comparable are headers as lines, without what differs from run to run.
func (w *walk) comparable(headers []pair, lengthDiffers bool) []string {
	var lines []string
	for _, h := range headers {
		value := h.value
		switch {
		case h.name == "date" || h.name == "x-trace-id" && !strings.Contains(value, "-"):
			value = "*"
		case h.name == "content-length" && lengthDiffers:
			value = "*"
		case h.name == "location":
			value = w.ports(value)
		}
		lines = append(lines, h.name+": "+value)
	}
	return lines
}

// ports puts our addresses in the place of the recorded.
func (w *walk) ports(text string) string {
	return regexp.MustCompile(`127\.0\.0\.1:([12]80[56][67])`).
		ReplaceAllStringFunc(text, func(address string) string {
			if strings.HasSuffix(address, "57") {
				return strings.TrimPrefix(w.s.AdminURL, "http://")
			}
			return strings.TrimPrefix(w.s.GatewayURL, "http://")
		})
}

var secretInBody = regexp.MustCompile(`"token":"(vxa_\w+|\{key\d+:\w+\})"`)

// bind learns the secrets of a mint from our answer.
func (w *walk) bind(ours, recorded string) {
	a, b := secretInBody.FindStringSubmatch(ours), secretInBody.FindStringSubmatch(recorded)
	if a != nil && b != nil && w.keys[b[1]] == "" {
		w.keys[b[1]] = a[1]
	}
}

func (w *walk) compareBody(t *testing.T, ours string, r want) {
	t.Helper()
	a := normal(strings.ReplaceAll(ours, "\x00", "")) // NUL was lost in writing
	b := normal(w.fill(r.body))
	if strings.HasPrefix(b, "event: ") {
		a, b = strings.TrimRight(a, "\n"), strings.TrimRight(b, "\n")
	}
	if r.truncated {
		// The end may be in the middle of something that normal cannot recognise.
		n := strings.LastIndexByte(b, ',')
		if len(a) < n {
			t.Errorf("body ends before the recorded:\n ours     %s\n recorded %s", a, b)
			return
		}
		a, b = a[:n], b[:n]
	}
	if a != b {
		t.Errorf("body\n ours     %s\n recorded %s", a, b)
	}
}

// What differs from run to run, and what is put in its place.
var changing = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}`), "<time>"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<uuid>"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "<hash>"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "<id>"},
	{regexp.MustCompile(`mtg-(\d+)-[0-9a-f]{8}`), "mtg-$1-<hex>"},
}

func normal(text string) string {
	for _, c := range changing {
		text = c.re.ReplaceAllString(text, c.to)
	}
	return text
}

// row walks one row of a table of scopes.
func (w *walk) row(row scopeRow) {
	port := "18066"
	if w.s.legacy() {
		port = "28056"
	}
	for column, status := range row.status {
		c := curl{
			method: row.method, port: port, target: row.path, body: "{}", hasBody: true,
			headers: []string{"Content-Type: application/json"},
		}
		if column != "no key" {
			c.headers = append(c.headers, "X-API-Key: "+w.keys[column])
		}
		g, err := w.send(c)
		if err != nil || g.status != status {
			w.t.Errorf("%s %s with %s: %d %v, recorded %d",
				row.method, row.path, column, g.status, err, status)
		}
		w.cells++
	}
}

// burst makes many requests, spread over the time that they took.
func (w *walk) burst(t *testing.T, e exchange) {
	n, _ := strconv.Atoi(e.words[1])
	c, err := parseCurl([]string{"curl", e.words[3], "-H", strings.Join(e.words[4:], " ")})
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`connections, ([0-9.]+)s: \{(.*)\}`).FindStringSubmatch(e.reply)
	took, _ := strconv.ParseFloat(m[1], 64)
	counts := make(map[int]int)
	refusals := make(map[int]got)
	for range n {
		g, err := w.send(c)
		if err != nil {
			t.Fatal(err)
		}
		counts[g.status]++
		refusals[g.status] = g
		w.clock.Advance(time.Duration(took * float64(time.Second) / float64(n)))
	}
	for _, one := range strings.Split(m[2], ", ") {
		var status, count int
		_, _ = fmt.Sscanf(one, "%d: %d", &status, &count)
		if counts[status] != count {
			t.Errorf("%d answers were %d, recorded %d (all: %v)", counts[status], status, count, counts)
		}
	}
	if m := regexp.MustCompile(`(?m)^  '(.*)'$`).FindStringSubmatch(e.reply); m != nil &&
		refusals[429].body != m[1] {
		t.Errorf("refusal %q, recorded %q", refusals[429].body, m[1])
	}
}

// ws walks a WebSocket: each frame that was sent, and what came back before the next.
func (w *walk) ws(t *testing.T, e exchange) {
	ctx := oidctest.Within(t)
	target := w.fill(e.words[1])
	port, path := target[len("ws://127.0.0.1:"):][:5], target[len("ws://127.0.0.1:"):][5:]
	options := &websocket.DialOptions{
		HTTPHeader: make(http.Header), CompressionMode: websocket.CompressionNoContextTakeover,
	}
	for i := 2; i < len(e.words); i += 2 {
		switch value := w.fill(e.words[i+1]); e.words[i] {
		case "--h":
			name, v, _ := strings.Cut(value, ": ")
			options.HTTPHeader.Set(name, v)
		case "--sub":
			options.Subprotocols = []string{value}
		}
	}
	conn, r, err := websocket.Dial(ctx, "ws://"+w.at(port)+path, options)
	lines := strings.Split(e.reply, "\n")
	if strings.HasPrefix(lines[0], "HTTP 403") {
		if err == nil || r.StatusCode != http.StatusForbidden || len(r.Header) != 3 {
			t.Errorf("%v %v, recorded %s", err, r.Header, lines[0])
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	w.compareUpgrade(t, r, lines[0])
	for _, line := range lines[1:] {
		w.frame(ctx, t, conn, e, line)
	}
}

func (w *walk) compareUpgrade(t *testing.T, r *http.Response, recorded string) {
	t.Helper()
	for _, name := range []string{"Upgrade", "Connection", "Sec-Websocket-Accept", "Date", "Server"} {
		if r.Header.Get(name) == "" {
			t.Errorf("no %s in the upgrade", name)
		}
	}
	if r.Header.Get("Sec-Websocket-Protocol") != "" || !strings.HasSuffix(recorded, "subprotocol: None") {
		t.Errorf("subprotocol %q", r.Header.Get("Sec-Websocket-Protocol"))
	}
	if !strings.HasPrefix(r.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate") {
		t.Errorf("extensions %q", r.Header.Get("Sec-Websocket-Extensions"))
	}
}

// frame walks one line of a recorded socket.
func (w *walk) frame(ctx context.Context, t *testing.T, conn *websocket.Conn, e exchange, line string) {
	t.Helper()
	switch {
	case strings.HasPrefix(line, "-> "):
		if err := conn.Write(ctx, websocket.MessageText, []byte(line[3:])); err != nil {
			t.Fatal(err)
		}
	case strings.HasPrefix(line, "<- "):
		if strings.Contains(line, `"demo"`) && w.s.Publish("google_meet", "abc-defg-hij", line[3:]) != 1 {
			t.Errorf("nobody is subscribed")
		}
		_, text, err := conn.Read(ctx)
		if err != nil || !bytes.Equal(text, []byte(line[3:])) {
			t.Fatalf("frame %s %v, recorded %s", text, err, line[3:])
		}
	case strings.HasPrefix(line, "closed "):
		_, _, err := conn.Read(ctx)
		if closed := fmt.Sprintf("closed code=%d reason=''", websocket.CloseStatus(err)); closed != line {
			t.Errorf("%s (%v), recorded %s", closed, err, line)
		}
	case strings.HasPrefix(line, "(still open"):
		if meanwhile := w.before(e.section, e.name+": meanwhile"); meanwhile != nil {
			meanwhile()
		}
		w.frame(ctx, t, conn, e, `-> {"action":"ping"}`)
		w.frame(ctx, t, conn, e, `<- {"type": "pong"}`)
	default:
		t.Fatalf("what is %q?", line)
	}
}
