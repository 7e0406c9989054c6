package oidc

import "strings"

// signInMeaning goes by the number.
func (e *entra) signInMeaning(said providerSaid) (meaning, bool) {
	if m, ok := entraMeanings[aadsts(said.description)]; ok {
		return m, true
	}
	switch {
	case said.code == "access_denied" && said.detail == "cancel":
		return meaning{CodeSignInRefused, sayCancelled, "Nothing, unless an administrator's consent was " +
			"asked for: then grant it in Entra ID."}, true
	case said.detail == "consent_required":
		return meanings["consent_required"], true
	}
	return meaning{}, false
}

func (e *entra) overRemedy(said providerSaid) (string, bool) {
	why, ok := entraOver[aadsts(said.description)]
	return why, ok
}

// entraMeanings are Entra's AADSTS numbers.
var entraMeanings = byNumber([]numbered{
	{meaning{CodeSignInRefused, sayCancelled, "Nothing: the person declined to consent."}, "65004"},
	{meaning{CodeSignInRefused, sayApproval, "Grant admin consent to the application " +
		"{client_id} in Entra ID."}, "90094 90095 90093"},
	{meaning{
		CodeLoginRequired, sayAgain, "Grant admin consent to the application {client_id} in Entra ID.",
	}, "65001"},
	{meaning{CodeSignInRefused, sayNotAssigned, "Assign the person, or a group of theirs, to the " +
		"enterprise application {client_id} in Entra ID."}, "50105"},
	{meaning{CodeTenantRefused, sayOtherTenant, "Invite the person as a guest, or list their tenant in " +
		"allowed_tenants."}, "50020"},
	{meaning{CodeSignInRefused, sayPolicy, "A conditional access policy stopped it; see the sign-in " +
		"log in Entra ID."}, "53000 53001 53002 53003 53004 53011 530003 530032 50131 50158 50097"},
	{
		meaning{CodeSignInRefused, sayDisabled, "The account is disabled, locked or deleted in Entra ID."},
		"50057 50034 50053",
	},
	{meaning{CodeSignInRefused, sayRefused, "The person's credentials were wrong; see the sign-in " +
		"log in Entra ID."}, "50126"},
	{
		meaning{CodeSignInRefused, sayPassword, "Nothing: the person has to change their password."},
		"50055 50144",
	},
	{meaning{CodeLoginRequired, sayAgain, "Nothing: Entra wants the person to sign in, choose an account " +
		"or prove more."}, "50058 16000 50072 50074 50076 50078 50079 135010"},
	{
		meaning{CodeSignInInvalid, sayStale, "Nothing, if it is rare: a callback was repeated or came late."},
		"54005 70008 70000 50173 50133 700082 700084 70043",
	},
	{meaning{CodeSignInInvalid, sayInvalid, "Nothing, if it is rare: the code of another sign-in was used. " +
		"Many of these may be an attack."}, "501481 700005 9002313"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Register {redirect_uri} as a redirect URI of type Web, " +
		"to the letter, in the application {client_id} in Entra ID."}, "50011 500112 900971"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Move {redirect_uri} in the application {client_id} in " +
		"Entra ID from type Single-page application to type Web."}, "9002325 9002326 9002327"},
	{
		meaning{CodeProviderMisset, sayMisconfigured, "Entra ID knows no application {client_id} in the " +
			"tenant {tenant}: copy client_id from its registration, and check tenant."},
		"700016 7000229 650052 650056",
	},
	{meaning{CodeProviderMisset, sayMisconfigured, "Enable the enterprise application {client_id} in Entra " +
		"ID: it is disabled."}, "7000112"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Entra ID knows no tenant {tenant} in this cloud: check " +
		"tenant and cloud."}, "90002"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Set cloud to the one that the tenant {tenant} is in: " +
		"usgov or china."}, "90038 90051"},
	{meaning{CodeProviderMisset, sayMisconfigured, "The application {client_id} is for one tenant: write " +
		"its id as tenant, or make the registration multi-tenant."}, "50194"},
	{meaning{CodeProviderMisset, sayMisconfigured, "The client secret is wrong; a usual cause is that the " +
		"secret's id was copied instead of its value."}, "7000215"},
	{meaning{CodeProviderMisset, sayMisconfigured, "The client secret has expired: make a new one for the " +
		"application {client_id} in Entra ID."}, "7000222"},
	{meaning{CodeProviderMisset, sayMisconfigured, "The registration needs client authentication: set " +
		"client_secret, certificate_file or federated_token_file; for a redirect URI of a public client, " +
		"register {redirect_uri} as type Web."}, "7000218"},
	{meaning{CodeProviderMisset, sayMisconfigured, "The registration is of a public client: register " +
		"{redirect_uri} as type Web, or take the secret or key out of the settings."}, "700025"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Upload the certificate of certificate_file to the " +
		"application {client_id} in Entra ID: it is not the one there."}, "700027 700030"},
	{meaning{
		CodeProviderMisset, sayMisconfigured, "The client's assertion is not of this time or place: " +
			"compare this machine's clock with Entra's; a federated token may have expired in its file.",
	}, "700024 700023 500133"},
	{meaning{CodeProviderMisset, sayMisconfigured, "No federated credential of the application {client_id} " +
		"matches the token in federated_token_file: issuer, subject and audience must be the same to the " +
		"letter. A new one takes some minutes."}, "70021 700211 700212 700213"},
	{meaning{CodeProviderMisset, sayMisconfigured, "Entra ID cannot read the keys of the issuer of the " +
		"federated token: its discovery document must be on the public internet."}, "50166 700221"},
	{
		meaning{CodeProviderMisset, sayMisconfigured, "Check scopes: Entra ID does not know one of them, " +
			"or they belong to another API. Its groups come without a scope: take groups out."},
		"70011 650053 9010010 28000 28003 500011 1002012",
	},
	{meaning{CodeProviderMisset, sayMisconfigured, "Allow the authorization code flow in the registration " +
		"of {client_id}, with {redirect_uri} as type Web."}, "700054 700051 70003"},
	{meaning{
		CodeProviderMisset, sayMisconfigured, "Something in between has taken a parameter off the request.",
	}, "90014 900144"},
	{
		meaning{CodeProviderUnavailable, sayUnavailable, "Entra ID is overloaded or throttles this client."},
		"90033 90055",
	},
	{meaning{CodeProviderUnavailable, sayUnavailable, "Entra ID has seen the same request too often and " +
		"refuses it for five minutes: look for a loop of sign-ins."}, entraLoop},
})

// entraOver tells admins why a refresh token is dead, by Entra's number.
var entraOver = map[string]string{
	"50173":  "An administrator revoked the person's sessions, or reset their password, in Entra ID.",
	"50133":  "The person's session expired in Entra ID, or they changed their password.",
	"700082": "The refresh token was not used for 90 days.",
	"700084": "Register {redirect_uri} as type Web in Entra ID: the refresh tokens of a single-page " +
		"application end after 24 hours.",
	"70043": "Nothing: a conditional access policy limits how long a sign-in lasts (sign-in frequency).",
}

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
