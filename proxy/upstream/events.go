package upstream

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// passEvents forwards a request whose response may be an event stream that stays open.
func (p *Passer) passEvents(g *Passage, r *http.Request) error {
	ctx, end := context.WithCancelCause(r.Context())
	client := http.NewResponseController(g.ex.ResponseWriter)
	st := g.stream("events", r.Method, func(why *ending) {
		if ctx.Err() != nil {
			return // cut already: a client that does not read gets no more time
		}
		end(why)
		// for who is writing to a client that does not read
		_ = client.SetWriteDeadline(time.Now().Add(closeTimeout))
	})
	if err := p.streams.register(st); err != nil {
		end(nil)
		return err
	}
	defer func() {
		p.streams.remove(st) // from here on nobody touches the client's connection any more
		g.ex.Code = endedBy(ctx, g.ex.Code)
		end(nil)
	}()
	p.reverse.ServeHTTP(g.ex, r.WithContext(ctx))
	if ctx.Err() != nil {
		panic(http.ErrAbortHandler) // the connection has a deadline that its next request must not inherit
	}
	return nil
}

// maxShortAnswer is the greatest Content-Length of a response that is not registered: it is over before
// access could end.
const maxShortAnswer = 1 << 20

// registerAnswer registers a response that lasts although the route table does not call its route a stream:
// events, or much data. So it too ends when access does.
func (p *Passer) registerAnswer(g *Passage, res *http.Response) error {
	events := len(res.Header["Content-Type"]) > 0 &&
		strings.HasPrefix(res.Header["Content-Type"][0], "text/event-stream")
	lasting := events || res.ContentLength < 0 || res.ContentLength > maxShortAnswer
	if !lasting || g.route.Stream || res.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	kind := "transfer"
	if events {
		kind = "events"
	}
	client, body := http.NewResponseController(g.ex.ResponseWriter), res.Body
	st := g.stream(kind, res.Request.Method, func(why *ending) {
		if g.cutCause.CompareAndSwap(nil, why) {
			// for who is writing to a client that does not read
			_ = client.SetWriteDeadline(time.Now().Add(closeTimeout))
			go body.Close() // may wait for the network, and nobody may wait for it
		}
	})
	if err := p.streams.register(st); err != nil {
		return err
	}
	g.registered = st
	return nil
}

// unregister removes a registered response.
func (p *Passer) unregister(g *Passage) {
	if g.registered == nil {
		return
	}
	p.streams.remove(g.registered) // from here on nobody touches the client's connection any more
	if why := g.cutCause.Load(); why != nil {
		g.ex.Code = why.code
		panic(http.ErrAbortHandler) // the connection has a deadline that its next request must not inherit
	}
}
