package upstream

import (
	"io"
	"net/http"
	"time"
)

const (
	// bodyDue is how long a body may take that we read ourselves or do not want: net/http waits for it before
	// it lets go of the connection, so that a stranger could hold as many as they like.
	bodyDue = 10 * time.Second

	// bodyStalls is how long the body of a request that is forwarded may stand still.
	bodyStalls = time.Minute
)

// LimitBody puts a deadline on a request's body, until somebody forwards it.
func LimitBody(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		// not every writer in a test can
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyDue))
	}
}

// letBodyFlow gives the body of a request that is forwarded all the time that it needs, as long as it moves.
func letBodyFlow(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &flowingBody{r.Body, http.NewResponseController(w)}
	}
}

type flowingBody struct {
	io.ReadCloser
	client *http.ResponseController
}

func (b *flowingBody) Read(p []byte) (int, error) {
	_ = b.client.SetReadDeadline(time.Now().Add(bodyStalls))
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.client.SetReadDeadline(time.Time{}) // what comes next on the connection has its own
	}
	return n, err
}
