package oidc

import "time"

// Kind says whether an identity is a person or a program.
type Kind string

const (
	User    Kind = "user"    // a person who signed in, or a token issued on their behalf
	Service Kind = "service" // a program acting for itself (client credentials, app-only)
)

// Identity is what a provider proved about a caller. It is the only thing that leaves this package about a
// person: rules turn it into a decision, accounts are bound to its Subject.
type Identity struct {
	// Provider is the configured name of the provider that proved this identity.
	Provider string `json:"provider"`

	// Subject is the canonical subject: one string per human, whatever token proved it. It never contains an
	// email address.
	//
	// 	okta:<org URL>/<00u id>      entra:<cloud>/<tid>/<oid>      oidc:<issuer>#<sub>
	//
	// A program's is okta:<org URL>/client/<cid>, entra:<cloud>/<tid>/client/<oid> or
	// oidc:<issuer>?client=<client id>, which no human's can be.
	Subject string `json:"subject"`

	Kind Kind `json:"kind"`

	// Email is trimmed, lower-cased and proven, or empty. Proven means: email_verified is true; or Entra's
	// xms_edov is; or the tenant or org is pinned and the domain is in the provider's trusted_domains.
	Email string `json:"email,omitempty"`

	// EmailTrusted is true when Email's domain is in the provider's trusted_domains.
	EmailTrusted bool `json:"email_trusted,omitempty"`

	// UnprovenEmail is the address that the provider claimed and that could not be proven. Nothing is ever
	// decided by it; it lets a refusal say which address it was.
	UnprovenEmail string `json:"unproven_email,omitempty"`

	Name   string   `json:"name,omitempty"`
	Groups []string `json:"groups,omitempty"`

	// GroupsComplete is false when the provider said that there are more groups than it listed (Entra's
	// overage) and they could not be resolved. GroupsProblem then says why, for people.
	GroupsComplete bool   `json:"groups_complete"`
	GroupsProblem  string `json:"groups_problem,omitempty"`

	// GroupsByID is true when Groups came from the directory itself, which lists them by id whatever the
	// provider's tokens do (Entra's can list names). A list of ids does not tell whether somebody is in the
	// group of a name.
	GroupsByID bool `json:"groups_by_id,omitempty"`

	Roles []string `json:"roles,omitempty"`

	// SID is the provider's session id (sid), where it gave one; front- and back-channel logout name it.
	SID string `json:"sid,omitempty"`

	// Claims are the verified raw claims (ID token, completed from userinfo), less what only the protocol
	// needs (nonce, hashes, internal identifiers). Numbers are json.Number, as they were written.
	Claims map[string]any `json:"claims,omitempty"`

	// ByUserinfo are the claims that userinfo told, and the ID token did not.
	ByUserinfo []string `json:"by_userinfo,omitempty"`

	// Unsaid names what an earlier answer told and the newest one does not (SaidGroups, or a claim's name):
	// it is unknown, not absent (S18). Kept names what is gone by all the same, and when it was last said.
	Unsaid []string             `json:"unsaid,omitempty"`
	Kept   map[string]time.Time `json:"kept,omitempty"`
}

// UnmarshalJSON decodes an identity with the numbers in its claims as they are written, so that one that was
// stored is the one that was proven.
func (id *Identity) UnmarshalJSON(text []byte) error {
	type plain Identity
	return unmarshalExactly(text, (*plain)(id))
}
