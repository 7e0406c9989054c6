package store

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"vexa-sso/mapping"
)

// What a transaction decides by what it has read must still be so when it is committed. Those that write are
// READ COMMITTED on PostgreSQL, which does not promise that, so they take turns where they are about the same
// thing: whatever they read, they lock first. An account stands for all that hangs on it; what several
// accounts share, a Vexa user or its address, and a subject that has no account yet, are names. The order is
// always the same, so that no two wait for each other: the account, a lease, names, the log of revocations.
// Where two do after all, PostgreSQL has one of them begin again.

// lockAccount has this transaction be the only one that changes an account until it ends: one that has the
// value in that column, id or subject. It returns the account's id; mapping.ErrNotFound when there is none.
//
// It is a statement of its own, before the account is read: a statement that waits for a lock still
// sees what was true when it began. Nobody is kept from adding rows that refer to the account, which
// only takes that it is there.
func (t *tx) lockAccount(doing, column, value string) (id string, err error) {
	if column == "id" && t.isLocked(accountLock(value)) {
		return value, nil
	}
	query := `SELECT id FROM accounts WHERE ` + column + ` = $1`
	if !t.store.engine.oneWriter() {
		query += ` FOR NO KEY UPDATE`
	}
	if id, err = one(t, doing, scanText, query, value); err == nil {
		t.lockedNow(accountLock(id))
	}
	return id, err
}

// lockName has transactions that write and lock the same name run one after another.
func (t *tx) lockName(name string) error {
	if !t.writes || t.isLocked(name) {
		return nil
	}
	if !t.store.engine.oneWriter() {
		_, err := t.exec("waiting for one's turn", `SELECT pg_advisory_xact_lock($1)`, lockNumber(name))
		if err != nil {
			return err
		}
	}
	t.lockedNow(name)
	return nil
}

// lockNumber is what PostgreSQL knows a name by. Two names of one number only wait for each other.
func lockNumber(name string) int64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return int64(h.Sum64())
}

func accountLock(id string) string     { return "account:" + id }
func subjectLock(name string) string   { return "subject:" + name }
func vexaUserLock(id int64) string     { return fmt.Sprintf("vexa user:%d", id) }
func vexaEmailLock(name string) string { return "vexa email:" + name }

// owned reads what hangs on an account; where the transaction writes, when the account is
// locked. owner says whose it is.
func owned[T any](t *tx, read func() (T, error), owner func(T) string) (T, error) {
	found, err := read()
	if err != nil || !t.writes || t.isLocked(accountLock(owner(found))) {
		return found, err
	}
	if _, err := t.lockAccount("locking the account", "id", owner(found)); err != nil {
		return found, err
	}
	return read()
}

// lockOwner locks an account of which something is read that is known by the account's
// id; no account has nothing.
func (t *tx) lockOwner(accountID string) error {
	if !t.writes {
		return nil
	}
	_, err := t.lockAccount("locking the account", "id", accountID)
	if errors.Is(err, mapping.ErrNotFound) {
		return nil
	}
	return err
}

// holds refuses to write what hangs on an account that this transaction has not locked: what it decided
// by may have changed since.
func (t *tx) holds(doing, accountID string) error {
	if t.isLocked(accountLock(accountID)) {
		return nil
	}
	return t.failed(doing, fmt.Errorf("account %s is not locked by this transaction", accountID))
}

func (t *tx) isLocked(name string) bool { return slices.Contains(t.locked, name) }

func (t *tx) lockedNow(name string) {
	if !t.isLocked(name) {
		t.locked = append(t.locked, name)
	}
}
