package caller

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/mapping/rule"
	"vexa-sso/proxy/exchange"
)

// token returns the caller of a token that we issued.
func (i *Identifier) token(ex *exchange.Exchange, r *http.Request, shown credential) (*Caller, error) {
	key := credentialKey{hash: shown.hash}
	if c, ok := i.memory.tokens.get(key, ex.Start); ok {
		return c, nil
	}
	return i.lookUp(ex, r, i.memory.tokens, key, func(ctx context.Context) (*Caller, error) {
		return i.memory.tokens.lookups.inTurn(ctx, func(ctx context.Context) (*Caller, error) {
			return i.readToken(ctx, shown.hash)
		})
	})
}

// readToken reads a token of ours from the store. It is looked up by a hash of 256 random bits, so that the
// time this takes says nothing of any other (F9).
func (i *Identifier) readToken(ctx context.Context, hash [32]byte) (*Caller, error) {
	token, account, err := i.accounts.TokenByValue(ctx, hash)
	if ended, ok := errors.AsType[*mapping.EndedToken](err); ok {
		return nil, refuseEnded(ended)
	}
	if errors.Is(err, mapping.ErrNotFound) {
		return nil, exchange.Refuse("token_invalid",
			"This token is unknown here, has expired or was revoked.")
	}
	if err != nil {
		return nil, err
	}
	pauses := account.ProvenAt.Add(i.cfg.Tokens.MaxOffline)
	if err := i.checkProven(account, pauses); err != nil {
		return nil, err
	}
	c := &Caller{
		Credential: ByToken, CredentialID: token.ID, Expires: token.ExpiresAt,
		Until:   earliest(token.ExpiresAt, pauses),
		Account: account, limited: true, AtMost: token.Scopes, Token: token, hash: hash,
		limiter: i.newLimiter(),
	}
	c.seen.Store(token.UsedAt.Unix())
	return c, nil
}

// endings are what people read of a token that ended.
var endings = map[mapping.TokenCause]string{
	mapping.CauseRevoked:     "it was revoked",
	mapping.CauseReused:      "a refresh token of its program was used twice, so it may be in two hands",
	mapping.CauseSignedOut:   "its owner was signed out everywhere",
	mapping.CauseAccessEnded: "its owner’s identity provider ended their access",
	mapping.CauseSuspended:   "its owner’s access was suspended",
}

// refuseEnded returns the refusal of a token that ended: when, and why.
func refuseEnded(e *mapping.EndedToken) error {
	day := e.At.UTC().Format("2006-01-02")
	if e.Cause == mapping.CauseExpired {
		return exchange.Refuse("token_expired", "This token expired on "+day+".")
	}
	return exchange.Refuse("token_ended", "This token ended on "+day+": "+
		cmp.Or(endings[e.Cause], "it was revoked")+".")
}

// checkProven returns the refusal of a token whose owner's access the provider has not confirmed for
// tokens.max_offline. Browser sessions are not concerned: they have their own timeouts.
func (i *Identifier) checkProven(account mapping.Account, pauses time.Time) error {
	switch {
	case account.Status != mapping.Active:
		return MayUse(account, rule.Decision{})
	case i.edge.Now().Before(pauses):
		return nil
	}
	if account.ProvenAt.IsZero() {
		return exchange.Refuse("proof_stale", "This token is paused: its owner’s sign-in at their identity "+
			"provider is over. It works again when they sign in with a browser.")
	}
	return exchange.Refuse("proof_stale", "This token is paused: its owner’s identity provider has not "+
		"confirmed their access for too long. It works again when they sign in with a browser.")
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
