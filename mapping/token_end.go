package mapping

import (
	"context"
	"errors"
	"fmt"
)

// endToken deletes a token and its values, and revokes the keys that only it needed.
func (c *change) endToken(acc Account, token Token, event, reason, actor string) error {
	if err := c.DeleteToken(token.ID); err != nil {
		return err
	}
	if err := c.trim(acc); err != nil {
		return err
	}
	return c.recordEnd(acc, token, event, reason, actor)
}

func (c *change) recordEnd(acc Account, token Token, event, reason, actor string) error {
	e := about(acc, event)
	e.Actor, e.Reason, e.CredentialID = actor, reason, token.ID
	return c.record(e)
}

// endTokens deletes all tokens of an account and says how many were still good.
func (c *change) endTokens(acc Account, reason, actor string) (ended int, err error) {
	tokens, err := c.Tokens(acc.ID)
	if err != nil {
		return 0, err
	}
	for _, t := range tokens {
		if err := c.DeleteToken(t.ID); err != nil {
			return 0, err
		}
		if !t.Live(c.now) {
			continue
		}
		ended++
		if err := c.recordEnd(acc, t, EventTokenRevoked, reason, actor); err != nil {
			return 0, err
		}
	}
	return ended, nil
}

// purgeBatch is how many expired tokens are dealt with at a time.
const purgeBatch = 500

// PurgeTokens forgets the tokens that have expired, and revokes the keys that only they needed.
func (a *Accounts) PurgeTokens(ctx context.Context) (purged int, err error) {
	var expired []Token
	err = a.store.View(ctx, func(tx Tx) error {
		expired, err = tx.TokensExpired(a.now(), purgeBatch)
		return err
	})
	if err != nil {
		return 0, asError(fmt.Errorf("look for expired tokens: %w", err))
	}
	for _, token := range expired {
		r := Revocation{Kind: RevokeToken, Account: token.AccountID, Token: token.ID, Reason: "expired"}
		err := a.revoke(ctx, r, func(c *change, acc Account) error {
			if _, err := c.Token(token.ID); err != nil {
				return err
			}
			return c.endToken(acc, token, EventTokenExpired, "its time is over: "+token.Name, "")
		})
		if errors.Is(err, ErrNotFound) {
			continue // another replica was quicker
		}
		if err != nil {
			return purged, err
		}
		purged++
	}
	err = a.change(ctx, "forget expired values", func(c *change) error {
		_, err := c.PurgeTokenValues(c.now)
		return err
	})
	return purged, asError(err)
}
