-- What a refused refresh token means depends on whether it may have been used and replaced: asked with, and the answer was not stored.
ALTER TABLE proofs ADD COLUMN unanswered BOOLEAN NOT NULL DEFAULT FALSE;
-- The provider gave the same refresh token again: it does not replace them.
ALTER TABLE proofs ADD COLUMN steady BOOLEAN NOT NULL DEFAULT FALSE;

-- Values of tokens that have ended, so that whoever still shows one reads that it ended and why. A row goes after thirty days.
CREATE TABLE ended_values (
	hash     BYTEA  PRIMARY KEY,
	token_id TEXT   NOT NULL,
	cause    TEXT   NOT NULL,
	ended_at BIGINT NOT NULL,
	until    BIGINT NOT NULL
);
CREATE INDEX ended_values_by_time ON ended_values (until);
