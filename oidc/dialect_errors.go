package oidc

import (
	"slices"
	"strings"
)

// Sentences for people that several failures share.
const (
	sayUnavailable   = "Your organisation's sign-in service can't be reached at the moment. Try again in a little while."
	sayMisconfigured = "Sign-in is not set up correctly. Tell your administrator."
	sayInvalid       = "This sign-in could not be completed. Start it again."
	sayStale         = "This sign-in has already been used or took too long. Start it again."
	sayRefused       = "Your organisation's sign-in service refused this sign-in."
	sayCancelled     = "The sign-in was cancelled."
	sayPolicy        = "Your organisation's access policy does not allow this sign-in."
	sayDisabled      = "Your account at your organisation is not active."
	sayPassword      = "Your password has expired. Change it and sign in again."
	sayNotAssigned   = "You are not assigned to this application. Ask your administrator for access."
	sayApproval      = "Your administrator has to approve this application before you can sign in."
	sayGroups        = "You are in more groups than your organisation's sign-in service can list. Tell your administrator."
	sayOtherTenant   = "This account belongs to another organisation."
	sayEnded         = "Your organisation's sign-in service has ended your sign-in. If you still should have access, sign in again."
	sayAgain         = "You need to sign in again."
)

// meaning is what an answer means here: our code, the sentence for the person, what the admin can do. The remedy may name
// {redirect_uri}, {client_id}, {tenant} and {issuer}, which are put in from the settings.
type meaning struct{ code, message, remedy string }

// meaning is what the refusal means for the one who asked: somebody who signs in, or whose sign-in is being renewed.
func (s providerSaid) meaning(providerType string) meaning {
	switch {
	case temporary(s.status):
		return meanings["temporarily_unavailable"]
	case s.grant == grantRefresh:
		return s.atRefresh(providerType)
	}
	return s.atSignIn(providerType)
}

// atSignIn looks for the most telling entry: the provider's number or sentence, then the standard's code.
func (s providerSaid) atSignIn(providerType string) meaning {
	switch providerType {
	case TypeEntra:
		if m, ok := entraMeanings[aadsts(s.description)]; ok {
			return m
		}
		if s.code == "access_denied" && s.detail == "cancel" {
			return meaning{CodeSignInRefused, sayCancelled, "Nothing, unless an administrator's consent was asked for: then grant it in Entra ID."}
		}
		if s.detail == "consent_required" {
			return meanings["consent_required"]
		}
	case TypeOkta:
		for _, o := range oktaMeanings {
			if strings.Contains(s.description, o.sentence) {
				return o.meaning
			}
		}
	}
	if m, ok := meanings[s.code]; ok {
		return m
	}
	return meaning{CodeSignInRefused, sayRefused, "Look for this sign-in in the provider's own log."}
}

// atRefresh is what a refusal means for somebody who is signed in: what would refuse a sign-in ends this one, but for what
// they can put right by signing in again.
func (s providerSaid) atRefresh(providerType string) meaning {
	if providerType == TypeEntra {
		if m, ok := entraRefreshMeanings[aadsts(s.description)]; ok {
			return m
		}
	}
	m := s.atSignIn(providerType)
	switch {
	case m.code == CodeProviderUnavailable || m.code == CodeProviderMisset || m.code == CodeGroupsTooMany || m.code == CodeLoginRequired:
		return m
	case slices.Contains([]string{sayPolicy, sayPassword, sayApproval}, m.message):
		return meaning{CodeLoginRequired, sayAgain, m.remedy}
	case slices.Contains(lifted, s.detail):
		return meaning{CodeLoginRequired, sayAgain, "Nothing: the provider wants to ask the person something (" + s.detail + ")."}
	case slices.Contains([]string{sayDisabled, sayNotAssigned, sayOtherTenant}, m.message):
		return meaning{CodeAccessEnded, m.message, m.remedy}
	}
	return meaning{CodeAccessEnded, sayEnded, "The provider's own log says why; usual causes are that an administrator deactivated the person or cleared their sessions, or that the refresh token was not used for long."}
}

