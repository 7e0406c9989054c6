package exchange

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/oidc"
	"vexa-sso/proxy/page"
)

// Problem is a refusal or failure on its way to the client: the one place where errors become HTTP.
type Problem struct {
	Code    Code
	Detail  string // for people and programs; the code's own sentence when empty
	Err     error  // for the log
	Remedy  string // for the admin, in the log, where Err has none
	Scopes  string // of which one is missing, in the form of OAuth
	Afresh  bool   // what is wanted is another sign-in of somebody who is signed in
	Facts   []page.Fact
	Actions []page.Link // what a person can do about it; the code's default when empty
}

func (e *Problem) Error() string {
	if e.Err != nil {
		return string(e.Code) + ": " + e.Err.Error()
	}
	return string(e.Code)
}

func (e *Problem) Unwrap() error { return e.Err }

// Title is the heading of the page that tells a person.
func (e *Problem) Title() string { return outcomes[e.Code].Title }

// Sentence is what people and programs are told.
func (e *Problem) Sentence() string { return cmp.Or(e.Detail, outcomes[e.Code].Detail) }

// Refuse is a refusal by its code, in words; the code's own sentence when detail is empty.
func Refuse(code Code, detail string) *Problem { return &Problem{Code: code, Detail: detail} }

// Fail is a failure of ours or of what we depend on.
func Fail(code Code, err error) *Problem { return &Problem{Code: code, Err: err} }

// RefuseBecause is Refuse with the reason that the log is told.
func RefuseBecause(code Code, detail string, err error) *Problem {
	return &Problem{Code: code, Detail: detail, Err: err}
}

// AsProblem maps what other rooms report to what the client is told.
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

// Answer tells the client: a page for a person who navigates, JSON in Vexa's shape for everybody else (S8).
func (e *Edge) Answer(ex *Exchange, r *http.Request, err error) {
	said := *AsProblem(err) // others may be told the same at this moment
	pr := &said
	o, known := outcomes[pr.Code]
	if !known {
		o = outcomes["internal_error"]
	}
	ex.Code = pr.Code
	if pr.Err != nil {
		level := slog.LevelInfo
		if o.Status >= 500 {
			level = slog.LevelWarn
		}
		e.Log.LogAttrs(r.Context(), level, "request refused", slog.String("code", string(pr.Code)),
			slog.String("trace_id", ex.TraceID), slog.Any("error", pr.Err), pr.RemedyAttr())
	}
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

// RemedyAttr is what the admin should change, for the log, where the error knows.
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

// retryAfterSeconds is the Retry-After of a refusal that is only for now (RFC 9110
// section 10.2.3); empty for the others.
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

const realm = `Bearer realm="vexa-sso"`

// challenge is the WWW-Authenticate of a 401 (RFC 6750 section 3): without an error
// where no credential was shown.
func challenge(shown bool, detail string) string {
	if !shown {
		return realm
	}
	return realm + `, error="invalid_token", error_description="` + Describable(detail) + `"`
}

// insufficient is the WWW-Authenticate of a 403 to a token without the scope that is
// needed (RFC 6750 section 3.1).
func insufficient(scopes string) string {
	text := realm + `, error="insufficient_scope"`
	if scopes != "" {
		text += `, scope="` + scopes + `"`
	}
	return text
}

// Describable is a sentence in the characters that an error_description may have (RFC 6749 section 5.2,
// RFC 6750 section 3): ASCII without quotation marks and backslashes.
func Describable(detail string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '’' || c == '“' || c == '”' || c == '"':
			return '\''
		case c == '\\' || c < ' ' || c > '~':
			return '?'
		}
		return c
	}, detail)
}

func WriteJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone, or it has its answer
}

// List is s as JSON wants it: never null.
func List(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func problemPage(ex *Exchange, pr *Problem, o outcome) page.Problem {
	v := page.Problem{
		Status: o.Status, Title: o.Title, Sentence: pr.Detail, Next: o.Next,
		Facts: pr.Facts, Actions: pr.Actions,
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

// SignInInstead sends a person who opens a page to sign in; everybody else is told to (S8). Who shows a
// credential of a program is never sent anywhere.
func (e *Edge) SignInInstead(ex *Exchange, r *http.Request, err error) error {
	pr := AsProblem(err)
	wants := pr.Code == "unauthenticated" || pr.Afresh
	if !wants || ex.Explicit || !IsNavigation(r) ||
		(r.Method != http.MethodGet && r.Method != http.MethodHead) {
		return err
	}
	ex.Code = pr.Code
	Redirect(ex, LoginPath(ex.Here(), pr.Afresh))
	return nil
}

// LoginPath is where a person signs in to come back to returnTo; afresh: also one who is signed in.
func LoginPath(returnTo string, afresh bool) string {
	q := url.Values{}
	if afresh {
		q.Set("fresh", "1")
	}
	if returnTo != "" && returnTo != "/" {
		q.Set("return_to", returnTo)
	}
	if len(q) == 0 {
		return "/sso/login"
	}
	return "/sso/login?" + q.Encode()
}
