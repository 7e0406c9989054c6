package oidc

import "slices"

// Messages for people that several failures share.
const (
	sayUnavailable = "Your organisation’s sign-in service cannot be reached at the moment. Try again in a " +
		"little while."
	sayMisconfigured = "Sign-in is not set up correctly. Tell your administrator."
	sayInvalid       = "This sign-in could not be completed. Start it again."
	sayStale         = "This sign-in has already been used or took too long. Start it again."
	sayRefused       = "Your organisation’s sign-in service refused this sign-in."
	sayCancelled     = "The sign-in was cancelled."
	sayPolicy        = "Your organisation’s access policy does not allow this sign-in."
	sayDisabled      = "Your account at your organisation is not active."
	sayPassword      = "Your password has expired. Change it and sign in again."
	sayNotAssigned   = "You are not assigned to this application. Ask your administrator for access."
	sayApproval      = "Your administrator has to approve this application before you can sign in."
	sayGroups        = "You are in more groups than your organisation’s sign-in service can list. Tell " +
		"your administrator."
	sayOtherTenant = "This account belongs to another organisation."
	sayEnded       = "Your organisation’s sign-in service has ended your sign-in. If you still should have " +
		"access, sign in again."
	sayAgain = "You need to sign in again."
)

// meaning is what a provider's error becomes: our code, the message for the person, the remedy for the admin.
// The remedy may name {redirect_uri}, {client_id}, {tenant} and {issuer}, which are put in from the settings.
type meaning struct{ code, message, remedy string }

// meaning is that of the error at a sign-in, or at a refresh.
func (s providerSaid) meaning(of dialect, o Outcome) meaning {
	switch {
	case temporary(s.status):
		return meanings["temporarily_unavailable"]
	case s.grant == grantRefresh:
		return s.atRefresh(of, o)
	}
	return s.atSignIn(of)
}

// atSignIn looks for the most telling entry: the provider's number or sentence, then the standard's code.
func (s providerSaid) atSignIn(of dialect) meaning {
	if m, ok := of.signInMeaning(s); ok {
		return m
	}
	if m, ok := meanings[s.code]; ok {
		return m
	}
	return meaning{CodeSignInRefused, sayRefused, "Look for this sign-in in the provider's own log."}
}

// atRefresh is what a refusal means for somebody who is signed in: that they are gone, that this grant is
// over, or what it would mean at a sign-in. What they can put right by signing in again is
// CodeLoginRequired.
func (s providerSaid) atRefresh(of dialect, o Outcome) meaning {
	m := s.atSignIn(of)
	switch {
	case o == OutcomeGone:
		return meaning{CodeAccessEnded, m.message, m.remedy}
	case o == OutcomeOver:
		return meaning{CodeGrantOver, sayEnded, s.whyOver(of)}
	case m.code == CodeLoginRequired:
		return m
	case slices.Contains([]string{sayPolicy, sayPassword, sayApproval}, m.message):
		return meaning{CodeLoginRequired, sayAgain, m.remedy}
	case slices.Contains(signInHelps, s.detail):
		return meaning{CodeLoginRequired, sayAgain, "Nothing: the provider wants to ask the " +
			"person something (" + s.detail + ")."}
	case slices.Contains(later, s.code):
		return meanings["temporarily_unavailable"]
	}
	return m
}

// whyOver tells an admin why a grant may be over.
func (s providerSaid) whyOver(of dialect) string {
	if why, ok := of.overRemedy(s); ok {
		return why
	}
	return "The provider's own log says why; usual causes are that an administrator deactivated the person " +
		"or cleared their sessions, or that the refresh token was not used for long."
}

// later are codes that say nothing but that it is the wrong moment (RFC 8628, section 3.5, and what gateways
// in front of providers answer).
var later = []string{"slow_down", "request_timeout", "too_many_requests"}

// signInHelps are the values of Entra's suberror after which another sign-in may succeed.
var signInHelps = []string{
	"basic_action", "additional_action", "message_only", "consent_required", "user_password_expired",
	"protection_policy_required", "device_authentication_failed",
}

// meanings are those of the standards: RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core 1.0 section
// 3.1.2.6, RFC 8707, RFC 9449, RFC 9470.
var meanings = map[string]meaning{
	"access_denied": {CodeSignInRefused, sayRefused, "The person or the provider's policy said no; see the " +
		"provider's own log."},
	"login_required": {CodeLoginRequired, sayAgain, "Nothing: the provider has no session for this person."},
	"interaction_required": {
		CodeLoginRequired, sayAgain, "Nothing: the provider wants to ask the person something.",
	},
	"account_selection_required": {
		CodeLoginRequired, sayAgain, "Nothing: the person is signed in with several accounts.",
	},
	"consent_required": {CodeLoginRequired, sayAgain, "Grant consent to the application {client_id} for " +
		"everybody at the provider."},
	"unmet_authentication_requirements": {CodeSignInRefused, sayPolicy, "The provider cannot do what " +
		"acr_values asks for: check it against what the provider supports."},
	"invalid_scope": {CodeProviderMisset, sayMisconfigured, "The provider does not know a scope that is " +
		"asked for: check scopes, or create it there."},
	"invalid_target": {CodeProviderMisset, sayMisconfigured, "The scopes belong to another API than the " +
		"provider expects: check scopes and extra_parameters."},
	"invalid_request": {CodeProviderMisset, sayMisconfigured, "Compare client_id {client_id}, the redirect " +
		"URI {redirect_uri} and the application's type with the registration at the provider."},
	"invalid_client": {CodeProviderMisset, sayMisconfigured, "Check client_id {client_id} and its secret " +
		"or key: the provider does not accept them."},
	"unauthorized_client": {CodeProviderMisset, sayMisconfigured, "Allow the grant type Authorization Code " +
		"(and Refresh Token) in the registration, and check client_id {client_id}."},
	"unsupported_grant_type": {CodeProviderMisset, sayMisconfigured, "Allow the grant types Authorization " +
		"Code and Refresh Token in the registration."},
	"unsupported_response_type": {
		CodeProviderMisset, sayMisconfigured, "Allow the response type code in the registration.",
	},
	"use_dpop_nonce": {
		CodeProviderMisset, sayMisconfigured, "Turn off the requirement of DPoP for the application.",
	},
	"invalid_dpop_proof": {
		CodeProviderMisset, sayMisconfigured, "Turn off the requirement of DPoP for the application.",
	},
	"invalid_grant": {CodeSignInInvalid, sayStale, "Nothing, if it is rare: a callback was repeated or " +
		"came late. Else compare redirect URI and clocks."},
	"server_error": {CodeProviderUnavailable, sayUnavailable, "The provider failed; see its own log."},
	"temporarily_unavailable": {CodeProviderUnavailable, sayUnavailable, "The provider is overloaded or " +
		"throttles this client; see its own log."},
}
