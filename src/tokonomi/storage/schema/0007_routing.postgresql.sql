
-- Events of an alias have no account: they are known by their subject.
ALTER TABLE event ALTER COLUMN account DROP NOT NULL;
ALTER TABLE event DROP CONSTRAINT event_about_check;
ALTER TABLE event ADD CHECK (about IN ('budget', 'wallet', 'alias'));
ALTER TABLE event ADD CHECK ((account IS NULL) = (about = 'alias'));
CREATE UNIQUE INDEX event_of_alias ON event (subject, name) WHERE account IS NULL;
