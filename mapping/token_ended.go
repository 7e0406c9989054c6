package mapping

import (
	"fmt"
	"time"
)

// TokenCause says why a token ended, for whoever still shows it. What an admin wrote is not for them.
type TokenCause string

const (
	CauseExpired     TokenCause = "expired"
	CauseRevoked     TokenCause = "revoked"      // by its owner, an admin or its program
	CauseReused      TokenCause = "reused"       // a refresh value of it was used twice
	CauseSignedOut   TokenCause = "signed_out"   // its owner was signed out everywhere
	CauseAccessEnded TokenCause = "access_ended" // the provider says that its owner is gone
	CauseSuspended   TokenCause = "suspended"
)

// endedKept is how long the value of an ended token is still known as such.
const endedKept = 30 * 24 * time.Hour

// EndedToken is a token that was good, and ended. It is an ErrNotFound, for whoever need not know more.
type EndedToken struct {
	Cause TokenCause
	At    time.Time
}

func (e *EndedToken) Error() string {
	return fmt.Sprintf("the token ended at %s (%s)", e.At.UTC().Format(time.RFC3339), e.Cause)
}

func (e *EndedToken) Is(target error) bool { return target == ErrNotFound }

// EndedTokenTx is the part of a transaction that is about values of tokens that have ended.
type EndedTokenTx interface {
	// KeepEnded notes of every value of a token that programs show, unless it has expired by now or the token
	// ended by expiring, that it ended; it is known for at most the given time.
	KeepEnded(tokenID string, ended EndedToken, keep time.Duration) error

	// EndedValue returns how the token of a value ended, or ErrNotFound.
	EndedValue(hash [32]byte) (EndedToken, error)
}

// deleteToken deletes a token and its values, and keeps that it ended.
func (c *change) deleteToken(token Token, cause TokenCause) error {
	ended := EndedToken{Cause: cause, At: c.now}
	if !token.Live(c.now) {
		ended = EndedToken{Cause: CauseExpired, At: token.ExpiresAt}
	}
	if err := c.KeepEnded(token.ID, ended, endedKept); err != nil {
		return err
	}
	return c.DeleteToken(token.ID)
}
