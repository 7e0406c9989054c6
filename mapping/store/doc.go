// Package store keeps what must survive a restart: accounts, keys, sessions, tokens, leases, audit events,
// and the log of what was revoked. It implements [mapping.Store] and [proxy.SessionStore] over database/sql,
// on two engines with one schema and the same SQL: SQLite, one file inside the process, and PostgreSQL, which
// several replicas share. engine.go lists all that the two do differently.
//
// # Transactions
//
// What is done in [Store.Update] reads and writes as if nobody else did, as far as it is about the same
// people. SQLite has one writer at a time, who begins as such (BEGIN IMMEDIATE). On PostgreSQL transactions
// are READ COMMITTED, and lock what they read before they read it (lock.go): an account, with all that hangs
// on it; who shares a Vexa user or its address; a subject that has no account. So those who are about
// different people neither wait for each other nor abort each other, which SERIALIZABLE has strangers do
// whose rows share a page of an index. What hangs on an account is not written by a transaction that has not
// read the account. Lists over all people are not locked: who changes one of what they name reads it again.
//
// A transaction that lost a race begins again, so what is done in it may be done more than once. Readers
// never wait for writers, and one read needs no transaction ([Store.Read]).
//
// Nobody waits long for a database that does not answer: a step of reading and a transaction that writes may
// take about two seconds, and those that write in the second after one took too long a tenth of one
// (patience.go). Then the error wraps [mapping.ErrStoreUnavailable], like all errors that say
// that the database cannot be reached or cannot work. Errors never carry values of the database.
//
// # Leases
//
// A lease is a row that is changed on conditions, and its fence grows with each new holder. It is deleted a
// day after it was held last. It is its holder's until somebody else takes it, which may be when its time is
// up; renewing it puts that off. A transaction that writes under a lease checks it first; from then on until
// it ends, nobody else can have the lease.
//
// # Revocations
//
// Whoever takes something away publishes it in the same transaction, at the end of a log. Each process tails
// the log and tells all who [Store.Watch]. On PostgreSQL a notification (LISTEN, NOTIFY) wakes the tail, on
// SQLite the process's own commits do; besides, it looks by itself, twice or four times a second, for
// notifications that got lost and for what other processes, such as the command line, wrote to the file.
//
// The order of the log is the order of the commits, and it is never empty: the tail holds the place of the
// last entry that it read, and when that entry is gone, it knows that it missed others, and tells of
// [mapping.RevokeEverything].
//
// The same tail keeps the time of the last contact: the latest until which this process knows of everything
// that was revoked (catchUp in tail.go). To be busy with a log that grows is not to be away. While
// [Store.Usable], what was read before may still be served. After the grace it may not: what cannot be asked
// may have been revoked.
//
// # What is stored how
//
// Times are Unix microseconds. The identity of an account and an audit event are JSON. A session is stored
// under the hash of what its browser holds, never with that itself; so is each value of a token, apart from
// the token, for a tool's has many in its life. Values that were exchanged for others stay until the token
// ends: one that comes again has been stolen. Keys and provider tokens come sealed by the key ring, bound to
// their place, and leave as they came; this package never sees what is inside. Which key ring that was, the
// program notes with [Store.SetMeta].
//
// # Versions
//
// What changes the schema is numbered in one sequence, in two folders. What only adds is in additions/: a
// program that does not know an addition goes on beside one that does, and opens the store when it is started
// again; that is promised one release back, for its rows have to be right for the newer one, too. All else is
// in migrations/: a program refuses a store that has taken a migration that it does not know.
//
// # Backup
//
// A copy of a SQLite file in use, made by cp, may be torn. Make one with
//
//	sqlite3 vexa-sso.db ".backup copy.db"
//
// or with the SQL statement VACUUM INTO 'copy.db'; both may run while vexa-sso does. To restore, stop
// vexa-sso, replace the file, delete its -wal and -shm, start again: a file that is replaced in use is
// noticed, and the store is unavailable until the restart. For PostgreSQL, pg_dump. What was revoked after
// the backup was made is not revoked in it: sign everybody out after restoring one. Keep the key ring apart
// from the backups.
package store
