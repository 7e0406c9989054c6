-- Indexes for what must not take longer when there are more people: whom an admin names by an address, what
-- is due, and lists and walks that are read some rows at a time. An older program beside this one keeps them
-- without knowing.

CREATE INDEX accounts_by_creation ON accounts (created_at, id);
CREATE INDEX accounts_by_status   ON accounts (status, created_at, id);

-- By the address of the identity, proven or not.
CREATE INDEX accounts_by_address ON accounts ({{address of identity}});

CREATE INDEX pins_by_vexa_user ON pins (vexa_user_id);

-- What Vexa is to be told, by when that is due, and since when it waits.
CREATE INDEX keys_due      ON keys (retry_at, revoked_at, id) WHERE state = 'revoking';
CREATE INDEX keys_waiting  ON keys (revoked_at)               WHERE state = 'revoking';
CREATE INDEX holds_due     ON holds (retry_at, since)         WHERE state <> 'taken' OR foreign_tokens;
CREATE INDEX holds_waiting ON holds (since)                   WHERE state = 'taking' OR foreign_tokens;

CREATE INDEX sessions_by_creation ON sessions (created_at, id);
CREATE INDEX tokens_by_creation   ON tokens (created_at, id);

-- What programs are about to fetch ends with the account.
CREATE INDEX authorizations_by_account ON authorizations (account_id);

CREATE INDEX native_key_notes_by_time ON native_key_notes (noted_at);
CREATE INDEX leases_by_time           ON leases (until, fence);
