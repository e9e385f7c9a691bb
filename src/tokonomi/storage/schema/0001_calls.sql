-- Processes that write calls. A process that died is known by its pid, its start and its heartbeat.
CREATE TABLE worker (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  process_start TEXT NOT NULL,
  started_us INTEGER NOT NULL,
  ended_us INTEGER
) STRICT;

-- Calls in flight: the row is committed before the call leaves and removed by the transaction that
-- writes its `call` row, so a row of a dead worker is an orphan.
CREATE TABLE attempt (
  id TEXT PRIMARY KEY,
  worker_id INTEGER NOT NULL REFERENCES worker,
  intent BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Settled calls. `seq` rises in the order of commits, which the export's watermark relies on.
CREATE TABLE call (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  at_us INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  attempt INTEGER NOT NULL CHECK (attempt >= 1),
  project TEXT NOT NULL,
  feature TEXT NOT NULL,
  end_user TEXT NOT NULL,
  session TEXT NOT NULL,
  key_id TEXT NOT NULL,
  alias TEXT NOT NULL,
  provider TEXT NOT NULL,
  route TEXT NOT NULL,
  tags TEXT NOT NULL,
  model_asked TEXT NOT NULL,
  model_served TEXT NOT NULL,
  tier TEXT NOT NULL,
  batch INTEGER NOT NULL CHECK (batch IN (0, 1)),
  context_basis INTEGER NOT NULL CHECK (context_basis >= 0),
  uncached_input INTEGER NOT NULL CHECK (uncached_input >= 0),
  cache_read INTEGER NOT NULL CHECK (cache_read >= 0),
  cache_read_audio INTEGER NOT NULL CHECK (cache_read_audio >= 0),
  cache_write_5m INTEGER NOT NULL CHECK (cache_write_5m >= 0),
  cache_write_1h INTEGER NOT NULL CHECK (cache_write_1h >= 0),
  audio_in INTEGER NOT NULL CHECK (audio_in >= 0),
  image_in INTEGER NOT NULL CHECK (image_in >= 0),
  output INTEGER NOT NULL CHECK (output >= 0),
  reasoning INTEGER NOT NULL CHECK (reasoning >= 0 AND reasoning <= output),
  audio_out INTEGER NOT NULL CHECK (audio_out >= 0),
  image_out INTEGER NOT NULL CHECK (image_out >= 0),
  searches INTEGER NOT NULL CHECK (searches >= 0),
  requests INTEGER NOT NULL CHECK (requests >= 0),
  source TEXT NOT NULL CHECK (source IN ('reported', 'estimated', 'absent')),
  unknown_keys TEXT NOT NULL,
  quarantined TEXT,
  raw_usage TEXT,
  price_row_id TEXT,
  bracket_from INTEGER,
  currency TEXT,
  amount INTEGER,
  lines TEXT NOT NULL,
  unpriced TEXT,
  reported_amount INTEGER,
  reported_currency TEXT,
  status TEXT NOT NULL,
  http_status INTEGER NOT NULL,
  first_token_ms INTEGER,
  duration_ms INTEGER NOT NULL,
  provider_request_id TEXT NOT NULL,
  note TEXT NOT NULL,
  CHECK ((amount IS NULL) = (unpriced IS NOT NULL)),
  CHECK ((amount IS NULL) = (price_row_id IS NULL)),
  CHECK ((amount IS NULL) = (currency IS NULL)),
  CHECK (quarantined IS NULL OR amount IS NULL)
) STRICT;

CREATE TRIGGER call_is_written_once BEFORE UPDATE ON call
BEGIN
  SELECT RAISE(ABORT, 'a settled call is never changed');
END;

-- Virtual keys. The key itself is not stored: it has 256 random bits, so one SHA-256 protects it.
CREATE TABLE api_key (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  project TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  hint TEXT NOT NULL,
  created_us INTEGER NOT NULL,
  revoked_us INTEGER
) STRICT;

-- The lake's manifest: a file counts only while it stands here, so readers never see half a file or
-- a row twice. `watermark` is the last `call.seq` that the lake holds.
CREATE TABLE lake (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  watermark INTEGER NOT NULL
) STRICT;
INSERT INTO lake VALUES (1, 0);

CREATE TABLE lake_file (
  path TEXT PRIMARY KEY,
  day TEXT NOT NULL,
  rows INTEGER NOT NULL CHECK (rows > 0),
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  replaced_us INTEGER
) STRICT;
CREATE INDEX lake_file_by_day ON lake_file (day);
