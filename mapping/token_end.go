package mapping

import (
	"context"
	"errors"
	"fmt"
)

// endToken deletes a token and its values, and revokes the keys that only it needed. e says how and why.
func (c *change) endToken(acc Account, token Token, cause TokenCause, e Event) error {
	if err := c.deleteToken(token, cause); err != nil {
		return err
	}
	if err := c.revokeUnneeded(acc); err != nil {
		return err
	}
	return c.record(e)
}

// endEvent begins the event of a token's end.
func endEvent(acc Account, token Token, event, reason, actor string) Event {
	e := about(acc, event)
	e.Actor, e.Reason, e.CredentialID = actor, reason, token.ID
	return e
}

// endTokens deletes all tokens of an account and says how many were still good.
func (c *change) endTokens(acc Account, cause TokenCause, reason, actor string) (live int, err error) {
	tokens, err := c.Tokens(acc.ID)
	if err != nil {
		return 0, err
	}
	for _, t := range tokens {
		if err := c.deleteToken(t, cause); err != nil {
			return 0, err
		}
		if !t.Live(c.now) {
			continue
		}
		live++
		if err := c.record(endEvent(acc, t, EventTokenRevoked, reason, actor)); err != nil {
			return 0, err
		}
	}
	return live, nil
}

// purgeBatch is how many expired tokens are dealt with at a time.
const purgeBatch = 500

// PurgeTokens forgets the tokens that have expired, and revokes the keys that only they needed.
func (a *Accounts) PurgeTokens(ctx context.Context) (purged int, err error) {
	purged, err = a.tokens.purge(ctx)
	if err != nil {
		return purged, err
	}
	return purged, asError(a.change(ctx, "forget what nobody needs any more", func(c *change) error {
		if _, err := c.PurgeTokenValues(c.now); err != nil {
			return err
		}
		_, err := c.PurgeEnded(c.now)
		return err
	}))
}

func (ts *issuedTokens) purge(ctx context.Context) (purged int, err error) {
	var expired []Token
	err = ts.store.View(ctx, func(tx Tx) error {
		expired, err = tx.TokensExpired(ts.now(), purgeBatch)
		return err
	})
	if err != nil {
		return 0, asError(fmt.Errorf("look for expired tokens: %w", err))
	}
	for _, token := range expired {
		err := ts.purgeToken(ctx, token)
		if errors.Is(err, ErrNotFound) {
			continue // another replica was quicker
		}
		if err != nil {
			return purged, asError(err)
		}
		purged++
	}
	return purged, nil
}

func (ts *issuedTokens) purgeToken(ctx context.Context, token Token) error {
	err := ts.change(ctx, "forget an expired token", func(c *change) error {
		acc, err := c.Account(token.AccountID)
		if err != nil {
			return err
		}
		if _, err := c.Token(token.ID); err != nil {
			return err
		}
		was := fmt.Sprintf("%s token %q", token.Kind, token.Name)
		if err := c.endToken(acc, token, CauseExpired,
			endEvent(acc, token, EventTokenExpired, was, "")); err != nil {
			return err
		}
		return c.Publish(Revocation{
			At: c.now, Kind: RevokeToken, Account: acc.ID, Token: token.ID,
			Reason: "expired",
		})
	})
	if err == nil {
		ts.keys.forgetAccount(token.AccountID)
	}
	return err
}
