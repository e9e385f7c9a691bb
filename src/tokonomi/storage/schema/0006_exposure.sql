-- What calls used of an account, and nothing that was available paid for: the fold of its `overrun`
-- rows. It counts as spent, but not against the floor, which it is beyond.
ALTER TABLE account ADD COLUMN overrun INTEGER NOT NULL DEFAULT 0 CHECK (overrun >= 0);
UPDATE account SET overrun = (
  SELECT SUM(amount) FROM transfer WHERE transfer.account = account.id AND kind = 'overrun'
) WHERE id IN (SELECT account FROM transfer WHERE kind = 'overrun');

-- The part of `debits_posted` that calls may have cost, and nobody knows: the fold of its `expose`
-- rows less its `release` rows.
ALTER TABLE account ADD COLUMN exposed INTEGER NOT NULL DEFAULT 0
  CHECK (exposed >= 0 AND withdrawn + exposed <= debits_posted);

-- What a settled call had held, as its `attempt` said it; NULL when it held nothing.
ALTER TABLE call ADD COLUMN held BLOB;

-- The most that a provider may bill for a call beyond its `amount`; NULL when it bills nothing more,
-- or nobody knows how much.
ALTER TABLE call ADD COLUMN exposure INTEGER CHECK (exposure >= 0);
ALTER TABLE call ADD COLUMN exposure_currency TEXT
  CHECK ((exposure IS NULL) = (exposure_currency IS NULL));
