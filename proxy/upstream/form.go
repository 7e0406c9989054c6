package upstream

import (
	"net/http"
	"sync/atomic"
	"time"

	"vexa-sso/proxy/caller"
	"vexa-sso/proxy/exchange"
)

// Form is a request that a page of ours answers, registered while its body arrives and its answer leaves
// (S5).
type Form struct {
	stream
	ex  *exchange.Exchange
	r   *http.Request
	why atomic.Pointer[ending]
}

// RegisterForm registers a request with a body, once its caller is known; nil for one without a body.
// since is what changes said before the caller was identified.
func (s *Streams) RegisterForm(
	ex *exchange.Exchange, r *http.Request, c *caller.Caller, changes Changes, since int64,
) (*Form, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	f := &Form{ex: ex, r: r}
	f.stream = stream{
		caller: c, method: r.Method, path: ex.Path, from: ex.Address, kind: transfer, ends: f,
	}
	if err := s.register(&f.stream, changes, since); err != nil {
		return nil, f.left(err)
	}
	return f, nil
}

// cutShort implements ender.
func (f *Form) cutShort(why *ending) {
	if f.why.CompareAndSwap(nil, why) {
		cutClient(f.ex)
	}
}

// cutClient ends the client's side of a request, whether its body still arrives or its answer leaves.
func cutClient(ex *exchange.Exchange) {
	client := http.NewResponseController(ex.ResponseWriter)
	_ = client.SetReadDeadline(longAgo) // for who is reading the body
	// for who is writing to a client that does not read
	_ = client.SetWriteDeadline(time.Now().Add(closeTimeout))
}

var longAgo = time.Unix(1, 0)

// LeaveForm takes a form that is over off the register. err is what came of it.
func (s *Streams) LeaveForm(f *Form, err error) error {
	s.remove(&f.stream)
	return f.left(err)
}

// left says what came of a form that is not on the register.
func (f *Form) left(err error) error {
	if why := f.why.Load(); why != nil {
		return answerCut(f.ex, f.r, why)
	}
	return err
}

// answerCut is the answer to a request that was cut short: the reason, if nothing was answered yet; else its
// connection is closed, so that half an answer does not look like a whole one. Either way the connection has
// a deadline that its next request must not inherit.
func answerCut(ex *exchange.Exchange, r *http.Request, why *ending) error {
	if ex.Status != 0 {
		ex.Code = why.code
		panic(http.ErrAbortHandler)
	}
	if r.ProtoMajor == 1 {
		ex.Header().Set("Connection", "close")
	}
	return exchange.Refuse(why.code, why.reason)
}
