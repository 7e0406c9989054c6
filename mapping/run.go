package mapping

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	outboxEvery = 2 * time.Second // for what other processes wrote; what this one did wakes the loop
	renewEvery  = time.Minute
	// more often where the time that a refresh grant counts for is very short
	refreshEvery = 10 * time.Second
	kickRest     = 100 * time.Millisecond // between two rounds of work that is kicked
	purgeEvery   = 10 * time.Minute       // of what has come to its end, which nobody can use
)

// Run does what goes on behind the requests, until ctx is done: it deletes revoked keys at Vexa, asks
// providers again about the people who are here or whose tokens are, renews keys that are in use before they
// expire, forgets tokens that have expired, and reconciles, at the start and ever after. It returns when all
// of that has ended, and with it every mint whose callers had given up. Every replica runs it.
func (a *Accounts) Run(ctx context.Context) error {
	loops, loopCtx := errgroup.WithContext(ctx)
	loops.Go(func() error { return a.every(loopCtx, outboxEvery, a.keys.kick, a.outbox) })
	loops.Go(func() error { return a.every(loopCtx, renewEvery, nil, a.keys.renewDue) })
	loops.Go(func() error {
		return a.every(loopCtx, min(refreshEvery, a.grants.lifetime/8), nil, a.grants.renewDue)
	})
	loops.Go(func() error { return a.every(loopCtx, purgeEvery, nil, a.purge) })
	loops.Go(func() error {
		return a.every(loopCtx, a.reconcileEvery/reconcileLooks, nil, a.reconciler())
	})
	err := loops.Wait()
	a.keys.inFlight.Lock()
	defer a.keys.inFlight.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// every does work now, then each time after the interval or when it is kicked, at once where it has rested
// for a moment: however often it is kicked, it does not fill a core. What goes wrong is logged, and tried
// again.
func (l *ledger) every(
	ctx context.Context, interval time.Duration, kick <-chan struct{}, work func(context.Context) error,
) error {
	for {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			l.log.ErrorContext(ctx, "background work failed; will be retried", "error", err)
		}
		rested := l.after(min(kickRest, interval))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.after(interval):
			continue
		case <-kick:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-rested:
		}
	}
}

func (a *Accounts) outbox(ctx context.Context) error {
	err := a.keys.deleteRevoked(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, a.users.settleBotBlocks(ctx), a.keys.resealStale(ctx))
}

func (a *Accounts) purge(ctx context.Context) error {
	_, err := a.Purge(ctx)
	return err
}

// reconciler returns what reconciles when that is due: the first time in any case, for whoever was here
// before may have been killed.
func (a *Accounts) reconciler() func(context.Context) error {
	started := false
	return func(ctx context.Context) error {
		note, err := a.keys.pass(ctx)
		if err != nil || started && !note.due(a.now(), a.reconcileEvery) {
			return err
		}
		started = true
		return a.keys.reconcileAndTell(ctx, a.reconcileEvery)
	}
}

func (ks *vexaKeys) reconcileAndTell(ctx context.Context, interval time.Duration) error {
	r, err := ks.reconcile(ctx, &reconciliation{vexaKeys: ks, pace: &pace{interval: interval}})
	if err != nil {
		return err
	}
	if r.Differs() {
		ks.log.WarnContext(ctx,
			"store and Vexa differed about keys; put right, but for problems in the report", "report", r)
	}
	return nil
}
