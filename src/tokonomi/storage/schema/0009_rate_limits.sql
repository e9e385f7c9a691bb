-- What a key is bound by, beside budgets. `networks` are CIDRs with commas between them, `models` is
-- a JSON list; empty ones bind nothing. `changes` rises with each change, for gateways to notice.
ALTER TABLE api_key ADD COLUMN expires_us INTEGER;
ALTER TABLE api_key ADD COLUMN networks TEXT NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN models TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_key ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;

-- One row a key and kind of limit; keys without limits have none. `taken` of a rate is in units times
-- the microseconds of a minute, as of `at_us`. How many requests run at once is counted from the
-- attempts, so a crash leaves nothing to be corrected; the row is what their writers wait in line on.
CREATE TABLE rate_limit (
  key_id TEXT NOT NULL REFERENCES api_key,
  kind TEXT NOT NULL CHECK (kind IN ('requests', 'tokens', 'concurrent')),
  most INTEGER NOT NULL CHECK (most >= 1),
  taken INTEGER NOT NULL DEFAULT 0 CHECK (taken >= 0),
  at_us INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (key_id, kind)
) STRICT;

-- The key of a call in flight and the tokens that it holds, where the key has limits.
ALTER TABLE attempt ADD COLUMN limited_key TEXT;
ALTER TABLE attempt ADD COLUMN tokens_held INTEGER;
CREATE INDEX attempt_by_limited_key ON attempt (limited_key) WHERE limited_key IS NOT NULL;
