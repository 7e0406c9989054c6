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
	reverse *httputil.ReverseProxy

	bodyReplay int64 // bytes of a request body that are buffered for a retry
}

// Deps are the dependencies of a Passer.
type Deps struct {
	Edge       *exchange.Edge
	Keys       Keys
	Callers    *caller.Identifier
	Streams    *Streams
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
		bodyReplay: d.BodyReplay,
	}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: p.rewrite, ModifyResponse: p.modifyResponse, ErrorHandler: p.handleError,
		Transport: &keyRetryTransport{next: d.Transport, p: p}, BufferPool: newBufferPool(),
		ErrorLog: slog.NewLogLogger(p.edge.Log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// Passage is the state of a forwarded request beside its exchange. It is allocated with the exchange, so that
// a request costs one allocation.
type Passage struct {
	ex       *exchange.Exchange
	caller   *caller.Caller
	route    vexa.Route
	keyID    string
	secret   string // the Vexa key; used in X-API-Key alone (S2)
	protocol string // WebSocket subprotocol to select if the gateway selects none

	registered *stream                // its response in Streams; nil: not registered
	cutCause   atomic.Pointer[ending] // why the response was cut short

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
// before.
func (p *Passer) Pass(
	ex *exchange.Exchange, g *Passage, r *http.Request, c *caller.Caller, v *caller.View, route vexa.Route,
) error {
	g.ex, g.caller, g.route = ex, c, route
	ex.Lasts = route.Stream || route.WebSocket
	var err error
	if g.secret, g.keyID, _, err = p.keys.Key(r.Context(), c.Account,
		v.Decision.Grant, v.Scopes); err != nil {
		return exchange.AsProblem(err)
	}
	upgrade := route.WebSocket && WantsWebSocket(r)
	protocolOffer := r.Header["Upgrade"]
	if err := g.dropToken(r.Header, upgrade); err != nil {
		return err
	}
	scrubRequest(r.Header)
	if upgrade {
		r.Header["Connection"], r.Header["Upgrade"] = upgradeConnection, protocolOffer
	}
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.URL.ForceQuery = ex.Path, "", ex.Query, false

	if upgrade {
		return p.passSocket(g, r)
	}
	extendBodyDeadline(ex.ResponseWriter, r)
	if err := p.bufferBody(r); err != nil {
		return err
	}
	r = r.WithContext(context.WithValue(r.Context(), passageKey{}, g))
	if route.Stream {
		return p.passEvents(g, r)
	}
	defer p.unregister(g)
	p.reverse.ServeHTTP(ex, r)
	return nil
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
	var timeout net.Error
	switch {
	case errors.As(err, new(*exchange.Problem)):
	case r.Context().Err() != nil:
		ex.Status = 499 // the client went away, or its access did
		panic(http.ErrAbortHandler)
	case errors.As(err, &timeout) && timeout.Timeout():
		err = exchange.Fail("vexa_timeout", err)
	default:
		err = exchange.Fail("vexa_unavailable", err)
	}
	p.edge.Answer(ex, r, err)
}
