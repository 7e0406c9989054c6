package exchange

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
	"vexa-sso/proxy/page"
)

// Problem is a refusal or failure: the error type that becomes an HTTP response ([Edge.Answer]).
type Problem struct {
	Code    Code
	Detail  string // one sentence for people and programs; default: the code's
	Err     error  // cause, for the log only
	Remedy  string // for the admin, in the log; default: that of Err
	Scopes  string // required ones, space-separated (RFC 6749 section 3.3)
	Afresh  bool   // a fresh sign-in is required, also of who is signed in
	Facts   []page.Fact
	Actions []page.Link // links on the page; default: start page, or sign-in at 401

	at time.Time // when it happened; zero: now
}

func (e *Problem) Error() string {
	if e.Err != nil {
		return string(e.Code) + ": " + e.Err.Error()
	}
	return string(e.Code)
}

func (e *Problem) Unwrap() error { return e.Err }

// Title returns the heading of the problem's page.
func (e *Problem) Title() string { return outcomes[e.Code].Title }

// Sentence returns Detail, or the code's own sentence.
func (e *Problem) Sentence() string { return cmp.Or(e.Detail, outcomes[e.Code].Detail) }

// Refuse returns a refusal with this code. detail is what people and programs are told; the code's own
// sentence when empty.
func Refuse(code Code, detail string) *Problem { return &Problem{Code: code, Detail: detail} }

// Fail returns a failure of ours or of what we depend on.
func Fail(code Code, err error) *Problem { return &Problem{Code: code, Err: err} }

// RefuseBecause is Refuse with the cause, which goes to the log only.
func RefuseBecause(code Code, detail string, err error) *Problem {
	return &Problem{Code: code, Detail: detail, Err: err}
}

// AsProblem returns the Problem for an error: itself, or made of an *oidc.Error, a *mapping.Error or
// mapping.ErrStoreUnavailable; internal_error for any other.
func AsProblem(err error) *Problem {
	var p *Problem
	var o *oidc.Error
	var m *mapping.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &o):
		return &Problem{Code: Code(o.Code), Detail: o.Message, Err: err}
	case errors.As(err, &m):
		return &Problem{Code: Code(m.Code), Detail: m.Message, Err: err}
	case errors.Is(err, mapping.ErrStoreUnavailable):
		return Fail("store_unavailable", err)
	}
	return Fail("internal_error", err)
}

// Answer writes the response for an error: a page for a navigation without a program's credential, JSON in
// Vexa's shape for everything else (S8). It logs the cause.
func (e *Edge) Answer(ex *Exchange, r *http.Request, err error) { e.show(ex, r, e.note(ex, r, err)) }

// note logs the cause of a problem and sets the code of the exchange.
func (e *Edge) note(ex *Exchange, r *http.Request, err error) *Problem {
	said := *AsProblem(err) // a copy: the error may be shared with concurrent requests
	pr := &said
	ex.Code = pr.Code
	if pr.Err != nil {
		level := slog.LevelInfo
		if outcomeOf(pr.Code).Status >= 500 {
			level = slog.LevelWarn
		}
		e.Log.LogAttrs(r.Context(), level, "request refused", slog.String("code", string(pr.Code)),
			slog.String("trace_id", ex.TraceID), slog.Any("error", pr.Err), pr.RemedyAttr())
	}
	return pr
}

// show writes the response for a problem.
func (e *Edge) show(ex *Exchange, r *http.Request, pr *Problem) {
	o := outcomeOf(pr.Code)
	ex.Code = pr.Code
	ex.limitAnswer()
	if pr.Detail == "" {
		pr.Detail = o.Detail
	}
	if seconds := retryAfterSeconds(pr); seconds != "" {
		ex.Header().Set("Retry-After", seconds)
	}
	if IsNavigation(r) && !ex.Explicit {
		e.Pages.Problem(ex, r, problemPage(ex, pr, o))
		return
	}
	answerJSON(ex, o.Status, pr)
}

// RemedyAttr returns the log attribute "remedy": what the admin should change; empty where no error says so.
func (pr *Problem) RemedyAttr() slog.Attr {
	err := pr.Err
	var o *oidc.Error
	var m *mapping.Error
	switch {
	case pr.Remedy != "":
		return slog.String("remedy", pr.Remedy)
	case errors.As(err, &o) && o.Remedy != "":
		return slog.String("remedy", o.Remedy)
	case errors.As(err, &m) && m.Remedy != "":
		return slog.String("remedy", m.Remedy)
	}
	return slog.Attr{}
}

// retryAfterSeconds returns the Retry-After of a problem (RFC 9110 section 10.2.3), in seconds; empty for one
// that does not pass by itself.
func retryAfterSeconds(pr *Problem) string {
	var wait time.Duration
	var m *mapping.Error
	var o *oidc.Error
	switch {
	case errors.As(pr.Err, &m):
		wait = m.RetryAfter
	case errors.As(pr.Err, &o):
		wait = o.RetryAfter
	}
	if wait > 0 {
		return strconv.Itoa(int(math.Ceil(wait.Seconds())))
	}
	return retryAfter[pr.Code]
}

func answerJSON(ex *Exchange, status int, pr *Problem) {
	body := struct {
		Detail   string `json:"detail"`
		Code     Code   `json:"code"`
		TraceID  string `json:"trace_id"`
		LoginURL string `json:"login_url,omitempty"`
	}{pr.Detail, pr.Code, ex.TraceID, ""}
	h := ex.Header()
	if status == http.StatusUnauthorized {
		body.LoginURL = ex.Site.Origin + LoginPath("", pr.Afresh)
		h.Set("WWW-Authenticate",
			challenge(ex.Explicit || pr.Code != "unauthenticated" && pr.Code != "login_required", pr.Detail))
	} else if ex.Explicit && pr.Code == "scope_missing" {
		h.Set("WWW-Authenticate", insufficient(pr.Scopes))
	}
	WriteJSON(ex, status, body)
}

// WriteJSON answers with JSON that is not cached.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone, or it has its answer
}

// List returns s, or an empty list for nil, so that JSON has [] and not null.
func List(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func problemPage(ex *Exchange, pr *Problem, o outcome) page.Problem {
	v := page.Problem{
		Status: o.Status, Title: o.Title, Sentence: pr.Detail, Next: o.Next,
		Facts: pr.Facts, Actions: pr.Actions, At: pr.at,
		Code: string(pr.Code), TraceID: ex.TraceID,
	}
	if pr.Code == "denied_by_rule" { // an admin's own words stand apart from ours
		v.Sentence, v.Reason = o.Detail, pr.Detail
	}
	if len(v.Actions) == 0 {
		v.Actions = []page.Link{{Label: "Go to the start page", Href: "/sso/"}}
		if o.Status == http.StatusUnauthorized {
			v.Actions = []page.Link{{Label: "Sign in", Href: LoginPath(ReturnPath(ex.Here()), pr.Afresh)}}
		}
	}
	return v
}
