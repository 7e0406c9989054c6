package mapping

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"vexa-sso/mapping/vexa"
)

// Codes of an Error, beside those of a refusing Decision. The public error table in proxy gives each its HTTP
// status.
const (
	// all that the account had was ended: they have to sign in first
	CodeUnauthenticated = "unauthenticated"
	CodePendingApproval = "pending_approval" // an admin must decide about the account
	CodeSuspended       = "suspended"        // the account is
	// a key was asked for with more than the grant has, or with nothing
	CodeScopeMissing     = "scope_missing"
	CodeTooManyRefreshes = "rate_limited" // of one token in a few seconds
	// no key now: the Admin API does not answer, or not usably
	CodeVexaUnavailable  = "vexa_admin_unavailable"
	CodeStoreUnavailable = "store_unavailable"
)

// Error is why an account cannot be had or a key cannot be given: a stable code, a sentence for the person
// and a remedy for the admin's log.
type Error struct {
	Code    string
	Message string // for the person
	Remedy  string // for the admin, in the log
	Err     error  // the cause; free of secrets

	// RetryAfter is when asking again makes sense, where time alone can help; zero otherwise.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

const retrySoon = 5 * time.Second

// Objection is why something that somebody asked for is not done, and what to do instead.
type Objection struct{ Message, Remedy string }

func (o *Objection) Error() string {
	if o.Remedy == "" {
		return o.Message
	}
	return strings.TrimSuffix(o.Message, ".") + ": " + o.Remedy
}

// ErrSessionEnded: what was asked for in the name of a session came when it had ended.
var ErrSessionEnded = &Error{
	Code: CodeUnauthenticated, Message: "Your sign-in has ended. Please sign in again.",
}

// asError makes an *Error of an error of the store or of Vexa. An *Error, an *Objection and ErrNotFound pass
// as they are.
func asError(err error) error {
	if err == nil || errors.Is(err, ErrNotFound) {
		return err
	}
	if o, ok := errors.AsType[*Objection](err); ok {
		return o // says all that there is to say
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if errors.Is(err, ErrStoreUnavailable) {
		return &Error{
			Code: CodeStoreUnavailable, RetryAfter: retrySoon, Err: err,
			Message: "We cannot look up your access right now. Try again in a moment.",
		}
	}
	e := &Error{
		Code: CodeVexaUnavailable, RetryAfter: retrySoon, Err: err,
		Message: "Vexa cannot give you access right now. Try again in a moment.",
	}
	if v, ok := errors.AsType[*vexa.Error](err); ok && v.RetryAfter > 0 {
		e.RetryAfter = v.RetryAfter
	}
	switch {
	case errors.Is(err, vexa.ErrAdminToken):
		e.Remedy = "set vexa.admin_token to the deployment's ADMIN_API_TOKEN"
	case errors.Is(err, vexa.ErrNotAdminAPI):
		e.Remedy = "point vexa.admin_url at Vexa's Admin API; since 0.12 the gateway does not lead to it"
	case errors.Is(err, ErrLeaseHeld), errors.Is(err, context.DeadlineExceeded):
		e.Remedy = "if this lasts for minutes, look at the health of Vexa's Admin API"
	}
	return e
}

// statusError returns why an account of this status gets nothing, or nil.
func statusError(acc Account) error {
	switch acc.Status {
	case Active:
		if acc.ProvenAt.IsZero() {
			return &Error{Code: CodeUnauthenticated, Message: "Your sign-in has ended. Sign in again."}
		}
		return nil
	case Suspended:
		return &Error{
			Code: CodeSuspended, Message: "Your access to Vexa is suspended. Ask your administrator.",
		}
	default:
		return &Error{
			Code: CodePendingApproval, Message: "Your access to Vexa waits for an administrator’s approval.",
			Remedy: "decide about it with `vexa-sso accounts approve " + acc.ID + "`",
			Err:    errors.New(acc.Reason),
		}
	}
}
