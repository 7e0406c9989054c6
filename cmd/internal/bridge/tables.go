package bridge

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"vexa-sso/mapping/vexa"
)

// generationRetry is the interval at which Vexa is asked for its generation, until it has answered.
const generationRetry = 2 * time.Second

// tables has the current route table. Until Vexa has said which generation it is, that of 0.12 counts: it is
// our policy in front of both.
type tables struct {
	client  *vexa.Client
	log     *slog.Logger
	current atomic.Pointer[vexa.Table]
	found   atomic.Bool
}

func newTables(client *vexa.Client, configured string, log *slog.Logger) *tables {
	t := &tables{client: client, log: log}
	t.current.Store(vexa.Routes(configured))
	return t
}

func (t *tables) routes() *vexa.Table { return t.current.Load() }

// run asks Vexa for its generation, and again every minute, as a Vexa may be upgraded.
func (t *tables) run(ctx context.Context) error {
	for {
		wait := generationRetry
		if generation, err := t.client.Generation(ctx); err == nil {
			wait = time.Minute
			table := vexa.Routes(generation)
			if t.current.Swap(table) != table || !t.found.Swap(true) {
				t.log.Info("Vexa generation found", "generation", generation)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}
