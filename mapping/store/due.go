package store

import (
	"errors"
	"fmt"
	"time"

	"vexa-sso/mapping"
)

// What Vexa is to be told. The conditions are those of the partial indexes, to the letter: neither engine
// uses such an index for a parameter.
const (
	toDelete   = `state = 'revoking'`
	toSettle   = `(state <> 'taken' OR foreign_tokens)`
	yetToBlock = `(state = 'taking' OR foreign_tokens)`
)

func (t *tx) KeysDue(now time.Time, most int) ([]mapping.Key, error) {
	return many(t, "reading the keys to be deleted", scanKey, selectKey+`
		WHERE `+toDelete+` AND retry_at <= $1 AND revoked_at <= $1
		ORDER BY retry_at, revoked_at, id LIMIT $2`,
		micros(now), most)
}

func (t *tx) BotBlocksDue(now time.Time, most int) ([]mapping.BotBlock, error) {
	return many(t, "reading the bot blocks to be settled", scanBotBlock, selectBotBlock+`
		WHERE `+toSettle+` AND retry_at <= $1 ORDER BY retry_at, since LIMIT $2`, micros(now), most)
}

func (t *tx) OldestToTell(now time.Time) (time.Time, error) {
	return t.earliest("reading since when Vexa is to be told", []string{
		`SELECT revoked_at FROM keys WHERE ` + toDelete + ` AND revoked_at <= $1 ORDER BY revoked_at LIMIT 1`,
		`SELECT since FROM holds WHERE ` + yetToBlock + ` AND since <= $1 ORDER BY since LIMIT 1`,
	}, micros(now))
}

func (t *tx) LongestDue(now time.Time) (time.Time, error) {
	return t.earliest("reading what Vexa was to be told first", []string{
		`SELECT CASE WHEN retry_at < revoked_at THEN revoked_at ELSE retry_at END FROM keys
			WHERE ` + toDelete + ` AND retry_at <= $1 AND revoked_at <= $1
			ORDER BY retry_at, revoked_at, id LIMIT 1`,
		`SELECT CASE WHEN retry_at < since THEN since ELSE retry_at END FROM holds WHERE ` + toSettle +
			` AND retry_at <= $1 ORDER BY retry_at, since LIMIT 1`,
	}, micros(now))
}

// earliest returns the earliest of the times that queries find; zero when none does.
func (t *tx) earliest(doing string, queries []string, args ...any) (earliest time.Time, err error) {
	for _, query := range queries {
		at, err := one(t, doing, scanMoment, query, args...)
		if errors.Is(err, mapping.ErrNotFound) {
			continue
		}
		if err != nil {
			return time.Time{}, err
		}
		if earliest.IsZero() || at.Before(earliest) {
			earliest = at
		}
	}
	return earliest, nil
}

func (t *tx) CountToTell(now time.Time, most int) (keys, blocks int, err error) {
	count := func(from string) (int, error) {
		return one(t, "counting what Vexa is to be told", scanCount,
			fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 FROM %s LIMIT $2) AS waiting`, from),
			micros(now), most)
	}
	if keys, err = count(`keys WHERE ` + toDelete + ` AND revoked_at <= $1`); err != nil {
		return 0, 0, err
	}
	blocks, err = count(`holds WHERE ` + toSettle + ` AND since <= $1`)
	return keys, blocks, err
}
