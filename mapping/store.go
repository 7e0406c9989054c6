package mapping

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrNotFound: there is no such account, key, session or token.
	ErrNotFound = errors.New("not found")

	// ErrConflict: something that has to be unique belongs to another already: a subject to another account.
	// Whoever raced for it looks again.
	ErrConflict = errors.New("conflict")

	// ErrLeaseHeld: somebody else holds the lease now. ErrLeaseLost: it was ours and is no more; whatever was
	// to be written under it must not be.
	ErrLeaseHeld = errors.New("lease held by another")
	ErrLeaseLost = errors.New("lease lost")

	// ErrStoreUnavailable wraps every error that means that the store could not be reached, as opposed to its
	// having said no.
	ErrStoreUnavailable = errors.New("store unavailable")
)

// Store keeps what must survive a restart. mapping/store implements it on SQLite and PostgreSQL.
type Store interface {
	// Update runs fn in one read-write transaction; an error from fn rolls it back. It may run fn more than
	// once, where it lost a race, so fn must have no other effects. What it reads of an account, of whoever
	// shares a Vexa user or an address of one, or of a subject that has no account yet, nobody else changes
	// until it ends; two transactions that are about different people do not wait for each other. Lists over
	// all people are not kept so: who changes one of what they name reads it again.
	Update(ctx context.Context, fn func(Tx) error) error

	// View runs fn in a transaction that sees one state of the store and changes nothing. Read is the same
	// without the transaction: each read sees a state of its own. It is for one read, or for some that need
	// not agree, and costs no more than they do.
	View(ctx context.Context, fn func(Tx) error) error
	Read(ctx context.Context, fn func(Tx) error) error

	// AcquireLease takes the named lease for ttl, or returns ErrLeaseHeld. Every acquisition has a higher
	// fence than the one before.
	AcquireLease(ctx context.Context, name string, ttl time.Duration) (Lease, error)

	// RenewLease has the lease end ttl from now, or returns ErrLeaseLost. A lease that has expired is still
	// its holder's until somebody takes it over.
	RenewLease(ctx context.Context, l Lease, ttl time.Duration) error
	ReleaseLease(ctx context.Context, l Lease) error

	// Purge deletes what has come to its end and takes nothing else with it, in short transactions. What it
	// did not get to, it deletes the next time. Overdue returns for how long the longest due of it, and of
	// the tokens, has been due.
	Purge(ctx context.Context, r Retention) error
	Overdue(ctx context.Context, r Retention) (time.Duration, error)
}

// Tx is one transaction. Get-methods return ErrNotFound. Put-methods insert or replace by ID.
type Tx interface {
	// ErrLeaseLost when another has it, or it was given back
	CheckLease(l Lease) error
	AcquireLease(name string, ttl time.Duration) (Lease, error) // as Store's
	ReleaseLease(l Lease) error

	RefreshGrantTx
	ReplayTx
	TokenTx
	EndedTokenTx
	SessionTx
	PageTx

	Account(id string) (Account, error)
	AccountBySubject(subject string) (Account, error)
	AccountsByVexaUser(vexaUserID int64) ([]Account, error)
	AccountsByVexaEmail(vexaEmail string) ([]Account, error) // whatever their status, bound or not
	PutAccount(a Account) error

	// AddEmail notes that an address is an account's proven one; AccountsByEmail finds those of a provider
	// whose it ever was.
	AddEmail(accountID, email string) error
	AccountsByEmail(provider, email string) ([]Account, error)

	// NativeKeyNoted returns when NoteNativeKey last noted that a program showed a Vexa key of the account's
	// user; zero: never.
	NativeKeyNoted(accountID string) (time.Time, error)
	NoteNativeKey(accountID string, at time.Time) error

	Key(id string) (Key, error)
	Keys(accountID string) ([]Key, error)
	PutKey(k Key) error
	DeleteKey(id string) error

	// Pins are by subject, bot blocks by Vexa user. Deleting what is not there is no error.
	Pin(subject string) (Pin, error)
	PutPin(p Pin) error
	DeletePin(subject string) error
	BotBlock(vexaUserID int64) (BotBlock, error)
	PutBotBlock(h BotBlock) error
	DeleteBotBlock(vexaUserID int64) error

	// DeleteAuthorizations ends what somebody has agreed to and a program has not fetched yet.
	DeleteAuthorizations(accountID string) error

	// Publish appends a revocation to the log that every replica tails.
	Publish(r Revocation) error

	AppendEvent(e Event) error
}
