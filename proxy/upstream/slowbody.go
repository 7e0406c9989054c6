package upstream

import (
	"errors"
	"io"
	"net/http"
	"time"

	"vexa-sso/proxy/exchange"
)

const (
	// bodyTimeout is the read deadline of a body that we read ourselves or do not want: net/http waits for it
	// before it lets go of the connection, so that a stranger could hold as many as they like.
	bodyTimeout = 10 * time.Second

	// bodyIdleTimeout is how long the body of a forwarded request may stand still.
	bodyIdleTimeout = time.Minute

	// leastBodyRate is how many bytes a second of a forwarded body must have come on the whole, after a first
	// bodyIdleTimeout: a byte a minute would hold a request for ever.
	leastBodyRate = 1 << 10
)

// LimitBody sets a read deadline for a request's body, until it is forwarded.
func LimitBody(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		// not every ResponseWriter of a test has deadlines
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
}

// limitBodyRate turns the deadline of a forwarded body into an idle timeout and a least rate: it may be as
// long as it likes, as long as it moves.
func limitBodyRate(g *Passage, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &steadyBody{
			r.Body, g, http.NewResponseController(g.ex.ResponseWriter), time.Now().Add(bodyIdleTimeout),
		}
	}
}

type steadyBody struct {
	io.ReadCloser
	g      *Passage
	client *http.ResponseController
	until  time.Time // when the next byte must have come at the latest, by the least rate
}

func (b *steadyBody) Read(p []byte) (int, error) {
	deadline := time.Now().Add(bodyIdleTimeout)
	if b.until.Before(deadline) {
		deadline = b.until
	}
	_ = b.client.SetReadDeadline(deadline)
	if err := b.g.Err(); err != nil {
		return 0, err // cut short: its own deadline has just been overwritten
	}
	n, err := b.ReadCloser.Read(p)
	b.until = b.until.Add(time.Duration(n) * time.Second / leastBodyRate)
	if err == io.EOF {
		_ = b.client.SetReadDeadline(time.Time{}) // the next request on the connection sets its own
	}
	if err != nil {
		err = clientsFault(err)
	}
	return n, err
}

// clientsFault returns an error of reading a request's body as the client's fault, or it would be taken for
// one of the gateway's: the transport returns it from the round trip.
func clientsFault(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	return exchange.RefuseBecause("bad_request", "The request’s body broke off, is not framed as its "+
		"headers say, or came too slowly.", err)
}
