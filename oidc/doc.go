// Package oidc proves who somebody is through an organisation's own identity provider: Okta, Microsoft Entra
// ID, or any provider of OpenID Connect. What comes out is an [Identity]. The package knows nothing of
// cookies, pages or Vexa.
//
// A sign-in has two halves, and the browser is away at the provider in between:
//
//	p, err := oidc.New(cfg, oidc.Env{})                    // calls nobody; refuses settings that would be unsafe
//	redirect, attempt, err := p.Begin(ctx, oidc.BeginOptions{})
//	… seal attempt into a cookie, send the browser to redirect, get the callback …
//	signIn, err := p.Finish(ctx, attempt, r.Form)          // *oidc.Error, or who it is
//
// Finish reads top to bottom in signin.go: the callback answers the attempt (state, once; iss of RFC 9207),
// the code is redeemed with PKCE and our credential (clientauth.go), the ID token is verified (verify.go),
// completed from userinfo where it is thin (userinfo.go), made into an identity (claims.go), and its groups,
// where Entra only points at them, are read from Microsoft Graph (groups.go, graph.go).
//
// # Afterwards
//
// [Provider.Refresh] asks the provider again, with the refresh token, who the person is now: refresh.go goes
// the second half of Finish. The new refresh token has to be stored before anything else is done with the
// answer. CodeAccessEnded means that the provider no longer vouches for the person, CodeLoginRequired that
// another sign-in would help, CodeProviderUnavailable that nobody knows.
//
// A provider ends a session in its own time. [Provider.VerifyLogoutToken] is for OpenID Connect's back
// channel, [Provider.VerifyUniversalLogout] for Okta's Universal Logout, [Provider.MatchesIssuer] and
// [Provider.SubjectOf] say whom a request means; that a jti is good once is for the caller to remember.
// [Provider.EndSession] is the way out that a person chooses.
//
// # Access tokens
//
// Programs show an access token in place of a browser's sign-in, and we are then the resource server
// (bearer.go):
//
//	iss, ok := oidc.UnverifiedIssuer(raw)                  // whose it would be; nothing is believed
//	… the provider that AcceptsBearer and Issues(iss) …
//	token, err := p.VerifyAccessToken(ctx, raw)            // *oidc.Error, or who shows it, and for how long that holds
//
// Which tokens are taken is a matter of settings ([API]): audiences of their own, which are not our client id
// but at Entra, further issuers, a scope, a role, a list of programs. What has to be recognised is
// recognised: an ID token, a token for Microsoft Graph or of an Okta org, which nobody else can verify, a
// logout token, one that is bound to a key; each refusal says what was shown and what is wanted. Whatever is
// longer than 64 KiB, has other than three parts, or a header that asks for work, is refused before it is
// decoded; whatever is of another issuer, before anything is fetched.
//
// The dialects say what the claims mean (dialect_okta_access.go and so on): Okta calls the person uid and the
// login sub, Entra's version 1 has appid where version 2 has azp. They bring the claims into the words of an
// ID token, so that the one resolver makes the identity: a person is the same whether they sign in or show a
// token. A program that acts for itself (client credentials, app-only) is of [Kind] Service, has no address,
// and a subject that is no person's. Entra gives every program of a tenant a token for every API, so one
// without a role is refused. An access token that lists no groups says nothing about groups.
//
// # Who we are to a provider
//
// A secret (or two, during a rotation), a signed assertion (private_key_jwt; by certificate at Entra), or a
// token that the platform issues to the workload: exactly one, and all of it is behind one interface,
// credential, in front of one client of the token endpoint. Files with keys and tokens are read when they are
// used.
//
// # What is taken on trust, and what is not
//
// The settings are trusted after [Config.Check]. The discovery document is trusted as far as its issuer is
// the configured one. Everything else is strangers' text: the callback comes from a browser, and an ID token
// is only bytes until a published key has signed them. Every answer of a provider is bounded, no redirect is
// followed, and no call goes where neither the settings nor the discovery document point.
//
// # The canonical subject
//
// One string for one person, whatever token proved them, and never an email address: addresses change hands.
//
//	okta:<org URL>/<00u id>       the same over all authorization servers of the org
//	entra:<cloud>/<tid>/<oid>     the same over all applications of the tenant
//	oidc:<issuer>#<sub>
//
// And of programs, which no person's can be:
//
//	okta:<org URL>/client/<client id>      entra:<cloud>/<tid>/client/<oid>      oidc:<issuer>?client=<client id>
//
// # Proven addresses
//
// An address is proven when the provider says so (email_verified; Entra's xms_edov), or when the provider
// says nothing, only one organisation's people come from it, and the domain is in trusted_domains. A
// provider's "no" stands: a person who may edit their own profile could write a colleague's address there.
// The address of an Entra guest is never the host tenant's to prove. [NormalizeEmail] is the one form in
// which addresses are compared.
//
// # A provider's bad day
//
// The discovery document and the signing keys are fetched when first needed, once for all who wait, and then
// refreshed hourly in passing. While the provider is down the document serves for three days and each key for
// one day after it was last published; when there is nothing, attempts are spaced by a backoff and those who
// come in between are told how long to wait. Keys are only ever added by a fetch, because Entra's front ends
// do not agree about which there are. Forged tokens, however many, cause one fetch of the keys in five
// minutes.
//
// # Dialects
//
// What differs between the types of provider is behind one interface, dialect (dialect.go; dialect_okta.go
// and so on). Entra's multi-tenant documents have an issuer with the literal {tenantid} in it; its tokens are
// held to a tid that is a GUID, that is the tenant of iss, and that is allowed, and its keys to the tenants
// and cloud they were published for.
//
// # Errors
//
// Every failure is an [*Error]: a stable code, a sentence for the person, a remedy for the admin's log, and
// the provider's ids for the request (dialect_errors.go has the tables of what Okta and Entra answer). A
// provider's own words appear only in Err, quoted and cut; tokens, codes and secrets appear nowhere. Groups
// that cannot be read are no failure: the identity says that its list is incomplete, and why.
package oidc
