package oidc

import "time"

// Error is a sign-in, or an access token, that did not work: a stable code, a sentence for the person and a remedy for the admin's log. The
// provider's own words never reach a page unescaped or a redirect at all.
type Error struct {
	Code    string // one of the codes of the public error table, e.g. provider_unavailable
	Message string // for the person
	Remedy  string // for the admin, in the log
	Err     error  // the cause; free of tokens and secrets

	// Trace is the provider's ids for the request that failed ("trace …, correlation …"), for its support; empty when it
	// gave none.
	Trace string

	// RetryAfter is how long to wait before trying again is of any use; zero when nobody said. Only with
	// CodeProviderUnavailable.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	text := e.Code + ": " + e.Message
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Trace != "" {
		text += " [" + e.Trace + "]"
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Codes that this package reports. The public table in proxy gives each its HTTP status.
const (
	CodeProviderUnavailable = "provider_unavailable" // unreachable, 5xx, throttled: try again later
	CodeProviderMisset      = "provider_misconfigured"
	CodeSignInRefused       = "sign_in_refused"    // the provider or the person said no
	CodeSignInInvalid       = "sign_in_invalid"    // the answer does not hold: state, nonce, iss, signature, audience …
	CodeTenantRefused       = "tenant_not_allowed" // a tenant that is not on the list
	CodeGuestRefused        = "guest_not_allowed"  // an Entra guest while guests: deny
	CodeLoginRequired       = "login_required"     // prompt=none could not be answered silently
	CodeGroupsTooMany       = "groups_incomplete"  // the provider could not list the groups
	CodeAccessEnded         = "access_ended"       // the provider no longer vouches: disabled, unassigned, revoked, expired

	// Of an access token that a program shows; Message is then for that program's user.
	CodeTokenInvalid = "token_invalid" // it does not hold, or is not for this service: Message names the check
	CodeTokenExpired = "token_expired" // it did hold
)
