package bridge

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"vexa-sso/mapping/vexa"
)

const (
	// Intervals at which Vexa's Admin API is probed, and while it is down. With a 0.10 gateway all replicas
	// together have 30 calls a minute, for everything.
	adminEvery = 20 * time.Second
	adminRetry = 5 * time.Second

	// nobody is an address that no user has: looking it up shows that the Admin API answers and accepts our
	// token.
	nobody = "nobody@vexa-sso.invalid"
)

// adminAPI probes Vexa's Admin API in the background, and remembers the last result: readyz and metrics
// neither wait for it nor add to its load.
type adminAPI struct {
	client    *vexa.Client
	log       *slog.Logger
	after     func(time.Duration) <-chan time.Time
	lastError atomic.Pointer[error] // of the last probe; nil: it answered
}

func newAdminAPI(client *vexa.Client, log *slog.Logger) *adminAPI {
	a := &adminAPI{client: client, log: log, after: time.After}
	unasked := errors.New("not asked yet")
	a.lastError.Store(&unasked)
	return a
}

// ping returns the error of the last probe, or nil.
func (a *adminAPI) ping(context.Context) error {
	if trouble := a.lastError.Load(); trouble != nil {
		return *trouble
	}
	return nil
}

// run probes, until ctx ends.
func (a *adminAPI) run(ctx context.Context) error {
	for asked := false; ; asked = true {
		err := a.ask(ctx)
		if ctx.Err() != nil {
			return nil
		}
		wait := adminEvery
		if err != nil {
			wait = adminRetry
		}
		a.note(err, asked)
		select {
		case <-ctx.Done():
			return nil
		case <-a.after(wait):
		}
	}
}

func (a *adminAPI) ask(ctx context.Context) error {
	_, err := a.client.FindUser(ctx, nobody)
	if errors.Is(err, vexa.ErrUserNotFound) {
		return nil
	}
	return err
}

// note stores the result of a probe, and logs a change.
func (a *adminAPI) note(err error, asked bool) {
	if err == nil {
		if a.lastError.Swap(nil) != nil && asked {
			a.log.Info("Vexa's Admin API answers again")
		}
		return
	}
	if a.lastError.Swap(&err) == nil || !asked {
		a.log.Warn("Vexa's Admin API cannot be used; no new keys until it answers", "error", err)
	}
}
