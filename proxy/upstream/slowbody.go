package upstream

import (
	"io"
	"net/http"
	"time"
)

const (
	// bodyTimeout is the read deadline of a body that we read ourselves or do not want: net/http waits for it
	// before it lets go of the connection, so that a stranger could hold as many as they like.
	bodyTimeout = 10 * time.Second

	// bodyIdleTimeout is how long the body of a forwarded request may stand still.
	bodyIdleTimeout = time.Minute
)

// LimitBody sets a read deadline for a request's body, until it is forwarded.
func LimitBody(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		// not every ResponseWriter of a test has deadlines
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
}

// extendBodyDeadline turns the deadline of a forwarded body into an idle timeout: it may take any time, as
// long as it moves.
func extendBodyDeadline(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &idleTimeoutBody{r.Body, http.NewResponseController(w)}
	}
}

type idleTimeoutBody struct {
	io.ReadCloser
	client *http.ResponseController
}

func (b *idleTimeoutBody) Read(p []byte) (int, error) {
	_ = b.client.SetReadDeadline(time.Now().Add(bodyIdleTimeout))
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.client.SetReadDeadline(time.Time{}) // the next request on the connection sets its own
	}
	return n, err
}
