-- A tenant may take only sessions that its own providers vouch for.
ALTER TABLE sessions ADD COLUMN vouched_by uuid REFERENCES tenants;
COMMENT ON COLUMN sessions.vouched_by IS 'Whose provider said who it is; NULL: nobody''s did';