// lifted are the values of Entra's suberror that another sign-in may lift.
var lifted = []string{"basic_action", "additional_action", "message_only", "consent_required", "user_password_expired", "protection_policy_required", "device_authentication_failed"}

// meanings are those of the standards: RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core 1.0 section 3.1.2.6, RFC 8707, RFC
// 9449, RFC 9470.
var meanings = map[string]meaning{
	"access_denied":                     {CodeSignInRefused, sayRefused, "The person or the provider's policy said no; see the provider's own log."},
	"login_required":                    {CodeLoginRequired, sayAgain, "Nothing: the provider has no session for this person."},
	"interaction_required":              {CodeLoginRequired, sayAgain, "Nothing: the provider wants to ask the person something."},
	"account_selection_required":        {CodeLoginRequired, sayAgain, "Nothing: the person is signed in with several accounts."},
	"consent_required":                  {CodeLoginRequired, sayAgain, "Grant consent to the application {client_id} for everybody at the provider."},
	"unmet_authentication_requirements": {CodeSignInRefused, sayPolicy, "The provider can not do what acr_values asks for: check it against what the provider supports."},
	"invalid_scope":                     {CodeProviderMisset, sayMisconfigured, "The provider does not know a scope that is asked for: check scopes, or create it there."},
	"invalid_target":                    {CodeProviderMisset, sayMisconfigured, "The scopes belong to another API than the provider expects: check scopes and extra_parameters."},
	"invalid_request":                   {CodeProviderMisset, sayMisconfigured, "Compare client_id {client_id}, the redirect URI {redirect_uri} and the application's type with the registration at the provider."},
	"invalid_client":                    {CodeProviderMisset, sayMisconfigured, "Check client_id {client_id} and its secret or key: the provider does not accept them."},
	"unauthorized_client":               {CodeProviderMisset, sayMisconfigured, "Allow the grant type Authorization Code (and Refresh Token) in the registration, and check client_id {client_id}."},
	"unsupported_grant_type":            {CodeProviderMisset, sayMisconfigured, "Allow the grant types Authorization Code and Refresh Token in the registration."},
	"unsupported_response_type":         {CodeProviderMisset, sayMisconfigured, "Allow the response type code in the registration."},
	"use_dpop_nonce":                    {CodeProviderMisset, sayMisconfigured, "Turn off the requirement of DPoP for the application."},
	"invalid_dpop_proof":                {CodeProviderMisset, sayMisconfigured, "Turn off the requirement of DPoP for the application."},
	"invalid_grant":                     {CodeSignInInvalid, sayStale, "Nothing, if it is rare: a callback was repeated or came late. Else compare redirect URI and clocks."},
	"server_error":                      {CodeProviderUnavailable, sayUnavailable, "The provider failed; see its own log."},
	"temporarily_unavailable":           {CodeProviderUnavailable, sayUnavailable, "The provider is overloaded or throttles this client; see its own log."},
}

