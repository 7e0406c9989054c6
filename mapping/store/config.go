package store

import (
	"io"
	"log/slog"
	"time"
)

// Config says where the store is.
type Config struct {
	// URL is sqlite:<path of the file>, or postgres://… for a server that several replicas share.
	// sqlite::memory: is a store that is gone when it is closed.
	URL string `yaml:"url" secret:"true"`

	// Grace is how long a replica that cannot reach the store goes on serving what it has cached (S5). It is
	// never less than two seconds: a replica looks at the log of revocations only so often.
	Grace time.Duration `yaml:"grace"`

	// NotifyURL is the direct address of the PostgreSQL server where URL leads through a transaction pooler:
	// LISTEN and the lock of migrations need a session of their own.
	NotifyURL string `yaml:"notify_url" secret:"true"`
}

// Env is what the store takes from outside.
type Env struct {
	Now  func() time.Time // by which leases expire and the store counts as reached; default time.Now
	Rand io.Reader        // names the holders of leases; default crypto/rand
	Log  *slog.Logger     // default: none

	Patience time.Duration // the least that the database is given for anything; default: seconds, see limits
}
