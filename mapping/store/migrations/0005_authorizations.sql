-- What programs ask people for (OAuth 2.0): codes on their way to the program, and devices that wait for an answer. A row lives for
-- minutes; one whose code was redeemed for a day, so that it is noticed when somebody shows the code again.
CREATE TABLE authorizations (
	hash       BYTEA  PRIMARY KEY, -- of the program's code
	kind       TEXT   NOT NULL,
	user_code  TEXT   UNIQUE,      -- what a person types; NULL where there is nothing to type
	account_id TEXT   NOT NULL,    -- who agreed; empty while nobody has
	status     TEXT   NOT NULL,
	asked      TEXT   NOT NULL,    -- JSON
	expires_at BIGINT NOT NULL
);
CREATE INDEX authorizations_by_expiry ON authorizations (expires_at);
