-- Sign-in providers that are not in the configuration.

CREATE TABLE providers (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63),
    tenant_id uuid NOT NULL REFERENCES tenants,
    settings jsonb NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON COLUMN providers.settings IS 'As in the configuration, without secrets';
COMMENT ON COLUMN providers.sealed IS 'Its secrets, encrypted by the gateway';

ALTER TABLE providers ENABLE ROW LEVEL SECURITY;
ALTER TABLE providers FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_select ON providers FOR SELECT USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_insert ON providers FOR INSERT WITH CHECK ((SELECT claims_to_write_all()));
CREATE POLICY platform_update ON providers FOR UPDATE USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_delete ON providers FOR DELETE USING ((SELECT claims_to_write_all()));
GRANT SELECT, INSERT, DELETE ON providers TO portcullis_gateway;
GRANT UPDATE (settings, sealed, updated_at) ON providers TO portcullis_gateway;

-- Every gateway hears of a change as of one of the policy.
CREATE TRIGGER policy_insert AFTER INSERT ON providers REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed();
CREATE TRIGGER policy_update AFTER UPDATE ON providers REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed();
CREATE TRIGGER policy_delete AFTER DELETE ON providers REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON providers
    FOR EACH STATEMENT EXECUTE FUNCTION policy_table_truncated();
