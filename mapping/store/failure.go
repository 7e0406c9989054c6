package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"vexa-sso/mapping"
)

var (
	errTooSlow  = errors.New("no answer in time")
	errReadOnly = errors.New("what only reads cannot write")
	errRaced    = errors.New("others were quicker each time")
	errClosed   = errors.New("the store is closed")
)

// judge gives an error of the driver the name that callers act on. ctx is the one of the failed call.
func (s *Store) judge(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, mapping.ErrStoreUnavailable):
		return err
	case s.closed.Load():
		return unreachable(errClosed)
	case errors.Is(context.Cause(ctx), errTooSlow), errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return unreachable(context.Cause(ctx))
	case ctx.Err() != nil: // the caller lost interest; that says nothing about the store
		return context.Cause(ctx)
	}
	switch s.verdict(err) {
	case conflict:
		return fmt.Errorf("%w: %w", mapping.ErrConflict, err)
	case orphan:
		return fmt.Errorf("%w: %w", mapping.ErrNotFound, err)
	case again, severed, unavailable: // again: so many races were lost that the time is up
		return unreachable(err)
	}
	return err
}

// unreachable makes err wrap mapping.ErrStoreUnavailable.
func unreachable(err error) error {
	if errors.Is(err, mapping.ErrStoreUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", mapping.ErrStoreUnavailable, err)
}

// verdict says what an error means, on either engine.
func (s *Store) verdict(err error) verdict {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return severed
	}
	return s.engine.verdict(err)
}
