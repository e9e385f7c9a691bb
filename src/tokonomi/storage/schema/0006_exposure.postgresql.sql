-- What is exposed by a call may be released, as a row that takes it back, once for each account.
ALTER TABLE transfer DROP CONSTRAINT transfer_kind_check;
ALTER TABLE transfer ADD CONSTRAINT transfer_kind_check
  CHECK (kind IN ('fund', 'withdraw', 'capture', 'overrun', 'expose', 'release'));
ALTER TABLE transfer DROP CONSTRAINT transfer_check;
ALTER TABLE transfer ADD CONSTRAINT transfer_check
  CHECK ((kind IN ('fund', 'withdraw')) = (call_id IS NULL));
