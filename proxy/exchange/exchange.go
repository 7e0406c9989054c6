package exchange

import (
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Exchange is one request and its response, as far as more than one room needs to know of them. It wraps the
// ResponseWriter, so that what was answered can be logged and counted.
type Exchange struct {
	http.ResponseWriter

	Site    *Site // the host that was asked for
	Start   time.Time
	TraceID string
	Address string // the client's
	Path    string // canonical
	Query   string

	Explicit   bool   // the request has a credential that browsers do not send by themselves
	Credential string // what authenticated the request, as logs and metrics name it
	Who        Who    // whom it authenticated

	Label string // route pattern, for metrics and logs
	Lasts bool   // the response is a stream: its duration is not measured

	Status   int
	Sent     int64 // bytes of the response body
	Code     Code
	Upstream time.Duration // until the gateway's response headers
	GoesOn   bool          // after its handler has returned, as a WebSocket
	scratch  [48]byte
}

// Who is the caller as the log names them.
type Who struct{ Account, Provider, CredentialID, Rules string }

// NoCredential is the value of Exchange.Credential before authentication.
const NoCredential = "none"

// Begin initializes the exchange of a new request.
func (ex *Exchange) Begin(
	w http.ResponseWriter, site *Site, address string, now time.Time, random io.Reader,
) {
	ex.ResponseWriter, ex.Site, ex.Address, ex.Start, ex.Credential = w, site, address, now, NoCredential
	ex.TraceID = ex.newTraceID(random)
}

// Here returns the request's path and query, for a return after sign-in.
func (ex *Exchange) Here() string { return (&url.URL{Path: ex.Path, RawQuery: ex.Query}).String() }

// WriteHeader implements http.ResponseWriter. It drops 1xx responses, which come from the upstream (S1).
func (ex *Exchange) WriteHeader(status int) {
	if status < 200 {
		return
	}
	if ex.Status == 0 {
		ex.Status = status
	}
	ex.ResponseWriter.WriteHeader(status)
}

func (ex *Exchange) Write(b []byte) (int, error) {
	if ex.Status == 0 {
		ex.Status = http.StatusOK
	}
	n, err := ex.ResponseWriter.Write(b)
	ex.Sent += int64(n)
	return n, err
}

// Flush implements http.Flusher, for event streams.
func (ex *Exchange) Flush() { _ = http.NewResponseController(ex.ResponseWriter).Flush() }

// AnswerTimeout is how long an answer of ours may take, from its request on: a client that does not read it
// holds a goroutine and what it asked. It is the server's WriteTimeout; what lasts, because it is Vexa's,
// takes that off.
const AnswerTimeout = 30 * time.Second

// limitAnswer sets the write deadline for an answer of ours to a request that was to be forwarded.
func (ex *Exchange) limitAnswer() {
	// not every ResponseWriter of a test has deadlines
	_ = http.NewResponseController(ex.ResponseWriter).SetWriteDeadline(time.Now().Add(AnswerTimeout))
}

// newTraceID returns 128 random bits in hex, as Vexa's own trace ids are.
func (ex *Exchange) newTraceID(random io.Reader) string {
	raw, text := ex.scratch[:16], ex.scratch[16:]
	_, _ = io.ReadFull(random, raw) // crypto/rand does not fail; a trace id of zeros would still be harmless
	hex.Encode(text, raw)
	return string(text)
}

// Redirect answers 303: the browser goes on with a GET. It is never cached, because it was decided for this
// one request.
func Redirect(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// Discard is a logger that writes nothing.
var Discard = slog.New(slog.DiscardHandler)
