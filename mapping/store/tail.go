package store

import (
	"context"
	"database/sql"
	"time"

	"vexa-sso/mapping"
)

const (
	firstRetry = 100 * time.Millisecond // after the tail lost its connection; doubled from then on
	lastRetry  = 2 * time.Second
	pruneEvery = 10 * time.Minute
)

// follow hands every revocation after place to the subscribers, until ctx is done. It owns the connection
// that it reads on, and finds a new one when that breaks.
func (s *Store) follow(ctx context.Context, place int64) {
	retry := firstRetry
	for {
		err := s.tailOnce(ctx, &place)
		if ctx.Err() != nil {
			return
		}
		if s.contact.lost(err) {
			s.log.Warn("store does not answer; served from memory until the grace is over, will be retried",
				"error", err)
			retry = firstRetry
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return
		}
		retry = min(2*retry, lastRetry)
	}
}

// tailOnce follows the log on one connection, until that fails.
func (s *Store) tailOnce(ctx context.Context, place *int64) error {
	conn, err := s.listen(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()

	pruned := s.now()
	for {
		if err := s.catchUp(ctx, conn, place); err != nil {
			return err
		}
		if s.now().Sub(pruned) >= pruneEvery {
			pruned = s.now()
			if err := s.pruneLog(ctx); err != nil {
				s.log.Warn("log of revocations not pruned; will be retried", "error", err)
			}
		}
		if err := s.engine.wait(ctx, conn); err != nil {
			return s.judge(ctx, err)
		}
	}
}

// listen returns a connection on which the engine waits for news.
func (s *Store) listen(ctx context.Context) (conn *sql.Conn, err error) {
	watch := newStopwatch(ctx)
	defer watch.stop()
	err = watch.step(s.patience.tail, func() (err error) {
		conn, err = s.engine.listen(watch.ctx)
		return err
	})
	return conn, s.judge(watch.ctx, err)
}

// catchUp reads the log from place to its end and hands it on.
func (s *Store) catchUp(ctx context.Context, conn *sql.Conn, place *int64) error {
	for more := true; more; {
		begun := s.now()
		if err := s.engine.present(); err != nil {
			return err
		}
		watch := newStopwatch(ctx)
		t := &tx{
			store: s, watch: watch, rows: conn,
			patience: limits{read: s.patience.tail, list: s.patience.tail},
		}
		entries, next, rest, missed, err := t.readLog(*place)
		watch.stop()
		if err != nil {
			return err
		}
		if missed {
			s.log.Warn("entries of the log of revocations are missing; everything cached was dropped",
				"after", *place, "until", next)
			s.subscribers.tell(mapping.Revocation{
				Seq: next, At: begun, Kind: mapping.RevokeEverything,
				Reason: "entries of the log are missing",
			})
		}
		for _, r := range entries {
			s.subscribers.tell(r)
		}
		*place, more = next, rest
		if !more && s.contact.made(begun) {
			s.log.Info("store answers again")
		}
	}
	return nil
}
