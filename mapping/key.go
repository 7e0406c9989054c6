package mapping

import (
	"time"

	"vexa-sso/mapping/rule"
)

// KeyState is where a key is in its life: intended, then active, then revoking, then gone.
type KeyState string

const (
	KeyMinting  KeyState = "minting"  // the intent is written; Vexa may or may not have answered
	KeyActive   KeyState = "active"   // usable
	KeyRevoking KeyState = "revoking" // to be deleted at Vexa; retried until it confirmed
)

// Key is a Vexa API token that we minted for one account with one exact scope set. A key whose deletion Vexa confirmed is
// deleted from the store.
type Key struct {
	ID          string
	AccountID   string
	VexaUserID  int64
	Scopes      rule.Scopes
	State       KeyState
	VexaTokenID int64  // 0 until minted
	Sealed      []byte // the secret, sealed for (account, key id); nil unless active
	CreatedAt   time.Time
	ExpiresAt   time.Time
	Attempts    int       // of revoking
	RetryAt     time.Time // of revoking: not before
	RevokedAt   time.Time // when the decision to revoke was written down
}
