package proxy

import (
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"vexa-sso/mapping/vexa"
)

// exchange is one request and its answer, as far as more than one step needs to know of them. It stands in for the
// ResponseWriter, so that what was answered can be logged and counted.
type exchange struct {
	http.ResponseWriter

	start   time.Time
	traceID string
	address string // the client's
	path    string // canonical
	query   string

	credential string // what authenticated the request: one of the kinds of caller.go
	explicit   bool   // the request shows a credential that a browser does not send by itself
	caller     *caller
	route      vexa.Route
	label      string // of the route, for metrics and logs: never a path with names in it
	keyID      string
	secret     string // the Vexa key; nowhere but X-API-Key (S2)
	protocol   string // the subprotocol of a WebSocket that is selected if the gateway selects none

	status   int
	sent     int64
	code     Code
	upstream time.Duration
	goesOn   bool                   // beyond its handler, as a WebSocket
	lasting  *stream                // what its answer was registered as
	cutFor   atomic.Pointer[ending] // why the answer was cut short
	oneValue [8][1]string
	oneTaken int
	scratch  [48]byte
}

// here is the request's address as a person may come back to it.
func (ex *exchange) here() string { return (&url.URL{Path: ex.path, RawQuery: ex.query}).String() }

// one returns v as a header value without an allocation of its own.
func (ex *exchange) one(v string) []string {
	if ex.oneTaken == len(ex.oneValue) {
		return []string{v}
	}
	slot := &ex.oneValue[ex.oneTaken]
	ex.oneTaken++
	slot[0] = v
	return slot[:]
}

// WriteHeader drops the upstream's 1xx answers (S1).
func (ex *exchange) WriteHeader(status int) {
	if status < 200 {
		return
	}
	if ex.status == 0 {
		ex.status = status
	}
	ex.ResponseWriter.WriteHeader(status)
}

func (ex *exchange) Write(b []byte) (int, error) {
	if ex.status == 0 {
		ex.status = http.StatusOK
	}
	n, err := ex.ResponseWriter.Write(b)
	ex.sent += int64(n)
	return n, err
}

// Flush lets event streams through as they come.
func (ex *exchange) Flush() { _ = http.NewResponseController(ex.ResponseWriter).Flush() }

// newTraceID returns 128 random bits in hex, as Vexa's own trace ids are.
func (ex *exchange) newTraceID(random io.Reader) string {
	raw, text := ex.scratch[:16], ex.scratch[16:]
	_, _ = io.ReadFull(random, raw) // crypto/rand does not fail; a trace id of zeros would still be harmless
	hex.Encode(text, raw)
	return string(text)
}

var discard = slog.New(slog.DiscardHandler)

// redirect sends a browser on with a GET. Redirects of ours are answers to one person's moment: never cached.
func redirect(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}
