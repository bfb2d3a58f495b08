-- What the gateway signs with: assertions of who asks, and access tokens.

CREATE TABLE signing_keys (
    id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{43}$'),
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    signs_from timestamptz NOT NULL,
    served_until timestamptz CHECK (served_until > created_at)
);
COMMENT ON COLUMN signing_keys.id IS 'The thumbprint of its public part (RFC 7638): the kid';
COMMENT ON COLUMN signing_keys.sealed IS 'Its private part, encrypted by the gateway';
COMMENT ON COLUMN signing_keys.signs_from IS 'Verifiers see it before: they keep what they have fetched';
COMMENT ON COLUMN signing_keys.served_until IS 'When nothing that it signed is valid any more; NULL: it is the newest';

ALTER TABLE signing_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE signing_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_select ON signing_keys FOR SELECT USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_insert ON signing_keys FOR INSERT WITH CHECK ((SELECT claims_to_write_all()));
CREATE POLICY platform_update ON signing_keys FOR UPDATE USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_delete ON signing_keys FOR DELETE USING ((SELECT claims_to_write_all()));
GRANT SELECT, INSERT, DELETE ON signing_keys TO portcullis_gateway;
GRANT UPDATE (served_until) ON signing_keys TO portcullis_gateway;

-- Every gateway hears of a change as of one of the policy.
CREATE TRIGGER policy_insert AFTER INSERT ON signing_keys REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed();
CREATE TRIGGER policy_update AFTER UPDATE ON signing_keys REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed();
CREATE TRIGGER policy_delete AFTER DELETE ON signing_keys REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON signing_keys
    FOR EACH STATEMENT EXECUTE FUNCTION policy_table_truncated();
