package upstream

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"

	"vexa-sso/proxy/exchange"
)

// keyRetryTransport is an http.RoundTripper that retries a request with a new key when the gateway no longer
// knows the one that we believe valid.
type keyRetryTransport struct {
	next http.RoundTripper
	p    *Passer
}

func (t *keyRetryTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	g := passageOf(r.Context())
	began := t.p.edge.Now()
	res, err := t.next.RoundTrip(r)
	g.ex.Upstream = t.p.edge.Now().Sub(began)
	if err != nil || res.StatusCode != http.StatusUnauthorized || !saysInvalidKey(res) {
		return res, err
	}
	res.Body.Close()
	return t.retry(g, r)
}

// retry asks whether the key is gone, and only then gets another and sends the request once more: 0.10 gives
// the same 401 when its own authentication is down.
func (t *keyRetryTransport) retry(g *Passage, r *http.Request) (*http.Response, error) {
	ctx, c := r.Context(), t.p.streams.callerOf(&g.stream)
	gone, err := t.p.keys.KeyGone(ctx, g.keyID)
	if err != nil {
		return nil, exchange.RefuseBecause("vexa_key_refused", "", err)
	}
	if !gone {
		return nil, exchange.Refuse("vexa_key_refused", "Vexa could not check the key just now.")
	}
	v := t.p.callers.See(c)
	secret, keyID, _, err := t.p.keys.Key(ctx, c.Account, v.Decision.Grant, v.Scopes)
	if err != nil {
		return nil, exchange.AsProblem(err)
	}
	replay := r.Clone(ctx)
	switch {
	case r.GetBody != nil:
		if replay.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	case r.Body != nil && r.Body != http.NoBody:
		return nil, exchange.Refuse("vexa_key_refused", "Vexa no longer knew the key for this request. "+
			"There is a new one: please send the request again.")
	}
	g.secret, g.keyID = secret, keyID
	replay.Header["X-Api-Key"] = []string{secret}
	res, err := t.next.RoundTrip(replay)
	if err == nil && res.StatusCode == http.StatusUnauthorized && saysInvalidKey(res) {
		res.Body.Close()
		return nil, exchange.Refuse("vexa_key_refused", "")
	}
	return res, err
}

// saysInvalidKey reports whether a 401 is about the key. It reads as much of the body as it needs, and puts
// it back.
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
