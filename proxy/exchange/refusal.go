package exchange

import (
	"net/http"
	"time"

	"vexa-sso/proxy/page"
)

// Refusal is a problem that is shown by another request than the one that had it.
type Refusal struct {
	At      time.Time
	TraceID string
	Code    Code
	Detail  string
	Facts   []page.Fact
	Actions []page.Link
}

// Refusal logs the cause of an error, as Answer does, and returns what [Edge.ShowRefusal] shows later.
func (e *Edge) Refusal(ex *Exchange, r *http.Request, err error) Refusal {
	pr := e.note(ex, r, err)
	return Refusal{
		At: e.Now(), TraceID: ex.TraceID, Code: pr.Code, Detail: pr.Detail, Facts: pr.Facts,
		Actions: pr.Actions,
	}
}

// ShowRefusal answers with a refusal as the request that had it would have been answered: with its status,
// its time and its trace id, which is also that of this request.
func (e *Edge) ShowRefusal(ex *Exchange, r *http.Request, v Refusal) {
	ex.TraceID = v.TraceID
	e.show(ex, r, &Problem{Code: v.Code, Detail: v.Detail, Facts: v.Facts, Actions: v.Actions, at: v.At})
}
