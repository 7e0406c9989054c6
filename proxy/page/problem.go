package page

import (
	"net/http"
	"strconv"
	"time"
)

// Problem is a refusal or a failure, for people.
type Problem struct {
	Status   int    // of the answer: 400 to 599; anything else becomes 500
	Title    string // "You may not use Vexa"
	Sentence string // what happened, in our words
	Reason   string // an admin's own words, e.g. those of a deny rule; set apart, as text
	Next     string // what to do about it, or whom to ask

	Actions []Link // the first is the one that we advise
	Facts   []Fact // details: which address, which provider

	Code       string        // one of the public error codes
	TraceID    string        // its id in the log
	At         time.Time     // when it happened; zero: now
	RetryAfter time.Duration // sent as Retry-After, in whole seconds, if it is not zero
}

// Fact is one detail with its name.
type Fact struct {
	Name, Value string
}

// Problem writes the page of a refusal or failure.
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, v Problem) {
	if v.Status < 400 || v.Status > 599 {
		v.Status = http.StatusInternalServerError
	}
	if v.Title == "" {
		v.Title = "That did not work"
	}
	if v.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((v.RetryAfter+time.Second-1)/time.Second)))
	}
	if v.At.IsZero() {
		v.At = p.now()
	}
	v.Actions = allowedLinks(v.Actions)
	p.write(w, r, sheet{
		template: "problem", status: v.Status,
		Title: v.Title,
		V: struct {
			Problem
			Mark string
			At   moment
		}{v, mark(v.Status), momentOf(v.At, p.now())},
	})
}

// mark returns the icon above the title.
func mark(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "lock"
	case http.StatusInternalServerError:
		return "alert"
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout:
		return "wait"
	default:
		return "info"
	}
}
