package mapping

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// What goes on behind the requests, and can fall behind.
const (
	WorkOutbox    = "outbox"    // what Vexa is to be told
	WorkPurge     = "purge"     // what nobody needs any more
	WorkReconcile = "reconcile" // the comparison with Vexa
	WorkRenewal   = "renewal"   // providers are asked about people
)

// BackgroundWork lists it.
var BackgroundWork = []string{WorkOutbox, WorkPurge, WorkReconcile, WorkRenewal}

// Behind returns how far some work of BackgroundWork is behind: for how long what should have been done by
// now has been due. Zero is good. An outbox whose deletions Vexa refuses is not behind: see OldestRevocation.
func (a *Accounts) Behind(ctx context.Context, work string) (behind time.Duration, err error) {
	since := func(due time.Time, usual time.Duration) {
		if !due.IsZero() {
			behind = max(0, a.now().Sub(due)-usual)
		}
	}
	switch work {
	case WorkOutbox:
		var due time.Time
		err = a.store.View(ctx, func(tx Tx) error {
			due, err = tx.LongestDue(a.now())
			return err
		})
		since(due, outboxEvery)
	case WorkPurge:
		behind, err = a.store.Overdue(ctx, a.retention)
		behind = max(0, behind-purgeEvery)
	case WorkReconcile:
		var note passNote
		note, err = a.keys.pass(ctx)
		since(note.since(), a.reconcileEvery)
	case WorkRenewal:
		behind, err = a.grants.behind(ctx)
	}
	if err != nil {
		return 0, asError(fmt.Errorf("look how far the %s is behind: %w", work, err))
	}
	return behind, nil
}

// CheckBehind returns an error that names the work that is so far behind that somebody should look, and nil
// if none is.
func (a *Accounts) CheckBehind(ctx context.Context) error {
	tolerated := map[string]time.Duration{
		WorkOutbox: time.Minute, WorkPurge: 2 * purgeEvery, WorkReconcile: a.reconcileEvery,
		WorkRenewal: a.grants.late(),
	}
	var late []string
	for _, work := range BackgroundWork {
		behind, err := a.Behind(ctx, work)
		if err != nil {
			return err
		}
		if behind > tolerated[work] {
			late = append(late, fmt.Sprintf("%s by %s", work, behind.Round(time.Second)))
		}
	}
	if len(late) > 0 {
		return fmt.Errorf("work in the background is behind: %s", strings.Join(late, ", "))
	}
	return nil
}
