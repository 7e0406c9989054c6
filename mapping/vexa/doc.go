// Package vexa speaks to a Vexa deployment: to its Admin API, which keeps users and their API tokens, and for
// the few facts that we need from it, to its gateway.
//
// Two generations of Vexa are in use, 0.12 and 0.10. Client finds out which one it has, looks again when told
// to (Client.Look), as a Vexa may be upgraded, and hides where they differ:
//
//   - Tokens are always minted in query form. 0.10 ignores a JSON body in silence and hands out a bot key
//     that never expires; what came back is therefore in Token, to be compared with what was asked.
//   - Tokens are listed by a route of their own in 0.12. In 0.10 they hang on the user, with their secrets,
//     which are never decoded here.
//   - Email addresses are compared byte for byte by Vexa: every address is put in one form before it is sent,
//     and what Vexa answers is compared in that form (oidc/address). 0.10 keeps internationalised domains in
//     Unicode, 0.12 as it was sent; FindUser asks for both.
//   - An existing user is never updated by a create. CreateUser says what is known about who made the user.
//
// The errors say three things to the caller. [ErrUnavailable]: try again later. [ErrAdminToken],
// [ErrNotAdminAPI]: an admin must change a setting. [ErrUserNotFound]: Vexa knows no such user. [Uncertain]
// says whether a call that failed may nevertheless have been carried out. No error ever carries a secret, nor
// a URL.
//
// [Table] is Vexa's table of routes and the scopes that each needs, in the form in which the bridge applies
// it before a request is forwarded; with it stand the tools of Vexa's MCP service and the routes that each
// calls (tool.go), and what a scope opens in words (ability.go).
package vexa
