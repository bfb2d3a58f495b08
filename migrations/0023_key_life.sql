-- The life of API keys: where they may come from, how much they may ask, what takes their place,
-- and what tenants ask of them.

ALTER TABLE api_keys
    ADD COLUMN networks cidr[]
        CHECK (cardinality(networks) BETWEEN 1 AND 50 AND array_position(networks, NULL) IS NULL),
    ADD COLUMN rate text CHECK (rate ~ '^[1-9][0-9]{0,6}/[smhd]$'),
    ADD COLUMN rotated_from text REFERENCES api_keys,
    ADD COLUMN approved_for uuid[] NOT NULL DEFAULT '{}'
        CHECK (cardinality(approved_for) <= 1000 AND array_position(approved_for, NULL) IS NULL);
CREATE UNIQUE INDEX api_keys_rotated ON api_keys (rotated_from);
COMMENT ON COLUMN api_keys.networks IS 'From where it may be used; NULL: from anywhere';
COMMENT ON COLUMN api_keys.rate IS 'How many requests it may send, as `100/m`; NULL: no limit of its own';
COMMENT ON COLUMN api_keys.rotated_from IS 'The key whose place it takes';
COMMENT ON COLUMN api_keys.approved_for IS 'Tenants that have approved it, of those that ask for that';
GRANT UPDATE (expires_at, approved_for) ON api_keys TO portcullis_gateway;

ALTER TABLE api_key_usage ADD COLUMN last_used_route text CHECK (length(last_used_route) <= 2000);

ALTER TABLE tenants ADD COLUMN key_rules jsonb
    CONSTRAINT key_rules_form CHECK (jsonb_typeof(key_rules) = 'object'
        AND octet_length(key_rules::text) <= 4096);
COMMENT ON COLUMN tenants.key_rules IS 'See KeyRules in src/domain/key_rules.rs';
GRANT UPDATE (key_rules) ON tenants TO portcullis_gateway;

-- Tenants that a key is for: its holder's, those of the projects that it is limited to, or, if it is
-- limited to none, all in which its holder has a role.
CREATE FUNCTION tenants_of_key(principal uuid, projects uuid[]) RETURNS SETOF uuid
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
    AS $$
    SELECT p.tenant_id FROM public.principals p WHERE p.id = principal AND p.tenant_id IS NOT NULL
    UNION SELECT j.tenant_id FROM public.projects j WHERE j.id = ANY (projects)
    UNION SELECT b.tenant_id FROM public.bindings b
        WHERE projects IS NULL AND b.principal_id = principal AND b.tenant_id IS NOT NULL
    UNION SELECT j.tenant_id FROM public.projects j WHERE projects IS NULL AND j.owner_id = principal
$$;
COMMENT ON FUNCTION tenants_of_key(uuid, uuid[]) IS 'As far as the claims let see them';

CREATE FUNCTION key_is_pending(key api_keys) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
    AS $$
    SELECT EXISTS (
        SELECT FROM public.tenants t
        WHERE t.id IN (SELECT public.tenants_of_key(key.principal_id, key.projects))
            AND t.id <> ALL (key.approved_for)
            AND (t.key_rules ->> 'approval_since')::timestamptz <= key.created_at)
$$;
COMMENT ON FUNCTION key_is_pending(api_keys) IS 'Whether it awaits approval where it is for';
