package proxy

import (
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

// problem is a refusal or failure on its way to the client: the one place where errors become HTTP.
type problem struct {
	Code    Code
	Detail  string // for people and programs; the code's own sentence when empty
	Err     error  // for the log
	Remedy  string // for the admin, in the log, where Err has none
	Scopes  string // of which one is missing, in the form of OAuth
	Afresh  bool   // what is wanted is another sign-in of somebody who is signed in
	Facts   []page.Fact
	Actions []page.Link // what a person can do about it; the code's default when empty
}

func (e *problem) Error() string {
	if e.Err != nil {
		return string(e.Code) + ": " + e.Err.Error()
	}
	return string(e.Code)
}

func (e *problem) Unwrap() error { return e.Err }

func refuse(code Code, detail string) *problem { return &problem{Code: code, Detail: detail} }
func fail(code Code, err error) *problem       { return &problem{Code: code, Err: err} }
func refuseBecause(code Code, detail string, err error) *problem {
	return &problem{Code: code, Detail: detail, Err: err}
}

// asProblem maps what other rooms report to what the client is told.
func asProblem(err error) *problem {
	var p *problem
	var o *oidc.Error
	var m *mapping.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &o):
		return &problem{Code: Code(o.Code), Detail: o.Message, Err: err}
	case errors.As(err, &m):
		return &problem{Code: Code(m.Code), Detail: m.Message, Err: err}
	case errors.Is(err, mapping.ErrStoreUnavailable):
		return fail("store_unavailable", err)
	}
	return fail("internal_error", err)
}

// answerProblem tells the client: a page for a person who navigates, JSON in Vexa's shape for everybody else (S8).
func (p *Proxy) answerProblem(ex *exchange, r *http.Request, err error) {
	said := *asProblem(err) // others may be told the same at this moment
	pr := &said
	o, known := outcomes[pr.Code]
	if !known {
		o = outcomes["internal_error"]
	}
	ex.code = pr.Code
	if pr.Err != nil {
		level := slog.LevelInfo
		if o.Status >= 500 {
			level = slog.LevelWarn
		}
		p.log.LogAttrs(r.Context(), level, "request refused", slog.String("code", string(pr.Code)), slog.String("trace_id", ex.traceID), slog.Any("error", pr.Err), remedy(pr))
	}
	if pr.Detail == "" {
		pr.Detail = o.Detail
	}
	if seconds := retryAfterSeconds(pr); seconds != "" {
		ex.Header().Set("Retry-After", seconds)
	}
	if isNavigation(r) && !ex.explicit {
		p.pages.Problem(ex, r, p.problemPage(ex, pr, o))
		return
	}
	p.answerJSON(ex, o.Status, pr)
}

// remedy is what the admin should do, where the error knows.
func remedy(pr *problem) slog.Attr {
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

// retryAfterSeconds is the Retry-After of a refusal that is only for now (RFC 9110 section 10.2.3); empty for the others.
func retryAfterSeconds(pr *problem) string {
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

func (p *Proxy) answerJSON(ex *exchange, status int, pr *problem) {
	body := struct {
		Detail   string `json:"detail"`
		Code     Code   `json:"code"`
		TraceID  string `json:"trace_id"`
		LoginURL string `json:"login_url,omitempty"`
	}{pr.Detail, pr.Code, ex.traceID, ""}
	h := ex.Header()
	if status == http.StatusUnauthorized {
		body.LoginURL = p.origin + loginPath("", pr.Afresh)
		h.Set("WWW-Authenticate", challenge(ex.explicit || pr.Code != "unauthenticated" && pr.Code != "login_required", pr.Detail))
	} else if ex.explicit && pr.Code == "scope_missing" {
		h.Set("WWW-Authenticate", insufficient(pr.Scopes))
	}
	writeJSON(ex, status, body)
}

const realm = `Bearer realm="vexa-sso"`

// challenge is the WWW-Authenticate of a 401 (RFC 6750 section 3): without an error where no credential was shown.
func challenge(shown bool, detail string) string {
	if !shown {
		return realm
	}
	return realm + `, error="invalid_token", error_description="` + Describable(detail) + `"`
}

// insufficient is the WWW-Authenticate of a 403 to a token without the scope that is needed (RFC 6750 section 3.1).
func insufficient(scopes string) string {
	text := realm + `, error="insufficient_scope"`
	if scopes != "" {
		text += `, scope="` + scopes + `"`
	}
	return text
}

// Describable is a sentence in the characters that an error_description may have (RFC 6749 section 5.2, RFC 6750 section 3): ASCII
// without quotation marks and backslashes.
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

func writeJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone, or it has its answer
}

// list is s as JSON wants it: never null.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func (p *Proxy) problemPage(ex *exchange, pr *problem, o outcome) page.Problem {
	v := page.Problem{
		Status: o.Status, Title: o.Title, Sentence: pr.Detail, Next: o.Next, Facts: pr.Facts, Actions: pr.Actions,
		Code: string(pr.Code), TraceID: ex.traceID,
	}
	if pr.Code == "denied_by_rule" { // an admin's own words stand apart from ours
		v.Sentence, v.Reason = o.Detail, pr.Detail
	}
	if len(v.Actions) == 0 {
		v.Actions = []page.Link{{Label: "Go to the start page", Href: "/sso/"}}
		if o.Status == http.StatusUnauthorized {
			v.Actions = []page.Link{{Label: "Sign in", Href: loginPath(returnPath(ex.here()), pr.Afresh)}}
		}
	}
	return v
}

// signInInstead sends a person who opens a page to sign in; everybody else is told to (S8). Who shows a credential of a program is
// never sent anywhere.
func (p *Proxy) signInInstead(ex *exchange, r *http.Request, err error) error {
	pr := asProblem(err)
	wants := pr.Code == "unauthenticated" || pr.Afresh
	if !wants || ex.explicit || !isNavigation(r) || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		return err
	}
	ex.code = pr.Code
	redirect(ex, loginPath(ex.here(), pr.Afresh))
	return nil
}

// loginPath is where a person signs in to come back to returnTo; afresh: also one who is signed in.
func loginPath(returnTo string, afresh bool) string {
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
