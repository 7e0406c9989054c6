-- One schema for SQLite and PostgreSQL. Times are Unix microseconds, UTC; 0 is none. {{serial key}} is the engine's own growing
-- number, a primary key. What is sealed is sealed by the key ring before it comes here.

CREATE TABLE accounts (
	id           TEXT    PRIMARY KEY,
	provider     TEXT    NOT NULL,
	subject      TEXT    NOT NULL UNIQUE,
	kind         TEXT    NOT NULL,
	identity     TEXT    NOT NULL, -- JSON
	status       TEXT    NOT NULL,
	reason       TEXT    NOT NULL,
	vexa_email   TEXT    NOT NULL,
	vexa_user_id BIGINT  NOT NULL,
	intended     BOOLEAN NOT NULL,
	created_at   BIGINT  NOT NULL,
	proven_at    BIGINT  NOT NULL
);
CREATE INDEX accounts_by_vexa_user  ON accounts (vexa_user_id);
CREATE INDEX accounts_by_vexa_email ON accounts (vexa_email);

CREATE TABLE keys (
	id            TEXT   PRIMARY KEY,
	account_id    TEXT   NOT NULL REFERENCES accounts (id),
	vexa_user_id  BIGINT NOT NULL,
	scopes        TEXT   NOT NULL,
	state         TEXT   NOT NULL,
	vexa_token_id BIGINT NOT NULL,
	sealed        BYTEA,
	created_at    BIGINT NOT NULL,
	expires_at    BIGINT NOT NULL,
	attempts      BIGINT NOT NULL,
	retry_at      BIGINT NOT NULL,
	revoked_at    BIGINT NOT NULL
);
CREATE INDEX keys_by_account ON keys (account_id);
CREATE INDEX keys_by_state   ON keys (state, created_at);

CREATE TABLE sessions (
	hash            BYTEA  PRIMARY KEY,
	id              TEXT   NOT NULL UNIQUE,
	account_id      TEXT   NOT NULL REFERENCES accounts (id),
	provider        TEXT   NOT NULL,
	sid             TEXT   NOT NULL,
	auth_time       BIGINT NOT NULL,
	created_at      BIGINT NOT NULL,
	last_seen       BIGINT NOT NULL,
	expires_at      BIGINT NOT NULL,
	sealed_id_token BYTEA,
	logout_hint     TEXT   NOT NULL
);
CREATE INDEX sessions_by_account   ON sessions (account_id);
CREATE INDEX sessions_by_sid       ON sessions (provider, sid);
CREATE INDEX sessions_by_expiry    ON sessions (expires_at);
CREATE INDEX sessions_by_last_seen ON sessions (last_seen);

-- A lease is never deleted, so that its fence only ever grows.
CREATE TABLE leases (
	name   TEXT   PRIMARY KEY,
	holder TEXT   NOT NULL,
	fence  BIGINT NOT NULL,
	until  BIGINT NOT NULL
);

-- The log is never empty: whoever tails it holds the place of an entry, and knows by its absence that entries are missing.
CREATE TABLE revocations (
	seq        {{serial key}},
	at         BIGINT NOT NULL,
	kind       TEXT   NOT NULL,
	account_id TEXT   NOT NULL,
	session_id TEXT   NOT NULL,
	reason     TEXT   NOT NULL
);
INSERT INTO revocations (at, kind, account_id, session_id, reason) VALUES (0, '', '', '', 'the log begins');

CREATE TABLE events (
	seq        {{serial key}},
	at         BIGINT NOT NULL,
	event      TEXT   NOT NULL,
	account_id TEXT   NOT NULL,
	body       TEXT   NOT NULL -- JSON, the whole event
);
CREATE INDEX events_by_account ON events (account_id, seq);
CREATE INDEX events_by_event   ON events (event, seq);
CREATE INDEX events_by_time    ON events (at);

CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
);
