// Package caller finds out who a request is from, and what they may use.
//
// [Identifier.Identify] takes the one credential that a request shows (credential.go) and proves it: the
// cookie of a session (sessioncookie.go), a token of ours (token.go), an access token of a provider
// (bearer.go), or for the weeks of moving over a Vexa key (vexakey.go). An explicit one silences the cookie,
// and one that does not hold never falls back to it.
//
// Who stands behind it is a [Caller]. Callers are remembered by the hash of what they showed, each kind of
// credential by itself (memory.go), so that a warm request asks neither store nor provider nor codec.
// [Identifier.End] and [Identifier.Reload] are how a revocation reaches them; a read that was under way when
// that happened is done again.
//
// What the rules of now say about a caller is their [View]; allow.go compares it with a route. When somebody
// was last here is written down many at a time (lastuse.go).
//
// Bounds (S12): credentials of 16 KiB; 20,000 callers remembered of each kind; a refused credential for a
// second, then looked at again; 10 bad ones a second from an address, with a burst of 50 (failures.go);
// requests_per_second of one credential (limit.go); 10 Vexa keys a second are shown to the gateway.
package caller
