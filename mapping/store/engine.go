package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/pressly/goose/v3"
)

// engine is what SQLite and PostgreSQL do differently. The SQL is the same for both.
type engine interface {
	// writers and readers are the connections for transactions that write and for those that only read. They
	// may be the same.
	writers() *sql.DB
	readers() *sql.DB

	// writing are the options of a transaction that writes. oneWriter says that those run one after another
	// anyway, so that nothing in them has to be locked.
	writing() *sql.TxOptions
	oneWriter() bool

	// present returns an error if the database is known to be gone (its file was replaced). nil does not
	// promise that it is there.
	present() error

	// verdict says what an error of the driver means.
	verdict(error) verdict

	// migrator returns who changes the schema, by the given steps, and serialKey the type of a primary key
	// that grows by itself.
	migrator(...goose.ProviderOption) (*goose.Provider, error)
	serialKey() string

	// alone runs a function while no other process changes the schema by one. hasten begins a transaction
	// that changes it: it gives up where somebody uses a table for long. busy says how long to wait before
	// one that failed so is tried again; 0 where it did not.
	alone(context.Context, func() error) error
	hasten(context.Context, *sql.Tx) error
	busy(error) time.Duration

	// indexes returns the names of all indexes, and whether each is complete. makeIndex makes one while
	// others go on writing, in the place of one that was left incomplete.
	indexes(context.Context) (map[string]bool, error)
	makeIndex(context.Context, index) error
	// addressOfIdentity is the expression for the address in the JSON of an account's identity, proven or
	// not, as JSON has it (accounts_by_address). It never fails, whatever else the identity holds, and it may
	// name more accounts than have the address: who looks by it looks at what it found.
	addressOfIdentity() string

	// beforePublishing runs in a transaction that is about to append to the log and then commit: it makes
	// sure that entries become visible in the order of their numbers. afterPublishing tells the tails that
	// there is something to read, within the transaction (PostgreSQL tells when it commits); committed does
	// so after it.
	beforePublishing(*tx) error
	afterPublishing(*tx) error
	committed()

	// listen returns a connection for wait, which returns when the log may have grown, or when it is time to
	// look anyway.
	listen(context.Context) (*sql.Conn, error)
	wait(context.Context, *sql.Conn) error

	close() error
}

// verdict is what an error of the driver means.
type verdict int

const (
	wrong       verdict = iota // a mistake of ours, or of whoever administers the database
	conflict                   // a value that has to be unique is taken
	orphan                     // a row refers to one that does not exist
	again                      // the transaction lost a race and may be run again
	severed                    // the connection is dead; another may be good
	unavailable                // the database cannot be reached, or cannot work
)
