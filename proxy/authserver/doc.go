// Package authserver lets programs act for people: it is an OAuth 2.1 authorization server for public
// clients, whose issuer is public_url + /sso/oauth. What a program gets is a token of mapping (kind
// tool): an access value for an hour, and a refresh value that is exchanged for the next pair. Both are
// random and stored by hash. Nothing is signed, and no program is told who somebody is: there are no ID
// tokens, no userinfo and no keys.
//
// # A program with a browser beside it
//
//	program ─► /sso/oauth/authorize ─► fresh sign-in ─► consent
//	        ─► /sso/oauth/consent ─► 127.0.0.1 ─► /sso/oauth/token
//
// authorize.go reads the request. Until client and redirect URI are known to be right (redirect.go), every
// error is a page; from then on it goes to the program, with its state and our issuer (RFC 9207). PKCE with
// S256 is required. The person must have signed in less than five minutes ago (S7) and is asked every time,
// because on a computer every program can pass for another. What they are asked travels through the browser
// in a [ticket]: sealed to their session, and good for one answer (consent.go). The authorization code that
// comes of it is good for a minute, once, and for the client with the verifier (token.go). A code that is
// used again is in two hands, and what it gave is revoked.
//
// # A program without
//
// The device grant (RFC 8628): the program shows a code of eight letters (device.go), which a person types at
// /sso/device (devicepage.go). They see who asks, from which address and since when. How many codes are open,
// how many anybody may ask for and how many wrong ones they may type is bounded.
//
// # What both share
//
// An [Authorization] is what is under way; the [Store] has them all, so any replica may take the next step.
// It changes each in a transaction: of many who redeem a code at one moment, one gets tokens. [Clients] says
// which programs there are; the one built in is the program vexa-sso itself. Scopes are Vexa's, none asked
// for means all that the person has, and nobody gives more than they have. Programs talk to endpoints
// (program.go) that take forms by POST and nothing else, know no cookie and speak no CORS. A value that was
// refused is refused from a negative cache, and an address that makes values up is limited (lookup.go,
// bounds.go). metadata.go describes all this to clients (RFC 8414).
//
// # Which library, and how much of it
//
// The protocol's types, its errors, the check of the verifier and the metadata's shape are
// github.com/zitadel/oidc's package oidc. Its package op is not here, though we tried: its server takes a
// token request by GET, from the address as from the form and the last of two codes, lets localhost, any
// other loopback address, user information and fragments pass for a registered http://127.0.0.1, drops scopes
// that it does not know, and answers people with JSON and programs without iss. Each can be refused in front
// of it, but then its request has been read already, and what would be left for op is a switch over three
// grants that writes states and redirect URIs to the process's default logger and brings twenty modules; its
// device flow wants a storage with signing keys. ory/fosite's last release has no device grant.
package authserver
