-- What lets a provider be asked again about somebody, and what its word must not be taken for twice.

-- The newest refresh token of an account; none, if only the person can renew the proof.
CREATE TABLE proofs (
	account_id TEXT   PRIMARY KEY REFERENCES accounts (id),
	provider   TEXT   NOT NULL, -- who gave the token
	sealed     BYTEA  NOT NULL,
	renew_at   BIGINT NOT NULL,
	attempts   BIGINT NOT NULL
);
CREATE INDEX proofs_by_time ON proofs (renew_at);

-- Every address that an account ever bore: a provider that ends somebody's access may know them by an old one.
CREATE TABLE emails (
	account_id TEXT NOT NULL REFERENCES accounts (id),
	email      TEXT NOT NULL,
	PRIMARY KEY (account_id, email)
);
CREATE INDEX emails_by_email ON emails (email);

-- The tokens that providers have called us with, until they expire: each is good once.
CREATE TABLE spent_tokens (
	provider TEXT   NOT NULL,
	jti      TEXT   NOT NULL,
	until    BIGINT NOT NULL,
	PRIMARY KEY (provider, jti)
);
CREATE INDEX spent_tokens_by_time ON spent_tokens (until);

-- When a session was last sent to its provider to be renewed without the person noticing.
ALTER TABLE sessions ADD COLUMN asked_at BIGINT NOT NULL DEFAULT 0;
