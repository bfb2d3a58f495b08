-- One number that grows with every change of what may be allowed, and the
-- notification that tells every replica of it.
--
-- The row is locked by the first change of a transaction and kept until its end:
-- administrative changes are serialised, versions are seen in commit order.

CREATE TABLE policy_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL
);
INSERT INTO policy_version (version) VALUES (1);
GRANT SELECT ON policy_version TO portcullis_gateway;

-- Payload: {"version": 7, "table": "api_keys", "ids": ["..."]}. `ids` is null when
-- they are unknown or would not fit well below the 8000 bytes of a payload.
CREATE FUNCTION bump_policy_version(changed_table text, ids json) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    AS $$
DECLARE
    now_at bigint;
BEGIN
    UPDATE public.policy_version SET version = version + 1 RETURNING version INTO now_at;
    PERFORM pg_notify('portcullis', json_build_object('version', now_at, 'table', changed_table, 'ids', ids)::text);
END
$$;

-- SECURITY DEFINER: the gateway may cause a new version, it may not write one.
CREATE FUNCTION policy_rows_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
DECLARE
    ids text[];
BEGIN
    SELECT array_agg(touched.id) INTO ids FROM (SELECT changed.id::text FROM changed LIMIT 101) AS touched;
    IF ids IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM public.bump_policy_version(TG_TABLE_NAME, CASE WHEN cardinality(ids) <= 100 THEN to_json(ids) END);
    RETURN NULL;
END
$$;

CREATE FUNCTION policy_table_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
BEGIN
    PERFORM public.bump_policy_version(TG_TABLE_NAME, NULL);
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION bump_policy_version(text, json) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION policy_rows_changed() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION policy_table_truncated() FROM PUBLIC;

-- A trigger with a transition table serves one kind of statement only.
DO $$
DECLARE
    watched text;
BEGIN
    FOREACH watched IN ARRAY ARRAY['tenants', 'projects', 'principals', 'roles', 'bindings', 'api_keys'] LOOP
        EXECUTE format(
            'CREATE TRIGGER policy_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS changed
                FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed()', watched);
        EXECUTE format(
            'CREATE TRIGGER policy_update AFTER UPDATE ON %I REFERENCING NEW TABLE AS changed
                FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed()', watched);
        EXECUTE format(
            'CREATE TRIGGER policy_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS changed
                FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed()', watched);
        EXECUTE format(
            'CREATE TRIGGER policy_truncate AFTER TRUNCATE ON %I
                FOR EACH STATEMENT EXECUTE FUNCTION policy_table_truncated()', watched);
    END LOOP;
END
$$;
