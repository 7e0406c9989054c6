package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
	"vexa-sso/oidc"
	"vexa-sso/proxy/page"
)

// forward is the road that every request of Vexa's takes: prove who it is, decide what they may, put their key on, pass it on.
func (p *Proxy) forward(ex *exchange, r *http.Request) error {
	c, err := p.identify(ex, r)
	if err != nil {
		return p.signInInstead(ex, r, err)
	}
	if p.passByProvider(ex, r, c) {
		return nil
	}
	upgrade := wantsWebSocket(r)
	if c.credential == bySession {
		if err := p.checkSameSite(r, upgrade); err != nil {
			return err
		}
	}
	v := p.see(c)
	if err := mayUse(c.account, v.decision); err != nil {
		return err
	}
	if err := p.route(ex, r, v); err != nil {
		return err
	}
	ex.secret, ex.keyID, _, err = p.accounts.Key(r.Context(), c.account, v.decision.Grant, v.scopes)
	if err != nil {
		return asProblem(err)
	}
	return p.pass(ex, r, upgrade && ex.route.WebSocket)
}

// mayUse says whether an account may use Vexa at all.
func mayUse(a mapping.Account, d rule.Decision) error {
	switch a.Status {
	case mapping.Suspended:
		return refuse("suspended", "")
	case mapping.Pending:
		return refuse("pending_approval", "")
	}
	if !d.Allowed {
		return refuse(Code(d.Code), d.Reason)
	}
	return nil
}

// route finds the route that a request takes and whether what the caller may use covers it.
func (p *Proxy) route(ex *exchange, r *http.Request, v *view) error {
	ex.label = "unknown"
	table := p.routes()
	route, known := table.Lookup(r.Method, ex.path)
	switch {
	case known:
		ex.route, ex.label = route, route.Pattern
	case vexa.Hidden(ex.path), table == vexa.Routes(vexa.Gen010):
		// 0.12 refuses by itself what it doesn't know; 0.10 forwards it with no questions asked.
		return refuse("forbidden_route", "")
	}
	if deniesRoute(v.decision.Grant.DenyRoutes, r.Method, ex.path) {
		return refuse("forbidden_route", "Your access to Vexa excludes this address.")
	}
	if known && !covers(v.scopes, route) {
		return &problem{Code: "scope_missing", Detail: p.missing(ex.caller, v, route), Scopes: strings.Join(route.AnyOf, " ")}
	}
	return nil
}

// missing says which scope a route needs and who lacks it: the credential, or its owner, to whom some rule would give it.
func (p *Proxy) missing(c *caller, v *view, route vexa.Route) string {
	said := "This needs the scope " + strings.Join(route.AnyOf, " or ") + ", which "
	if covers(v.decision.Grant.Scopes, route) {
		switch {
		case c.credential == byNativeKey:
			return said + "this Vexa key does not have. Make a token that has it at " + p.origin + page.TokensPath + "."
		case c.token.Kind == mapping.TokenTool:
			return said + "this tool was not given."
		}
		return said + "this token does not have. Make one that has it at " + p.origin + page.TokensPath + "."
	}
	if c.credential == bySession || c.account.Kind == oidc.Service {
		said += "you don’t have."
	} else {
		said += "the owner of this token doesn’t have."
	}
	if rules := p.rules.Current().Granting(route.AnyOf...); len(rules) > 0 {
		said += " The rule " + strings.Join(rules, " or ") + " would give it."
	}
	return said
}

// covers says whether a scope set is enough for a route.
func covers(s rule.Scopes, route vexa.Route) bool {
	return route.NoScope || slices.ContainsFunc(route.AnyOf, s.Has)
}

// deniesRoute says whether a grant's deny_routes name this request. HEAD is a GET, and a trailing slash changes nothing.
func deniesRoute(denied []string, method, path string) bool {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, d := range denied {
		if m, pattern, ok := strings.Cut(d, " "); ok && m == method && matchesPattern(pattern, path) {
			return true
		}
	}
	return false
}

// matchesPattern compares a path with a pattern segment by segment: {name} stands for any one, {name...} for all the rest.
func matchesPattern(pattern, path string) bool {
	want, have := strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	for i, w := range want {
		if strings.HasSuffix(w, "...}") {
			return true
		}
		if i >= len(have) || w != have[i] && !strings.HasPrefix(w, "{") {
			return false
		}
	}
	return len(want) == len(have)
}

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

// healing is the transport that notices when the gateway no longer knows a key that we believe good.
type healing struct {
	next http.RoundTripper
	p    *Proxy
}

func (t *healing) RoundTrip(r *http.Request) (*http.Response, error) {
	ex := exchangeOf(r.Context())
	began := t.p.now()
	res, err := t.next.RoundTrip(r)
	ex.upstream = t.p.now().Sub(began)
	if err != nil || res.StatusCode != http.StatusUnauthorized || !saysInvalidKey(res) {
		return res, err
	}
	res.Body.Close()
	return t.again(ex, r)
}

// again finds out whether the key is gone, and only then asks for another and sends the request once more (design section 5).
// 0.10 says the same when its own authentication is down.
func (t *healing) again(ex *exchange, r *http.Request) (*http.Response, error) {
	ctx, c := r.Context(), ex.caller
	gone, err := t.p.accounts.KeyGone(ctx, ex.keyID)
	if err != nil {
		return nil, refuseBecause("vexa_key_refused", "", err)
	}
	if !gone {
		return nil, refuse("vexa_key_refused", "Vexa could not check the key just now.")
	}
	v := t.p.see(c)
	secret, keyID, _, err := t.p.accounts.Key(ctx, c.account, v.decision.Grant, v.scopes)
	if err != nil {
		return nil, asProblem(err)
	}
	replay := r.Clone(ctx)
	switch {
	case r.GetBody != nil:
		if replay.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	case r.Body != nil && r.Body != http.NoBody:
		return nil, refuse("vexa_key_refused", "Vexa no longer knew the key for this request. There is a new one: please send the request again.")
	}
	ex.secret, ex.keyID = secret, keyID
	replay.Header["X-Api-Key"] = []string{secret}
	res, err := t.next.RoundTrip(replay)
	if err == nil && res.StatusCode == http.StatusUnauthorized && saysInvalidKey(res) {
		res.Body.Close()
		return nil, refuse("vexa_key_refused", "")
	}
	return res, err
}

// saysInvalidKey reads as much of a 401 as is needed to know what it is about, and puts it back.
func saysInvalidKey(res *http.Response) bool {
	const most = 1 << 10
	if res.Body == nil {
		return false
	}
	head, err := io.ReadAll(io.LimitReader(res.Body, most))
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), res.Body), res.Body}
	var said struct {
		Detail string `json:"detail"`
	}
	return err == nil && json.Unmarshal(head, &said) == nil && said.Detail == "Invalid API key"
}

// NewTransport is the transport towards the gateway. uvicorn closes idle connections after 5 s: ours go before, or requests
// would die on them. No proxy from the environment: no call goes where config does not name.
func NewTransport() *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  60 * time.Second,
		IdleConnTimeout:        4 * time.Second,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    512,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}

// bufferPool saves an allocation of 32 KiB a request. It keeps arrays: a pointer to one goes into the pool without an
// allocation of its own.
type bufferPool struct{ pool sync.Pool }

type buffer [32 << 10]byte

func newBufferPool() *bufferPool {
	return &bufferPool{sync.Pool{New: func() any { return new(buffer) }}}
}

func (b *bufferPool) Get() []byte  { return b.pool.Get().(*buffer)[:] }
func (b *bufferPool) Put(v []byte) { b.pool.Put((*buffer)(v)) }
