package mapping

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"vexa-sso/oidc"
)

const (
	refreshesAtOnce   = 8   // renewals under way on one replica
	refreshesPerRound = 500 // looked up at a time
	// of one renewal: all calls to the provider, and keeping the new token
	refreshTimeout = 30 * time.Second
	// Longer, and not renewed: a provider that sees one refresh token twice may end the whole grant, and no
	// fence of ours keeps a replica that has lost the store from sending it.
	refreshLease  = time.Minute
	firstRepeat   = 10 * time.Second // of a renewal that led nowhere, then twice as long each time …
	longestRepeat = 5 * time.Minute  // … up to this
	keepRetry     = 500 * time.Millisecond
)

// errNewerGrant: while we asked with one refresh token, a newer one was stored. What the provider said of the
// old one says nothing any more.
var errNewerGrant = errors.New("the account has a newer refresh grant")

// RenewProofs asks the providers again about everybody who is using Vexa, or has a token with which a program
// may, and whose refresh grant is due. Who they are now is written to the account like at a sign-in: grants
// follow, and keys that have become too wide are revoked (D9). What a refusal ends is its Outcome: everything
// of who is gone, sessions and keys where the grant is over, and else nothing. Any number of replicas may do
// it at the same time: one of them asks about an account, the others leave it alone (D12). The error is the
// store's.
func (a *Accounts) RenewProofs(ctx context.Context) error { return a.grants.renewDue(ctx) }

func (g *refreshGrants) renewDue(ctx context.Context) error {
	if len(g.directories) == 0 {
		return nil
	}
	var due []RefreshGrant
	err := g.store.View(ctx, func(tx Tx) (err error) {
		now := g.now()
		due, err = tx.RefreshGrantsDue(now, now.Add(-g.idle), refreshesPerRound)
		return err
	})
	if err != nil {
		return asError(fmt.Errorf("look for refresh grants that are due: %w", err))
	}
	renewing, renewingCtx := errgroup.WithContext(ctx)
	renewing.SetLimit(refreshesAtOnce)
	for _, p := range due {
		renewing.Go(func() error {
			if renewingCtx.Err() != nil || g.backoff.paused(p.Provider, g.now()) {
				return nil
			}
			return g.renew(renewingCtx, p.AccountID)
		})
	}
	return asError(renewing.Wait())
}

// leaseOfGrant names the lease under which a refresh grant is used. The name is older than the word: replicas
// of either version take the same one.
func leaseOfGrant(accountID string) string { return "proof:" + accountID }

// renew renews the refresh grant of one account, unless another replica does.
func (g *refreshGrants) renew(ctx context.Context, accountID string) error {
	_, release, err := g.leaseFor(ctx, leaseOfGrant(accountID), refreshLease)
	if errors.Is(err, ErrLeaseHeld) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("renew the refresh grant of account %s: %w", accountID, err)
	}
	defer release()
	acc, used, err := g.due(ctx, accountID)
	if err != nil || used == nil {
		return err
	}
	directory := g.directories[used.Provider]
	if directory == nil { // not configured any more: nobody can be asked
		return g.drop(ctx, *used)
	}
	token, err := g.open(*used)
	if err != nil {
		g.log.ErrorContext(ctx, "refresh grant cannot be opened, provider not asked; will be retried",
			"account", accountID, "error", err,
			"remedy", "put the key ring back that sealed it, or let the person sign in again")
		return g.putOff(ctx, *used, false, 0)
	}
	// From here on we see it through, whoever loses patience: the answer may hold the only token that is
	// still good.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	asked, err := g.noteAsked(ctx, *used)
	if err != nil {
		return ignoring(errNewerGrant, err)
	}
	signIn, err := directory.Refresh(ctx, token, acc.Identity.Forget(g.forgotten()))
	if signIn != nil {
		asked.Steady = signIn.RefreshToken == token || signIn.RefreshToken == ""
	}
	return g.applyAnswer(ctx, acc, asked, used.Unanswered, signIn, err)
}

// noteAsked writes down that the provider is asked with this token, so that whoever finds it after a crash
// knows that another may have taken its place.
func (g *refreshGrants) noteAsked(ctx context.Context, used RefreshGrant) (RefreshGrant, error) {
	if used.Unanswered || used.Steady {
		return used, nil
	}
	next := used
	next.Unanswered = true
	return next, g.change(ctx, "note that the provider is asked", func(c *change) error {
		return c.replaceRefreshGrant(used, next)
	})
}

