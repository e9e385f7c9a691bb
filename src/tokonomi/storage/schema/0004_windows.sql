-- The number of the rules (`rules_version`) that an account's limit and floor follow: a gateway with
-- older rules in memory must not undo a change.
ALTER TABLE account ADD COLUMN rules_version INTEGER NOT NULL DEFAULT 0;

-- What all accounts of one budget in one window share, `<budget>:<start>`: the accounts of the
-- windows that are now are few among those of all time.
ALTER TABLE account ADD COLUMN budget_window TEXT;
UPDATE account SET budget_window = (
  SELECT budget.id || ':' || substr(account.name, length(account.name) - 19) FROM budget
  WHERE substr(account.name, 1, length(budget.id) + 8) = 'budget:' || budget.id || ':'
) WHERE substr(name, 1, 7) = 'budget:';
CREATE INDEX account_by_budget_window ON account (budget_window) WHERE budget_window IS NOT NULL;
