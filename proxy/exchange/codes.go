package exchange

import "net/http"

// Code is the stable name of one way in which a request is refused or fails. Programs branch on it; pages
// show it.
type Code string

// outcome is the response to a code.
type outcome struct {
	Status int
	Title  string // heading of the page
	Detail string // default of Problem.Detail
	Next   string // what a person can do about it
}

// Status returns the HTTP status of a code; 0 for one that is not in the table.
func (c Code) Status() int { return outcomes[c].Status }

// outcomeOf returns the response to a code; that to an error of ours for one that is not in the table.
func outcomeOf(c Code) outcome {
	if o, known := outcomes[c]; known {
		return o
	}
	return outcomes["internal_error"]
}

// The table of codes. README's table is generated from it (a test holds them together).
var outcomes = map[Code]outcome{
	"unauthenticated": {
		http.StatusUnauthorized, "Please sign in",
		"Sign in to use Vexa, or make a token at /sso/tokens and send it as X-API-Key.",
		"Sign in and try again.",
	},
	"token_invalid": {
		http.StatusUnauthorized, "That credential is not valid",
		"The credential on this request is not one that we issued or accept.",
		"Make a token at /sso/tokens, or sign in with a browser.",
	},
	"token_expired": {
		http.StatusUnauthorized, "That token has expired",
		"The token on this request has expired.",
		"Get a new one and try again.",
	},
	"token_ended": {
		http.StatusUnauthorized, "That token has ended",
		"The token on this request was good, and has ended.",
		"Make a new one at /sso/tokens, or sign in with a browser.",
	},
	"native_key_refused": {
		http.StatusUnauthorized, "Vexa keys are not accepted here",
		"Vexa’s own API keys are not accepted here: make a token at /sso/tokens and send it where " +
			"the key was.",
		"Sign in with a browser and make a token.",
	},
	"proof_stale": {
		http.StatusUnauthorized, "This token is paused",
		"Its owner’s sign-in at their identity provider is over, or was not confirmed for too long.",
		"It works again when its owner signs in with a browser.",
	},
	"not_mapped": {
		http.StatusForbidden, "You don’t have access to Vexa yet",
		"No rule gives you access to Vexa.",
		"Ask your administrator for access and name the reference below.",
	},
	"denied_by_rule": {
		http.StatusForbidden, "You don’t have access to Vexa",
		"A rule of your organisation denies you access to Vexa.",
		"Ask your administrator if you think that this is wrong.",
	},
	"conflicting_vexa_users": {
		http.StatusForbidden, "Your access is not set up properly",
		"Two rules name different Vexa users for you, so neither is used.",
		"Ask your administrator: the rules have to be corrected.",
	},
	"email_unproven": {
		http.StatusForbidden, "Your email address could not be verified",
		"Your sign-in did not prove an email address that Vexa could know you by.",
		"Ask your administrator and name the reference below.",
	},
	"groups_incomplete": {
		http.StatusForbidden, "Your groups could not be read",
		"Your organisation’s directory did not list all of your groups, so access that depends on " +
			"them cannot be granted.",
		"Ask your administrator and name the reference below.",
	},
	"pending_approval": {
		http.StatusForbidden, "Your access waits for approval",
		"Your access to Vexa waits for an administrator’s approval.",
		"Ask your administrator and name the reference below.",
	},
	"suspended": {
		http.StatusForbidden, "Your access is suspended",
		"Your access to Vexa has been suspended.",
		"Ask your administrator.",
	},
	"scope_missing": {
		http.StatusForbidden, "You may not do this",
		"Your access to Vexa does not cover this.",
		"Ask your administrator for the scope named above.",
	},
	"forbidden_route": {
		http.StatusForbidden, "This is not available here",
		"This address of Vexa is not available through single sign-on.",
		"Go back to the start page.",
	},
	"cross_site": {
		http.StatusForbidden, "This request came from another site",
		"A request that changes something must come from this site itself.",
		"Open this site directly and try again.",
	},
	"tool_request_invalid": {
		http.StatusBadRequest, "This program’s request cannot be answered",
		"A program sent you here with a request that is not valid.",
		"Start again from the program. If it happens again, tell whoever makes it.",
	},
	"consent_invalid": {
		http.StatusForbidden, "This form is no longer valid",
		"It is not from your current sign-in in this browser, or it was changed.",
		"Start again from the program.",
	},
	"bad_request": {
		http.StatusBadRequest, "That request cannot be understood",
		"The request is malformed or ambiguous.",
		"Check the address and try again.",
	},
	"not_found": {
		http.StatusNotFound, "There is no such page",
		"There is no such page here.",
		"Go back to the start page.",
	},
	"method_not_allowed": {
		http.StatusMethodNotAllowed, "That is not possible here",
		"This address does not accept that method.",
		"Go back to the start page.",
	},
	"unsupported_media_type": {
		http.StatusUnsupportedMediaType, "That format is not understood here",
		"The request is in a format that is not understood here.",
		"Send it in another format.",
	},
	"token_not_made": {
		http.StatusUnprocessableEntity, "That token cannot be made",
		"The token cannot be made as it was asked for.",
		"Change it and try again.",
	},
	"misdirected": {
		http.StatusMisdirectedRequest, "That is not our address",
		"This host name is not ours. Behind a proxy, pass the original Host on.",
		"Open Vexa at its own address.",
	},
	"rate_limited": {
		http.StatusTooManyRequests, "Too many requests",
		"Too many requests at a time.",
		"Wait a moment and try again.",
	},
	"sign_in_invalid": {
		http.StatusBadRequest, "The sign-in could not be completed",
		"The identity provider’s answer does not belong to a sign-in that this browser started.",
		"Sign in again.",
	},
	"sign_in_expired": {
		http.StatusBadRequest, "This sign-in is no longer open",
		"This browser has no open sign-in that the answer belongs to: it was finished, took too " +
			"long, or the browser did not keep our cookie.",
		"Sign in again.",
	},
	"refusal_gone": {
		http.StatusNotFound, "This page is no longer here",
		"It told why a sign-in was refused, for 15 minutes, in the browser that was refused. If you came " +
			"here by signing in just now, this browser does not keep our cookies.",
		"Sign in again to see whether it is still so.",
	},
	"sign_in_loop": {
		http.StatusBadRequest, "Signing in leads in circles",
		"This browser signed in several times within a minute, and was asked to sign in again each time.",
		"Tell your administrator what this page says, or sign in again.",
	},
	"sign_in_refused": {
		http.StatusForbidden, "The sign-in was refused",
		"The identity provider refused the sign-in, or you cancelled it.",
		"Sign in again, or ask your administrator.",
	},
	"access_ended": {
		http.StatusForbidden, "Your access has ended",
		"The identity provider says that your access has ended.",
		"Sign in again, or ask your administrator.",
	},
	"grant_over": {
		http.StatusUnauthorized, "Your sign-in has ended",
		"The identity provider says that your sign-in is over.",
		"Sign in again.",
	},
	"login_required": {
		http.StatusUnauthorized, "Please sign in again",
		"You have to sign in again.",
		"Sign in again.",
	},
	"tenant_not_allowed": {
		http.StatusForbidden, "Your organisation has no access",
		"The organisation that you signed in with has no access here.",
		"Sign in with another account, or ask your administrator.",
	},
	"guest_not_allowed": {
		http.StatusForbidden, "Guest accounts have no access",
		"Guest accounts have no access here.",
		"Sign in with another account, or ask your administrator.",
	},
	"provider_misconfigured": {
		http.StatusBadGateway, "Single sign-on is not set up properly",
		"The identity provider and this service do not agree on their setup.",
		"Ask your administrator and name the reference below.",
	},
	"provider_unavailable": {
		http.StatusServiceUnavailable, "The identity provider cannot be reached",
		"The identity provider cannot be reached right now.",
		"Wait a moment and try again.",
	},
	"vexa_admin_unavailable": {
		http.StatusServiceUnavailable, "Vexa cannot set up your access right now",
		"Vexa’s Admin API cannot be reached right now, and your access is not set up yet.",
		"Wait a moment and try again.",
	},
	"vexa_key_refused": {
		http.StatusServiceUnavailable, "Vexa did not accept your access",
		"Vexa refused a key that should be valid. A new one is being made.",
		"Try again.",
	},
	"vexa_unavailable": {
		http.StatusBadGateway, "Vexa cannot be reached",
		"Vexa cannot be reached right now.",
		"Wait a moment and try again.",
	},
	"vexa_timeout": {
		http.StatusGatewayTimeout, "Vexa did not answer in time",
		"Vexa did not answer in time.",
		"Wait a moment and try again.",
	},
	"store_unavailable": {
		http.StatusServiceUnavailable, "We cannot check your sign-in right now",
		"The session store cannot be reached right now. You stay signed in.",
		"Wait a moment and try again.",
	},
	"internal_error": {
		http.StatusInternalServerError, "Something went wrong",
		"Something went wrong on our side.",
		"Try again, and tell your administrator the reference below if it happens again.",
	},
}

// retryAfter is the default Retry-After, in seconds, of the codes for passing failures.
var retryAfter = map[Code]string{
	"provider_unavailable": "10", "vexa_admin_unavailable": "5", "vexa_key_refused": "1",
	"store_unavailable": "5", "rate_limited": "1", "vexa_unavailable": "5", "vexa_timeout": "5",
}
