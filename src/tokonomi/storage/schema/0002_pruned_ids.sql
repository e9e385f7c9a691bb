-- The ids of calls whose rows retention has removed, as 128-bit digests: a call that was settled
-- once stays settled, so importing the same file again adds nothing even after its rows are gone.
CREATE TABLE pruned_id (
  digest BLOB PRIMARY KEY CHECK (length(digest) = 16)
) STRICT, WITHOUT ROWID;
