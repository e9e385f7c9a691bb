-- The dimensions that all calls of a key have, as a JSON list of [name, value].
ALTER TABLE api_key ADD COLUMN bound TEXT NOT NULL DEFAULT '[]';
