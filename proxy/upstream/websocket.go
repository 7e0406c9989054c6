package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"

	"vexa-sso/proxy/exchange"
)

// WebSockets are passed on here, and not by httputil.ReverseProxy, for two reasons. When access ends, the
// client must be told with a close frame, which may only go in between two frames of the gateway's: somebody
// has to follow them. And most sockets are idle most of the time, so what counts is what an idle one holds:
// here two small goroutines and 1 KiB, as the handler has returned and released all that net/http and the
// request held; ReverseProxy holds 100 KiB (BenchmarkIdleWebSocket).

const (
	// closeTimeout is how long a socket or stream has to end in order: to finish the current frame, send a
	// close frame, and receive the other side's. After that its connections are closed.
	closeTimeout = time.Second

	idleBuffer = 512 // bytes of each direction's own buffer; a pooled one is used while data flows
)

// closeUnauthorized is the status code with which Vexa closes a socket whose key it refuses (V14).
const closeUnauthorized = 4401

// socket is one open WebSocket: the connections to the client and to the gateway, and their state.
type socket struct {
	p        *Passer
	g        *Passage
	client   net.Conn
	upstream io.ReadWriteCloser

	timer sync.Once

	writing      sync.Mutex // held while writing to the client
	frames       frames     // of what was written to it
	closeSent    bool       // a close frame was written to it: nothing may follow
	pendingClose []byte     // the gateway's close frame, as far as received

	buffers [2][idleBuffer]byte
}

// passSocket opens a WebSocket at the gateway and passes it on until either side ends it or access does. It
// returns once the socket is open; from then on the socket's own goroutines have the exchange.
func (p *Passer) passSocket(g *Passage, r *http.Request) error {
	if r.ContentLength != 0 {
		return exchange.Refuse("bad_request", "A WebSocket must be opened without a body.")
	}
	s := &socket{p: p, g: g}
	clientLeft := context.AfterFunc(r.Context(), func() { g.cancel(context.Canceled) })
	defer clientLeft()

	res, err := p.reverse.Transport.RoundTrip(p.openingRequest(r.WithContext(g)))
	if err != nil {
		p.handleError(g.ex, r.WithContext(g), err)
		return nil
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return p.relay(g, r.WithContext(g), res)
	}
	if err := p.modifyResponse(res); err != nil {
		res.Body.Close()
		return err
	}
	early, err := s.open(res)
	if err != nil {
		return err
	}
	clientLeft()
	g.ex.GoesOn = true
	go s.run(early)
	return nil
}

// openingRequest returns the request that opens the socket at the gateway.
func (p *Passer) openingRequest(r *http.Request) *http.Request {
	out := r.Clone(r.Context())
	if len(out.Header["User-Agent"]) == 0 {
		out.Header["User-Agent"] = []string{""} // or net/http would put its own
	}
	p.rewrite(&httputil.ProxyRequest{In: r, Out: out})
	return out
}

// relay passes on a response that opens no socket. From here on a cut ends the client's side, too: before,
// nothing was written that it could hold up.
func (p *Passer) relay(g *Passage, r *http.Request, res *http.Response) error {
	defer res.Body.Close()
	if err := p.streams.becomes(&g.stream, transfer); err != nil {
		return err
	}
	if err := g.Err(); err != nil { // cut, or left, just before
		p.handleError(g.ex, r, err)
		return nil
	}
	if err := p.modifyResponse(res); err != nil {
		return err
	}
	ex := g.ex
	maps.Copy(ex.Header(), res.Header)
	ex.WriteHeader(res.StatusCode)
	if _, err := io.Copy(ex, res.Body); err != nil {
		panic(http.ErrAbortHandler) // so that half an answer does not look like a whole one
	}
	return nil
}

// open hijacks the client's connection and tells the client that the socket is open. It returns what the
// client had sent already.
func (s *socket) open(res *http.Response) (early []byte, err error) {
	upstream, ok := res.Body.(io.ReadWriteCloser)
	if !ok || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
		res.Body.Close()
		return nil, exchange.Fail("vexa_unavailable",
			errors.New("the gateway switched to a protocol that nobody asked for"))
	}
	client, buffered, err := http.NewResponseController(s.g.ex.ResponseWriter).Hijack()
	if err != nil {
		upstream.Close()
		return nil, exchange.Fail("internal_error", err)
	}
	early, _ = buffered.Reader.Peek(buffered.Reader.Buffered())
	res.Body = nil
	s.g.addOurHeaders(res.Header)
	// not for longer than a socket that ends may take: a client that does not read cannot be cut yet
	_ = client.SetWriteDeadline(time.Now().Add(closeTimeout))
	_ = res.Write(buffered.Writer)
	if err := buffered.Writer.Flush(); err != nil {
		client.Close() // which shows when the connection is read from
	}
	_ = client.SetWriteDeadline(time.Time{})

	s.client, s.upstream = client, upstream
	ex := s.g.ex
	ex.Status = http.StatusSwitchingProtocols
	// neither is needed any more, and both would live as long as the socket
	ex.ResponseWriter, s.g.secret = nil, ""
	return bytes.Clone(early), nil
}

