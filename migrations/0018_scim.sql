-- What the directory of a tenant says of its people and groups (RFC 7643).

CREATE TABLE scim_resources (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    kind text NOT NULL CHECK (kind IN ('User', 'Group')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    external_id text CHECK (length(external_id) <= 255),
    document jsonb NOT NULL,
    principal_id uuid REFERENCES principals,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (principal_id IS NULL OR kind = 'User')
);
CREATE UNIQUE INDEX scim_resources_name ON scim_resources (tenant_id, kind, lower(name)) WHERE kind = 'User';
CREATE UNIQUE INDEX scim_resources_person ON scim_resources (tenant_id, principal_id) WHERE principal_id IS NOT NULL;
CREATE INDEX scim_resources_order ON scim_resources (tenant_id, kind, created_at, id);
CREATE INDEX scim_resources_members ON scim_resources USING gin (document jsonb_path_ops) WHERE kind = 'Group';
COMMENT ON COLUMN scim_resources.name IS 'userName, or the displayName of a group';
COMMENT ON COLUMN scim_resources.principal_id IS 'The account; none while the directory names no address';

ALTER TABLE scim_resources ENABLE ROW LEVEL SECURITY;
ALTER TABLE scim_resources FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_select ON scim_resources FOR SELECT USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_insert ON scim_resources FOR INSERT WITH CHECK ((SELECT claims_to_write_all()));
CREATE POLICY platform_update ON scim_resources FOR UPDATE USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_delete ON scim_resources FOR DELETE USING ((SELECT claims_to_write_all()));
-- Only the directory that disabled an account enables it again.
ALTER TABLE principals ADD COLUMN disabled_for uuid REFERENCES tenants;
COMMENT ON COLUMN principals.disabled_for IS 'Whose directory has let the holder go; NULL: disabled by hand, or not';
GRANT UPDATE (disabled_for) ON principals TO portcullis_gateway;
GRANT SELECT, INSERT, DELETE ON scim_resources TO portcullis_gateway;
GRANT UPDATE (name, external_id, document, principal_id, updated_at) ON scim_resources TO portcullis_gateway;
