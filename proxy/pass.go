package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// wantsWebSocket says whether the request asks for an upgrade to the one protocol that we pass on.
func wantsWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && len(r.Header["Upgrade"]) == 1 && strings.EqualFold(r.Header["Upgrade"][0], "websocket")
}

// pass forwards the request.
func (p *Proxy) pass(ex *exchange, r *http.Request, upgrade bool) error {
	protocolOffer := r.Header["Upgrade"]
	if err := ex.dropToken(r.Header, upgrade); err != nil {
		return err
	}
	scrubRequest(r.Header)
	if upgrade {
		r.Header["Connection"], r.Header["Upgrade"] = upgradeConnection, protocolOffer
	}
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.URL.ForceQuery = ex.path, "", ex.query, false

	if upgrade {
		return p.passSocket(ex, r)
	}
	letBodyFlow(ex.ResponseWriter, r)
	if err := p.keepBody(r); err != nil {
		return err
	}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, ex))
	if ex.route.Stream {
		return p.passEvents(ex, r)
	}
	defer p.unregister(ex)
	p.reverse.ServeHTTP(ex, r)
	return nil
}

// dropToken takes a credential off the subprotocols, so that the gateway never sees it, and notes which one the client hears instead.
func (ex *exchange) dropToken(h http.Header, upgrade bool) error {
	next, taken := takeTokenProtocol(h)
	if taken && upgrade && next == "" {
		return refuse("bad_request", "Name a subprotocol of your own behind the one with the token: a browser wants to hear one back, and the token is not said back.")
	}
	ex.protocol = next
	return nil
}

var upgradeConnection = []string{"Upgrade"}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// keepBody holds on to a small body, so that the request can be sent again when its key turns out to be gone (or the upstream
// had just closed an idle connection). What does not fit is streamed and sent once.
func (p *Proxy) keepBody(r *http.Request) error {
	if r.ContentLength <= 0 || r.ContentLength > int64(p.cfg.Limits.BodyReplay) {
		return nil
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return refuseBecause("bad_request", "The request’s body is shorter than it says.", err)
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	return nil
}

// rewrite is the last hand on the outgoing request: from here on it is ours. ReverseProxy has taken the hop-by-hop headers off
// before, so a Connection header can't take off what is put on here (S1).
func (p *Proxy) rewrite(pr *httputil.ProxyRequest) {
	ex := exchangeOf(pr.In.Context())
	out := pr.Out
	out.URL.Scheme, out.URL.Host = p.gateway.Scheme, p.gateway.Host
	out.Host = p.gateway.Host
	out.Trailer = nil // what is announced behind the body is not looked at, so it is not passed on
	out.GetBody = pr.In.GetBody

	h := out.Header
	h["X-Api-Key"] = ex.one(ex.secret)
	h["X-Forwarded-For"] = ex.one(ex.address)
	h["X-Forwarded-Host"] = ex.one(p.public.Host)
	h["X-Forwarded-Proto"] = ex.one(p.public.Scheme)
	h["X-Trace-Id"] = ex.one(ex.traceID)
}

// answered is the first hand on the upstream's answer.
func (p *Proxy) answered(res *http.Response) error {
	ex := exchangeOf(res.Request.Context())
	if location := res.Header["Location"]; len(location) > 0 {
		if path, ok := p.ownLocation(location[0]); ok {
			res.Header["Location"] = []string{path}
		} else {
			delete(res.Header, "Location")
		}
	}
	scrubResponse(res, ex)
	return p.registerAnswer(ex, res)
}

// ownLocation cuts a Location down to a path of ours; one that leads elsewhere is dropped (V16).
func (p *Proxy) ownLocation(location string) (string, bool) {
	u, err := url.Parse(location)
	if err != nil || u.User != nil || u.Opaque != "" {
		return "", false
	}
	if u.Host != "" && !strings.EqualFold(u.Host, p.gateway.Host) && !strings.EqualFold(u.Host, p.public.Host) {
		return "", false
	}
	u.Scheme, u.Host = "", ""
	if _, ok := canonicalPath(u); !ok {
		return "", false
	}
	return u.RequestURI(), true
}

// broken answers for an upstream that did not.
func (p *Proxy) broken(w http.ResponseWriter, r *http.Request, err error) {
	ex := exchangeOf(r.Context())
	var timeout net.Error
	switch {
	case errors.As(err, new(*problem)):
	case r.Context().Err() != nil:
		ex.status = 499 // the client went away, or its access did
		panic(http.ErrAbortHandler)
	case errors.As(err, &timeout) && timeout.Timeout():
		err = fail("vexa_timeout", err)
	default:
		err = fail("vexa_unavailable", err)
	}
	p.answerProblem(ex, r, err)
}
