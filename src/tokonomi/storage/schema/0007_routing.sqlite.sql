
-- Events of an alias have no account: they are known by their subject.
CREATE TABLE event_anew (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  account INTEGER REFERENCES account,
  name TEXT NOT NULL,
  about TEXT NOT NULL CHECK (about IN ('budget', 'wallet', 'alias')),
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  due_us INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  failure TEXT NOT NULL DEFAULT '',
  delivered_us INTEGER,
  UNIQUE (account, name),
  CHECK (due_us IS NULL OR delivered_us IS NULL),
  CHECK ((account IS NULL) = (about = 'alias'))
) STRICT;
INSERT INTO event_anew (seq, account, name, about, subject, detail, at_us, due_us, attempts, failure,
  delivered_us)
SELECT seq, account, name, about, subject, detail, at_us, due_us, attempts, failure, delivered_us
FROM event;
DROP TABLE event;
ALTER TABLE event_anew RENAME TO event;
CREATE INDEX event_to_tell ON event (due_us) WHERE due_us IS NOT NULL;
CREATE UNIQUE INDEX event_of_alias ON event (subject, name) WHERE account IS NULL;
