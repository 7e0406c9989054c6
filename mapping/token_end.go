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

// purge forgets the tokens that have expired, and revokes the keys that only they needed. One that cannot be
// forgotten now does not keep the others: the next purge finds it again.
func (ts *issuedTokens) purge(ctx context.Context) (purged int, failed error) {
	now := ts.now()
	expired := func(tx Tx, at Place) ([]Token, error) { return tx.TokensExpired(now, at, pageSize) }
	byExpiry := func(t Token) Place { return Place{t.ExpiresAt, t.ID} }
	err := eachPage(ctx, ts.store, expired, byExpiry, func(page []Token) error {
		for _, token := range page {
			err := ts.purgeToken(ctx, token)
			switch {
			case err == nil:
				purged++
			case errors.Is(err, ErrNotFound): // another replica was quicker
			case ctx.Err() != nil || errors.Is(err, ErrStoreUnavailable):
				return err
			default:
				failed = err
			}
		}
		return nil
	})
	return purged, errors.Join(failed, err)
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
