-- A table's CHECK cannot be changed in SQLite: `transfer` is made anew, with two more kinds. What is
-- exposed by a call may be released, as a row that takes it back, once for each account.
CREATE TABLE transfer_anew (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT,
  body_hash BLOB,
  kind TEXT NOT NULL
    CHECK (kind IN ('fund', 'withdraw', 'capture', 'overrun', 'expose', 'release')),
  account INTEGER NOT NULL REFERENCES account,
  sink TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount >= 0),
  call_id TEXT,
  at_us INTEGER NOT NULL,
  note TEXT NOT NULL DEFAULT '',
  CHECK ((kind IN ('fund', 'withdraw')) = (call_id IS NULL)),
  CHECK ((id IS NULL) = (body_hash IS NULL))
) STRICT;
INSERT INTO transfer_anew SELECT * FROM transfer;
DROP TABLE transfer;
ALTER TABLE transfer_anew RENAME TO transfer;
CREATE UNIQUE INDEX one_resolution ON transfer (call_id, account, kind) WHERE call_id IS NOT NULL;
CREATE UNIQUE INDEX one_transfer ON transfer (id) WHERE id IS NOT NULL;
CREATE INDEX transfer_by_account ON transfer (account, seq);
CREATE INDEX transfer_overrun ON transfer (at_us) WHERE kind = 'overrun';
CREATE TRIGGER transfer_is_never_changed BEFORE UPDATE ON transfer
BEGIN
  SELECT RAISE(ABORT, 'a transfer is never changed');
END;
CREATE TRIGGER transfer_is_never_removed BEFORE DELETE ON transfer
BEGIN
  SELECT RAISE(ABORT, 'a transfer is never removed');
END;
