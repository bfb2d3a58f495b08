-- Access tokens that are not good any more, though their time is not over. Others are on no record:
-- they live for minutes, and die with the key that they were given for.

CREATE TABLE revoked_tokens (
    id uuid PRIMARY KEY,
    key_id text NOT NULL,
    revoked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX revoked_tokens_end ON revoked_tokens (expires_at);
COMMENT ON COLUMN revoked_tokens.id IS 'Its jti';
COMMENT ON COLUMN revoked_tokens.expires_at IS 'From then on its row is of no use';

ALTER TABLE revoked_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE revoked_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_select ON revoked_tokens FOR SELECT USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_insert ON revoked_tokens FOR INSERT WITH CHECK ((SELECT claims_to_write_all()));
CREATE POLICY platform_update ON revoked_tokens FOR UPDATE USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_delete ON revoked_tokens FOR DELETE USING ((SELECT claims_to_write_all()));
GRANT SELECT, INSERT, DELETE ON revoked_tokens TO portcullis_gateway;

-- Every gateway hears of it at once. A row that goes is news to nobody.
CREATE TRIGGER policy_insert AFTER INSERT ON revoked_tokens REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON revoked_tokens
    FOR EACH STATEMENT EXECUTE FUNCTION policy_table_truncated();
