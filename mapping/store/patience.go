package store

import (
	"context"
	"time"
)

// limits say how long the database may take before it counts as unavailable.
type limits struct {
	open time.Duration // everything that Open does, a wait for other replicas' migrations included
	// one step of a transaction that only reads: requests wait for it, so that it bounds what a
	// store that hangs costs them
	read time.Duration
	list time.Duration // reading many rows
	// a whole transaction that writes, with its repetitions. Somebody who signs in waits for the first that
	// fails and for what is written about it: two seconds, together with hurried
	write   time.Duration
	hurried time.Duration // the same, in the second after one took too long
	tail    time.Duration // one look at the log
}

var usualLimits = limits{
	open:  30 * time.Second,
	read:  2 * time.Second,
	list:  5 * time.Second,
	write: 1800 * time.Millisecond, hurried: 100 * time.Millisecond,
	tail: time.Second,
}

// hurry is how long a store that took too long to write is not waited for again.
const hurry = time.Second

// atLeast are the same limits with none below d.
func (l limits) atLeast(d time.Duration) limits {
	for _, limit := range []*time.Duration{&l.open, &l.read, &l.list, &l.write, &l.hurried, &l.tail} {
		*limit = max(*limit, d)
	}
	return l
}

// stopwatch bounds the steps of something by a limit each. When a step takes longer, the context of all of
// them ends with errTooSlow as its cause. The time between steps is the caller's own.
type stopwatch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func newStopwatch(ctx context.Context) stopwatch {
	ctx, cancel := context.WithCancelCause(ctx)
	return stopwatch{ctx, cancel}
}

func (w stopwatch) step(limit time.Duration, f func() error) error {
	late := time.AfterFunc(limit, func() { w.cancel(errTooSlow) })
	defer late.Stop()
	return f()
}

func (w stopwatch) stop() { w.cancel(nil) }