// oktaMeanings are sentences of Okta's error catalogue that say more than the code beside them.
var oktaMeanings = []struct {
	sentence string
	meaning
}{
	{"User is not assigned", meaning{CodeSignInRefused, sayNotAssigned, "Assign the person, or a group of theirs, to the application {client_id} in Okta."}},
	{"Policy evaluation failed", meaning{CodeSignInRefused, sayPolicy, "Look at the authentication policy of the application and the access policies of the authorization server in Okta."}},
	{"requires re-authentication or MFA", meaning{CodeLoginRequired, sayAgain, "Nothing: Okta wants the person to sign in again or prove more."}},
	{"matched too many groups", meaning{CodeGroupsTooMany, sayGroups, "Narrow the groups claim's filter in Okta: more than 100 groups of this person match."}},
	{"not granted in the original authorize request", meaning{CodeLoginRequired, sayAgain, "Nothing: scopes has grown since this person signed in."}},
	{"scopes are not configured", meaning{CodeProviderMisset, sayMisconfigured, "Create the scope (groups, for example) on the authorization server {issuer} in Okta, or take it out of scopes."}},
	{"scopes require user consent", meaning{CodeLoginRequired, sayAgain, "Set the scope's consent to Implicit in Okta, or let people consent."}},
	{"client secret supplied", meaning{CodeProviderMisset, sayMisconfigured, "The client secret is wrong or inactive: copy an active one from the application {client_id} in Okta."}},
	{"Invalid value for 'client_id'", meaning{CodeProviderMisset, sayMisconfigured, "Okta does not know client_id {client_id} at {issuer}: copy it from the application, and allow the application in the authorization server's access policies."}},
	{"No client credentials found", meaning{CodeProviderMisset, sayMisconfigured, "The application in Okta needs client authentication: set client_secret or private_key_file."}},
	{"Cannot supply multiple client credentials", meaning{CodeProviderMisset, sayMisconfigured, "A proxy in between adds an Authorization header to what is sent to Okta."}},
	{"client_assertion", meaning{CodeProviderMisset, sayMisconfigured, "Okta does not accept the signed assertion: compare private_key_file and key_id with the public keys of the application {client_id}, its client authentication with Public key / Private key, and this machine's clock."}},
	{"PKCE code challenge is required", meaning{CodeProviderMisset, sayMisconfigured, "Something in between has taken code_challenge off the request."}},
	{"PKCE verification failed", meaning{CodeSignInInvalid, sayInvalid, "Nothing, if it is rare: the code of another sign-in was used. Many of these may be an attack."}},
	{"grant was issued to another client", meaning{CodeSignInInvalid, sayInvalid, "Nothing, if it is rare: the code of another application was used. Many of these may be an attack."}},
	{"'redirect_uri' does not match", meaning{CodeProviderMisset, sayMisconfigured, "public_url changed between the two halves of a sign-in, or replicas disagree about it: this one's redirect URI is {redirect_uri}."}},
	{"must be a Login redirect URI", meaning{CodeProviderMisset, sayMisconfigured, "Add {redirect_uri} to the Sign-in redirect URIs of the application {client_id} in Okta."}},
	{"provided grant type", meaning{CodeProviderMisset, sayMisconfigured, "Allow the grant types Authorization Code and Refresh Token in the application {client_id} in Okta."}},
	{"exceeded the maximum number of requests", meaning{CodeProviderUnavailable, sayUnavailable, "Okta throttles this client; see its rate limit dashboard."}},
	{"exceeded rate limit", meaning{CodeProviderUnavailable, sayUnavailable, "Okta throttles this client; see its rate limit dashboard."}},
}

