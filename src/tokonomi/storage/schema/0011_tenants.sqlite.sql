-- Budgets of what clients say count each project apart from now on. Those of before go on as they
-- began, or what was spent of them would be forgotten in the middle of a window.
CREATE TABLE shared_budget (id TEXT PRIMARY KEY) STRICT;
INSERT INTO shared_budget (id)
SELECT id FROM budget WHERE archived_us IS NULL
  AND EXISTS (
    SELECT 1 FROM (
      SELECT value AS name FROM json_each(definition, '$.each')
      UNION ALL SELECT key FROM json_each(definition, '$.scope')
    ) AS named WHERE named.name IN ('user', 'feature') OR substr(named.name, 1, 4) = 'tag:'
  )
  AND NOT EXISTS (
    SELECT 1 FROM (
      SELECT value AS name FROM json_each(definition, '$.each')
      UNION ALL SELECT key FROM json_each(definition, '$.scope')
    ) AS named WHERE named.name IN ('project', 'organisation', 'key')
  );
UPDATE rules_version SET version = version + 1 WHERE EXISTS (SELECT 1 FROM shared_budget);
INSERT INTO config_version (version, at_us, who, message)
SELECT version, COALESCE((SELECT MAX(at_us) FROM config_version), 0), 'upgrade',
  'budgets made before projects were counted apart count across them'
FROM rules_version WHERE EXISTS (SELECT 1 FROM shared_budget);
INSERT INTO config_change (kind, name, version, old_table, new_table)
SELECT 'budget', id, version, definition, json_set(definition, '$.across_projects', json('true'))
FROM shared_budget JOIN budget USING (id), rules_version;
UPDATE budget SET definition = json_set(definition, '$.across_projects', json('true'))
WHERE id IN (SELECT id FROM shared_budget);
DROP TABLE shared_budget;
