package oidc

import "strings"

// signInMeaning goes by the sentence.
func (o okta) signInMeaning(said providerSaid) (meaning, bool) {
	for _, known := range oktaMeanings {
		if strings.Contains(said.description, known.sentence) {
			return known.meaning, true
		}
	}
	return meaning{}, false
}

// oktaMeanings are sentences of Okta's error catalogue that say more than the code beside them.
var oktaMeanings = []struct {
	sentence string
	meaning
}{
	{"User is not assigned", meaning{CodeSignInRefused, sayNotAssigned, "Assign the person, or a group of " +
		"theirs, to the application {client_id} in Okta."}},
	{"Policy evaluation failed", meaning{CodeSignInRefused, sayPolicy, "Look at the authentication policy " +
		"of the application and the access policies of the authorization server in Okta."}},
	{"requires re-authentication or MFA", meaning{CodeLoginRequired, sayAgain, "Nothing: Okta wants the " +
		"person to sign in again or prove more."}},
	{"matched too many groups", meaning{CodeGroupsTooMany, sayGroups, "Narrow the groups claim's filter in " +
		"Okta: more than 100 groups of this person match."}},
	{
		"not granted in the original authorize request",
		meaning{CodeLoginRequired, sayAgain, "Nothing: scopes has grown since this person signed in."},
	},
	{"scopes are not configured", meaning{CodeProviderMisset, sayMisconfigured, "Create the scope (groups, " +
		"for example) on the authorization server {issuer} in Okta, or take it out of scopes."}},
	{"scopes require user consent", meaning{CodeLoginRequired, sayAgain, "Set the scope's consent to " +
		"Implicit in Okta, or let people consent."}},
	{"client secret supplied", meaning{CodeProviderMisset, sayMisconfigured, "The client secret is wrong " +
		"or inactive: copy an active one from the application {client_id} in Okta."}},
	{"Invalid value for 'client_id'", meaning{CodeProviderMisset, sayMisconfigured, "Okta does not know " +
		"client_id {client_id} at {issuer}: copy it from the application, and allow the application in the " +
		"authorization server's access policies."}},
	{"No client credentials found", meaning{CodeProviderMisset, sayMisconfigured, "The application in Okta " +
		"needs client authentication: set client_secret or private_key_file."}},
	{"Cannot supply multiple client credentials", meaning{
		CodeProviderMisset, sayMisconfigured,
		"A proxy in between adds an Authorization header to what is sent to Okta.",
	}},
	{"client_assertion", meaning{CodeProviderMisset, sayMisconfigured, "Okta does not accept the signed " +
		"assertion: compare private_key_file and key_id with the public keys of the application " +
		"{client_id}, its client authentication with Public key / Private key, and this machine's clock."}},
	{"PKCE code challenge is required", meaning{
		CodeProviderMisset, sayMisconfigured,
		"Something in between has taken code_challenge off the request.",
	}},
	{"PKCE verification failed", meaning{CodeSignInInvalid, sayInvalid, "Nothing, if it is rare: the code " +
		"of another sign-in was used. Many of these may be an attack."}},
	{"grant was issued to another client", meaning{CodeSignInInvalid, sayInvalid, "Nothing, if it is rare: " +
		"the code of another application was used. Many of these may be an attack."}},
	{"'redirect_uri' does not match", meaning{CodeProviderMisset, sayMisconfigured, "public_url changed " +
		"between the two halves of a sign-in, or replicas disagree about it: this one's redirect URI is " +
		"{redirect_uri}."}},
	{"must be a Login redirect URI", meaning{CodeProviderMisset, sayMisconfigured, "Add {redirect_uri} to " +
		"the Sign-in redirect URIs of the application {client_id} in Okta."}},
	{"provided grant type", meaning{CodeProviderMisset, sayMisconfigured, "Allow the grant types " +
		"Authorization Code and Refresh Token in the application {client_id} in Okta."}},
	{"exceeded the maximum number of requests", meaning{
		CodeProviderUnavailable, sayUnavailable, "Okta throttles this client; see its rate limit dashboard.",
	}},
	{"exceeded rate limit", meaning{CodeProviderUnavailable, sayUnavailable, "Okta throttles this client; " +
		"see its rate limit dashboard."}},
}
