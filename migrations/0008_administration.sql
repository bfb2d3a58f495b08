-- What the administration API needs: names of deleted projects, which are never given again,
-- and answers that are given again when a request is repeated.

-- A backend may know a project by its name and keep what the project left there: whoever got
-- that name next would get that too.
CREATE TABLE retired_projects (
    tenant_id uuid NOT NULL REFERENCES tenants,
    slug text NOT NULL,
    project_id uuid NOT NULL,
    retired_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, slug)
);
SELECT isolate_tenants('retired_projects', 'tenant_id');
GRANT SELECT ON retired_projects TO portcullis_gateway;
COMMENT ON TABLE retired_projects IS 'Names of deleted projects, never given again';

-- SECURITY DEFINER: a name is retired by deleting its project, and in no other way.
CREATE FUNCTION retire_project_name() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO public.retired_projects (tenant_id, slug, project_id)
        VALUES (OLD.tenant_id, OLD.slug, OLD.id);
        RETURN OLD;
    END IF;
    IF EXISTS (SELECT FROM public.retired_projects r WHERE r.tenant_id = NEW.tenant_id AND r.slug = NEW.slug) THEN
        RAISE EXCEPTION 'a deleted project had this name; backends may still know it by it'
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'projects_name_retired';
    END IF;
    RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION retire_project_name() FROM PUBLIC;
CREATE TRIGGER projects_retire_name AFTER DELETE ON projects
    FOR EACH ROW EXECUTE FUNCTION retire_project_name();
CREATE TRIGGER projects_name_retired BEFORE INSERT ON projects
    FOR EACH ROW EXECUTE FUNCTION retire_project_name();

-- A project stays while a key in force is limited to it, whosever the key is: a member of the
-- tenant does not see those of users.
CREATE FUNCTION keep_project_of_keys() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
DECLARE
    before text := public.claim_role('gateway');
    in_force boolean := EXISTS (
        SELECT FROM public.api_keys k WHERE OLD.id = ANY (k.projects)
            AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()));
BEGIN
    PERFORM public.claim_role(before);
    IF in_force THEN
        RAISE EXCEPTION 'a key in force is limited to the project'
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'projects_keys_in_force';
    END IF;
    RETURN OLD;
END
$$;
REVOKE EXECUTE ON FUNCTION keep_project_of_keys() FROM PUBLIC;
CREATE TRIGGER projects_keys_in_force BEFORE DELETE ON projects
    FOR EACH ROW EXECUTE FUNCTION keep_project_of_keys();

-- Answers to requests with an Idempotency-Key. Of the key only a hash is here, and the answer
-- is sealed under the key itself: it may hold an API key that was shown once.
CREATE TABLE api_answers (
    principal_id uuid NOT NULL REFERENCES principals,
    key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (principal_id, key_hash)
);
CREATE INDEX api_answers_by_age ON api_answers (created_at);
GRANT SELECT, INSERT, DELETE ON api_answers TO portcullis_gateway;
