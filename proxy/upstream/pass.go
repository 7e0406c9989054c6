package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// Upstream is one server behind us.
type Upstream struct {
	URL    *url.URL           // scheme and host: its routes begin at the root
	Routes func() *vexa.Table // the current route table
}

// Keys returns the Vexa keys of accounts. *mapping.Accounts implements it.
type Keys interface {
	Key(
		ctx context.Context, a mapping.Account, g rule.Grant, scopes rule.Scopes,
	) (secret, keyID string, expires time.Time, err error)
	KeyGone(ctx context.Context, keyID string) (bool, error)
}

// Passer forwards requests to an upstream, with the caller's key, and passes the responses back.
type Passer struct {
	Upstream
	edge    *exchange.Edge
	keys    Keys
	callers *caller.Identifier
	streams *Streams
	ring    *keyring.Ring
	reverse *httputil.ReverseProxy

	bodyReplay int64 // bytes of a request body that are buffered for a retry
}

// Deps are the dependencies of a Passer.
type Deps struct {
	Edge       *exchange.Edge
	Keys       Keys
	Callers    *caller.Identifier
	Streams    *Streams
	Ring       *keyring.Ring     // seals the ids of MCP sessions
	BodyReplay int64             // bytes of a request body that are buffered for a retry
	Transport  http.RoundTripper // default NewTransport
}

