package mapping

import (
	"fmt"
	"strings"
	"time"

	"vexa-sso/mapping/rule"
	"vexa-sso/mapping/vexa"
)

// KeyState is where a key is in its life: intended, then active, then revoking, then gone.
type KeyState string

const (
	KeyMinting  KeyState = "minting"  // the intent is written; Vexa may or may not have answered
	KeyActive   KeyState = "active"   // usable
	KeyRevoking KeyState = "revoking" // to be deleted at Vexa; retried until it confirmed
)

// Key is a Vexa API token that we minted for one account with one exact scope set. A key whose deletion Vexa
// confirmed is deleted from the store.
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
	RevokedAt   time.Time // when it was decided that it ends; of one that was replaced: the grace's end
}

// lengthPrefixed joins parts so that no two different lists of them give one text (D8).
func lengthPrefixed(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%d:%s", len(p), p)
	}
	return b.String()
}

// expiry and renewal are the two points in a key's life that matter: from renewal on it is replaced in the
// background, from expiry on it is not used.
func expiry(k Key) time.Time { return k.ExpiresAt }

func renewal(k Key) time.Time { return k.CreatedAt.Add(k.ExpiresAt.Sub(k.CreatedAt) * 2 / 3) }

// InGrace says whether a key was replaced and goes on working for a while, in the hands of who has it.
func (k Key) InGrace(now time.Time) bool { return k.State == KeyRevoking && k.RevokedAt.After(now) }

// works says whether a key opens anything, and is meant to.
func (k Key) works(now time.Time) bool { return k.State == KeyActive || k.InGrace(now) }

// wider says whether a key that works has more than scopes.
func wider(k Key, scopes rule.Scopes, now time.Time) bool {
	return k.works(now) && !scopes.Covers(k.Scopes)
}

// sealedFor is the associated data of a key's sealed secret (AEAD): its account and key id, so that it opens
// in its own row only.
func sealedFor(key Key) []byte { return []byte(lengthPrefixed(key.AccountID, key.ID)) }

// tokenName is what a key is called at Vexa: it says whose it is (S6). It has at most 100 characters.
func (ks *vexaKeys) tokenName(key Key) string {
	return strings.Join([]string{"vsso", ks.users.instance, key.AccountID, key.ID}, ":")
}

// parseKeyName reads the instance and the key id off a token's name; both are empty for a token that no
// bridge has named.
func parseKeyName(name string) (instance, keyID string) {
	parts := strings.Split(name, ":")
	if len(parts) != 4 || parts[0] != "vsso" {
		return "", ""
	}
	return parts[1], parts[3]
}

// isToken says whether a token at Vexa is this key. Its name decides, not its id: ids start again when a Vexa
// is set up anew, and the token of that id may then be a stranger's. The instance may have been renamed
// since; the ids in the name are ours alone all the same.
func isToken(t vexa.Token, key Key) bool {
	return strings.HasPrefix(t.Name, "vsso:") && strings.HasSuffix(t.Name, ":"+key.AccountID+":"+key.ID)
}