// addOurHeaders adds our own headers to the response that opens a socket.
func (g *Passage) addOurHeaders(h http.Header) {
	if g.protocol != "" && len(h["Sec-Websocket-Protocol"]) == 0 {
		h["Sec-Websocket-Protocol"] = []string{g.protocol}
	}
	for _, name := range []string{"Deprecation", "Link"} {
		if values := g.ex.Header()[name]; len(values) > 0 {
			h[name] = values
		}
	}
}

// run passes on both directions until both have ended.
func (s *socket) run(early []byte) {
	cancelParting := context.AfterFunc(s.g, s.endAccess)
	var up sync.WaitGroup
	up.Go(func() { s.passUp(early) })
	s.passDown()
	up.Wait()

	cancelParting()
	s.close()
	ex := s.g.ex
	if why, cut := cutBy(s.g); cut {
		ex.Code = why.code
	}
	s.g.cancel(nil)
	s.p.edge.Finish(s.g, ex, http.MethodGet)
	s.p.streams.remove(&s.g.stream)
}

// passUp passes on what the client sends, without a look at its frames.
func (s *socket) passUp(early []byte) {
	var broken error
	send := func(b []byte) error {
		if broken == nil && s.g.Err() == nil {
			_, broken = s.upstream.Write(b)
		}
		// the client is read until it leaves, or the close frame on its way to it could get lost
		return nil
	}
	_ = send(early)
	s.pump(s.client, s.buffers[0][:], send)
	s.halfClose(s.upstream)
}

// passDown passes on what the gateway sends.
func (s *socket) passDown() {
	s.pump(s.upstream, s.buffers[1][:], s.deliver)
	s.halfClose(s.client)
}

// pump calls do with what it reads, until the end or an error. It waits with the small buffer and takes a
// large one from the pool for what does not fit.
func (s *socket) pump(from io.Reader, small []byte, do func([]byte) error) {
	pool := s.p.reverse.BufferPool
	buf := small
	for {
		n, err := from.Read(buf)
		if n > 0 && do(buf[:n]) != nil || err != nil {
			break
		}
		switch full := n == len(buf); {
		case full && len(buf) == len(small):
			buf = pool.Get()
		case !full && len(buf) > len(small):
			pool.Put(buf)
			buf = small
		}
	}
	if len(buf) > len(small) {
		pool.Put(buf)
	}
}

// deliver writes to the client what the gateway sent, but holds back its close frame until that is complete.
// Once access has ended, it writes only the rest of the current frame.
func (s *socket) deliver(b []byte) error {
	b, err := s.write(b)
	if err != nil || len(b) == 0 {
		return err
	}
	s.pendingClose = append(s.pendingClose, b...)
	frame, whole := controlFrame(s.pendingClose)
	switch {
	case !whole:
		return nil
	case closeCode(frame) == closeUnauthorized:
		s.keyRefused()
		return nil
	}
	return s.sendClose(frame)
}

// write writes as much of b to the client as may pass, and returns the rest if that is the gateway's close
// frame.
func (s *socket) write(b []byte) (closing []byte, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closeSent {
		return nil, nil
	}
	n, over := 0, false
	for n < len(b) && closing == nil && !over {
		switch atStart := s.frames.atBoundary(); {
		case atStart && s.g.Err() != nil:
			over = true
		case s.pendingClose != nil, atStart && b[n]&0x0f == opClose:
			closing = b[n:]
		default:
			n += s.frames.consume(b[n:])
		}
	}
	if n > 0 {
		sent, err := s.client.Write(b[:n])
		s.g.ex.Sent += int64(sent)
		if err != nil {
			return nil, err
		}
	}
	if s.g.Err() != nil && s.frames.atBoundary() {
		s.closeWithReason()
	}
	return closing, nil
}

// sendClose writes a close frame to the client, unless one was written already.
func (s *socket) sendClose(frame []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closeSent {
		return nil
	}
	s.closeSent = true
	_, err := s.client.Write(frame)
	return err
}

// keyRefused asks what became of the key, as the gateway closes a socket in this way for no other reason. The
// client has done nothing wrong and is told to connect again, when it will get another key.
func (s *socket) keyRefused() {
	gone, err := s.p.keys.KeyGone(s.g, s.g.keyID)
	s.p.edge.Log.Warn("gateway closed a WebSocket because of its key; the client was told to connect again",
		"gone", gone, "error", err, "trace_id", s.g.ex.TraceID)
	s.g.cancel(keyRefused)
}

// endAccess ends the socket because access has ended. It runs once, at any time.
func (s *socket) endAccess() {
	// also for who is writing to a client that does not read
	_ = s.client.SetWriteDeadline(time.Now().Add(closeTimeout))
	s.closeSoon()
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.frames.atBoundary() {
		s.closeWithReason()
	}
}

// closeWithReason sends the client a close frame that says why the socket ends, and closes the connection to
// the gateway. writing is held, and no frame has been begun.
func (s *socket) closeWithReason() {
	if why, cut := cutBy(s.g); cut && !s.closeSent {
		_, _ = s.client.Write(closeFrame(why.closeCode, why.reason))
	}
	s.closeSent = true
	s.upstream.Close()
}

// halfClose closes one direction, and both after closeTimeout.
func (s *socket) halfClose(to any) {
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	s.closeSoon()
}

// closeSoon closes both connections after closeTimeout.
func (s *socket) closeSoon() {
	s.timer.Do(func() { time.AfterFunc(closeTimeout, s.close) })
}

func (s *socket) close() {
	s.client.Close()
	s.upstream.Close()
}
