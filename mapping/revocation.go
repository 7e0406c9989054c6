package mapping

import "time"

// Revocation is one entry of the log of what was taken away. Revoke appends it (mapping/store/revocation.go);
// every replica follows the log (mapping/store/tail.go), hands each entry to who watches it, and applies it:
// [Accounts.Apply] and proxy's Apply drop what is cached and cut streams, within a second (S5).
type Revocation struct {
	Seq     int64 // position in the log, given by the store
	At      time.Time
	Kind    RevocationKind
	Account string
	Session string // of RevokeSession: which
	Token   string // of RevokeToken: which
	Reason  string

	// Of the request that asked for it, where there was one: for the audit of what ends by it. They are not
	// in the log.
	Address, TraceID string
}

// RevocationKind says how far a revocation reaches.
type RevocationKind string

const (
	RevokeSession RevocationKind = "session" // one session and its streams
	RevokeToken   RevocationKind = "token"   // one token, with its values and its streams
	RevokeAccount RevocationKind = "account" // everything of the account
	RevokeGrant   RevocationKind = "grant"   // the account's identity, grant or status changed: look again

	// RevokeEverything is never published. A replica hears it when it missed entries of the log: forget
	// whatever was cached of anybody, and look again at everything that is open.
	RevokeEverything RevocationKind = "everything"
)
