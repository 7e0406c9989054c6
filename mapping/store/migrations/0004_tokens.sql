-- What people let programs have of their access: personal tokens, and what tools were granted.

CREATE TABLE tokens (
	id         TEXT   PRIMARY KEY,
	account_id TEXT   NOT NULL REFERENCES accounts (id),
	kind       TEXT   NOT NULL,
	client     TEXT   NOT NULL, -- of a tool
	name       TEXT   NOT NULL,
	scopes     TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL,
	used_from  TEXT   NOT NULL
);
CREATE INDEX tokens_by_account ON tokens (account_id, created_at);
CREATE INDEX tokens_by_expiry  ON tokens (expires_at);

-- The secret strings, of which only the SHA-256 is known. A refresh value stays when it is spent, so that it is noticed when it
-- comes again. A generation is what came of one refresh.
CREATE TABLE token_values (
	hash       BYTEA   PRIMARY KEY,
	token_id   TEXT    NOT NULL REFERENCES tokens (id),
	refresh    BOOLEAN NOT NULL,
	generation BIGINT  NOT NULL,
	created_at BIGINT  NOT NULL,
	expires_at BIGINT  NOT NULL
);
CREATE INDEX token_values_by_token  ON token_values (token_id, refresh, generation);
CREATE INDEX token_values_by_expiry ON token_values (expires_at);

ALTER TABLE revocations ADD COLUMN token_id TEXT NOT NULL DEFAULT '';
