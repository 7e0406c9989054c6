package exchange

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/page"
)

// Edge is what every room works with to answer: pages, metrics, audit and log; and the clock and the
// randomness, which come from outside so that tests can control them.
type Edge struct {
	Pages   *page.Pages
	Metrics *Metrics
	Audit   Auditor
	Log     *slog.Logger
	Now     func() time.Time
	Random  io.Reader
}

// Auditor stores audit events. *mapping.Accounts implements it.
type Auditor interface {
	Record(ctx context.Context, e mapping.Event) error
}

// Handler answers a request of ours. An error becomes the response, so the handler must not have written to
// it.
type Handler func(ex *Exchange, r *http.Request) error

// Record stores an audit event, with the request's address and trace id. An event that cannot be stored is
// logged.
func (e *Edge) Record(ex *Exchange, r *http.Request, event mapping.Event) {
	if err := e.Audit.Record(context.WithoutCancel(r.Context()), e.Of(ex, event)); err != nil {
		e.Log.Warn("audit event could not be stored; it is in this log only",
			"event", event.Event, "error", err)
	}
}

// Of returns the event with the request's address and trace id, and how long it took until now.
func (e *Edge) Of(ex *Exchange, event mapping.Event) mapping.Event {
	event.Address, event.TraceID, event.TookMS = ex.Address, ex.TraceID, e.Now().Sub(ex.Start).Milliseconds()
	return event
}
