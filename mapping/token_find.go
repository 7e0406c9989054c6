package mapping

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// TokenByValue returns the token that an access value stands for, and its owner's account, whatever its
// status. Its ExpiresAt is that of the value, where that comes first: a tool's value is renewed many times
// before what the tool was let have ends. An *EndedToken: it has expired or was revoked. ErrNotFound: there
// never was one, or that is long ago.
func (a *Accounts) TokenByValue(ctx context.Context, hash [32]byte) (token Token, acc Account, err error) {
	err = a.store.Read(ctx, func(tx Tx) error {
		found, err := tx.TokenInUse(hash)
		if err == nil &&
			(found.Value.Refresh || !a.now().Before(found.Value.ExpiresAt) || !found.Token.Live(a.now())) {
			err = ErrNotFound
		}
		if errors.Is(err, ErrNotFound) {
			return howItEnded(tx, a.now(), hash, found.Value, err)
		}
		if err != nil {
			return err
		}
		token, acc = found.Token, found.Account
		if found.Value.ExpiresAt.Before(token.ExpiresAt) {
			token.ExpiresAt = found.Value.ExpiresAt
		}
		return nil
	})
	if err != nil {
		return Token{}, Account{}, asError(fmt.Errorf("look for a token: %w", err))
	}
	return token, acc, nil
}

// howItEnded returns an *EndedToken for a value that stood for a token, as long as that is known; otherwise
// the error as it is.
func howItEnded(tx Tx, now time.Time, hash [32]byte, value TokenValue, unknown error) error {
	if value.Hash == hash && !value.Refresh && !now.Before(value.ExpiresAt) {
		return &EndedToken{Cause: CauseExpired, At: value.ExpiresAt}
	}
	ended, err := tx.EndedValue(hash)
	if errors.Is(err, ErrNotFound) {
		return unknown
	}
	if err != nil {
		return err
	}
	return &ended
}

// TokenOfRefresh returns the token that a refresh value stands for, spent or not. ErrNotFound: there is none,
// or it has expired, or was revoked.
func (a *Accounts) TokenOfRefresh(ctx context.Context, refreshHash [32]byte) (token Token, err error) {
	err = a.store.View(ctx, func(tx Tx) error {
		_, token, err = tokenOfRefresh(tx, a.now(), refreshHash)
		return err
	})
	if err != nil {
		return Token{}, asError(fmt.Errorf("look for a token: %w", err))
	}
	return token, nil
}

func tokenOfRefresh(tx Tx, now time.Time, hash [32]byte) (value TokenValue, token Token, err error) {
	value, err = tx.TokenValue(hash)
	if err != nil {
		return value, token, err
	}
	if !value.Refresh || !now.Before(value.ExpiresAt) {
		return value, token, ErrNotFound
	}
	token, err = tx.Token(value.TokenID)
	if err == nil && !token.Live(now) {
		err = ErrNotFound
	}
	return value, token, err
}

// TokensOf returns an account's tokens that have not expired, of both kinds, the newest first.
func (a *Accounts) TokensOf(ctx context.Context, accountID string) (tokens []Token, err error) {
	err = a.store.View(ctx, func(tx Tx) error {
		tokens, err = tx.Tokens(accountID)
		return err
	})
	if err != nil {
		return nil, asError(fmt.Errorf("list the tokens: %w", err))
	}
	return slices.DeleteFunc(tokens, func(t Token) bool { return !t.Live(a.now()) }), nil
}

const (
	touchBatch  = 500
	maxUsedFrom = 64 // longer than any address
)

// TouchTokens writes when tokens were used and from where, by their id. Unknown ones are ignored, and what is
// older than what is known already.
func (a *Accounts) TouchTokens(ctx context.Context, used map[string]TokenUse) error {
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(used)), touchBatch) {
		batch := make(map[string]TokenUse, len(ids))
		for _, id := range ids {
			use := used[id]
			use.From = use.From[:min(len(use.From), maxUsedFrom)]
			batch[id] = use
		}
		if err := a.store.Update(ctx, func(tx Tx) error { return tx.TouchTokens(batch) }); err != nil {
			return asError(fmt.Errorf("write when tokens were used: %w", err))
		}
	}
	return nil
}
