-- Row-level security: which rows a statement sees and changes is said by two settings of
-- its transaction, request.jwt.claim.tenant_id and request.jwt.claim.role:
--
--   member      reads and writes what belongs to the tenant of the claim
--   reviewer    reads all tenants, writes nothing
--   superadmin  reads and writes all tenants
--   gateway     the same, for what the gateway does before it knows a tenant and for all
--
-- Anything else, nothing at all included, is nobody: it sees no row. FORCE: the owner too.

-- Never an error: what is no uuid is no tenant.
CREATE FUNCTION claimed_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE
        WHEN current_setting('request.jwt.claim.role', true) = 'member'
            AND current_setting('request.jwt.claim.tenant_id', true)
                ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
        THEN current_setting('request.jwt.claim.tenant_id', true)::uuid
    END;

CREATE FUNCTION claims_to_read_all() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(current_setting('request.jwt.claim.role', true) IN ('gateway', 'superadmin', 'reviewer'), false);

CREATE FUNCTION claims_to_write_all() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(current_setting('request.jwt.claim.role', true) IN ('gateway', 'superadmin'), false);

COMMENT ON FUNCTION claimed_tenant() IS 'The tenant in whose name a member acts; NULL for everybody else';

-- A service account's keys belong to its tenant, as it does; a user's to none.
ALTER TABLE api_keys ADD COLUMN tenant_id uuid REFERENCES tenants;
UPDATE api_keys k SET tenant_id = p.tenant_id FROM principals p
    WHERE p.id = k.principal_id AND p.tenant_id IS NOT NULL;
COMMENT ON COLUMN api_keys.tenant_id IS 'The holder''s tenant, filled in by a trigger; NULL for a user''s key';

-- Rules look beyond the claims: they are about rows that a member does not see. They take
-- the gateway's for as long as they look, and give back what they found.
CREATE FUNCTION claim_role(role text) RETURNS text
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    before text := coalesce(current_setting('request.jwt.claim.role', true), '');
BEGIN
    PERFORM set_config('request.jwt.claim.role', role, true);
    RETURN before;
END
$$;
REVOKE EXECUTE ON FUNCTION claim_role(text) FROM PUBLIC;

CREATE FUNCTION set_key_tenant() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
DECLARE
    before text := public.claim_role('gateway');
BEGIN
    SELECT tenant_id INTO NEW.tenant_id FROM public.principals WHERE id = NEW.principal_id;
    PERFORM public.claim_role(before);
    RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION set_key_tenant() FROM PUBLIC;
CREATE TRIGGER api_keys_tenant BEFORE INSERT OR UPDATE ON api_keys
    FOR EACH ROW EXECUTE FUNCTION set_key_tenant();

-- What does not exist and what is another tenant's are refused in the same words.
CREATE OR REPLACE FUNCTION check_project_owner() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
DECLARE
    before text := public.claim_role('gateway');
    may_act boolean := public.principal_may_act_in(NEW.owner_id, NEW.tenant_id);
BEGIN
    PERFORM public.claim_role(before);
    IF may_act IS NOT TRUE THEN
        RAISE EXCEPTION 'a service account of another tenant cannot own the project'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'projects_owner_of_tenant';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION check_binding() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
DECLARE
    before text := public.claim_role('gateway');
    may_act boolean := public.principal_may_act_in(NEW.principal_id, NEW.tenant_id);
    role public.roles;
BEGIN
    SELECT * INTO role FROM public.roles WHERE id = NEW.role_id;
    PERFORM public.claim_role(before);
    IF role.id IS NULL OR (role.tenant_id IS NOT NULL AND role.tenant_id IS DISTINCT FROM NEW.tenant_id) THEN
        RAISE EXCEPTION 'a custom role can be bound in its own tenant only'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bindings_role_of_tenant';
    END IF;
    IF role.tenant_id IS NULL AND role.name = 'owner' THEN
        RAISE EXCEPTION 'the owner of a project is named in the project, not by a binding'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bindings_not_owner';
    END IF;
    IF may_act IS NOT TRUE THEN
        RAISE EXCEPTION 'a service account can be bound in its own tenant only'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bindings_principal_of_tenant';
    END IF;
    RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION principal_may_act_in(uuid, uuid) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION check_project_owner() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION check_binding() FROM PUBLIC;

