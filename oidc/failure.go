package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/oauth2"
)

func unavailable(cause error, retryAfter time.Duration) *Error {
	return &Error{
		Code: CodeProviderUnavailable, Message: sayUnavailable, Err: cause, RetryAfter: retryAfter,
		Remedy: "Check that the provider is up and that this machine can reach it (proxy_url, ca_file, " +
			"firewall, DNS).",
	}
}

// unreachable is the error of a call that got no answer.
func unreachable(doing string, err error) *Error {
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	e := unavailable(fmt.Errorf("%s: %w", doing, reduced(err)), 0)
	if errors.Is(err, context.Canceled) {
		e.Remedy = "Nothing: whoever asked went away before the provider answered."
	}
	return e
}

func misconfigured(remedy string, cause error) *Error {
	return &Error{Code: CodeProviderMisset, Message: sayMisconfigured, Remedy: remedy, Err: cause}
}

func invalid(remedy string, cause error) *Error {
	return &Error{Code: CodeSignInInvalid, Message: sayInvalid, Remedy: remedy, Err: cause}
}

// temporary says whether an HTTP status means "later" rather than "no".
func temporary(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// providerSaid is a provider's own refusal. All of it is text that an attacker may have written: it chooses
// among our sentences and is quoted for the log, nothing more.
type providerSaid struct {
	code        string // error
	description string // error_description
	detail      string // error_subcode, suberror
	status      int    // of the token endpoint; 0 at the callback
	grant       string // grant_type, at the token endpoint
	ids         []providerID
}

// providerID is a provider's id for a request.
type providerID struct{ name, id string }

// callbackRefusal reads an error callback (RFC 6749, section 4.1.2.1).
func callbackRefusal(params url.Values) providerSaid {
	return providerSaid{
		code:        params.Get("error"),
		description: params.Get("error_description"),
		detail:      orDefault(params.Get("error_subcode"), params.Get("suberror")),
	}
}

// refusal turns a provider's error into ours. Remedies name what has to be registered where. The secrets of
// the exchange are redacted from whatever the provider echoed.
func (s providerSaid) refusal(of dialect, cfg Config, secrets ...string) *Error {
	outcome := s.outcome(cfg.Type)
	m := s.meaning(of, outcome)
	maybe := s.maybeReplaced(outcome)
	s.code, s.description, s.detail = redact(s.code, secrets), redact(s.description, secrets),
		redact(s.detail, secrets)
	cause := fmt.Errorf("the provider said %s: %s", quoted(s.code), quoted(s.description))
	if s.detail != "" {
		cause = fmt.Errorf("%w (%s)", cause, quoted(s.detail))
	}
	if s.status != 0 {
		cause = fmt.Errorf("%w, with status %d", cause, s.status)
	}
	remedy := strings.NewReplacer("{redirect_uri}", cfg.RedirectURL,
		"{client_id}", cfg.ClientID, "{tenant}", cfg.Tenant, "{issuer}", cfg.Issuer).
		Replace(m.remedy)
	return &Error{
		Code: m.code, Message: m.message, Remedy: remedy, Err: cause, Trace: redact(s.trace(), secrets),
		Outcome: outcome, MaybeReplaced: maybe,
	}
}

var (
	entraTrace = regexp.MustCompile(
		`(?i)\b(trace|correlation) id: ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b`,
	)
	plainID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,80}$`)
)

// trace are the provider's ids for the request, for its support. Anything that is not plainly an id is left
// out.
func (s providerSaid) trace() string {
	var ids []string
	add := func(name, id string) {
		if id = name + " " + id; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, header := range s.ids {
		if plainID.MatchString(header.id) {
			add(header.name, header.id)
		}
	}
	for _, m := range entraTrace.FindAllStringSubmatch(s.description, 4) {
		add(strings.ToLower(m[1]), strings.ToLower(m[2]))
	}
	return strings.Join(ids, ", ")
}

// entraLoop is the number with which Entra refuses a client that repeats the same request, for at least five
// minutes.
const entraLoop = "50196"

var aadstsNumber = regexp.MustCompile(`AADSTS(\d{4,8})\b`)

// aadsts finds Entra's error number in its text, or "".
func aadsts(text string) string {
	if m := aadstsNumber.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// tokenErrorCode is the error that the token endpoint named, in the standard's shape or in that of Okta's
// platform.
func tokenErrorCode(e *oauth2.RetrieveError) string {
	if e.ErrorCode != "" {
		return e.ErrorCode
	}
	var platform struct {
		ErrorCode string `json:"errorCode"`
	}
	_ = json.Unmarshal(e.Body, &platform) // not JSON: no code
	return platform.ErrorCode
}

// tokenRefusal reads the token endpoint's answer (RFC 6749, section 5.2) out of x/oauth2's error, which
// carries the whole response.
func (p *Provider) tokenRefusal(err error, grantType string, secrets ...string) *Error {
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) {
		return unreachable("asking the token endpoint for "+grantType, err)
	}
	said := tokenAnswer(e, grantType)
	refusal := said.refusal(p.dialect, p.cfg, secrets...)
	if said.code == "" && refusal.Code == CodeSignInRefused {
		refusal = unavailable(fmt.Errorf("the token endpoint answered %d without saying why", said.status), 0)
	}
	if refusal.Code == CodeProviderUnavailable {
		refusal.RetryAfter = retryAfter(e.Response.Header, p.now())
		if aadsts(said.description) == entraLoop {
			refusal.RetryAfter = max(refusal.RetryAfter, 5*time.Minute)
		}
	}
	return refusal
}

// tokenAnswer reads the error in the answer, in the standard's shape or in that of Okta's platform.
func tokenAnswer(e *oauth2.RetrieveError, grantType string) providerSaid {
	var more struct {
		SubError      string `json:"suberror"`
		ErrorSummary  string `json:"errorSummary"` // Okta's platform
		ErrorID       string `json:"errorId"`
		TraceID       string `json:"trace_id"` // Entra
		CorrelationID string `json:"correlation_id"`
	}
	_ = json.Unmarshal(e.Body, &more) // not JSON: no more
	return providerSaid{
		code:        tokenErrorCode(e),
		description: orDefault(e.ErrorDescription, more.ErrorSummary),
		detail:      more.SubError,
		status:      e.Response.StatusCode,
		grant:       grantType,
		ids: []providerID{
			{"trace", more.TraceID},
			{"correlation", more.CorrelationID},
			{"request", e.Response.Header.Get("X-Okta-Request-Id")},
			{"error", more.ErrorID},
		},
	}
}

// signedToken is any compact JWS or JWE.
var signedToken = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*){2,4}`)

// redact takes every secret, and whatever looks like a token, out of text.
func redact(text string, secrets []string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[secret]")
		}
	}
	return signedToken.ReplaceAllString(text, "[token]")
}

// quoted makes strangers' text fit for a log: one line, escaped, at most 300 bytes of it.
func quoted(text string) string { return strconv.Quote(capped(text, 300)) }

// capped cuts text at most bytes, between characters.
func capped(text string, most int) string {
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// reduced keeps an error's kind for errors.Is and errors.As, and of its text what fits in a log line.
func reduced(err error) error { return &reducedError{err} }

type reducedError struct{ err error }

func (e *reducedError) Error() string {
	text := strconv.Quote(capped(e.err.Error(), 300))
	return text[1 : len(text)-1]
}

func (e *reducedError) Unwrap() error { return e.err }
