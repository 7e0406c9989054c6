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
	EventKeyRotateAsked   = "key_rotate_asked" // by an admin, of the new key
	EventSessionEnded     = "session_ended"
	EventTokenCreated     = "token_created"
	EventTokenRevoked     = "token_revoked"
	EventTokenExpired     = "token_expired"   // and was forgotten, some minutes after
	EventTokenReused      = "token_reused"    // a refresh value came a second time; token_revoked follows
	EventToolAuthorized   = "tool_authorized" // by a person, who was asked whether it may act for them
	EventToolDenied       = "tool_denied"
	EventCodeReused       = "code_reused" // an authorization code came a second time; token_revoked follows
	// because the provider says something else of the person than before
	EventGrantChanged = "grant_changed"
	EventAccessEnded  = "access_ended" // the provider does not vouch for the person any more
	EventGrantOver    = "grant_over"   // their sign-in at the provider is over; tokens pause
	// the provider said that a session of its, or a person, is signed out
	EventProviderLogout = "provider_logout"

	EventAccountPinned   = "account_pinned" // the reason is the subject, which may have no account yet
	EventAccountUnpinned = "account_unpinned"
	EventAccountRekeyed  = "account_rekeyed"

	EventBotsBlocked         = "bots_blocked" // the Vexa user of a suspended account may run none
	EventBotsRestored        = "bots_restored"
	EventForeignTokenDeleted = "foreign_token_deleted"
	EventActivityEnded       = "activity_ended" // bots stopped, webhook and calendars removed
	EventNotEnded            = "not_ended"      // what a suspension had to leave
)
