-- Circuit breakers, shared by all gateways: how each target's stands. Half-open is a matter of time
-- (`until_us` is over), so it is not stored. `probe_until_us` keeps all but one call away meanwhile.
CREATE TABLE breaker (
  target TEXT PRIMARY KEY,
  phase TEXT NOT NULL DEFAULT 'closed' CHECK (phase IN ('closed', 'open', 'held')),
  since_us INTEGER,
  until_us INTEGER,
  openings INTEGER NOT NULL DEFAULT 0 CHECK (openings >= 0),
  probe_until_us INTEGER,
  why TEXT NOT NULL DEFAULT '',
  CHECK ((phase = 'open') = (until_us IS NOT NULL))
) STRICT;

-- What the calls to a target met, by slices of time that gateways add to, and that are deleted when
-- no window reaches back to them.
CREATE TABLE breaker_count (
  target TEXT NOT NULL,
  slice_us INTEGER NOT NULL,
  calls INTEGER NOT NULL CHECK (calls >= 0),
  failures INTEGER NOT NULL CHECK (failures >= 0 AND failures <= calls),
  PRIMARY KEY (target, slice_us)
) STRICT;
CREATE INDEX breaker_count_by_time ON breaker_count (slice_us);

-- What the fallback watch counts, by alias and hour, from the rows of calls up to `fallback_watch.seq`.
CREATE TABLE fallback_hour (
  alias TEXT NOT NULL,
  hour_us INTEGER NOT NULL,
  calls INTEGER NOT NULL CHECK (calls >= 0),
  fallbacks INTEGER NOT NULL CHECK (fallbacks >= 0),
  failed INTEGER NOT NULL CHECK (failed >= 0),
  limited INTEGER NOT NULL CHECK (limited >= 0),
  unreached INTEGER NOT NULL CHECK (unreached >= 0),
  PRIMARY KEY (alias, hour_us)
) STRICT;
CREATE INDEX fallback_hour_by_time ON fallback_hour (hour_us);
CREATE TABLE fallback_cost (
  alias TEXT NOT NULL,
  hour_us INTEGER NOT NULL,
  currency TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount >= 0),
  PRIMARY KEY (alias, hour_us, currency)
) STRICT;
CREATE INDEX fallback_cost_by_time ON fallback_cost (hour_us);
CREATE TABLE fallback_watch (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  seq INTEGER NOT NULL
) STRICT;
INSERT INTO fallback_watch (id, seq) SELECT 1, COALESCE(MAX(seq), 0) FROM call;