// New returns a Passer. It does not use the network.
func New(to Upstream, d Deps) (*Passer, error) {
	if strings.Trim(to.URL.Path, "/") != "" {
		return nil, fmt.Errorf("the gateway's address %s has a path, and its routes begin at the root: "+
			"write it as http://host:port", to.URL.Redacted())
	}
	if d.Transport == nil {
		d.Transport = NewTransport()
	}
	p := &Passer{
		Upstream: to, edge: d.Edge, keys: d.Keys, callers: d.Callers, streams: d.Streams,
		ring: d.Ring, bodyReplay: d.BodyReplay,
	}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: p.rewrite, ModifyResponse: p.modifyResponse, ErrorHandler: p.handleError,
		Transport: &keyRetryTransport{next: d.Transport, p: p}, BufferPool: newBufferPool(),
		ErrorLog: slog.NewLogLogger(p.edge.Log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// Passage is the state of a forwarded request beside its exchange, with which it is allocated.
//
// It is also the context of all that is done for the request: it ends when the client leaves, or when access
// does; then its cause is an [ending].
type Passage struct {
	context.Context
	cancel context.CancelCauseFunc
	stream             // registered before anything of the request is read or sent on
	cut    atomic.Bool // cutShort was called; the context may have ended before, when the client left

	ex       *exchange.Exchange
	keyID    string
	secret   string      // the Vexa key; used in X-API-Key alone (S2)
	protocol string      // WebSocket subprotocol to select if the gateway selects none
	mcp      *mcpPassage // of a request to Vexa's MCP service

	values     [8][1]string
	valuesUsed int
}

// headerValue returns v as a header value without an allocation of its own.
func (g *Passage) headerValue(v string) []string {
	if g.valuesUsed == len(g.values) {
		return []string{v}
	}
	slot := &g.values[g.valuesUsed]
	g.valuesUsed++
	slot[0] = v
	return slot[:]
}

// WantsWebSocket reports whether a request asks for an upgrade to websocket, the one protocol that we pass
// on.
func WantsWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && len(r.Header["Upgrade"]) == 1 &&
		strings.EqualFold(r.Header["Upgrade"][0], "websocket")
}

// Pass gets the caller's key and forwards the request. That the caller may use the route has been decided
// before; since is [caller.Identifier.Changes] of before the caller was identified.
//
// The request is registered before its body is read, so that a revocation ends it in whatever state it is
// (S5). Reading the body may have taken a while: the caller is looked at afresh before anything goes
// upstream.
func (p *Passer) Pass(
	ex *exchange.Exchange, g *Passage, r *http.Request, c *caller.Caller, route vexa.Route, since int64,
) (err error) {
	upgrade := route.WebSocket && WantsWebSocket(r)
	unlimitAnswer(ex)
	g.begin(ex, r, c, route, upgrade)
	if err := p.streams.register(&g.stream, p.callers, since); err != nil {
		return p.left(g, r, err)
	}
	defer func() {
		if !ex.GoesOn {
			err = p.leave(g, r, err)
		}
	}()
	protocolOffer := r.Header["Upgrade"]
	if err := g.dropToken(r.Header, upgrade); err != nil {
		return err
	}
	scrubRequest(r.Header)
	if upgrade {
		r.Header["Connection"], r.Header["Upgrade"] = upgradeConnection, protocolOffer
	}
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.URL.ForceQuery = ex.Path, "", ex.Query, false

	if answered, err := p.readBody(g, r, upgrade); answered || err != nil {
		return err
	}
	if err := p.takeKey(g); err != nil {
		return err
	}
	if upgrade {
		return p.passSocket(g, r)
	}
	p.reverse.ServeHTTP(ex, r.WithContext(g))
	return nil
}

// readBody reads of a request's body what must be read before anything goes upstream: all of what decides,
// and of a short one all, so that it can be sent again.
func (p *Passer) readBody(g *Passage, r *http.Request, upgrade bool) (answered bool, err error) {
	switch {
	case upgrade:
		return false, nil // it must have none
	case g.route.MCP:
		return p.admitMCP(g, r)
	}
	limitBodyRate(g, r)
	return false, p.bufferBody(r)
}

// begin fills in the passage of a request that is about to be registered.
func (g *Passage) begin(
	ex *exchange.Exchange, r *http.Request, c *caller.Caller, route vexa.Route, upgrade bool,
) {
	kind, parent := transfer, r.Context()
	switch {
	case upgrade:
		// The request's own context ends when the handler returns, which is long before the socket does.
		kind, parent = websocket, context.WithoutCancel(parent)
	case route.Stream:
		kind = events
	}
	ex.Lasts = route.Stream || route.WebSocket
	g.ex = ex
	g.stream = stream{
		caller: c, route: route, method: r.Method, path: ex.Path, from: ex.Address, kind: kind, ends: g,
	}
	g.Context, g.cancel = context.WithCancelCause(parent)
}

// takeKey gets the key of the caller as they are now: what they may do can have changed since the request
// began.
func (p *Passer) takeKey(g *Passage) error {
	c := p.streams.callerOf(&g.stream)
	v := p.callers.See(c)
	switch {
	case c.Ended():
		g.cutShort(accessEnded)
	case !g.covered(v):
		g.cutShort(accessShrunk)
	}
	err := g.Err()
	if err != nil {
		return err
	}
	g.secret, g.keyID, _, err = p.keys.Key(g, c.Account, v.Decision.Grant, v.Scopes)
	if err != nil {
		return exchange.AsProblem(err)
	}
	return g.Err() // the key may have been a while in coming
}

// cutShort implements ender: it ends both sides of a request, whatever state it is in.
func (g *Passage) cutShort(why *ending) {
	if !g.cut.CompareAndSwap(false, true) {
		return // a client that does not read gets no more time
	}
	g.cancel(why)
	if g.kind == websocket {
		return // a close frame says why
	}
	cutClient(g.ex)
}

// leave takes a request that is over off the register. err is what came of it.
func (p *Passer) leave(g *Passage, r *http.Request, err error) error {
	p.streams.remove(&g.stream)
	return p.left(g, r, err)
}

// left says what came of a request that is not on the register: nobody else touches the client's connection
// any more.
func (p *Passer) left(g *Passage, r *http.Request, err error) error {
	why, cut := cutBy(g)
	g.cancel(nil)
	if cut {
		return answerCut(g.ex, r, why)
	}
	return err
}

// unlimitAnswer takes off the server's WriteTimeout, which is for answers of ours: Vexa's may last.
func unlimitAnswer(ex *exchange.Exchange) {
	// not every ResponseWriter of a test has deadlines
	_ = http.NewResponseController(ex.ResponseWriter).SetWriteDeadline(time.Time{})
}

// dropToken removes a credential from the subprotocols, so that the gateway never sees it, and notes which
// one is selected instead.
func (g *Passage) dropToken(h http.Header, upgrade bool) error {
	next, taken := caller.TakeTokenProtocol(h)
	if taken && upgrade && next == "" {
		return exchange.Refuse("bad_request", "Offer a subprotocol of your own after the one with the "+
			"token: the server must select one, and it never selects the token.")
	}
	g.protocol = next
	return nil
}

var upgradeConnection = []string{"Upgrade"}

type passageKey struct{}

// Value implements context.Context: the passage is found in its own context and those made of it.
func (g *Passage) Value(key any) any {
	if key == (passageKey{}) {
		return g
	}
	return g.Context.Value(key)
}

func passageOf(ctx context.Context) *Passage { return ctx.Value(passageKey{}).(*Passage) }

// bufferBody buffers a small body, so that the request can be sent again when its key is gone (or the
// upstream had just closed an idle connection). A longer body is streamed and sent once.
func (p *Passer) bufferBody(r *http.Request) error {
	if r.ContentLength <= 0 || r.ContentLength > p.bodyReplay {
		return nil
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return exchange.RefuseBecause("bad_request",
			"The request’s body is shorter than its Content-Length.", err)
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	return nil
}

// handleError is ReverseProxy.ErrorHandler: it answers for an upstream that did not.
func (p *Passer) handleError(w http.ResponseWriter, r *http.Request, err error) {
	ex := passageOf(r.Context()).ex
	_, cut := cutBy(r.Context())
	var timeout net.Error
	switch {
	case cut:
		return // Pass answers
	case errors.As(err, new(*exchange.Problem)):
	case r.Context().Err() != nil:
		ex.Status = 499 // the client went away
		panic(http.ErrAbortHandler)
	case errors.As(err, &timeout) && timeout.Timeout():
		err = exchange.Fail("vexa_timeout", err)
	default:
		err = exchange.Fail("vexa_unavailable", err)
	}
	p.edge.Answer(ex, r, err)
}
