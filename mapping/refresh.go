package mapping

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"vexa-sso/mapping/rule"
	"vexa-sso/oidc"
)

const (
	// of one renewal: all calls to the provider, and keeping the new token
	refreshTimeout = 30 * time.Second
	firstRepeat    = 10 * time.Second // of a renewal that led nowhere, then twice as long each time …
	longestRepeat  = 5 * time.Minute  // … up to this
	keepRetry      = 500 * time.Millisecond
)

// errNewerGrant: while we asked with one refresh token, a newer one was stored. What the provider said of the
// old one says nothing any more.
var errNewerGrant = errors.New("the account has a newer refresh grant")

// leaseOfGrant names the lease under which a refresh grant is sealed again, and under which replicas of older
// versions, which know of no claims, renew it. The name is older than the word.
func leaseOfGrant(accountID string) string { return "proof:" + accountID }

// renew renews a refresh grant that this replica has claimed. Three transactions at most, two of which it
// shares with others: the claim, the look at who else is at it, and what follows from the answer.
func (g *refreshGrants) renew(ctx context.Context, r Renewal) error {
	directory := g.directories[r.Grant.Provider]
	if directory == nil { // not configured any more: nobody can be asked
		return g.drop(ctx, r.Grant)
	}
	token, err := g.open(r.Grant)
	if err != nil {
		g.log.ErrorContext(ctx, "refresh grant cannot be opened, provider not asked; will be retried",
			"account", r.Account.ID, "error", err,
			"remedy", "put the key ring back that sealed it, or let the person sign in again")
		return g.putOff(ctx, r.Grant, false, 0)
	}
	// From here on we see it through, whoever loses patience: the answer may hold the only token that is
	// still good.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	if g.now().Add(refreshTimeout).After(r.Until) {
		return nil // the process stood still: others may ask before we are done
	}
	asked := r.Grant
	asked.Unanswered = asked.Unanswered || !asked.Steady // as the claim has written it
	signIn, refusal := directory.Refresh(ctx, token, r.Account.Identity.Forget(g.forgotten()))
	if signIn != nil {
		asked.Steady = signIn.RefreshToken == token || signIn.RefreshToken == ""
	}
	select {
	case g.storing <- struct{}{}:
		defer func() { <-g.storing }()
	case <-ctx.Done():
		return fmt.Errorf("write what the provider says of account %s: %w", r.Account.ID, ctx.Err())
	}
	return g.applyAnswer(ctx, r.Account, asked, r.Grant.Unanswered, signIn, refusal)
}

// applyAnswer does what follows from the provider's answer. No new token is left behind, whatever else comes
// of it. lost says that an earlier answer, with a newer token, may have been lost.
func (g *refreshGrants) applyAnswer(
	ctx context.Context, acc Account, used RefreshGrant, lost bool, signIn *oidc.SignIn, refusal error,
) error {
	if refusal == nil {
		return g.vouched(ctx, acc, used, signIn)
	}
	if signIn != nil && signIn.RefreshToken != "" {
		next, err := g.swap(ctx, used, signIn.RefreshToken)
		if err != nil {
			return ignoring(errNewerGrant, err)
		}
		used = next
	}
	said, ok := errors.AsType[*oidc.Error](refusal)
	if !ok {
		said = &oidc.Error{Code: oidc.CodeProviderUnavailable, Err: refusal}
	}
	return g.refused(ctx, acc, used, lost, said)
}

// refused does what follows from a refusal: it ends what is over by the provider's own words (S13), and puts
// off everything else.
func (g *refreshGrants) refused(
	ctx context.Context, acc Account, used RefreshGrant, lost bool, said *oidc.Error,
) error {
	switch {
	case said.Outcome == oidc.OutcomeGone:
		return g.endAccess(ctx, acc, used, said)
	case said.Outcome == oidc.OutcomeOver && said.MaybeReplaced && lost:
		g.log.WarnContext(ctx, "refresh token refused after an answer was lost, so another may have taken "+
			"its place; nothing ended, the person is asked when they open a page", "account", acc.ID,
			"provider", used.Provider, "error", said)
		return g.drop(ctx, used)
	case said.Outcome == oidc.OutcomeOver:
		return g.endGrant(ctx, acc, used, said)
	case said.Code == oidc.CodeLoginRequired:
		g.log.InfoContext(ctx, "provider wants the person to sign in again; refresh grant forgotten",
			"account", acc.ID, "provider", used.Provider, "error", said)
		return g.drop(ctx, used)
	case said.Code == oidc.CodeProviderUnavailable:
		g.backoff.pause(used.Provider, g.now().Add(max(said.RetryAfter, firstRepeat)))
	}
	g.log.WarnContext(ctx, "refresh grant not renewed; will be retried", "account", acc.ID,
		"provider", used.Provider, "attempts", used.Attempts+1, "error", said, "remedy", said.Remedy)
	return g.putOff(ctx, used, !lost && said.Code != oidc.CodeProviderUnavailable, said.RetryAfter)
}

