package mapping

import (
	"context"
	"errors"
	"time"
)

const (
	// for which the value before the newest is still taken: the answer may have got lost (G5)
	refreshGrace = 30 * time.Second
	maxSiblings  = 100 // pairs of one generation
	remembered   = 500 // generations whose spent values are known as such; no more than those begin …

	// … within rememberedFor. So whoever has stolen a value cannot refresh so often that the owner's is
	// forgotten, and would no longer be taken for a second hand, before the owner comes to use it.
	rememberedFor = 7 * 24 * time.Hour
)

// RefreshTool exchanges a tool's refresh value for the next pair of values. The error is ErrNotFound for a
// value that is unknown, has expired or is another client's, ErrTokenReused for one that was stolen, else an
// *Error: then nothing was exchanged.
//
// Values come in generations. To use a refresh value of the newest begins the next one; those before are then
// spent. For 30 seconds a spent value of the generation just before is answered too, with a pair more of the
// newest: an answer that got lost logs nobody out, and of two that refresh at the same moment both get a pair
// that works. All pairs of a generation are good, for we cannot know which of them arrived and was kept; but
// only until one of them is used, which spends the others. So a thief and the owner cannot both go on: the
// second to come is taken for what it is, a spent value in a second hand, and the whole grant is revoked.
func (a *Accounts) RefreshTool(ctx context.Context, refreshHash [32]byte, client string) (Issued, error) {
	return a.tokens.refresh(ctx, refreshHash, client)
}

func (ts *issuedTokens) refresh(ctx context.Context, refreshHash [32]byte, client string) (Issued, error) {
	pair, err := ts.newPair()
	if err != nil {
		return Issued{}, err
	}
	var stolen *Revocation
	err = ts.change(ctx, "refresh a token", func(c *change) error {
		stolen = nil
		value, token, err := c.refreshable(refreshHash, client)
		if err != nil {
			return err
		}
		next, err := c.nextGeneration(value)
		if errors.Is(err, ErrTokenReused) {
			stolen = &Revocation{
				Kind: RevokeToken, Account: token.AccountID, Token: token.ID, At: c.now,
				Reason: "a refresh token was used a second time, so somebody else has it too",
			}
			return c.endStolen(token, *stolen)
		}
		if err != nil {
			return err
		}
		if err := c.makeRoom(token, next); err != nil {
			return err
		}
		pair.Token = token
		return c.putPair(&pair, token, next)
	})
	if err != nil {
		return Issued{}, asError(err)
	}
	if stolen != nil {
		ts.keys.applied(*stolen)
		return Issued{}, ErrTokenReused
	}
	return pair, nil
}

// nextGeneration is that of the values that a refresh value is exchanged for.
func (c *change) nextGeneration(used TokenValue) (int64, error) {
	newest, err := c.LatestGeneration(used.TokenID)
	switch {
	case err != nil:
		return 0, err
	case used.Generation == newest.Number:
		return newest.Number + 1, nil
	case used.Generation != newest.Number-1 || c.now.Sub(newest.Began) > refreshGrace:
		return 0, ErrTokenReused
	case newest.Values >= maxSiblings:
		return 0, &Error{
			Code:       CodeTooManyRefreshes,
			Message:    "This token was refreshed too often just now. Try again in a moment.",
			RetryAfter: refreshGrace,
		}
	}
	return newest.Number, nil
}

// makeRoom forgets the values of the generations before the last 500 (S12). If the oldest of them is younger
// than rememberedFor, it refuses instead: one that comes again must be known as spent.
func (c *change) makeRoom(token Token, next int64) error {
	oldest, err := c.Generation(token.ID, next-remembered)
	if errors.Is(err, ErrNotFound) { // there have not been so many
		return nil
	}
	if err != nil {
		return err
	}
	if wait := oldest.Began.Add(rememberedFor).Sub(c.now); wait > 0 {
		return &Error{
			Code: CodeTooManyRefreshes,
			Message: "This token is refreshed too often. Let the program use each access token for the " +
				"hour that it is valid.",
			RetryAfter: wait,
		}
	}
	return c.ForgetTokenValues(token.ID, oldest.Number)
}

// refreshable returns what a refresh value of the client stands for.
func (c *change) refreshable(hash [32]byte, client string) (value TokenValue, token Token, err error) {
	value, token, err = tokenOfRefresh(c, c.now, hash)
	if err != nil {
		return value, token, err
	}
	if token.Kind != TokenTool || token.Client != client {
		return value, token, ErrNotFound
	}
	acc, err := c.Account(token.AccountID)
	if err != nil {
		return value, token, err
	}
	if acc.Status == Active { // paused or not: the new values pause with their owner's others
		return value, token, nil
	}
	return value, token, statusError(acc)
}

// endStolen revokes a grant of which somebody else has a value too.
func (c *change) endStolen(token Token, r Revocation) error {
	acc, err := c.Account(token.AccountID)
	if err != nil {
		return err
	}
	e := about(acc, EventTokenReused)
	e.CredentialID, e.Reason = token.ID, r.Reason
	if err := c.record(e); err != nil {
		return err
	}
	end := endEvent(acc, token, EventTokenRevoked, r.Reason, "vexa-sso")
	if err := c.endToken(acc, token, CauseReused, end); err != nil {
		return err
	}
	return c.Publish(r)
}
