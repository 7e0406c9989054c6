// Package oidc proves who somebody is through an organisation's own identity provider: Okta, Microsoft Entra
// ID, or any provider of OpenID Connect. What comes out is an [Identity]. The package knows nothing of
// cookies, pages or Vexa, and keeps nothing about anybody: what has to survive a request is the caller's.
//
// # Signing in
//
// This is the authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1), in two halves. The
// browser is away at the provider in between:
//
//	p, err := oidc.New(cfg, oidc.Env{})                    // calls nobody; refuses unsafe settings
//	redirect, attempt, err := p.Begin(ctx, oidc.BeginOptions{})
//	… seal attempt into a cookie, send the browser to redirect, get the callback …
//	signIn, err := p.Finish(ctx, attempt, r.Form)          // *oidc.Error, or who it is
//
// Finish is the road that everything else shares, and signin.go reads in its order: the callback answers the
// attempt (state; iss of RFC 9207), the code is redeemed (clientauth.go), the ID token is verified
// (verify.go), completed from userinfo where it is thin (userinfo.go) and made into an identity (claims.go),
// with the groups that Entra only points at read from Microsoft Graph (groups.go, graph.go).
//
// # Afterwards
//
// [Provider.Refresh] asks with the refresh token who the person is now; it goes the second half of Finish
// (refresh.go). Store the new refresh token before anything else. The Outcome of its error says what ends:
// the person's access, this grant, or nothing, because nobody knows (outcome.go has the table).
//
// A provider may end a session unasked. [Provider.VerifyLogoutToken] is for OpenID Connect's back channel,
// [Provider.MatchesIssuer] for the front channel, [Provider.VerifyUniversalLogout] for Okta's Universal
// Logout, and [Provider.SubjectOf] says whom a request names. That a jti serves once is for the caller to
// remember. [Provider.EndSession] is the way out that a person chooses.
//
// # Access tokens
//
// A program shows an access token where a browser would sign in, and we are then the resource server
// (bearer.go, tokenissuer.go):
//
//	iss, ok := oidc.UnverifiedIssuer(raw)                  // chooses the provider; nothing is believed
//	… the provider that AcceptsBearer and Issues(iss) …
//	token, err := p.VerifyAccessToken(ctx, raw)            // *oidc.Error, or who shows it, and until when
//
// Settings ([API]) say which tokens are taken: audiences, which are not our client ID but at Entra, further
// issuers, a scope, a role, a list of clients. What the same keys sign for other purposes is recognised, and
// the refusal names what was shown and what is wanted: an ID token, a logout token, a token for Microsoft
// Graph, one that is bound to a key. A token that is too long, malformed or of another issuer is refused
// before anything is fetched (unverified.go).
//
// The dialects rename an access token's claims to those of an ID token, so that one person is one identity
// however they come. A program that acts for itself is of [Kind] Service; it has no address, and its subject
// is never a person's. An access token that lists no groups says nothing about groups.
//
// # Identities
//
// The canonical subject is one string for one person, whatever token proved them. It is never an email
// address, because addresses change hands:
//
//	okta:<org URL>/<00u id>       the same over all authorization servers of the org
//	entra:<cloud>/<tid>/<oid>     the same over all applications of the tenant
//	oidc:<issuer>#<sub>
//
// And a program's, which no person's can be:
//
//	okta:<org URL>/client/<client id>
//	entra:<cloud>/<tid>/client/<oid>
//	oidc:<issuer>?client=<client id>
//
// An address is proven when the provider says so (email_verified; Entra's xms_edov), or when the provider
// says nothing, only one organisation's people come from it, and the domain is in trusted_domains (email.go).
// A provider's "no" stands: people who may edit their own profile could write a colleague's address there.
//
// Groups that are not known are not no groups: the identity then says that its list is incomplete, and why.
//
// # What is trusted
//
// The settings, after [Config.Check] (check.go and the files named for it). The discovery document, as far as
// its issuer is the configured one (discovery.go). Signing keys that it points to (keyset.go). All else is
// strangers' text until a published key has signed it. Every answer of a provider is bounded, no redirect is
// followed, and no call goes where neither the settings nor the discovery document point (httpclient.go).
//
// We authenticate to the token endpoint by a secret (two, during a rotation), a signed assertion
// (private_key_jwt; by certificate at Entra) or a token of the platform's (workload identity federation);
// each is a credential in clientauth.go. Files with keys and tokens are read when they are used.
//
// # When the provider is down
//
// Document and keys are fetched when first needed, once for all who wait (singleflight.go), and refreshed
// hourly while the old ones serve: a document for three days, a key for one day after it was last published.
// When there is nothing, attempts are spaced by an exponential backoff, and those who come in between are
// told how long to wait. Forged tokens, however many, cause one fetch of the keys in five minutes.
//
// # Provider types
//
// What differs between them is behind one interface, dialect (dialect.go), in one family of files each:
// dialect_okta*.go, dialect_entra*.go, and dialect_standard*.go for every other provider. A fourth type is
// one file more; dialect.go says how. Others ask a [Provider] for its traits (traits.go), never for its type.
//
// # Errors
//
// Every failure is an [*Error]: a stable code for programs, a message for the person, and for the admin's log
// the cause, a remedy and the provider's own ids for the request. What a provider's errors mean is in tables
// (dialect_errors.go for the standards', dialect_<type>_errors.go for its own). A provider's own words appear
// only in the cause, quoted and cut; tokens, codes and secrets appear nowhere.
//
// Tests use the providers of package oidctest; the package example is a whole sign-in.
package oidc