// vouched writes what the provider says of the person now, when it said so, its new token, and when it is
// asked again, in one transaction; and the new token alone where the rest cannot be written.
func (g *refreshGrants) vouched(
	ctx context.Context, acc Account, used RefreshGrant, said *oidc.SignIn,
) error {
	if said.Identity.Subject != acc.Subject {
		g.log.ErrorContext(ctx, "provider answered with another identity; the refresh grant was forgotten",
			"account", acc.ID, "provider", used.Provider)
		return g.drop(ctx, used)
	}
	next, err := g.succeeded(used, said.RefreshToken)
	if err != nil {
		return err
	}
	before := g.decide(acc)
	write := func() error {
		// Unless all they had was ended meanwhile, or they came by themselves: neither is to be undone by an
		// answer that was under way.
		return g.accounts.renewed(ctx, said.Identity,
			func(c *change) error { return g.replace(c, used, next) },
			func(c *change, _ Account, d rule.Decision) error {
				return c.recordRenewal(acc, before, d, used.Provider)
			})
	}
	if said.RefreshToken == "" {
		err = write()
	} else if err = g.insist(ctx, write); err != nil && !errors.Is(err, errNewerGrant) {
		_, swapped := g.swap(ctx, used, said.RefreshToken)
		err = errors.Join(err, swapped)
	}
	if err = ignoring(errNewerGrant, err); err != nil {
		return fmt.Errorf("write what the provider says of account %s: %w", acc.ID, err)
	}
	return nil
}

// succeeded is a refresh grant after the provider has vouched for its person, with the token that it gave, if
// it gave one, and else with the same, sealed by the primary key of the ring.
func (g *refreshGrants) succeeded(used RefreshGrant, token string) (next RefreshGrant, err error) {
	next = used
	if token == "" {
		next, err = g.refreshedSeal(used)
	} else {
		next.Sealed, err = g.seal(used.AccountID, token)
	}
	next.RenewAt, next.Attempts, next.Unanswered = g.renewAt(), 0, false
	return next, err
}

// recordRenewal records what an answer of the provider changed of what somebody may do.
func (c *change) recordRenewal(acc Account, before, now rule.Decision, provider string) error {
	had, has := grantOf(before).Scopes, grantOf(now).Scopes
	if had == has {
		return nil
	}
	e := about(acc, EventGrantChanged)
	e.Actor, e.Rules = "provider "+provider, now.Matched()
	e.Reason = fmt.Sprintf("by what the provider says now, their scopes changed from %s to %s",
		had.Words(), has.Words())
	return c.record(e)
}

// endAccess takes everything from somebody whom their provider does not vouch for any more. The account stays
// active: whoever the provider lets in again may sign in again.
func (g *refreshGrants) endAccess(
	ctx context.Context, acc Account, used RefreshGrant, said *oidc.Error,
) error {
	g.log.InfoContext(ctx, "provider ended a person's access; all they had here is revoked",
		"account", acc.ID, "provider", used.Provider, "error", said, "remedy", said.Remedy)
	r := accessEnded(acc.ID, said)
	return ignoring(errNewerGrant, g.accounts.revoke(ctx, r, func(c *change, acc Account) error {
		if _, err := g.current(c, used); err != nil {
			return err
		}
		return c.signOut(acc, EventAccessEnded, r.Reason, "provider "+used.Provider)
	}))
}

func accessEnded(accountID string, said *oidc.Error) Revocation {
	return Revocation{
		Kind: RevokeAccount, Account: accountID,
		Reason: fmt.Sprintf("the provider ended their access (%s)", said.Code),
	}
}

// AccessEnded takes everything from somebody of whom their provider said, while their browser passed by it,
// that they are gone.
func (a *Accounts) AccessEnded(
	ctx context.Context, accountID, provider string, said *oidc.Error,
) error {
	a.log.InfoContext(ctx, "provider ended a person's access; all they had here is revoked",
		"account", accountID, "provider", provider, "error", said, "remedy", said.Remedy)
	r := accessEnded(accountID, said)
	return a.revoke(ctx, r, func(c *change, acc Account) error {
		return c.signOut(acc, EventAccessEnded, r.Reason, "provider "+provider)
	})
}

