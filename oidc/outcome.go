package oidc

import (
	"slices"
	"strings"
)

// Outcome is what a provider's no means for somebody who was let in before. The zero value ends nothing: what
// is not known to be over is not.
type Outcome int

const (
	// OutcomeUnknown: nobody knows. Nothing ends; ask again later.
	OutcomeUnknown Outcome = iota
	// OutcomeOver: this grant is over (password changed, lifetime reached, revoked). The person may still be
	// welcome, and has to sign in again.
	OutcomeOver
	// OutcomeGone: the person is gone (disabled, deleted, not assigned).
	OutcomeGone
)

func (o Outcome) String() string {
	return [...]string{"unknown", "over", "gone"}[o]
}

// finalWord is a row of the table: what a provider says, and what becomes of the person. A field that is
// empty matches everything; detail and numbers list any of several.
type finalWord struct {
	provider string // type
	code     string // error
	detail   string // suberror, error_subcode
	numbers  string // Entra's AADSTS
	text     string // part of error_description, as Okta has it
	outcome  Outcome
	source   string
}

// finalWords is the whole table; the first row that matches decides, and what no row matches is unknown. Rows
// that say over count at a refresh alone: elsewhere the same words are about a code or a session.
var finalWords = []finalWord{
	// Entra gives most of its errors as invalid_grant, so what it says in numbers comes first.
	{
		TypeEntra, "", "", "50057", "", OutcomeGone, "Microsoft, AADSTS50057 UserDisabled",
	},
	{
		TypeEntra, "", "", "50034", "", OutcomeGone, "Microsoft, AADSTS50034 UserAccountNotFound",
	},
	{
		TypeEntra, "", "", "50105", "", OutcomeGone,
		"Microsoft, AADSTS50105 EntitlementGrantsNotFound: not assigned to the application",
	},
	{
		TypeEntra, "", "", "50020", "", OutcomeGone,
		"Microsoft, AADSTS50020 UserUnauthorized: not in the tenant",
	},
	{
		TypeEntra, "", "", "50173", "", OutcomeOver,
		"Microsoft, AADSTS50173 FreshTokenNeeded: sessions revoked or password reset",
	},
	{
		TypeEntra, "", "", "50133", "", OutcomeOver,
		"Microsoft, AADSTS50133 SsoArtifactRevoked: session expired or password changed",
	},
	{
		TypeEntra, "", "", "700082 700084 70043", "", OutcomeOver,
		"Microsoft, AADSTS700082, 700084, 70043: the refresh token has expired",
	},
	{
		TypeEntra, "", "", "50053", "", OutcomeUnknown,
		"Microsoft, AADSTS50053 IdsLocked: for a while, and strangers can bring it about",
	},
	{
		TypeEntra, "", "", "50196 90055 90033", "", OutcomeUnknown,
		"Microsoft, AADSTS50196 LoopDetected, 90055 and 90033: later",
	},
	{
		TypeEntra, "", "", "50058 16000 50072 50074 50076 50078 50079 135010 65001 65004 90093 90094 90095 " +
			"53000 53001 53002 53003 53004 53011 530003 530032 50131 50158 50097 50055 50144 50126",
		"", OutcomeUnknown, "Microsoft: the person is to be asked for more (proof, consent, password)",
	},
	{
		TypeEntra, "", strings.Join(signInHelps, " "), "", "", OutcomeUnknown,
		"Microsoft, suberror: the person is to be asked for more",
	},
	{
		TypeEntra, "", "", "70011 28000 28003 9010010 70003 700016", "", OutcomeUnknown,
		"Microsoft: the request or the registration is at fault, not the grant",
	},

	{
		TypeOkta, "access_denied", "", "", "User is not assigned", OutcomeGone,
		"Okta, OAuth error catalogue: access_denied",
	},

	{
		"", "invalid_grant", "", "", "", OutcomeOver,
		"RFC 6749, section 5.2; Okta, OAuth error catalogue: The refresh token is invalid or expired",
	},
}

// outcome looks the provider's words up. A status that means "later" is not a word about anybody.
func (s providerSaid) outcome(provider string) Outcome {
	if temporary(s.status) {
		return OutcomeUnknown
	}
	for _, row := range finalWords {
		if row.matches(s, provider) {
			if row.outcome == OutcomeOver && s.grant != grantRefresh {
				return OutcomeUnknown
			}
			return row.outcome
		}
	}
	return OutcomeUnknown
}

func (w finalWord) matches(s providerSaid, provider string) bool {
	return (w.provider == "" || w.provider == provider) &&
		(w.code == "" || w.code == s.code) &&
		(w.detail == "" || slices.Contains(strings.Fields(w.detail), s.detail)) &&
		(w.numbers == "" || slices.Contains(strings.Fields(w.numbers), aadsts(s.description))) &&
		strings.Contains(s.description, w.text)
}

// maybeReplaced says whether the words would be the same for a refresh token that was used and replaced:
// whether they say that the grant is over without saying why.
func (s providerSaid) maybeReplaced(o Outcome) bool {
	return o == OutcomeOver && aadsts(s.description) == ""
}
