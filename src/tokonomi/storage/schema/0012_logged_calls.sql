-- How far a worker's log of calls is part of this store: the number of the last record that is.
ALTER TABLE worker ADD COLUMN logged INTEGER NOT NULL DEFAULT 0;
