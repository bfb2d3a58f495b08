-- Links by which people give themselves a password: each works once, and is gone then.

CREATE TABLE one_time_links (
    id uuid PRIMARY KEY,
    principal_id uuid NOT NULL REFERENCES principals,
    purpose text NOT NULL CHECK (purpose IN ('invitation', 'reset')),
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    UNIQUE (principal_id, purpose),
    CHECK (expires_at > created_at)
);
CREATE INDEX one_time_links_end ON one_time_links (expires_at);
COMMENT ON COLUMN one_time_links.secret_hash IS 'HMAC-SHA-256 of the secret under key_pepper';

ALTER TABLE one_time_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE one_time_links FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_select ON one_time_links FOR SELECT USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_insert ON one_time_links FOR INSERT WITH CHECK ((SELECT claims_to_write_all()));
CREATE POLICY platform_update ON one_time_links FOR UPDATE USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_delete ON one_time_links FOR DELETE USING ((SELECT claims_to_write_all()));

GRANT SELECT, INSERT, DELETE ON one_time_links TO portcullis_gateway;