// entraMeanings are Entra's AADSTS numbers.
var entraMeanings = byNumber([]numbered{
	{meaning{CodeSignInRefused, sayCancelled, "Nothing: the person declined to consent."}, "65004"},
	{meaning{CodeSignInRefused, sayApproval, "Grant admin consent to the application {client_id} in Entra ID."}, "90094 90095 90093"},
	{meaning{CodeLoginRequired, sayAgain, "Grant admin consent to the application {client_id} in Entra ID."}, "65001"},
	{meaning{CodeSignInRefused, sayNotAssigned, "Assign the person, or a group of theirs, to the enterprise application {client_id} in Entra ID."}, "50105"},
	{meaning{CodeTenantRefused, sayOtherTenant, "Invite the person as a guest, or list their tenant in allowed_tenants."}, "50020"},
	{meaning{CodeSignInRefused, sayPolicy, "A conditional access policy stopped it; see the sign-in log in Entra ID."}, "53000 53001 53002 53003 53004 53011 530003 530032 50131 50158 50097"},
	{meaning{CodeSignInRefused, sayDisabled, "The account is disabled, locked or deleted in Entra ID."}, "50057 50034 50053"},
	{meaning{CodeSignInRefused, sayRefused, "The person's credentials were wrong; see the sign-in log in Entra ID."}, "50126"},
	{meaning{CodeSignInRefused, sayPassword, "Nothing: the person has to change their password."}, "50055 50144"},
	{meaning{CodeLoginRequired, sayAgain, "Nothing: Entra wants the person to sign in, choose an account or prove more."}, "50058 16000 50072 50074 50076 50078 50079 135010"},
	{meaning{CodeSignInInvalid, sayStale, "Nothing, if it is rare: a callback was repeated or came late."}, "54005 70008 70000 50173 700082 700084 70043"},
	{meaning{CodeSignInInvalid, sayInvalid, "Nothing, if it is rare: the code of another sign-in was used. Many of these may be an attack."}, "501481 700005 9002313"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Register {redirect_uri} as a redirect URI of type Web, to the letter, in the application {client_id} in Entra ID."}, "50011 500112 900971"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Move {redirect_uri} in the application {client_id} in Entra ID from type Single-page application to type Web."}, "9002325 9002326 9002327"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Entra ID knows no application {client_id} in the tenant {tenant}: copy client_id from its registration, and check tenant."}, "700016 7000229 650052 650056"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Enable the enterprise application {client_id} in Entra ID: it is disabled."}, "7000112"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Entra ID knows no tenant {tenant} in this cloud: check tenant and cloud."}, "90002"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Set cloud to the one that the tenant {tenant} is in: usgov or china."}, "90038 90051"},
	{meaning{CodeProviderMisset, sayMisconfigured, "The application {client_id} is for one tenant: write its id as tenant, or make the registration multi-tenant."}, "50194"},
	{meaning{CodeProviderMisset, sayMisconfigured, "The client secret is wrong; a usual cause is that the secret's id was copied instead of its value."}, "7000215"},
	{meaning{CodeProviderMisset, sayMisconfigured, "The client secret has expired: make a new one for the application {client_id} in Entra ID."}, "7000222"},
	{meaning{CodeProviderMisset, sayMisconfigured, "The registration needs client authentication: set client_secret, certificate_file or federated_token_file; for a redirect URI of a public client, register {redirect_uri} as type Web."}, "7000218"},
	{meaning{CodeProviderMisset, sayMisconfigured, "The registration is of a public client: register {redirect_uri} as type Web, or take the secret or key out of the settings."}, "700025"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Upload the certificate of certificate_file to the application {client_id} in Entra ID: it is not the one there."}, "700027 700030"},
	{meaning{CodeProviderMisset, sayMisconfigured, "The client's assertion is not of this time or place: compare this machine's clock with Entra's; a federated token may have expired in its file."}, "700024 700023 500133"},
	{meaning{CodeProviderMisset, sayMisconfigured, "No federated credential of the application {client_id} matches the token in federated_token_file: issuer, subject and audience must be the same to the letter. A new one takes some minutes."}, "70021 700211 700212 700213"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Entra ID can not read the keys of the issuer of the federated token: its discovery document must be on the public internet."}, "50166 700221"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Check scopes: Entra ID does not know one of them, or they belong to another API. Its groups come without a scope: take groups out."}, "70011 650053 9010010 28000 28003 500011 1002012"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Allow the authorization code flow in the registration of {client_id}, with {redirect_uri} as type Web."}, "700054 700051 70003"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Something in between has taken a parameter off the request."}, "90014 900144"},
	{meaning{CodeProviderUnavailable, sayUnavailable, "Entra ID is overloaded or throttles this client."}, "90033 90055"},
	{meaning{CodeProviderUnavailable, sayUnavailable, "Entra ID has seen the same request too often and refuses it for five minutes: look for a loop of sign-ins."}, entraLoop},
})

// entraRefreshMeanings are numbers that mean something else at a refresh than at a sign-in.
var entraRefreshMeanings = byNumber([]numbered{
	{meaning{CodeAccessEnded, sayEnded, "An administrator revoked the person's sessions, or reset their password, in Entra ID."}, "50173"},
	{meaning{CodeAccessEnded, sayEnded, "The refresh token was not used for 90 days."}, "700082"},
	{meaning{CodeAccessEnded, sayEnded, "Register {redirect_uri} as type Web in Entra ID: the refresh tokens of a single-page application end after 24 hours."}, "700084"},
	{meaning{CodeLoginRequired, sayAgain, "Nothing: a conditional access policy limits how long a sign-in lasts (sign-in frequency)."}, "70043"},
})

// numbered is a meaning and the numbers that have it.
type numbered struct {
	meaning
	numbers string
}

func byNumber(all []numbered) map[string]meaning {
	table := map[string]meaning{}
	for _, entry := range all {
		for _, number := range strings.Fields(entry.numbers) {
			table[number] = entry.meaning
		}
	}
	return table
}
