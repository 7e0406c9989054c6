-- When it was last noted that a program shows a Vexa key of an account's user: the audit has that once a day.
CREATE TABLE native_key_notes (
	account_id TEXT   PRIMARY KEY REFERENCES accounts (id),
	noted_at   BIGINT NOT NULL
);

-- The version before kept these notes among the tokens of providers, as "<account id> <YYYY-MM-DD>", for 48 hours.
INSERT INTO native_key_notes (account_id, noted_at)
SELECT substr(jti, 1, length(jti) - 11), max(until) - 172800000000 FROM spent_tokens
WHERE provider = 'native keys' AND substr(jti, 1, length(jti) - 11) IN (SELECT id FROM accounts)
GROUP BY substr(jti, 1, length(jti) - 11);

DELETE FROM spent_tokens WHERE provider = 'native keys';
