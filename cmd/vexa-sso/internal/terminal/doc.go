// Package terminal is the client side of signing in from a terminal: the commands login, token, curl, exec
// and logout.
//
// # One sign-in
//
// A person types an [Origin], like https://vexa.acme.example. From then on that is all that is trusted. The
// server is asked to describe itself (RFC 8414) each time it is needed, and is believed only about itself:
// the issuer must be the origin's, every endpoint must be at the origin, and no redirect is followed. Whoever
// could answer once in its place would otherwise be sent what is kept here.
//
// The person then signs in with a browser, in one of two ways that end in the same pair of an
// access and a refresh token:
//
//   - on this machine: authorization code with PKCE, back to a port of the loopback interface (RFC 8252). The
//     listener takes one navigation, the one that repeats its state, says it once and names its issuer
//     (RFC 9207). The browser carries a code and never a token.
//   - on any machine: a code to enter on a page of the server, which is polled meanwhile (RFC 8628).
//
// # What is kept
//
// A [Wallet] is a folder with mode 0700, with a file for each server: whose sign-in it is, its scopes, when
// it was. The secrets are in the system's [Keyring]; where there is none they are in that file. Files are
// replaced atomically.
//
// # One shell at a time
//
// A refresh token is spent by its use (rotation), and one that is used twice looks stolen to the server. So
// whoever reads, renews and writes a sign-in holds a lock, and whoever waited for it looks first whether the
// other has renewed it. A second lock is held while the person is asked, so that many shells open one
// browser; and after a few unanswered prompts none is opened until the person signs in by themselves. A
// script is never prompted: it gets a [SignInAgain].
//
// A server that is [Unavailable] ends nothing here. Only its own refusal does, and then the secrets are
// deleted.
//
// # Handing tokens on
//
// A token is in no command line, address, log or message. curl reads it from a pipe ([CurlArguments],
// [HandOver]); other programs find it in their environment ([Environment]).
package terminal