-- Sub-selects: asked once a statement, not once a row.
CREATE FUNCTION isolate_tenants(target regclass, tenant_column name) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    AS $$
DECLARE
    own text := format('%I = (SELECT public.claimed_tenant())', tenant_column);
    reads text := '(SELECT public.claims_to_read_all()) OR ' || own;
    writes text := '(SELECT public.claims_to_write_all()) OR ' || own;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY tenant_select ON %s FOR SELECT USING (%s)', target, reads);
    EXECUTE format('CREATE POLICY tenant_insert ON %s FOR INSERT WITH CHECK (%s)', target, writes);
    EXECUTE format('CREATE POLICY tenant_update ON %s FOR UPDATE USING (%s) WITH CHECK (%2$s)', target, writes);
    EXECUTE format('CREATE POLICY tenant_delete ON %s FOR DELETE USING (%s)', target, writes);
END
$$;
REVOKE EXECUTE ON FUNCTION isolate_tenants(regclass, name) FROM PUBLIC;
COMMENT ON FUNCTION isolate_tenants(regclass, name) IS 'Gives a table the usual policies; for migrations';

SELECT isolate_tenants('projects', 'tenant_id');
SELECT isolate_tenants('bindings', 'tenant_id');
SELECT isolate_tenants('resources', 'tenant_id');
SELECT isolate_tenants('api_keys', 'tenant_id');
SELECT isolate_tenants('roles', 'tenant_id');
SELECT isolate_tenants('principals', 'tenant_id');
SELECT isolate_tenants('tenants', 'id');

-- Tenants come and go by the platform's hand only, if at all.
ALTER POLICY tenant_insert ON tenants WITH CHECK ((SELECT claims_to_write_all()));
ALTER POLICY tenant_delete ON tenants USING ((SELECT claims_to_write_all()));

-- Built-in roles are every tenant's to read.
CREATE POLICY built_in_select ON roles FOR SELECT
    USING (tenant_id IS NULL AND (SELECT EXISTS (SELECT FROM tenants t WHERE t.id = claimed_tenant())));

-- A user is seen by the tenants that they are a member of.
CREATE POLICY member_select ON principals FOR SELECT USING (
    tenant_id IS NULL AND (SELECT claimed_tenant()) IS NOT NULL
    AND (EXISTS (SELECT FROM bindings b WHERE b.principal_id = principals.id AND b.tenant_id = (SELECT claimed_tenant()))
        OR EXISTS (SELECT FROM projects p WHERE p.owner_id = principals.id AND p.tenant_id = (SELECT claimed_tenant()))));

-- The use of a key is seen by who sees the key, and noted by the gateway.
ALTER TABLE api_key_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key_usage FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_select ON api_key_usage FOR SELECT
    USING ((SELECT claims_to_read_all()) OR EXISTS (SELECT FROM api_keys k WHERE k.id = api_key_usage.key_id));
CREATE POLICY tenant_insert ON api_key_usage FOR INSERT WITH CHECK ((SELECT claims_to_write_all()));
CREATE POLICY tenant_update ON api_key_usage FOR UPDATE USING ((SELECT claims_to_write_all()));

-- Nothing changes or removes events: there is no policy that would let it.
ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_events FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_select ON audit_events FOR SELECT
    USING ((SELECT claims_to_read_all()) OR tenant_id = (SELECT claimed_tenant()));
CREATE POLICY tenant_insert ON audit_events FOR INSERT
    WITH CHECK ((SELECT claims_to_write_all()) OR tenant_id = (SELECT claimed_tenant()));

-- A partition has no policy of its own: whoever asks it rather than the whole sees nothing.
CREATE FUNCTION audit_close_partition(target regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
END
$$;
REVOKE EXECUTE ON FUNCTION audit_close_partition(regclass) FROM PUBLIC;
SELECT audit_close_partition(inhrelid) FROM pg_inherits WHERE inhparent = 'audit_events'::regclass;

CREATE OR REPLACE FUNCTION audit_ensure_partition(at timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
DECLARE
    month timestamp := date_trunc('month', at AT TIME ZONE 'UTC');
    partition text := 'audit_events_' || to_char(month, 'YYYY_MM');
BEGIN
    IF to_regclass('public.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    -- The lock that ATTACH takes anyway. Two that find a month missing take turns, and
    -- waiting for a table's lock, unlike an advisory one, refreshes what is known of tables.
    LOCK TABLE public.audit_events IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass('public.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.audit_events INCLUDING ALL)', partition);
    PERFORM public.audit_make_append_only(format('public.%I', partition)::regclass);
    PERFORM public.audit_close_partition(format('public.%I', partition)::regclass);
    EXECUTE format(
        'ALTER TABLE public.audit_events ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        partition, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
END
$$;

-- What an administration by tenants needs besides.
GRANT UPDATE (name) ON projects TO portcullis_gateway;
GRANT UPDATE (permissions) ON roles TO portcullis_gateway;
GRANT DELETE ON projects TO portcullis_gateway;