// endGrant ends what hung on a grant that is over: sessions, streams and keys. Tokens stay, and pause until
// the person's next good sign-in.
func (g *refreshGrants) endGrant(
	ctx context.Context, acc Account, used RefreshGrant, said *oidc.Error,
) error {
	reason := fmt.Sprintf("their sign-in at the provider is over (%s)", said.Code)
	g.log.InfoContext(ctx, "provider ended a person's grant; sessions and keys end, tokens pause until they "+
		"sign in again", "account", acc.ID, "provider", used.Provider, "error", said, "remedy", said.Remedy)
	r := Revocation{Kind: RevokeAccount, Account: acc.ID, Reason: reason}
	return ignoring(errNewerGrant, g.accounts.revoke(ctx, r, func(c *change, acc Account) error {
		if _, err := g.current(c, used); err != nil {
			return err
		}
		return c.pause(acc, reason, "provider "+used.Provider)
	}))
}

// swap stores the token that the provider gave in place of the one that it took, and nothing else.
func (g *refreshGrants) swap(ctx context.Context, used RefreshGrant, token string) (RefreshGrant, error) {
	sealed, err := g.seal(used.AccountID, token)
	if err != nil {
		return used, err
	}
	next := used
	next.Sealed, next.Unanswered, next.RenewAt = sealed, false, g.now().Add(firstRepeat)
	err = g.insist(ctx, func() error {
		return g.change(ctx, "store the new refresh token", func(c *change) error {
			return g.replace(c, used, next)
		})
	})
	if err != nil && !errors.Is(err, errNewerGrant) {
		g.log.ErrorContext(ctx, "new refresh token not stored; the person may have to sign in again",
			"account", used.AccountID, "error", err)
	}
	return next, err
}

// insist writes a new token, and does not give up lightly: where tokens rotate, this one is the only one that
// is still good.
func (g *refreshGrants) insist(ctx context.Context, write func() error) error {
	for {
		err := write()
		if !errors.Is(err, ErrStoreUnavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-g.after(keepRetry):
		}
	}
}

// putOff sets when a renewal that led nowhere is tried again. answered says that the provider did answer, and
// not that it replaced the token.
func (g *refreshGrants) putOff(
	ctx context.Context, used RefreshGrant, answered bool, atLeast time.Duration,
) error {
	next := used
	wait := longestRepeat
	if used.Attempts < 5 {
		wait = min(firstRepeat<<used.Attempts, longestRepeat)
	}
	next.Attempts++
	next.Unanswered = used.Unanswered && !answered
	next.RenewAt = g.now().Add(max(wait, atLeast))
	return ignoring(errNewerGrant, g.change(ctx, "put off a renewal", func(c *change) error {
		return g.replace(c, used, next)
	}))
}

// drop forgets a token that is of no use any more. From then on the person is proven when they pass by the
// provider.
func (g *refreshGrants) drop(ctx context.Context, used RefreshGrant) error {
	r := Revocation{
		Kind: RevokeGrant, Account: used.AccountID,
		Reason: "the refresh grant can only be renewed by the person",
	}
	return ignoring(errNewerGrant, g.accounts.revoke(ctx, r, func(c *change, _ Account) error {
		if _, err := g.current(c, used); err != nil {
			return err
		}
		return c.DeleteRefreshGrant(used.AccountID)
	}))
}

// replace writes a refresh grant in place of the one that was used, if that is still the account's.
func (g *refreshGrants) replace(c *change, used, next RefreshGrant) error {
	now, err := g.current(c, used)
	if err != nil {
		return err
	}
	if bytes.Equal(next.Sealed, used.Sealed) {
		next.Sealed = now // it may have been sealed again
	}
	return c.PutRefreshGrant(next)
}

// current returns how the token that was used is sealed now; errNewerGrant when it is not the account's any
// more. To seal it again makes none that is newer.
func (g *refreshGrants) current(c *change, used RefreshGrant) (sealed []byte, err error) {
	now, err := c.RefreshGrant(used.AccountID)
	if errors.Is(err, ErrNotFound) {
		return nil, errNewerGrant
	}
	if err != nil || bytes.Equal(now.Sealed, used.Sealed) {
		return now.Sealed, err
	}
	was, err := g.open(used)
	if err != nil {
		return nil, errNewerGrant
	}
	if is, err := g.open(now); err != nil || subtle.ConstantTimeCompare([]byte(is), []byte(was)) == 0 {
		return nil, errNewerGrant
	}
	return now.Sealed, nil
}

func ignoring(harmless, err error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
