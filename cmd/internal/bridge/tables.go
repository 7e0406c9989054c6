package bridge

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"vexa-sso/mapping/vexa"
)

// generationRetry is how often Vexa is asked which generation it is, until it has said.
const generationRetry = 2 * time.Second

// tables knows which route table holds. Until Vexa has said which generation it is, that of 0.12 does: it is
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

// run finds the generation out, and looks again now and then: a Vexa is upgraded without asking us.
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
