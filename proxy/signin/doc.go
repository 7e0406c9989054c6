// Package signin signs browsers in and out.
//
// A [Flow] redirects a person to their provider, with what binds the response to this browser sealed in a
// cookie of its own (attempt.go), handles the response ([Flow.Callback]), lets the identity in if the rules
// do, and gives the browser a session with a new id. A browser that signs in three times within a minute is
// told why (loop.go), and who is refused reads why at an address of its own (refused.go). What callbacks may
// cost is bounded (callbacks.go).
//
// While a session lives, a provider that cannot be asked in the background is asked through the browser,
// without the person noticing (silent renewal, prompt=none, silent.go). Signing out ends the session here
// and, where the provider has an end-session endpoint, there (signout.go).
package signin