// due reads, under the lease, the account and its refresh grant; nil when there is nothing to do any more.
func (g *refreshGrants) due(
	ctx context.Context, accountID string,
) (acc Account, due *RefreshGrant, err error) {
	err = g.store.View(ctx, func(tx Tx) error {
		due = nil
		p, err := tx.RefreshGrant(accountID)
		if errors.Is(err, ErrNotFound) || err == nil && g.now().Before(p.RenewAt) {
			return nil
		}
		if err != nil {
			return err
		}
		due = &p
		acc, err = tx.Account(accountID)
		return err
	})
	if err != nil {
		return Account{}, nil, fmt.Errorf("read the refresh grant of account %s: %w", accountID, err)
	}
	return acc, due, nil
}

// applyAnswer does what follows from the provider's answer. The new token comes first of all. lost says that
// an earlier answer, with a newer token, may have been lost.
func (g *refreshGrants) applyAnswer(
	ctx context.Context, acc Account, used RefreshGrant, lost bool, signIn *oidc.SignIn, refusal error,
) error {
	if signIn != nil && signIn.RefreshToken != "" {
		next, err := g.swap(ctx, used, signIn.RefreshToken)
		if errors.Is(err, errNewerGrant) {
			return nil
		}
		if err != nil {
			g.log.ErrorContext(ctx, "new refresh token not stored; the person may have to sign in again",
				"account", acc.ID, "error", err)
			return err
		}
		used = next
	}
	if refusal == nil {
		return g.vouched(ctx, acc, used, signIn.Identity)
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

// vouched writes what the provider says of the person now, and when it said so. Every replica hears of it:
// one that holds the account may be counting the time for which its tokens go on without the provider's word.
func (g *refreshGrants) vouched(ctx context.Context, acc Account, p RefreshGrant, id oidc.Identity) error {
	if id.Subject != acc.Subject {
		g.log.ErrorContext(ctx, "provider answered with another identity; the refresh grant was forgotten",
			"account", acc.ID, "provider", p.Provider)
		return g.drop(ctx, p)
	}
	before := g.decide(acc)
	// Unless all they had was ended meanwhile, or they came by themselves: neither is to be undone by an
	// answer that was under way.
	_, d, err := g.accounts.renewed(ctx, id, func(c *change) error { return c.isCurrent(p) })
	if errors.Is(err, errNewerGrant) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write what the provider says of account %s: %w", acc.ID, err)
	}
	next, err := g.refreshedSeal(p)
	if err != nil {
		return err
	}
	next.RenewAt, next.Attempts, next.Unanswered = g.renewAt(), 0, false
	return ignoring(errNewerGrant,
		g.change(ctx, "write when the refresh grant is due", func(c *change) error {
			if err := c.replaceRefreshGrant(p, next); err != nil {
				return err
			}
			if had, has := grantOf(before).Scopes, grantOf(d).Scopes; had != has {
				e := about(acc, EventGrantChanged)
				e.Actor, e.Rules = "provider "+p.Provider, d.Matched()
				e.Reason = fmt.Sprintf("by what the provider says now, their scopes changed from %s to %s",
					had.Words(), has.Words())
				return c.record(e)
			}
			return nil
		}))
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
		if err := c.isCurrent(used); err != nil {
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
		if err := c.isCurrent(used); err != nil {
			return err
		}
		return c.pause(acc, reason, "provider "+used.Provider)
	}))
}

// swap stores the token that the provider gave in place of the one that it took. It does not give up lightly:
// where tokens rotate, this one is the only one that is still good.
func (g *refreshGrants) swap(ctx context.Context, used RefreshGrant, token string) (RefreshGrant, error) {
	sealed, err := g.seal(used.AccountID, token)
	if err != nil {
		return used, err
	}
	next := used
	next.Sealed, next.Unanswered = sealed, false
	for {
		err = g.change(ctx, "store the new refresh token", func(c *change) error {
			return c.replaceRefreshGrant(used, next)
		})
		if !errors.Is(err, ErrStoreUnavailable) {
			return next, err
		}
		select {
		case <-ctx.Done():
			return used, err
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
		return c.replaceRefreshGrant(used, next)
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
		if err := c.isCurrent(used); err != nil {
			return err
		}
		return c.DeleteRefreshGrant(used.AccountID)
	}))
}

// replaceRefreshGrant writes a refresh grant in place of the one that was used, if that is still the
// account's.
func (c *change) replaceRefreshGrant(used, next RefreshGrant) error {
	if err := c.isCurrent(used); err != nil {
		return err
	}
	return c.PutRefreshGrant(next)
}

// isCurrent returns errNewerGrant unless the account's refresh grant is still the one that was used.
func (c *change) isCurrent(used RefreshGrant) error {
	now, err := c.RefreshGrant(used.AccountID)
	if errors.Is(err, ErrNotFound) || err == nil && !bytes.Equal(now.Sealed, used.Sealed) {
		return errNewerGrant
	}
	return err
}

func ignoring(harmless, err error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
