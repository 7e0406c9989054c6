package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vexa-sso/mapping"
	"vexa-sso/proxy/caller"
)

// Store implements [mapping.Store] and [proxy.SessionStore]. It is safe for concurrent use.
type Store struct {
	engine   engine
	patience limits
	holder   string // of the leases that this Store takes
	now      func() time.Time
	log      *slog.Logger

	contact     contact
	tooSlow     atomic.Int64 // when a write was last given up, in Unix microseconds
	subscribers subscribers

	closed atomic.Bool
	stop   context.CancelFunc // ends the tail
	tail   sync.WaitGroup
}

var (
	_ mapping.Store       = (*Store)(nil)
	_ mapping.Tx          = (*tx)(nil)
	_ caller.SessionStore = (*Store)(nil)
	_ caller.SessionTx    = (*tx)(nil)
)

// Open opens the store, makes or migrates its tables where that is due, and begins to follow the log of
// revocations, until Close. An error that wraps [mapping.ErrStoreUnavailable] says that the server could not
// be reached now; any other, that there is something to put right first. No error shows a password.
func Open(ctx context.Context, config Config, env Env) (*Store, error) {
	return open(ctx, config, env, usualLimits.atLeast(env.Patience))
}

func open(ctx context.Context, config Config, env Env, patience limits) (*Store, error) {
	env = env.complete()
	holder := make([]byte, 8)
	if _, err := io.ReadFull(env.Rand, holder); err != nil {
		return nil, fmt.Errorf("naming this holder of leases: %w", err)
	}
	e, err := openEngine(ctx, config, patience)
	if err != nil {
		return nil, err
	}
	s := &Store{engine: e, patience: patience, holder: hex.EncodeToString(holder), now: env.Now, log: env.Log}
	s.contact.grace = max(config.Grace, leastGrace)

	if err := s.prepare(ctx); err != nil {
		e.close()
		return nil, err
	}
	return s, nil
}

// prepare brings the schema up to date, finds the end of the log and begins to follow it.
func (s *Store) prepare(ctx context.Context) error {
	if e, ok := s.engine.(*postgresEngine); ok {
		e.lookForPooler(ctx, s.log)
	}
	if err := s.bringSchemaUp(ctx); err != nil {
		return fmt.Errorf("bringing the store's tables up to date: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience.open, errTooSlow)
	defer cancel()
	begun := s.now()
	place, err := s.endOfLog(ctx)
	if err != nil {
		return err
	}
	s.contact.made(begun)

	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.tail.Go(func() { s.follow(following, place) })
	return nil
}

// Close stops following the log and closes the connections. Calls after it, and calls that it interrupts,
// return [mapping.ErrStoreUnavailable].
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.stop()
	s.tail.Wait()
	s.contact.lost(errClosed)
	if err := s.engine.close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// openEngine opens the engine that the URL names.
func openEngine(ctx context.Context, config Config, patience limits) (engine, error) {
	scheme, rest, _ := strings.Cut(config.URL, ":")
	switch scheme {
	case "sqlite":
		return openSQLite(ctx, rest, patience)
	case "postgres", "postgresql":
		return openPostgres(config.URL, config.NotifyURL)
	}
	return nil, errors.New("store.url is neither SQLite nor PostgreSQL: write sqlite:<path of a file> or " +
		"postgres://<user>@<host>/<database>")
}

// complete fills in what the caller left out.
func (e Env) complete() Env {
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.Rand == nil {
		e.Rand = rand.Reader
	}
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	return e
}
