-- Who has to wait before another attempt is looked at leaves one event, not one an attempt.

ALTER TABLE sign_in_failures ADD COLUMN locked_out boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN sign_in_failures.locked_out IS 'Whether its event was written';
