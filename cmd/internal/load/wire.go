package main

import (
	"bytes"
	"encoding/binary"
	"maps"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"
)

// wire is a way to PostgreSQL that counts what goes over it (PostgreSQL documentation, "Message Formats"),
// and takes its time.
type wire struct {
	URL string // leads over it

	server   string
	listener net.Listener

	mu    sync.Mutex
	delay time.Duration // of all that goes to the server
	open  map[net.Conn]bool
	count traffic
	hear  func(notice string) // optional: NOTICEs of the server
}

// traffic is what went over a wire. A round trip is a request to a server that owes no answer: what is sent
// before the answer came shares one.
type traffic struct {
	RoundTrips, Statements, Transactions, Connections int
	Errors                                            map[string]int // by SQLSTATE
}

func newWire(address string) (*wire, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	w := &wire{server: u.Host, open: map[net.Conn]bool{}, count: traffic{Errors: map[string]int{}}}
	if w.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	u.Host = w.listener.Addr().String()
	w.URL = u.String()
	go w.serve()
	return w, nil
}

func (w *wire) close() {
	w.listener.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		c.Close()
	}
}

func (w *wire) setDelay(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay = d
}

// counted is what went over the wire so far.
func (w *wire) counted() traffic {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.count
	c.Errors = maps.Clone(c.Errors)
	return c
}

// during is what went over the wire while f ran.
func (w *wire) during(f func()) traffic {
	before := w.counted()
	f()
	return w.counted().since(before)
}

func (t traffic) since(before traffic) traffic {
	errs := maps.Clone(t.Errors)
	for state, n := range before.Errors {
		errs[state] -= n
	}
	return traffic{
		t.RoundTrips - before.RoundTrips, t.Statements - before.Statements,
		t.Transactions - before.Transactions, t.Connections - before.Connections, errs,
	}
}

func (t traffic) and(other traffic) traffic {
	errs := maps.Clone(t.Errors)
	for state, n := range other.Errors {
		errs[state] += n
	}
	return traffic{
		t.RoundTrips + other.RoundTrips, t.Statements + other.Statements,
		t.Transactions + other.Transactions, t.Connections + other.Connections, errs,
	}
}

func (w *wire) serve() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.server)
		if err != nil {
			client.Close()
			continue
		}
		w.mu.Lock()
		w.open[client], w.open[server] = true, true
		w.count.Connections++
		w.mu.Unlock()
		c := &conversation{wire: w}
		go w.carry(server, client, &messages{untyped: true, each: c.asked})
		go w.carry(client, server, &messages{each: c.answered})
	}
}

// parcel is what is under way, until it is due.
type parcel struct {
	due  time.Time
	data []byte
}

// carry copies, and reads along. The line holds what is under way without holding up what comes after.
func (w *wire) carry(to, from net.Conn, read *messages) {
	line := make(chan parcel, 4096)
	go func() {
		defer to.Close()
		defer from.Close()
		for p := range line {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.data); err != nil {
				break
			}
		}
		w.mu.Lock()
		delete(w.open, from)
		w.mu.Unlock()
	}()
	defer close(line)
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			data := bytes.Clone(buffer[:n])
			read.write(data)
			w.mu.Lock()
			p := parcel{data: data}
			if read.untyped && w.delay > 0 {
				p.due = time.Now().Add(w.delay)
			}
			w.mu.Unlock()
			select {
			case line <- p:
			case <-time.After(time.Minute): // nobody takes it any more
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// conversation is one connection.
type conversation struct {
	wire *wire
	owed int // answers
	tail bool
}

// asked reads a message of the client. Connections that follow the log of revocations are not counted: they
// look by the clock, whoever does what.
func (c *conversation) asked(kind byte, body []byte) {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	text := ""
	switch kind {
	case 'Q': // Query
		text = string(body[:max(0, len(body)-1)])
	case 'P': // Parse: a name, then the statement
		_, rest, _ := bytes.Cut(body, []byte{0})
		statement, _, _ := bytes.Cut(rest, []byte{0})
		text = string(statement)
	}
	upper := strings.ToUpper(strings.TrimSpace(text))
	if strings.HasPrefix(upper, "LISTEN") {
		c.tail = true
	}
	if c.tail {
		return
	}
	if text != "" {
		w.count.Statements++
	}
	if strings.HasPrefix(upper, "BEGIN") {
		w.count.Transactions++
	}
	if kind == 'Q' || kind == 'S' { // Query, Sync: the server answers
		if c.owed == 0 {
			w.count.RoundTrips++
		}
		c.owed++
	}
}

func (c *conversation) answered(kind byte, body []byte) {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	switch kind {
	case 'Z': // ReadyForQuery
		c.owed = max(0, c.owed-1)
	case 'E': // ErrorResponse
		w.count.Errors[field(body, 'C')]++
	case 'N': // NoticeResponse
		if w.hear != nil && !c.tail {
			w.hear(field(body, 'M'))
		}
	}
}

// field is one of an error or a notice.
func field(body []byte, name byte) string {
	for len(body) > 1 {
		value, rest, _ := bytes.Cut(body[1:], []byte{0})
		if body[0] == name {
			return string(value)
		}
		body = rest
	}
	return ""
}

// messages cuts a stream into messages. The first of a client has no type.
type messages struct {
	untyped bool // of a client
	begun   bool
	rest    []byte
	each    func(kind byte, body []byte)
}

func (m *messages) write(data []byte) {
	m.rest = append(m.rest, data...)
	for {
		head := 1
		if m.untyped && !m.begun {
			head = 0
		}
		if len(m.rest) < head+4 {
			return
		}
		length := int(binary.BigEndian.Uint32(m.rest[head:]))
		if length < 4 || len(m.rest) < head+length {
			return
		}
		if head == 1 {
			m.each(m.rest[0], m.rest[5:head+length])
		}
		m.begun = true
		m.rest = m.rest[head+length:]
	}
}
