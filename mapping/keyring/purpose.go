package keyring

// Purpose says what a value is sealed for. Each purpose has keys of its own, so that nothing sealed for one
// is ever accepted for another. The text is part of the key derivation: changing it loses what was sealed.
type Purpose string

const (
	VexaKey       Purpose = "vexa-key"        // a Vexa API key in the store
	ProviderToken Purpose = "provider-token"  // a refresh or ID token in the store
	SessionCookie Purpose = "session-cookie"  // the opaque id that a signed-in browser holds
	SignInAttempt Purpose = "sign-in-attempt" // the state, nonce and verifier of a sign-in under way
	// what a person was asked on behalf of a program, while they look at it
	ConsentTicket Purpose = "consent-ticket"
	MCPSession    Purpose = "mcp-session"     // id of a session at Vexa's MCP service
	RefusedSignIn Purpose = "refused-sign-in" // why a sign-in was refused, until its own page shows it
)

// purposes are all that a ring derives keys for.
var purposes = []Purpose{
	VexaKey, ProviderToken, SessionCookie, SignInAttempt, ConsentTicket, MCPSession, RefusedSignIn,
}
