package mapping

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Report is what Reconcile found, and, unless it was a dry run, put right.
type Report struct {
	DryRun   bool `json:"dry_run"`
	Skipped  bool `json:"skipped,omitempty"` // another replica is at it
	Accounts int  `json:"accounts"`          // bound accounts whose tokens were compared

	Unknown []VexaToken `json:"unknown,omitempty"` // tokens of ours at Vexa that no key accounts for: deleted
	Missing []string    `json:"missing,omitempty"` // keys that Vexa does not have any more: dropped
	Intents []string    `json:"intents,omitempty"` // mints that never came to an end: cleared up
	Revoked []string    `json:"revoked,omitempty"` // keys that expired, were replaced or are not needed

	Waiting  int      `json:"waiting"`            // revoked keys that Vexa has not confirmed to be deleted
	Problems []string `json:"problems,omitempty"` // what could not be compared; without secrets

	// what the lists above have no room for; it was dealt with alike
	NotListed int `json:"not_listed,omitempty"`
}

// mostListed is how long each list of a report gets: whoever has to read more looks for another way.
const mostListed = 1000

// list puts something on one of the lists of a report, while there is room.
func list[T any](r *Report, on *[]T, what ...T) {
	room := min(len(what), mostListed-len(*on))
	*on = append(*on, what[:room]...)
	r.NotListed += len(what) - room
}

// Differs says whether there was anything to put right, or that could not be.
func (r Report) Differs() bool {
	return len(r.Unknown)+len(r.Missing)+len(r.Intents)+len(r.Revoked)+len(r.Problems) > 0
}

// VexaToken names a token at Vexa.
type VexaToken struct {
	ID     int64  `json:"id"`
	UserID int64  `json:"user_id"`
	Name   string `json:"name"`
}

// Reconcile compares what we know with what Vexa has, and makes the two agree: no token of ours lives there
// that we do not know (S6), and none that should not. Tokens of others, other instances' and people's own,
// are left alone. It goes through all accounts, from the first to the last, and as fast as Vexa answers: that
// is for an admin who waits. Run does the same in the background, at its ease. One replica at a time does it.
// The error is the store's; what Vexa does not answer is in the report.
func (a *Accounts) Reconcile(ctx context.Context, dryRun bool) (Report, error) {
	return a.keys.reconcile(ctx, &reconciliation{vexaKeys: a.keys, Report: Report{DryRun: dryRun}})
}

// reconcile does one pass.
func (ks *vexaKeys) reconcile(ctx context.Context, r *reconciliation) (Report, error) {
	if !r.DryRun {
		lease, release, err := ks.lease(ctx, "reconcile")
		if errors.Is(err, ErrLeaseHeld) {
			r.Skipped = true
			return r.Report, nil
		}
		if err != nil {
			return r.Report, asError(fmt.Errorf("reconcile: %w", err))
		}
		defer release()
		r.lease = lease
	}
	for _, step := range []func(context.Context) error{r.clearStaleIntents, r.walk, r.drain} {
		if err := step(ctx); err != nil {
			return r.Report, asError(fmt.Errorf("reconcile: %w", err))
		}
	}
	return r.Report, nil
}

// reconciliation is one pass.
type reconciliation struct {
	*vexaKeys
	lease Lease // none in a dry run
	pace  *pace // nil: no place is kept, and nobody is waited for

	mu sync.Mutex // guards the report while several accounts are compared
	Report
}

// clearStaleIntents clears up after mints that cannot be running any more.
func (r *reconciliation) clearStaleIntents(ctx context.Context) error {
	intents := func(tx Tx, at Place) ([]Key, error) { return tx.KeysAfter(KeyMinting, at, pageSize) }
	failed := 0
	return eachPage(ctx, r.store, intents, placeOfKey, func(page []Key) error {
		for _, intent := range page {
			if r.now().Sub(intent.CreatedAt) <= mintOver || failed > tolerated {
				continue
			}
			list(&r.Report, &r.Intents, intent.ID)
			if r.DryRun {
				continue
			}
			if err := r.clearIntent(ctx, intent); errors.Is(err, ErrStoreUnavailable) || ctx.Err() != nil {
				return err
			} else if err != nil {
				failed++
				r.problem("intent %s: %v", intent.ID, err)
			}
		}
		return nil
	})
}

// drain deletes what is to be deleted.
func (r *reconciliation) drain(ctx context.Context) (err error) {
	if !r.DryRun {
		if err := r.deleteRevoked(ctx); err != nil {
			return err
		}
	}
	r.Waiting, _, err = r.waiting(ctx)
	return err
}

func (r *reconciliation) problem(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list(&r.Report, &r.Problems, fmt.Sprintf(format, args...))
}
