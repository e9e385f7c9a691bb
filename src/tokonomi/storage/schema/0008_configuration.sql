-- Every change of the configuration, budgets, wallet rules and exchange rates among it. A version has
-- the number that `rules_version` had then. The document of a version is the newest table of each
-- item up to it, so nothing is kept twice, and going back is one more change.
CREATE TABLE config_version (
  version INTEGER PRIMARY KEY,
  at_us INTEGER NOT NULL,
  who TEXT NOT NULL,
  message TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TRIGGER config_version_is_never_changed BEFORE UPDATE ON config_version
BEGIN
  SELECT RAISE(ABORT, 'a version of the configuration is never changed');
END;
CREATE TRIGGER config_version_is_never_removed BEFORE DELETE ON config_version
BEGIN
  SELECT RAISE(ABORT, 'a version of the configuration is never removed');
END;

-- `old_table` and `new_table` are JSON, NULL where there was no such item.
CREATE TABLE config_change (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL REFERENCES config_version,
  old_table TEXT,
  new_table TEXT,
  PRIMARY KEY (kind, name, version),
  CHECK (old_table IS NOT NULL OR new_table IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX config_change_by_version ON config_change (version);
CREATE TRIGGER config_change_is_never_changed BEFORE UPDATE ON config_change
BEGIN
  SELECT RAISE(ABORT, 'a change of the configuration is never changed');
END;
CREATE TRIGGER config_change_is_never_removed BEFORE DELETE ON config_change
BEGIN
  SELECT RAISE(ABORT, 'a change of the configuration is never removed');
END;

-- Secrets of providers and of the webhook, sealed with AES-GCM; `key_id` says with which master key.
CREATE TABLE secret (
  name TEXT PRIMARY KEY,
  key_id TEXT NOT NULL,
  nonce BLOB NOT NULL,
  sealed BLOB NOT NULL,
  set_us INTEGER NOT NULL
) STRICT;

-- Which version each gateway runs, and why it runs no newer one.
CREATE TABLE worker_config (
  worker INTEGER PRIMARY KEY REFERENCES worker,
  version INTEGER NOT NULL,
  failure TEXT NOT NULL DEFAULT ''
) STRICT;

-- Tokens of before could do everything, and still can.
ALTER TABLE admin_token ADD COLUMN role TEXT NOT NULL DEFAULT 'admin'
  CHECK (role IN ('viewer', 'operator', 'admin'));

-- What was in force before versions were kept is their beginning.
INSERT INTO config_version (version, at_us, who, message)
SELECT version, 0, 'upgrade', 'what was in force when versions began to be kept' FROM rules_version
WHERE EXISTS (SELECT 1 FROM budget WHERE archived_us IS NULL)
  OR EXISTS (SELECT 1 FROM wallet_rule) OR EXISTS (SELECT 1 FROM exchange_rate);
INSERT INTO config_change (kind, name, version, new_table)
SELECT 'budget', id, version, definition FROM budget, rules_version WHERE archived_us IS NULL;
INSERT INTO config_change (kind, name, version, new_table)
SELECT 'wallet_rule', per, version, definition FROM wallet_rule, rules_version;
