-- The replicas that live: what each runs, in its own words, and when it was last heard of. A row goes when its replica
-- stops, or has been silent for long.
CREATE TABLE replicas (
	holder  TEXT   PRIMARY KEY,
	runs    TEXT   NOT NULL, -- JSON
	seen_at BIGINT NOT NULL
);
