-- The role that the running gateway and the admin commands take with SET ROLE.
--
-- Roles belong to the cluster, not to the database: another database of the same
-- cluster may have made it already, or may be making it at this very moment.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'portcullis_gateway') THEN
        CREATE ROLE portcullis_gateway NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

-- A set-up with a single login role migrates and serves with it.
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'portcullis_gateway', 'MEMBER') THEN
        GRANT portcullis_gateway TO CURRENT_USER;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO portcullis_gateway;

-- The audit writer copies into a temporary staging table.
DO $$
BEGIN
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO portcullis_gateway', current_database());
END
$$;
