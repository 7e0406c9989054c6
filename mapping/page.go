package mapping

import (
	"context"
	"fmt"
	"time"
)

// Place is where a walk over many rows stands: behind the one of that time with that id. The zero Place is
// before the first.
type Place struct {
	At time.Time
	ID string
}

// PageTx is the part of a transaction that reads what there may be a million of. Each method reads at most so
// many rows, and finds them by an index: no read takes longer because there are more people, so that work on
// all of them always gets on, however many they are.
type PageTx interface {
	// AccountsByAddress returns the accounts whose identity may have that address, proven or not: the caller
	// compares.
	AccountsByAddress(email string) ([]Account, error)

	// AccountsAfter, KeysAfter and PinsAfter return what comes next: accounts and keys by creation, pins by
	// subject.
	AccountsAfter(p Place, most int) ([]Account, error)
	KeysAfter(s KeyState, p Place, most int) ([]Key, error)
	PinsAfter(subject string, most int) ([]Pin, error)

	// These return what some accounts or subjects have, in no order; of those that have none, nothing.
	AccountsOf(ids []string) ([]Account, error)
	AccountsOfSubjects(subjects []string) ([]Account, error)
	TokensOf(accountIDs []string) ([]Token, error)
	KeysOf(accountIDs []string) ([]Key, error)
	PinsOf(subjects []string) ([]Pin, error)

	// PinOfUser returns the oldest pin to a Vexa user but that of one subject, or ErrNotFound.
	PinOfUser(vexaUserID int64, lessSubject string) (Pin, error)

	// TokensExpired returns tokens that have expired, from a Place by expiry on.
	TokensExpired(now time.Time, p Place, most int) ([]Token, error)

	// KeysDue and BotBlocksDue return what Vexa is to be told by now: what was not tried yet comes first,
	// then what is due for longest.
	KeysDue(now time.Time, most int) ([]Key, error)
	BotBlocksDue(now time.Time, most int) ([]BotBlock, error)

	// OldestToTell returns since when the longest waiting revocation waits for Vexa's confirmation, of a key
	// or of a user whose bots are to be blocked; LongestDue since when the next of KeysDue and BotBlocksDue
	// is due. Both are zero when nothing is. CountToTell counts what waits, up to most of each.
	OldestToTell(now time.Time) (time.Time, error)
	LongestDue(now time.Time) (time.Time, error)
	CountToTell(now time.Time, most int) (keys, blocks int, err error)

	// Note returns what was noted under a name about the data as a whole, or "".
	Note(name string) (string, error)
	PutNote(name, value string) error
}

// pageSize is how many rows a walk reads at once, so that a page is read in milliseconds.
const pageSize = 200

func placeOf(acc Account) Place { return Place{acc.CreatedAt, acc.ID} }
func placeOfKey(k Key) Place    { return Place{k.CreatedAt, k.ID} }

// eachPage calls read with the place where it stands, until there is nothing more: read returns what comes
// after it, each do then deals with it. Every page is a transaction of its own.
func eachPage[T any](
	ctx context.Context, s Store, read func(Tx, Place) ([]T, error), place func(T) Place, do func([]T) error,
) error {
	var at Place
	for {
		page, err := readPage(ctx, s, at, read)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		at = place(page[len(page)-1])
		if err := do(page); err != nil {
			return err
		}
	}
}

func readPage[T any](
	ctx context.Context, s Store, at Place, read func(Tx, Place) ([]T, error),
) (page []T, err error) {
	err = s.View(ctx, func(tx Tx) error {
		page, err = read(tx, at)
		return err
	})
	if err != nil {
		return nil, asError(fmt.Errorf("read the next page: %w", err))
	}
	return page, nil
}

// EachAccount calls do with all accounts, the oldest first, some at a time.
func (a *Accounts) EachAccount(ctx context.Context, do func([]Account) error) error {
	return eachPage(ctx, a.store, nextAccounts, placeOf, do)
}

func nextAccounts(tx Tx, at Place) ([]Account, error) { return tx.AccountsAfter(at, pageSize) }
