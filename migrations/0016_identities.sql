-- People whom another service vouches for, and the roles that they have by its word.
--
-- Like a user, an identity belongs to no tenant: only the gateway and the platform see it.

CREATE TABLE identities (
    provider text NOT NULL CHECK (length(provider) BETWEEN 1 AND 63),
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    issuer text NOT NULL CHECK (length(issuer) <= 2048),
    principal_id uuid NOT NULL REFERENCES principals,
    linked_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (provider, subject)
);
CREATE INDEX identities_principal ON identities (principal_id);
COMMENT ON COLUMN identities.subject IS 'What the provider calls somebody for ever; never their address';
COMMENT ON COLUMN identities.issuer IS 'Who the provider was: the same name may not become somebody else';

ALTER TABLE identities ENABLE ROW LEVEL SECURITY;
ALTER TABLE identities FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_select ON identities FOR SELECT USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_insert ON identities FOR INSERT WITH CHECK ((SELECT claims_to_write_all()));
CREATE POLICY platform_update ON identities FOR UPDATE USING ((SELECT claims_to_write_all()));
CREATE POLICY platform_delete ON identities FOR DELETE USING ((SELECT claims_to_write_all()));
GRANT SELECT, INSERT, DELETE ON identities TO portcullis_gateway;
GRANT UPDATE (last_at) ON identities TO portcullis_gateway;

-- A role by a provider's word and the same one granted by hand are two bindings: the one goes
-- when the provider says so, the other stays.
ALTER TABLE bindings ADD COLUMN provider text CHECK (length(provider) BETWEEN 1 AND 63);
COMMENT ON COLUMN bindings.provider IS 'By whose word it is; NULL: by hand';
DROP INDEX bindings_tenant, bindings_project;
CREATE UNIQUE INDEX bindings_tenant ON bindings
    (principal_id, role_id, tenant_id, effect, coalesce(condition, ''), coalesce(provider, ''))
    WHERE scope = 'tenant';
CREATE UNIQUE INDEX bindings_project ON bindings
    (principal_id, role_id, project_id, effect, coalesce(condition, ''), coalesce(provider, ''))
    WHERE scope = 'project';
