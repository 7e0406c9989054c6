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

	// between the beginnings of two looks: what is published meanwhile is read at once, so that a thousand
	// revocations a second are not a thousand queries; and less often while much is published
	pace, busyPace = 20 * time.Millisecond, 60 * time.Millisecond
	busy           = 5 // entries of one look
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
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-rest.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		begun, stood := time.Now(), *place
		if err := s.catchUp(ctx, conn, place); err != nil {
			return err
		}
		if *place-stood < busy {
			rest.Reset(pace - time.Since(begun))
		} else {
			rest.Reset(busyPace - time.Since(begun))
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
//
// Contact is made with the moment of which everything is known and handed on: that at which a read began that
// came to the end of the log; or, while the log is longer than one read, that of a read after which the log
// ended where we are by now. So a log that grows as fast as it is read makes nobody who follows it count as
// away; and whoever falls behind by more than the grace does, for what they have not come to may be a
// revocation of what they serve (S5).
func (s *Store) catchUp(ctx context.Context, conn *sql.Conn, place *int64) error {
	var goal int64 // where the log ended, at since or later
	var since time.Time
	for {
		begun := s.now()
		if err := s.engine.present(); err != nil {
			return err
		}
		more, end, err := s.readOn(ctx, conn, place, goal == 0)
		switch {
		case err != nil:
			return err
		case !more:
			s.answers(begun)
			return nil
		case goal == 0:
			goal, since = end, begun
		case *place >= goal:
			s.answers(since)
			goal = 0
		}
	}
}

func (s *Store) answers(at time.Time) {
	if s.contact.made(at) {
		s.log.Info("store answers again")
	}
}

// readOn reads what comes after place, at most a batch, and hands it on. Where there is more, and it is asked
// for, end is where the log ends after the batch was read.
func (s *Store) readOn(
	ctx context.Context, conn *sql.Conn, place *int64, wantEnd bool,
) (more bool, end int64, err error) {
	watch := newStopwatch(ctx)
	defer watch.stop()
	t := &tx{
		store: s, watch: watch, rows: conn,
		patience: limits{read: s.patience.tail, list: s.patience.tail},
	}
	entries, next, more, missed, err := t.readLog(*place)
	if err == nil && more && wantEnd {
		end, err = t.endOfLog()
	}
	if err != nil {
		return false, 0, err
	}
	if missed {
		s.log.Warn("entries of the log of revocations are missing; everything cached was dropped",
			"after", *place, "until", next)
		s.subscribers.tell(mapping.Revocation{
			Seq: next, At: s.now(), Kind: mapping.RevokeEverything,
			Reason: "entries of the log are missing",
		})
	}
	for _, r := range entries {
		s.subscribers.tell(r)
	}
	*place = next
	return more, end, nil
}
