INSERT INTO config_change (kind, name, version, new_table)
SELECT 'rate', base || '/' || quote || ' ' || on_date, version, json_build_object(
  'base', base, 'quote', quote, 'rate', rate, 'on', on_date, 'source', source)::text
FROM exchange_rate, rules_version;
