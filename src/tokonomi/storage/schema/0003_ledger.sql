-- Accounts whose floor must hold: budgets (one account a window and subject) and grants of wallets.
-- `withdrawn` is the part of `debits_posted` that was not spent: limits lowered, grants expired or
-- refunded. The CHECK counts what is held, so no order of commits takes an account past its floor.
CREATE TABLE account (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  asset TEXT NOT NULL,
  floor INTEGER,
  credits_posted INTEGER NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
  debits_posted INTEGER NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
  debits_pending INTEGER NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
  withdrawn INTEGER NOT NULL DEFAULT 0 CHECK (withdrawn >= 0 AND withdrawn <= debits_posted),
  CONSTRAINT floor_holds
    CHECK (floor IS NULL OR credits_posted - debits_posted - debits_pending >= floor)
) STRICT;

-- Every movement, double entry: `account` on one side, a sink on the other. Rows are immutable.
-- A `fund` takes from the sink `issued`, the others give to their sink.
CREATE TABLE transfer (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT,
  body_hash BLOB,
  kind TEXT NOT NULL CHECK (kind IN ('fund', 'withdraw', 'capture', 'overrun')),
  account INTEGER NOT NULL REFERENCES account,
  sink TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount >= 0),
  call_id TEXT,
  at_us INTEGER NOT NULL,
  note TEXT NOT NULL DEFAULT '',
  CHECK ((kind IN ('capture', 'overrun')) = (call_id IS NOT NULL)),
  CHECK ((id IS NULL) = (body_hash IS NULL))
) STRICT;
-- A hold is resolved once on each account, by construction.
CREATE UNIQUE INDEX one_resolution ON transfer (call_id, account, kind) WHERE call_id IS NOT NULL;
-- A movement that somebody asked for by an id happens once.
CREATE UNIQUE INDEX one_transfer ON transfer (id) WHERE id IS NOT NULL;
CREATE INDEX transfer_by_account ON transfer (account, seq);
CREATE TRIGGER transfer_is_never_changed BEFORE UPDATE ON transfer
BEGIN
  SELECT RAISE(ABORT, 'a transfer is never changed');
END;
CREATE TRIGGER transfer_is_never_removed BEFORE DELETE ON transfer
BEGIN
  SELECT RAISE(ABORT, 'a transfer is never removed');
END;

-- What a call in flight holds, beside its intent: a JSON list of [source, [[account, amount], ...]].
ALTER TABLE attempt ADD COLUMN held BLOB;

-- Grants of wallets, each with an account of its own. `closed_us` says that no new call may use a
-- grant; `ended_us` that nothing of it is held any more and its rest is booked.
CREATE TABLE wallet_grant (
  id TEXT PRIMARY KEY,
  wallet TEXT NOT NULL,
  account INTEGER NOT NULL UNIQUE REFERENCES account,
  amount INTEGER NOT NULL CHECK (amount > 0),
  priority INTEGER NOT NULL,
  promotional INTEGER NOT NULL CHECK (promotional IN (0, 1)),
  granted_us INTEGER NOT NULL,
  expires_us INTEGER,
  closed_us INTEGER,
  ended_us INTEGER,
  paid_amount INTEGER,
  paid_currency TEXT,
  rollover_cap INTEGER NOT NULL,
  package TEXT NOT NULL,
  CHECK ((paid_amount IS NULL) = (paid_currency IS NULL)),
  CHECK ((paid_amount IS NULL) = (promotional = 1)),
  CHECK (ended_us IS NULL OR closed_us IS NOT NULL)
) STRICT;
CREATE INDEX wallet_grant_by_wallet ON wallet_grant (wallet);
CREATE INDEX wallet_grant_to_end ON wallet_grant (expires_us) WHERE ended_us IS NULL;

-- What every request must pass. Definitions are the tables that people write, as JSON.
CREATE TABLE budget (
  id TEXT PRIMARY KEY,
  definition TEXT NOT NULL,
  changed_us INTEGER NOT NULL,
  archived_us INTEGER
) STRICT;
CREATE TABLE wallet_rule (
  per TEXT PRIMARY KEY,
  definition TEXT NOT NULL,
  changed_us INTEGER NOT NULL
) STRICT;
CREATE TABLE exchange_rate (
  base TEXT NOT NULL,
  quote TEXT NOT NULL,
  rate TEXT NOT NULL,
  on_date TEXT NOT NULL,
  source TEXT NOT NULL,
  set_us INTEGER NOT NULL,
  PRIMARY KEY (base, quote, on_date)
) STRICT;

-- Rises with every change of a budget, a wallet rule or a rate: gateways look here for news, and the
-- lock on the row puts the changes in line.
CREATE TABLE rules_version (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  version INTEGER NOT NULL
) STRICT;
INSERT INTO rules_version VALUES (1, 0);

-- Alerts and wallet events that have fired: each once for its account and threshold.
CREATE TABLE fired (
  account INTEGER NOT NULL REFERENCES account,
  event TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (account, event)
) STRICT;

-- Who may use the admin API. Like keys, tokens are stored as hashes alone.
CREATE TABLE admin_token (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  hint TEXT NOT NULL,
  created_us INTEGER NOT NULL,
  revoked_us INTEGER
) STRICT;
