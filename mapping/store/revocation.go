package store

import (
	"context"
	"fmt"
	"time"

	"vexa-sso/mapping"
)

// logRetention is how long an entry stays in the log: far longer than any replica that still serves needs to
// read it, for within the grace it has read it or serves no more.
const logRetention = time.Hour

// Publish implements [mapping.Tx]. The entry is appended when the rest of the transaction is done, so that
// the order of the log, which PostgreSQL has to hold a lock for, costs next to nothing.
func (t *tx) Publish(r mapping.Revocation) error {
	t.published = append(t.published, r)
	return nil
}

// flush appends what was published to the log.
func (t *tx) flush() error {
	if len(t.published) == 0 {
		return nil
	}
	if err := t.store.engine.beforePublishing(t); err != nil {
		return err
	}
	for _, r := range t.published {
		_, err := t.exec("publishing the revocation", `INSERT INTO revocations (at, kind, account_id,
			session_id, token_id, reason) VALUES ($1, $2, $3, $4, $5, $6)`,
			micros(r.At), string(r.Kind), r.Account, r.Session, r.Token, r.Reason)
		if err != nil {
			return err
		}
	}
	return t.store.engine.afterPublishing(t)
}

func scanRevocation(row scanner) (r mapping.Revocation, err error) {
	err = row.Scan(&r.Seq, moment{&r.At}, &r.Kind, &r.Account, &r.Session, &r.Token, &r.Reason)
	return r, err
}

// logBatch is how many entries are read at once.
const logBatch = 1000

// readLog returns the entries after place, and the place after them; whether there are more; and whether
// entries between are missing. Entries are pruned from the front only, and the latest stays, so as long as
// the entry at place is there, nothing after it was lost.
func (t *tx) readLog(place int64) (entries []mapping.Revocation, next int64, more, missed bool, err error) {
	entries, err = many(t, "reading the log of revocations", scanRevocation, fmt.Sprintf(`
		SELECT seq, at, kind, account_id, session_id, token_id, reason FROM revocations WHERE seq >= $1
			ORDER BY seq LIMIT %d`, logBatch), place)
	if err != nil {
		return nil, place, false, false, err
	}
	if len(entries) == 0 { // an older state of the database was restored
		next, err = t.endOfLog()
		return nil, next, false, true, err
	}
	more = len(entries) == logBatch
	next = entries[len(entries)-1].Seq
	if entries[0].Seq == place {
		entries = entries[1:]
	} else {
		missed = true
	}
	return entries, next, more, missed, nil
}

func (t *tx) endOfLog() (int64, error) {
	return one(t, "finding the end of the log of revocations", scanNumber, `SELECT max(seq) FROM revocations`)
}

func (s *Store) endOfLog(ctx context.Context) (place int64, err error) {
	err = s.ask(ctx, func(t *tx) (err error) {
		place, err = t.endOfLog()
		return err
	})
	return place, err
}

// pruneLog deletes the entries that are older than the retention, up to the first that is not, and never the
// latest.
func (s *Store) pruneLog(ctx context.Context) error {
	_, err := s.inBatches(ctx, "pruning the log of revocations", fmt.Sprintf(`
		DELETE FROM revocations WHERE seq IN (SELECT seq FROM revocations WHERE
			seq < COALESCE((SELECT min(seq) FROM revocations WHERE at >= $1),
				(SELECT max(seq) FROM revocations))
			LIMIT %d)`, purgeBatch),
		micros(s.now().Add(-logRetention)))
	return err
}
