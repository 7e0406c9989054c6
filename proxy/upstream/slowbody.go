package upstream

import (
	"io"
	"net/http"
	"time"
)

const (
	// bodyTimeout is how long a body may take that we read ourselves or do not want: net/http waits for it
	// before it lets go of the connection, so that a stranger could hold as many as they like.
	bodyTimeout = 10 * time.Second

	// bodyIdleTimeout is how long the body of a request that is forwarded may stand still.
	bodyIdleTimeout = time.Minute
)

// LimitBody puts a deadline on a request's body, until somebody forwards it.
func LimitBody(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		// not every writer in a test can
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
}

// extendBodyDeadline gives the body of a request that is forwarded all the time that it needs, as long as it
// moves.
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
		_ = b.client.SetReadDeadline(time.Time{}) // what comes next on the connection has its own
	}
	return n, err
}
