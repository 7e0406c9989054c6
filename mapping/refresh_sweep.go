package mapping

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

const (
	refreshesAtOnce = 16 // renewals of one provider under way on one replica
	claimedAtOnce   = 8  // of them, in one transaction
	lookedAtAtMost  = 512
	storedAtOnce    = 3 // answers being written: the rest of the connections is for those who wait for a page

	// A claim lasts longer than a renewal may, so that nobody else asks while it goes on. It is not renewed:
	// a provider that sees one refresh token twice may end the whole grant, and no fence of ours keeps a
	// replica that has lost the store from sending it.
	claimTime = time.Minute

	slowestPace = 50 * time.Millisecond // between two renewals, when few are due
	countedDue  = 20_000                // more are not waited for less
)

// RenewalsDue is what is due of one provider.
type RenewalsDue struct {
	Provider string
	Since    time.Time // when the longest due was; zero: none is
	Count    int
}

// RenewalClaim says what a replica claims of what is due of one provider: the longest due first. A claim
// moves RenewAt to where nobody, a replica of an older version neither, finds it due. It sets Unanswered,
// unless the grant is Steady: no more is claimed than is asked about at once, so that of those who are in
// doubt after a crash nearly all are so rightly, and no transaction more is needed.
type RenewalClaim struct {
	Provider string
	Now      time.Time
	Until    time.Time // when the claim is over, and others may ask
	Look     int       // at so many refresh grants, at most
	Take     int       // so many of those that somebody needs

	// A session that was used since UsedSince needs it, and so does a token that has not expired. What nobody
	// needs is looked at again at LookAgain: its person may be back by then. It is deleted where there is
	// neither session nor token at all and the account was proven before ProvenSince: else somebody may just
	// be signing in.
	UsedSince, ProvenSince time.Time
	LookAgain              time.Time
}

// Renewal is a refresh grant that was claimed, as it was before, and its account.
type Renewal struct {
	Grant   RefreshGrant
	Account Account
	Until   time.Time // when the claim is over
}

// RenewProofs asks the providers again about everybody who is using Vexa, or has a token with which a program
// may, and whose refresh grant is due. Who they are now is written to the account like at a sign-in: grants
// follow, and keys that have become too wide are revoked (D9). What a refusal ends is its Outcome: everything
// of who is gone, sessions and keys where the grant is over, and else nothing. Any number of replicas may do
// it at the same time, and share what is due: one of them asks about an account, the others leave it alone
// (D12). The error is the store's.
func (a *Accounts) RenewProofs(ctx context.Context) error { return a.grants.renewDue(ctx) }

// behind is how long the refresh grant that is due the longest has been due; 0 where none is.
func (g *refreshGrants) behind(ctx context.Context) (behind time.Duration, err error) {
	due, err := g.due(ctx, 1)
	for _, d := range due {
		if g.directories[d.Provider] != nil && d.Count > 0 {
			behind = max(behind, g.now().Sub(d.Since))
		}
	}
	return behind, err
}

// late is the time that behind has to exceed for somebody to have been proven longer ago than Config.Renew.
func (g *refreshGrants) late() time.Duration { return max(g.lifetime/4, 3*refreshEvery) }

func (g *refreshGrants) due(ctx context.Context, atMost int) (due []RenewalsDue, err error) {
	err = g.store.Read(ctx, func(tx Tx) (err error) {
		due, err = tx.RenewalsDue(g.now(), atMost)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for refresh grants that are due: %w", err)
	}
	return due, nil
}

// renewDue renews what is due, of all providers side by side: one that is slow holds up only its own people.
func (g *refreshGrants) renewDue(ctx context.Context) error {
	for {
		due, err := g.due(ctx, countedDue)
		if err != nil {
			return asError(err)
		}
		var unfinished atomic.Bool
		sweeping, sweepCtx := errgroup.WithContext(ctx)
		for _, d := range due {
			if d.Count == 0 {
				continue
			}
			sweeping.Go(func() error {
				more, err := g.sweep(sweepCtx, d)
				if more {
					unfinished.Store(true)
				}
				return err
			})
		}
		if err := sweeping.Wait(); err != nil || !unfinished.Load() {
			return asError(err)
		}
	}
}

// sweep renews what is due of one provider, at the pace that this takes, for at most refreshEvery; unfinished
// says that it stopped because of that, and that the pace is to be looked at again.
func (g *refreshGrants) sweep(ctx context.Context, due RenewalsDue) (unfinished bool, err error) {
	end, pace, look := g.now().Add(refreshEvery), g.pace(due.Count), claimedAtOnce
	slots := semaphore.NewWeighted(refreshesAtOnce)
	renewing, ctx := errgroup.WithContext(ctx)
	for !g.backoff.paused(due.Provider, g.now()) && slots.Acquire(ctx, claimedAtOnce) == nil {
		claimed, looked, err := g.claim(ctx, due.Provider, look)
		for _, r := range claimed {
			renewing.Go(func() error {
				defer slots.Release(1)
				return g.renew(ctx, r)
			})
		}
		slots.Release(int64(claimedAtOnce - len(claimed)))
		if err != nil {
			renewing.Go(func() error { return err })
			break
		}
		if looked < look {
			break
		}
		if look = claimedAtOnce; len(claimed) == 0 { // none of these needs renewing: get past them
			look = min(4*looked, lookedAtAtMost)
		}
		if unfinished = !g.now().Before(end); unfinished {
			break
		}
		select {
		case <-ctx.Done():
		case <-g.after(time.Duration(len(claimed)) * pace):
		}
	}
	return unfinished, renewing.Wait()
}

// pace is the time between two renewals where so many are due. All are to be done in half of the time that is
// left before the first of them counts no more (renewAt), without haste: requests come first.
func (g *refreshGrants) pace(due int) time.Duration {
	return min(g.lifetime/8/time.Duration(max(due, 1)), slowestPace)
}

// claim claims refresh grants of a provider that are due. From here on they are seen through, whoever loses
// patience.
//
// A replica of an older version knows a claim by RenewAt alone, and announces its own renewals by a lease
// (leaseOfGrant), like whoever seals a grant again. It looks at RenewAt once it has the lease, and we look
// for the lease once the claim is written: whoever comes second sees the other. What another has the lease of
// is left to it until the claim is over.
func (g *refreshGrants) claim(
	ctx context.Context, provider string, look int,
) (claimed []Renewal, looked int, err error) {
	ctx = context.WithoutCancel(ctx)
	err = g.store.Update(ctx, func(tx Tx) (err error) {
		now := g.now()
		claimed, looked, err = tx.ClaimRenewals(RenewalClaim{
			Provider: provider, Now: now, Until: now.Add(claimTime), Look: look, Take: claimedAtOnce,
			UsedSince: now.Add(-g.idle), ProvenSince: now.Add(-g.lifetime),
			LookAgain: now.Add(g.lifetime / 4),
		})
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("claim refresh grants that are due: %w", err)
	}
	if len(claimed) == 0 {
		return nil, looked, nil
	}
	var leases []string
	for _, r := range claimed {
		leases = append(leases, leaseOfGrant(r.Grant.AccountID))
	}
	err = g.store.Read(ctx, func(tx Tx) (err error) {
		leases, err = tx.LeasesHeld(leases, g.now())
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("look who else renews refresh grants: %w", err)
	}
	return slices.DeleteFunc(claimed, func(r Renewal) bool {
		return slices.Contains(leases, leaseOfGrant(r.Grant.AccountID))
	}), looked, nil
}
