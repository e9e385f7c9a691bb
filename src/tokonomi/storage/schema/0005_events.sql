-- What people are told, each once for its account: a budget's subject in one window, a wallet's
-- newest grant, a day's overrun. `due_us` is when the alert's receiver is to be told next; whoever
-- tells it first moves it ahead, so that no two do at the same time. It is NULL once that is over.
CREATE TABLE event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  account INTEGER NOT NULL REFERENCES account,
  name TEXT NOT NULL,
  about TEXT NOT NULL CHECK (about IN ('budget', 'wallet')),
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  due_us INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  failure TEXT NOT NULL DEFAULT '',
  delivered_us INTEGER,
  UNIQUE (account, name),
  CHECK (due_us IS NULL OR delivered_us IS NULL)
) STRICT;
CREATE INDEX event_to_tell ON event (due_us) WHERE due_us IS NOT NULL;

INSERT INTO event (account, name, about, subject, detail, at_us)
SELECT fired.account, fired.event,
  CASE WHEN account.budget_window IS NULL THEN 'wallet' ELSE 'budget' END,
  account.name, fired.detail, fired.at_us
FROM fired JOIN account ON account.id = fired.account ORDER BY fired.at_us, fired.account;
DROP TABLE fired;

-- What providers billed above the holds is rare, and looked for all the time.
CREATE INDEX transfer_overrun ON transfer (at_us) WHERE kind = 'overrun';

-- Grants whose wallets may have something to tell: 0 once a grant has ended and somebody has looked
-- at its wallet since.
ALTER TABLE wallet_grant ADD COLUMN watched INTEGER NOT NULL DEFAULT 1 CHECK (watched IN (0, 1));
CREATE INDEX wallet_grant_watched ON wallet_grant (wallet) WHERE watched = 1;
