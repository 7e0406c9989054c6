// Package caller finds out who a request is from, and what they may use.
//
// [Identifier.Identify] takes the one credential that a request shows (credential.go) and proves it: the
// cookie of a session (sessioncookie.go), a token of ours (token.go), an access token of a provider
// (bearer.go), or for the weeks of moving over a Vexa key (vexakey.go). An explicit one silences the cookie,
// and one that does not hold never falls back to it.
//
// The result is a [Caller]. Callers are cached by the hash of their credential, in a cache for each kind
// (memory.go), so that a warm request asks neither store nor provider nor codec. [Identifier.End] and
// [Identifier.Reload] drop those of an account at a revocation; a read of the account that was under way when
// that happened is done again, and nobody else's. Cold credentials are looked up once for all who show them,
// a few at a time (lookups.go).
//
// What the current rules say about a caller is their [View]; allow.go compares it with a route. Last-seen
// times are written in batches (lastuse.go).
//
// Bounds (S12): credentials of 16 KiB; cached callers by what they take in memory (memory.go, size.go); a
// refused credential is cached for a second; 1,000 look-ups of a kind wait or are under way, for 5 s at most,
// and then it is 503 store_unavailable; from 10 made-up ones a second of an address, with a burst of 50, its
// unknown ones take turns (failures.go); requests_per_second of one credential (limit.go); 10 Vexa keys a
// second are looked up at the gateway.
package caller
