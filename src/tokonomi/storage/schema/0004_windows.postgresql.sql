-- Names and ids are ordered by their bytes, as SQLite orders them, so that their indexes answer
-- which ones begin with a text.
ALTER TABLE account ALTER COLUMN name TYPE TEXT COLLATE "C";
ALTER TABLE call ALTER COLUMN id TYPE TEXT COLLATE "C";
ALTER TABLE attempt ALTER COLUMN id TYPE TEXT COLLATE "C";
