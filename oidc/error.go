package oidc

import "time"

// Error is a sign-in, or an access token, that did not work. It speaks to three readers, each in a field of
// their own: a program goes by Code, a person reads Message, and an admin finds Error and Remedy in the log.
// The provider's own words are in Err alone, quoted and cut; tokens and secrets are nowhere.
type Error struct {
	Code    string // one of the codes below; the public error table in proxy gives each its HTTP status
	Message string // for the person: full sentences
	// for the admin: full sentences that tell what to change; "Nothing" where nobody has to act
	Remedy string
	Err    error // the cause

	// Trace is the provider's ids for the request that failed ("trace …, correlation …"), for its support;
	// empty when it gave none.
	Trace string

	// Outcome is what this means for somebody who was let in before: of a refusal by the provider, or by the
	// settings (tenant, guest).
	Outcome Outcome

	// MaybeReplaced: with OutcomeOver, the provider would say the same of a refresh token that was used and
	// replaced by another. Whoever may have lost that other one does not know whether the grant is over.
	MaybeReplaced bool

	// RetryAfter is how long to wait before trying again is of any use; zero when nobody said. Only with
	// CodeProviderUnavailable.
	RetryAfter time.Duration
}

// Error is for logs: the code, the cause and the provider's ids, without what is said to the person.
func (e *Error) Error() string {
	text := e.Code
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Trace != "" {
		text += " [" + e.Trace + "]"
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Codes that this package reports.
const (
	CodeProviderUnavailable = "provider_unavailable" // unreachable, 5xx, throttled: try again later
	CodeProviderMisset      = "provider_misconfigured"
	CodeSignInRefused       = "sign_in_refused" // the provider or the person said no
	// the answer does not hold: state, nonce, iss, signature, audience …
	CodeSignInInvalid = "sign_in_invalid"
	CodeTenantRefused = "tenant_not_allowed" // a tenant that is not on the list
	CodeGuestRefused  = "guest_not_allowed"  // an Entra guest while guests: deny
	CodeLoginRequired = "login_required"     // prompt=none could not be answered silently
	CodeGroupsTooMany = "groups_incomplete"  // the provider could not list the groups
	// the provider no longer vouches for the person: disabled, deleted, unassigned
	CodeAccessEnded = "access_ended"
	CodeGrantOver   = "grant_over" // the refresh token is dead; a sign-in gives another

	// Of an access token that a program shows; Message is then for that program's user.

	// it does not hold, or is not for this service: Message names the check
	CodeTokenInvalid = "token_invalid"
	CodeTokenExpired = "token_expired" // it did hold
)
