package bridge

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"vexa-sso/mapping/vexa"
)

const (
	// Intervals at which Vexa is asked for its generation, and until it has answered for the first time. An
	// upgrade or a rollback is noticed within a minute, also where each call takes as long as it may.
	generationEvery = 20 * time.Second
	generationRetry = 2 * time.Second
)

// tables has the current route table. Until Vexa has said which generation it is, that of 0.12 counts: it is
// our policy in front of both.
type tables struct {
	client  *vexa.Client
	log     *slog.Logger
	after   func(time.Duration) <-chan time.Time
	current atomic.Pointer[vexa.Table]
	found   bool // run's own
}

func newTables(client *vexa.Client, configured string, log *slog.Logger) *tables {
	t := &tables{client: client, log: log, after: time.After}
	t.current.Store(vexa.Routes(configured))
	return t
}

func (t *tables) routes() *vexa.Table { return t.current.Load() }

// run looks which generation Vexa is, again and again: a Vexa may be upgraded, or rolled back. While it does
// not say, the table stays.
func (t *tables) run(ctx context.Context) error {
	for {
		if generation, err := t.client.Look(ctx); err == nil {
			table := vexa.Routes(generation)
			if t.current.Swap(table) != table || !t.found {
				t.log.Info("Vexa generation found", "generation", generation)
			}
			t.found = true
		}
		wait := generationEvery
		if !t.found {
			wait = generationRetry
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.after(wait):
		}
	}
}
