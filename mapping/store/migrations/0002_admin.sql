-- What an admin has decided about identities, and what Vexa is to be told because of it.

-- Which Vexa user an identity has, whether it has signed in yet or not.
CREATE TABLE pins (
	subject      TEXT   PRIMARY KEY,
	vexa_email   TEXT   NOT NULL,
	vexa_user_id BIGINT NOT NULL,
	actor        TEXT   NOT NULL,
	created_at   BIGINT NOT NULL
);

-- Vexa users that may run no bots, because every account that has them is suspended; and those to be released again.
CREATE TABLE holds (
	vexa_user_id   BIGINT  PRIMARY KEY,
	vexa_email     TEXT    NOT NULL,
	account_id     TEXT    NOT NULL, -- whose suspension began it
	state          TEXT    NOT NULL,
	former_bots    BIGINT,           -- NULL until it was read
	foreign_tokens BOOLEAN NOT NULL, -- tokens that others minted are to be deleted
	since          BIGINT  NOT NULL,
	attempts       BIGINT  NOT NULL,
	retry_at       BIGINT  NOT NULL
);
