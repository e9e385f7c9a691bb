-- Files of clients: requests of batches and their results. What a file holds is in its parts. One that
-- is still arriving is seen by nobody; it and every other one is deleted at `expires_us`.
CREATE TABLE stored_file (
  id TEXT PRIMARY KEY,
  project TEXT NOT NULL,
  purpose TEXT NOT NULL CHECK (purpose IN ('batch', 'batch_output')),
  name TEXT NOT NULL,
  is_ready INTEGER NOT NULL DEFAULT 0 CHECK (is_ready IN (0, 1)),
  bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
  lines INTEGER NOT NULL DEFAULT 0 CHECK (lines >= 0),
  endpoint TEXT NOT NULL DEFAULT '',
  models TEXT NOT NULL DEFAULT '[]',
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL
) STRICT;
CREATE INDEX stored_file_by_project ON stored_file (project, created_us, id);
CREATE INDEX stored_file_by_expiry ON stored_file (expires_us);

-- Whole lines of a file, from the line `first_line` on. Sealed with a master key where `key_id` names
-- one; the file and the number of the part are authenticated.
CREATE TABLE stored_file_part (
  file TEXT NOT NULL REFERENCES stored_file,
  number INTEGER NOT NULL CHECK (number >= 1),
  first_line INTEGER NOT NULL CHECK (first_line >= 1),
  bytes INTEGER NOT NULL CHECK (bytes >= 1),
  key_id TEXT,
  nonce BLOB,
  content BLOB NOT NULL,
  PRIMARY KEY (file, number),
  CHECK ((key_id IS NULL) = (nonce IS NULL))
) STRICT;

-- Batches. `made` is what was asked, `progress` how far it has come, both JSON. `worker` is the process
-- that works on it; one that has ended works on nothing. `due_us` is when there is something to do.
CREATE TABLE batch (
  id TEXT PRIMARY KEY,
  project TEXT NOT NULL,
  input_file TEXT NOT NULL,
  made TEXT NOT NULL,
  progress TEXT NOT NULL,
  created_us INTEGER NOT NULL,
  cancelling_us INTEGER,
  worker INTEGER REFERENCES worker,
  due_us INTEGER,
  ended_us INTEGER,
  CHECK (ended_us IS NULL OR due_us IS NULL)
) STRICT;
CREATE INDEX batch_by_project ON batch (project, created_us, id);
CREATE INDEX batch_by_input ON batch (input_file) WHERE ended_us IS NULL;
CREATE INDEX batch_due ON batch (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX batch_ended ON batch (ended_us) WHERE ended_us IS NOT NULL;

-- What settling a line needs to know besides its attempt: whose name it bears, the limit of output
-- that is sent along, and how what it uses is measured against what it holds.
CREATE TABLE batch_line (
  batch TEXT NOT NULL REFERENCES batch,
  number INTEGER NOT NULL CHECK (number >= 1),
  custom_id TEXT NOT NULL,
  alias TEXT NOT NULL,
  max_tokens INTEGER,
  measures BLOB NOT NULL,
  PRIMARY KEY (batch, number)
) STRICT, WITHOUT ROWID;
