-- What calls used of an account, and nothing that was available paid for: the fold of its `overrun`
-- rows. It counts as spent, but not against the floor, which it is beyond.
ALTER TABLE account ADD COLUMN overrun INTEGER NOT NULL DEFAULT 0 CHECK (overrun >= 0);
UPDATE account SET overrun = (
  SELECT SUM(amount) FROM transfer WHERE transfer.account = account.id AND kind = 'overrun'
) WHERE id IN (SELECT account FROM transfer WHERE kind = 'overrun');

-- What a settled call had held, as its `attempt` said it; NULL when it held nothing.
ALTER TABLE call ADD COLUMN held BLOB;
