package vexatest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// eventWriter writes server-sent events, each at once.
type eventWriter struct {
	w     io.Writer
	flush func() error
	err   error // the client has gone
}

func (e *eventWriter) event(name, data string) {
	if e.err != nil {
		return
	}
	if name != "" {
		_, e.err = fmt.Fprintf(e.w, "event: %s\n", name)
	}
	if e.err == nil {
		_, e.err = fmt.Fprintf(e.w, "data: %s\n\n", strings.ReplaceAll(data, "\n", "\ndata: "))
	}
	if e.err == nil {
		e.err = e.flush()
	}
}

// eventStream is the head of a stream, as each generation and service writes it.
func (s *Server) eventStream(at Part) answer {
	a := answer{status: http.StatusOK, contentType: "text/event-stream"}
	if s.legacy() || at == MCP {
		a.contentType += "; charset=utf-8"
	}
	if s.legacy() {
		return a
	}
	return a.with("Cache-Control", "no-cache").with("X-Accel-Buffering", "no")
}

// streams knows what is open: event streams and WebSockets.
type streams struct {
	mu      sync.Mutex
	open    map[*stream]bool
	changed chan struct{}
}

// stream is one of them. What is sent to it waits in a queue; one whose client does not read
// is ended when that is full.
type stream struct {
	path   string
	userID int64
	queue  chan message
	end    context.CancelFunc
	wants  func(topic string) bool // WebSockets: subscribed to it
}

type message struct{ event, data string }

func newStreams() *streams {
	return &streams{open: make(map[*stream]bool), changed: make(chan struct{})}
}

func (s *streams) add(one *stream) {
	one.queue = make(chan message, 256)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[one] = true
	s.tell()
}

func (s *streams) remove(one *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, one)
	s.tell()
}

func (s *streams) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *streams) send(fit func(*stream) bool, m message) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := 0
	for one := range s.open {
		if !fit(one) {
			continue
		}
		select {
		case one.queue <- m:
			sent++
		default:
			one.end()
		}
	}
	return sent
}

// OpenStreams returns how many event streams and WebSockets are open on a path of the
// gateway; on all if it is empty.
func (s *Server) OpenStreams(path string) int {
	s.streams.mu.Lock()
	defer s.streams.mu.Unlock()
	return s.streams.count(path)
}

func (s *streams) count(path string) int {
	n := 0
	for one := range s.open {
		if path == "" || one.path == path {
			n++
		}
	}
	return n
}

// WaitStreams returns when exactly n streams are open on a path (on all, if it is empty).
func (s *Server) WaitStreams(ctx context.Context, path string, n int) error {
	for {
		s.streams.mu.Lock()
		is, changed := s.streams.count(path), s.streams.changed
		s.streams.mu.Unlock()
		if is == n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d streams are open on %q, not %d: %w", is, path, n, ctx.Err())
		}
	}
}

// Emit sends an event to every event stream that is open on a path of the gateway ("/agent/meeting/stream",
// "/mcp"), and returns how many there were.
func (s *Server) Emit(path, event, data string) int {
	return s.streams.send(func(one *stream) bool { return one.wants == nil && one.path == path },
		message{event, data})
}

// Publish sends a JSON message to every WebSocket that is subscribed to the meeting, as Vexa does with what
// its bots hear, and returns how many there were.
func (s *Server) Publish(platform, nativeID, json string) int {
	topic := platform + "/" + nativeID
	return s.streams.send(func(one *stream) bool { return one.wants != nil && one.wants(topic) },
		message{"", json})
}

// longStream stays open, and passes on what Emit sends, until the client or the Server goes.
func (s *Server) longStream(c *call, who validated, a answer, begin func(*eventWriter)) answer {
	a.stream = func(w *eventWriter) {
		ctx, cancel := context.WithCancel(c.ctx)
		defer cancel()
		one := &stream{path: c.path, userID: who.UserID, end: cancel}
		s.streams.add(one)
		defer s.streams.remove(one)
		begin(w)
		for w.err == nil {
			select {
			case m := <-one.queue:
				w.event(m.event, m.data)
			case <-ctx.Done():
				return
			case <-s.closing.Done():
				return
			}
		}
	}
	return a
}
