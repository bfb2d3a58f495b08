-- Users found by their address, however many there are. Under row-level security no index
-- serves `lower(email)`, since lower() might tell of rows that are not to be seen; the gateway
-- has always stored addresses in lower case.
CREATE INDEX principals_by_email ON principals (email) WHERE kind = 'user';
ALTER TABLE principals ADD CONSTRAINT principals_email_folded CHECK (email = lower(email)) NOT VALID;
