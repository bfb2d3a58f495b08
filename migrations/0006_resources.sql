-- Objects of backends and whose they are; bindings on one of them, bindings that
-- forbid, bindings that count only while a condition holds.

-- True for an object whose values are all texts.
CREATE FUNCTION is_labels(labels jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN jsonb_typeof(labels) = 'object' AND NOT jsonb_path_exists(labels, '$.* ? (@.type() != "string")');

-- What is sorted and compared byte by byte is the same on every machine.
CREATE TABLE resources (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    project_id uuid NOT NULL,
    upstream text COLLATE "C" NOT NULL CHECK (octet_length(upstream) BETWEEN 1 AND 100),
    type text COLLATE "C" NOT NULL CHECK (octet_length(type) BETWEEN 1 AND 100),
    external_id text COLLATE "C" NOT NULL CHECK (octet_length(external_id) BETWEEN 1 AND 1024),
    labels jsonb NOT NULL DEFAULT '{}' CHECK (is_labels(labels) AND octet_length(labels::text) <= 8192),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (upstream, type, external_id),
    UNIQUE (id, project_id, tenant_id),
    CONSTRAINT resources_project_of_tenant FOREIGN KEY (project_id, tenant_id) REFERENCES projects (id, tenant_id)
);
-- A project's objects, all or of one type, page by page.
CREATE INDEX resources_by_project ON resources (project_id, type, upstream, external_id);
COMMENT ON TABLE resources IS 'Which project an object of a backend belongs to; what is not here belongs to nobody';
COMMENT ON COLUMN resources.external_id IS 'The backend''s id of it';
COMMENT ON COLUMN resources.labels IS 'environment and tags, for conditions';
COMMENT ON COLUMN resources.created_by IS 'Actor type and id, as in the audit event of its creation';

GRANT SELECT, INSERT, DELETE ON resources TO portcullis_gateway;
GRANT UPDATE (project_id, external_id, labels) ON resources TO portcullis_gateway;

-- Millions of rows, which no role table holds: the policy keeps its version. Payload:
-- {"table": "resources", "upstream": "mlflow", "type": "run", "ids": ["..."]}. `ids` is null
-- when they are too many or too long to be named: any of the type may have changed; without
-- upstream and type any at all.
CREATE FUNCTION resource_rows_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
DECLARE
    kinds integer;
    kind record;
    ids json;
BEGIN
    SELECT count(*) INTO kinds FROM (SELECT DISTINCT upstream, type FROM changed LIMIT 21) AS few;
    IF kinds > 20 THEN
        PERFORM pg_notify('portcullis', '{"table": "resources"}');
        RETURN NULL;
    END IF;
    FOR kind IN SELECT DISTINCT upstream, type FROM changed LOOP
        SELECT CASE WHEN count(*) <= 100 THEN json_agg(external_id) END INTO ids
            FROM (SELECT external_id FROM changed
                  WHERE upstream = kind.upstream AND type = kind.type LIMIT 101) AS few;
        IF octet_length(ids::text) > 6000 THEN
            ids := NULL;
        END IF;
        PERFORM pg_notify('portcullis', json_build_object(
            'table', 'resources', 'upstream', kind.upstream, 'type', kind.type, 'ids', ids)::text);
    END LOOP;
    RETURN NULL;
END
$$;

CREATE FUNCTION resource_table_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
BEGIN
    PERFORM pg_notify('portcullis', '{"table": "resources"}');
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION resource_rows_changed() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION resource_table_truncated() FROM PUBLIC;

CREATE TRIGGER resources_insert AFTER INSERT ON resources REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION resource_rows_changed();
CREATE TRIGGER resources_update_from AFTER UPDATE ON resources REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION resource_rows_changed();
CREATE TRIGGER resources_update_to AFTER UPDATE ON resources REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION resource_rows_changed();
CREATE TRIGGER resources_delete AFTER DELETE ON resources REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION resource_rows_changed();
CREATE TRIGGER resources_truncate AFTER TRUNCATE ON resources
    FOR EACH STATEMENT EXECUTE FUNCTION resource_table_truncated();

-- A project's roles can be bound on one object of it.
ALTER TABLE bindings
    ADD COLUMN resource_id uuid,
    ADD COLUMN effect text NOT NULL DEFAULT 'allow' CHECK (effect IN ('allow', 'deny')),
    ADD COLUMN condition text CHECK (octet_length(condition) BETWEEN 1 AND 2000),
    ADD COLUMN role_scope text NOT NULL
        GENERATED ALWAYS AS (CASE scope WHEN 'resource' THEN 'project' ELSE scope END) STORED,
    DROP CONSTRAINT bindings_role_of_same_scope,
    ADD CONSTRAINT bindings_role_of_same_scope FOREIGN KEY (role_id, role_scope) REFERENCES roles (id, scope),
    ADD CONSTRAINT bindings_resource_of_project FOREIGN KEY (resource_id, project_id, tenant_id)
        REFERENCES resources (id, project_id, tenant_id),
    DROP CONSTRAINT bindings_scope_fits,
    ADD CONSTRAINT bindings_scope_fits CHECK (
        CASE scope
            WHEN 'platform' THEN tenant_id IS NULL AND project_id IS NULL AND resource_id IS NULL
            WHEN 'tenant' THEN tenant_id IS NOT NULL AND project_id IS NULL AND resource_id IS NULL
            WHEN 'project' THEN tenant_id IS NOT NULL AND project_id IS NOT NULL AND resource_id IS NULL
            WHEN 'resource' THEN tenant_id IS NOT NULL AND project_id IS NOT NULL AND resource_id IS NOT NULL
            ELSE false
        END
    );
COMMENT ON COLUMN bindings.effect IS 'allow grants the role''s permissions, deny takes them away whatever else grants them';
COMMENT ON COLUMN bindings.condition IS 'CEL; the binding counts only while it holds. NULL: always';
COMMENT ON COLUMN bindings.role_scope IS 'Which kind of role fits the scope';

DROP INDEX bindings_platform, bindings_tenant, bindings_project;
CREATE UNIQUE INDEX bindings_platform ON bindings
    (principal_id, role_id, effect, coalesce(condition, '')) WHERE scope = 'platform';
CREATE UNIQUE INDEX bindings_tenant ON bindings
    (principal_id, role_id, tenant_id, effect, coalesce(condition, '')) WHERE scope = 'tenant';
CREATE UNIQUE INDEX bindings_project ON bindings
    (principal_id, role_id, project_id, effect, coalesce(condition, '')) WHERE scope = 'project';
CREATE UNIQUE INDEX bindings_resource ON bindings
    (principal_id, role_id, resource_id, effect, coalesce(condition, '')) WHERE scope = 'resource';
CREATE INDEX bindings_by_resource ON bindings (resource_id) WHERE resource_id IS NOT NULL;
