-- The dimensions that all calls of a key have, as a JSON list of [name, value].
ALTER TABLE api_key ADD COLUMN bound TEXT NOT NULL DEFAULT '[]';

-- A wallet belongs to a project, whose name begins its id. Wallets of before, which all projects
-- shared, go to the project whose call they paid last, else to that of the oldest key. Projects' own
-- wallets keep their ids.
CREATE TABLE wallet_owner (
  wallet TEXT PRIMARY KEY,
  project TEXT NOT NULL
) STRICT;
INSERT INTO wallet_owner (wallet, project)
SELECT wallet, '' FROM wallet_grant WHERE substr(wallet, 1, 8) <> 'project:'
UNION
SELECT substr(name, 8), '' FROM account
WHERE substr(name, 1, 7) = 'wallet:' AND substr(name, 8, 8) <> 'project:'
  AND id NOT IN (SELECT account FROM wallet_grant);
UPDATE wallet_owner SET project = COALESCE(
  (
    SELECT call.project FROM wallet_grant
    JOIN transfer ON transfer.account = wallet_grant.account
    JOIN call ON call.id = transfer.call_id
    WHERE wallet_grant.wallet = wallet_owner.wallet AND call.project <> ''
    ORDER BY transfer.seq DESC LIMIT 1
  ),
  (SELECT api_key.project FROM api_key ORDER BY created_us, id LIMIT 1),
  'default'
);
UPDATE wallet_owner SET project = replace(replace(replace(replace(
  project, '%', '%25'), ':', '%3A'), ',', '%2C'), '=', '%3D');
UPDATE account SET name = 'wallet:' || (
  SELECT wallet_owner.project FROM wallet_grant
  JOIN wallet_owner ON wallet_owner.wallet = wallet_grant.wallet
  WHERE wallet_grant.account = account.id
) || substr(name, 7)
WHERE substr(name, 1, 7) = 'wallet:' AND id IN (
  SELECT wallet_grant.account FROM wallet_grant
  JOIN wallet_owner ON wallet_owner.wallet = wallet_grant.wallet
);
UPDATE account SET name = 'wallet:' || (
  SELECT wallet_owner.project FROM wallet_owner WHERE wallet_owner.wallet = substr(account.name, 8)
) || substr(name, 7)
WHERE substr(name, 1, 7) = 'wallet:' AND substr(name, 8) IN (SELECT wallet FROM wallet_owner);
UPDATE wallet_grant SET wallet = (
  SELECT wallet_owner.project FROM wallet_owner WHERE wallet_owner.wallet = wallet_grant.wallet
) || ':' || wallet
WHERE wallet IN (SELECT wallet_owner.wallet FROM wallet_owner);
DROP TABLE wallet_owner;
