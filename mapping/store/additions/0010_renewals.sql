-- Refresh grants that are due are found by provider, the longest due first: those of one that is not to be asked now are in nobody's way.
CREATE INDEX proofs_by_provider ON proofs (provider, renew_at);
