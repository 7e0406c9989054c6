package mapping

import "time"

// Event is one audit event. It never carries a secret.
type Event struct {
	ID           string    `json:"id"`
	At           time.Time `json:"at"`
	Event        string    `json:"event"` // one of the Event… constants
	Actor        string    `json:"actor,omitempty"`
	Account      string    `json:"account,omitempty"`
	Provider     string    `json:"provider,omitempty"`
	Reason       string    `json:"reason,omitempty"`
	Rules        []string  `json:"rules,omitempty"`
	CredentialID string    `json:"credential_id,omitempty"`
	VexaUserID   int64     `json:"vexa_user_id,omitempty"`
	VexaTokenID  int64     `json:"vexa_token_id,omitempty"`
	Address      string    `json:"address,omitempty"`
	TraceID      string    `json:"trace_id,omitempty"`
	TookMS       int64     `json:"took_ms,omitempty"`
}

// What happens.
const (
	EventSignIn           = "sign_in"
	EventSignInRefused    = "sign_in_refused"
	EventSignOut          = "sign_out"
	EventAccountBound     = "account_bound"
	EventAccountPending   = "account_pending"
	EventAccountApproved  = "account_approved"
	EventAccountSuspended = "account_suspended"
	EventAccountResumed   = "account_resumed"
	EventKeyMinted        = "key_minted"
	EventKeyRevokeAsked   = "key_revoke_asked" // by an admin
	EventKeyRevoked       = "key_revoked"      // Vexa has confirmed that it is gone
	EventSessionEnded     = "session_ended"
)
