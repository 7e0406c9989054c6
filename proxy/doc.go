// Package proxy is the HTTP edge: it stands between clients and the Vexa gateway and lets through what it can answer for.
//
// Every request takes the same road (forward.go, read it top to bottom):
//
//   - its address is made canonical, or refused where two readers could take it for two things (canonical.go);
//   - the credential on it is found (credential.go) and proven (identify.go): a session cookie (cookies.go), a token of ours (token.go),
//     an access token of a provider (bearer.go), or for the weeks of moving over a Vexa key (native.go). Who stands behind it is a caller
//     (caller.go), who is remembered (callers.go), so that a warm request asks nobody; trying credentials is bounded (failures.go);
//   - what another site could have made the browser send is refused, where a cookie authenticated it (crosssite.go);
//   - the rules of now say what its account may do, and the route table says whether that covers this request;
//   - mapping gives the account's Vexa key;
//   - everything that a client may not say is taken off and the key is put on (hygiene.go), and the answer comes back through
//     the same care. If the gateway no longer knows the key, that is found out and mended here.
//
// Pages on origins that are listed may call with a credential of their own (cors.go).
//
// Everything of ours lives under /sso/ (own.go): signing in (signin.go; loop.go breaks the circles) and out (signout.go), the
// ways in which a provider ends what somebody has (channels.go), who am I, readiness. Where a provider's word has grown old and it
// cannot be asked in the background, a page that is opened passes by it (silent.go). Other rooms put pages and endpoints beside
// these with Handle, and learn from a Visit who is there (visit.go). Pages are in package page. What is refused or fails becomes an
// answer in one place (problem.go), from one table of codes (codes.go).
//
// Open WebSockets and event streams are in a register (streams.go): Apply, which is told of every revocation, ends them. WebSockets
// are passed on by a copying loop of our own (websocket.go), which holds little while they are idle and follows their frames
// (frames.go), so that a client whose access ends can be told.
package proxy
