package exchange

import (
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Exchange is one request and its answer, as far as more than one room needs to know of them. It stands in
// for the ResponseWriter, so that what was answered can be logged and counted.
type Exchange struct {
	http.ResponseWriter

	Site    *Site // the host that was asked for
	Start   time.Time
	TraceID string
	Address string // the client's
	Path    string // canonical
	Query   string

	Explicit   bool   // the request shows a credential that a browser does not send by itself
	Credential string // what authenticated the request, as logs and metrics name it
	Who        Who    // who stands behind it

	Label string // of the route, for metrics and logs: never a path with names in it
	Lasts bool   // the answer is a stream, and how long it takes says nothing

	Status   int
	Sent     int64 // bytes of the answer's body
	Code     Code
	Upstream time.Duration // until the gateway began to answer
	GoesOn   bool          // beyond its handler, as a WebSocket
	scratch  [48]byte
}

// Who is whoever stands behind a request, as the log names them.
type Who struct{ Account, Provider, CredentialID, Rules string }

// NoCredential is what Exchange.Credential says until somebody is authenticated.
const NoCredential = "none"

// Begin is the exchange of a request that has just come.
func (ex *Exchange) Begin(
	w http.ResponseWriter, site *Site, address string, now time.Time, random io.Reader,
) {
	ex.ResponseWriter, ex.Site, ex.Address, ex.Start, ex.Credential = w, site, address, now, NoCredential
	ex.TraceID = ex.newTraceID(random)
}

// Here is the request's address as a person may come back to it.
func (ex *Exchange) Here() string { return (&url.URL{Path: ex.Path, RawQuery: ex.Query}).String() }

// WriteHeader drops the upstream's 1xx answers (S1).
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

// Flush lets event streams through as they come.
func (ex *Exchange) Flush() { _ = http.NewResponseController(ex.ResponseWriter).Flush() }

// newTraceID returns 128 random bits in hex, as Vexa's own trace ids are.
func (ex *Exchange) newTraceID(random io.Reader) string {
	raw, text := ex.scratch[:16], ex.scratch[16:]
	_, _ = io.ReadFull(random, raw) // crypto/rand does not fail; a trace id of zeros would still be harmless
	hex.Encode(text, raw)
	return string(text)
}

// Redirect sends a browser on with a GET. Redirects of ours are answers to one person's moment: never cached.
func Redirect(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// Discard is the log of whoever wants none.
var Discard = slog.New(slog.DiscardHandler)
