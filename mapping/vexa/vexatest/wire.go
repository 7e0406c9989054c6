package vexatest

import (
	"context"
	"net"
	"strings"
	"sync"
)

// How much a Wire remembers: of one request, and of all together. The oldest requests are forgotten first.
const (
	maxRequestRecord = 1 << 20
	maxWireRecord    = 32 << 20
)

// Wire records, byte for byte, what one service received over all connections of its listeners.
type Wire struct {
	mu       sync.Mutex
	requests []*Request
	held     int // bytes in requests
	bytes    int64
	dropped  int
	accepted int
	open     map[*wireConn]bool
	refusing bool
	changed  chan struct{} // closed and replaced whenever something arrives
}

func newWire() *Wire {
	return &Wire{open: make(map[*wireConn]bool), changed: make(chan struct{})}
}

// Requests returns what was received, in the order in which the first bytes came, complete or not.
func (w *Wire) Requests() []Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]Request, len(w.requests))
	for i, r := range w.requests {
		all[i] = *r
	}
	return all
}

// Bytes returns how many bytes were received since the start or the last Forget, requests or not.
func (w *Wire) Bytes() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}

// Connections returns how many connections were accepted, and how many of them are open.
func (w *Wire) Connections() (accepted, open int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.accepted, len(w.open)
}

// Dropped returns how many requests were forgotten to bound memory.
func (w *Wire) Dropped() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

// Forget empties the record, so that a test can assert on what comes after.
func (w *Wire) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.requests {
		w.forget(r)
	}
	w.requests, w.bytes, w.dropped = nil, 0, 0
}

// WaitFor returns the first complete request that fits, waiting for it if need be. A nil fit takes any.
func (w *Wire) WaitFor(ctx context.Context, fit func(Request) bool) (Request, error) {
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		for _, r := range w.Requests() {
			if r.Complete && (fit == nil || fit(r)) {
				return r, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Request{}, ctx.Err()
		}
	}
}

// Contains says whether text is anywhere in what was received, in any letter case.
func (w *Wire) Contains(text string) bool {
	text = strings.ToLower(text)
	for _, r := range w.Requests() {
		if strings.Contains(strings.ToLower(string(r.Raw)), text) {
			return true
		}
	}
	return false
}

// listener returns l with every connection recorded.
func (w *Wire) listener(l net.Listener) net.Listener { return &wireListener{Listener: l, wire: w} }

// refuse cuts all connections and every new one at once, as when the process has died,
// until it is called with false.
func (w *Wire) refuse(yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusing = yes
	if !yes {
		return
	}
	for c := range w.open {
		c.reset()
	}
	clear(w.open)
}

func (w *Wire) add(c net.Conn) (*wireConn, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.accepted++
	conn := &wireConn{Conn: c, wire: w, parser: parser{conn: w.accepted}}
	if w.refusing {
		conn.reset()
		return nil, false
	}
	w.open[conn] = true
	return conn, true
}

// received takes the next bytes of a connection.
func (w *Wire) received(c *wireConn, p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes += int64(len(p))
	for _, r := range c.parser.feed(p) {
		w.requests = append(w.requests, r)
		c.pending = append(c.pending, r)
	}
	w.held += c.parser.kept
	for w.held > maxWireRecord && len(w.requests) > 1 {
		w.forget(w.requests[0])
		w.requests = w.requests[1:]
		w.dropped++
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// forget lets go of a request, which may still be arriving.
func (w *Wire) forget(r *Request) {
	w.held -= r.size
	r.forgotten = true
	r.Raw, r.Body, r.Tunnel = nil, nil, nil
}

type wireListener struct {
	net.Listener
	wire *Wire
}

func (l *wireListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if conn, ok := l.wire.add(c); ok {
			return conn, nil
		}
	}
}

// wireConn records what it reads.
type wireConn struct {
	net.Conn
	wire    *Wire
	parser  parser
	pending []*Request // begun, and not yet taken by a handler
}

func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.wire.received(c, p[:n])
	}
	return n, err
}

func (c *wireConn) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.open, c)
	c.wire.mu.Unlock()
	return c.Conn.Close()
}

// reset ends the connection without a word.
func (c *wireConn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Conn.Close()
}

type wireConnKey struct{}

// takeRecorded returns the record of the request that is being handled: handlers run in the order of the
// requests on a connection. It is nil when the request did not come over a recorded listener.
func takeRecorded(ctx context.Context) *Request {
	c, ok := ctx.Value(wireConnKey{}).(*wireConn)
	if !ok {
		return nil
	}
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if len(c.pending) == 0 {
		return nil
	}
	r := *c.pending[0]
	c.pending = c.pending[1:]
	return &r
}
