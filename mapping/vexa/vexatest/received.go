package vexatest

import (
	"bytes"
	"strconv"
	"strings"
)

// Request is one request exactly as it came over the wire, before any server software looked at it.
type Request struct {
	Conn   int    // the connection, counted from 1
	Method string // of the request line
	Target string // of the request line, as sent: path and query, still encoded
	Proto  string

	Header  []Field // in the order sent
	Body    []byte  // without chunk framing
	Trailer []Field

	Raw       []byte // every byte, from the request line to the end of the body and trailers
	Tunnel    []byte // what followed an upgrade: WebSocket frames
	Complete  bool   // the body has arrived in full
	Malformed bool   // not HTTP/1: the rest of the connection is in Raw
	Truncated bool   // longer than what is kept of one request

	size      int  // bytes kept
	forgotten bool // keep no more
}

// Field is one line of a header or trailer.
type Field struct {
	Name  string // as spelled on the wire
	Value string // without the blanks before it; those after it are kept, as uvicorn keeps them
	Line  string // the whole line, without its end
}

// Get returns the values of all fields of that name, in any letter case.
func (r Request) Get(name string) []string {
	var values []string
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// parser cuts the bytes of one connection into requests. It is lenient: it describes, and
// leaves refusing to the server.
type parser struct {
	conn    int
	step    func(*parser, []byte) int // consumes some bytes, and says how many
	current *Request
	line    []byte
	left    int64 // of the body or chunk
	begun   []*Request
	kept    int // bytes, by the last feed
}

// feed takes the next bytes and returns the requests whose head they completed. (A request is of interest
// once its head is there; its body is filled in as it comes.)
func (p *parser) feed(data []byte) []*Request {
	p.begun, p.kept = nil, 0
	for len(data) > 0 {
		if p.step == nil {
			p.current = &Request{Conn: p.conn}
			p.step = (*parser).requestLine
		}
		n := p.step(p, data)
		data = data[n:]
	}
	return p.begun
}

// keep appends to the record as far as the bound allows.
func (p *parser) keep(to *[]byte, data []byte) {
	if p.current.forgotten {
		return
	}
	if room := maxRequestRecord - len(*to); len(data) > room {
		p.current.Truncated = true
		data = data[:max(room, 0)]
	}
	*to = append(*to, data...)
	p.kept += len(data)
	p.current.size += len(data)
}

// nextLine collects one line; ok when it is complete, its end cut off.
func (p *parser) nextLine(data []byte) (n int, line string, ok bool) {
	end := bytes.IndexByte(data, '\n')
	if end < 0 {
		p.keep(&p.current.Raw, data)
		p.keep(&p.line, data)
		return len(data), "", false
	}
	p.keep(&p.current.Raw, data[:end+1])
	p.keep(&p.line, data[:end])
	line = strings.TrimSuffix(string(p.line), "\r")
	p.line = nil
	return end + 1, line, true
}

func (p *parser) requestLine(data []byte) int {
	n, line, ok := p.nextLine(data)
	if !ok || line == "" { // RFC 9112, section 2.2: empty lines before a request line are to be ignored
		return n
	}
	method, rest, ok1 := strings.Cut(line, " ")
	target, proto, ok2 := strings.Cut(rest, " ")
	if !ok1 || !ok2 || !strings.HasPrefix(proto, "HTTP/1.") {
		p.current.Malformed = true
		p.begin()
		p.step = (*parser).rest
		return n
	}
	p.current.Method, p.current.Target, p.current.Proto = method, target, proto
	p.step = (*parser).headerLine
	return n
}

func (p *parser) begin() { p.begun = append(p.begun, p.current) }

func (p *parser) headerLine(data []byte) int {
	n, line, ok := p.nextLine(data)
	if !ok {
		return n
	}
	if line != "" {
		p.current.Header = append(p.current.Header, parseField(line))
		return n
	}
	p.begin()
	p.body()
	return n
}

// body chooses how the body of the current request is framed.
func (p *parser) body() {
	switch {
	case strings.EqualFold(strings.Join(p.current.Get("Upgrade"), ","), "websocket"):
		p.current.Complete = true
		p.step = (*parser).tunnel
	case strings.Contains(strings.ToLower(strings.Join(p.current.Get("Transfer-Encoding"), ",")), "chunked"):
		p.step = (*parser).chunkSize
	default:
		if lengths := p.current.Get("Content-Length"); len(lengths) > 0 {
			p.left, _ = strconv.ParseInt(strings.TrimSpace(lengths[0]), 10, 64)
		}
		if p.left <= 0 {
			p.finish()
			return
		}
		p.step = (*parser).sizedBody
	}
}

func (p *parser) finish() {
	p.current.Complete = true
	p.step, p.left = nil, 0
}

func (p *parser) take(data []byte) int {
	n := int(min(p.left, int64(len(data))))
	p.keep(&p.current.Raw, data[:n])
	p.keep(&p.current.Body, data[:n])
	p.left -= int64(n)
	return n
}

func (p *parser) sizedBody(data []byte) int {
	n := p.take(data)
	if p.left == 0 {
		p.finish()
	}
	return n
}

func (p *parser) chunkSize(data []byte) int {
	n, line, ok := p.nextLine(data)
	if !ok {
		return n
	}
	size, _, _ := strings.Cut(line, ";")
	left, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
	switch {
	case err != nil || left < 0:
		p.current.Malformed = true
		p.step = (*parser).rest
	case left == 0:
		p.step = (*parser).trailerLine
	default:
		p.left = left
		p.step = (*parser).chunk
	}
	return n
}

func (p *parser) chunk(data []byte) int {
	n := p.take(data)
	if p.left == 0 {
		p.step = (*parser).chunkEnd
	}
	return n
}

func (p *parser) chunkEnd(data []byte) int {
	n, _, ok := p.nextLine(data)
	if ok {
		p.step = (*parser).chunkSize
	}
	return n
}

func (p *parser) trailerLine(data []byte) int {
	n, line, ok := p.nextLine(data)
	if !ok {
		return n
	}
	if line != "" {
		p.current.Trailer = append(p.current.Trailer, parseField(line))
		return n
	}
	p.finish()
	return n
}

func (p *parser) tunnel(data []byte) int {
	p.keep(&p.current.Tunnel, data)
	return len(data)
}

func (p *parser) rest(data []byte) int {
	p.keep(&p.current.Raw, data)
	return len(data)
}

func parseField(line string) Field {
	name, value, _ := strings.Cut(line, ":")
	return Field{Name: name, Value: strings.TrimLeft(value, " \t"), Line: line}
}
