-- Tenants, projects, principals, roles, bindings.
--
-- Nothing here is deleted by a cascade: what is still referred to cannot go.
-- The gateway's rights are granted column by column where only some may change:
-- slugs, kinds and tenants are fixed for life, which the triggers below rely on.

CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE
        CHECK (slug ~ '^[a-z0-9](-?[a-z0-9])*$' AND length(slug) <= 30 AND slug <> 'platform'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE principals (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('user', 'service_account')),
    email text CHECK (email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$' AND length(email) <= 254),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    tenant_id uuid REFERENCES tenants,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT principals_kind_fits CHECK (
        CASE kind
            WHEN 'user' THEN email IS NOT NULL AND tenant_id IS NULL
            ELSE email IS NULL AND tenant_id IS NOT NULL
                AND name ~ '^[a-z0-9](-?[a-z0-9])*$' AND length(name) <= 30
        END
    )
);
CREATE UNIQUE INDEX principals_email ON principals (lower(email)) WHERE kind = 'user';
CREATE UNIQUE INDEX principals_tenant_name ON principals (tenant_id, name) WHERE kind = 'service_account';

CREATE TABLE projects (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    slug text NOT NULL
        CHECK (slug ~ '^[a-z0-9](-?[a-z0-9])*$' AND length(slug) <= 30),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    owner_id uuid NOT NULL REFERENCES principals,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, slug),
    UNIQUE (id, tenant_id)
);
CREATE INDEX projects_owner ON projects (owner_id);
COMMENT ON COLUMN projects.owner_id IS 'The one owner, who holds the built-in role "owner" without a binding';

CREATE TABLE roles (
    id uuid PRIMARY KEY,
    tenant_id uuid REFERENCES tenants,
    name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]*$' AND length(name) <= 60),
    scope text NOT NULL CHECK (scope IN ('platform', 'tenant', 'project')),
    permissions text[] NOT NULL
        CHECK (cardinality(permissions) > 0 AND array_position(permissions, NULL) IS NULL),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, scope),
    CONSTRAINT roles_custom_below_platform CHECK (tenant_id IS NULL OR scope <> 'platform')
);
CREATE UNIQUE INDEX roles_built_in_name ON roles (name) WHERE tenant_id IS NULL;
CREATE UNIQUE INDEX roles_custom_name ON roles (tenant_id, name) WHERE tenant_id IS NOT NULL;
COMMENT ON COLUMN roles.tenant_id IS 'The tenant whose custom role it is; NULL for a built-in role';

CREATE TABLE bindings (
    id uuid PRIMARY KEY,
    principal_id uuid NOT NULL REFERENCES principals,
    role_id uuid NOT NULL,
    scope text NOT NULL,
    tenant_id uuid REFERENCES tenants,
    project_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bindings_role_of_same_scope FOREIGN KEY (role_id, scope) REFERENCES roles (id, scope),
    CONSTRAINT bindings_project_of_tenant FOREIGN KEY (project_id, tenant_id) REFERENCES projects (id, tenant_id),
    CONSTRAINT bindings_scope_fits CHECK (
        CASE scope
            WHEN 'platform' THEN tenant_id IS NULL AND project_id IS NULL
            WHEN 'tenant' THEN tenant_id IS NOT NULL AND project_id IS NULL
            WHEN 'project' THEN tenant_id IS NOT NULL AND project_id IS NOT NULL
            ELSE false
        END
    )
);
CREATE UNIQUE INDEX bindings_platform ON bindings (principal_id, role_id) WHERE scope = 'platform';
CREATE UNIQUE INDEX bindings_tenant ON bindings (principal_id, role_id, tenant_id) WHERE scope = 'tenant';
CREATE UNIQUE INDEX bindings_project ON bindings (principal_id, role_id, project_id) WHERE scope = 'project';
CREATE INDEX bindings_by_role ON bindings (role_id);
CREATE INDEX bindings_by_project ON bindings (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX bindings_by_tenant ON bindings (tenant_id) WHERE tenant_id IS NOT NULL;

-- A service account acts in its own tenant only.
CREATE FUNCTION principal_may_act_in(principal uuid, tenant uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
    AS $$ SELECT tenant_id IS NULL OR tenant_id IS NOT DISTINCT FROM tenant FROM public.principals WHERE id = principal $$;

CREATE FUNCTION check_project_owner() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    AS $$
BEGIN
    IF NOT public.principal_may_act_in(NEW.owner_id, NEW.tenant_id) THEN
        RAISE EXCEPTION 'a service account of another tenant cannot own the project'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'projects_owner_of_tenant';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER projects_owner_of_tenant BEFORE INSERT OR UPDATE ON projects
    FOR EACH ROW EXECUTE FUNCTION check_project_owner();

CREATE FUNCTION check_binding() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    AS $$
DECLARE
    role public.roles;
BEGIN
    SELECT * INTO role FROM public.roles WHERE id = NEW.role_id;
    IF role.tenant_id IS NOT NULL AND role.tenant_id IS DISTINCT FROM NEW.tenant_id THEN
        RAISE EXCEPTION 'a custom role can be bound in its own tenant only'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bindings_role_of_tenant';
    END IF;
    IF role.tenant_id IS NULL AND role.name = 'owner' THEN
        RAISE EXCEPTION 'the owner of a project is named in the project, not by a binding'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bindings_not_owner';
    END IF;
    IF NOT public.principal_may_act_in(NEW.principal_id, NEW.tenant_id) THEN
        RAISE EXCEPTION 'a service account can be bound in its own tenant only'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bindings_principal_of_tenant';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER bindings_stay_in_tenant BEFORE INSERT OR UPDATE ON bindings
    FOR EACH ROW EXECUTE FUNCTION check_binding();

GRANT SELECT, INSERT ON tenants, projects, principals, roles, bindings TO portcullis_gateway;
GRANT UPDATE (owner_id) ON projects TO portcullis_gateway;
GRANT UPDATE (disabled_at) ON principals TO portcullis_gateway;
GRANT DELETE ON roles, bindings TO portcullis_gateway;
