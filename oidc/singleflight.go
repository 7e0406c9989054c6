package oidc

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/singleflight"
)

var errClosed = errors.New("the provider is closed")

// background runs fetches apart from the requests that wait for them: one at a time for each name, so that a
// thousand callers cost one fetch, and to the end, so that a caller who gives up does not fail the others.
// Close stops and awaits them all.
type background struct {
	ctx    context.Context
	cancel context.CancelFunc
	group  singleflight.Group

	mu     sync.Mutex // guards closed, and orders Add before Wait
	closed bool
	wg     sync.WaitGroup
}

func newBackground() *background {
	ctx, cancel := context.WithCancel(context.Background())
	return &background{ctx: ctx, cancel: cancel}
}

// singleFlight runs fetch, or joins the run of the same name that is under way. The channel yields its error.
func (b *background) singleFlight(name string, fetch func(context.Context) error) <-chan error {
	done := make(chan error, 1)
	if !b.enter() {
		done <- errClosed
		return done
	}
	go func() {
		defer b.wg.Done()
		_, err, _ := b.group.Do(name, func() (any, error) { return nil, fetch(b.ctx) })
		done <- err
	}()
	return done
}

func (b *background) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.wg.Add(1)
	return true
}

func (b *background) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.wg.Wait()
}
