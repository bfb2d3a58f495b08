-- The audit trail: append-only, one partition a month (UTC).
--
-- Whoever asks, UPDATE, DELETE and TRUNCATE are refused: by missing grants for the
-- gateway, by triggers for everybody, the owner included. Old events go by dropping
-- a whole partition, which only the owner can do.

CREATE TABLE audit_events (
    id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    event text NOT NULL,
    result text NOT NULL CHECK (result IN ('success', 'denied', 'failed')),
    reason text,
    tenant text,
    project text,
    tenant_id uuid,
    project_id uuid,
    actor_type text NOT NULL,
    actor_id text COLLATE "C",
    actor_email text,
    credential_id text,
    ip inet,
    user_agent text,
    resource_type text,
    resource_id text,
    method text,
    route text,
    status integer,
    latency bigint,
    request_id text COLLATE "C",
    details jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object'),
    PRIMARY KEY (occurred_at, id)
) PARTITION BY RANGE (occurred_at);

COMMENT ON TABLE audit_events IS 'One row per request and per administrative change; append-only';
COMMENT ON COLUMN audit_events.id IS 'UUIDv7, made with the event: a second delivery of the same event is no second row';
COMMENT ON COLUMN audit_events.occurred_at IS 'When the request arrived or the change was made';
COMMENT ON COLUMN audit_events.event IS 'What happened: run.created, authz.denied, api_key.created';
COMMENT ON COLUMN audit_events.result IS 'success, denied (by the gateway) or failed (backend or connection)';
COMMENT ON COLUMN audit_events.reason IS 'Why it was denied or failed; for operators';
COMMENT ON COLUMN audit_events.tenant IS 'Slug of the tenant at that time';
COMMENT ON COLUMN audit_events.project IS 'Slug of the project at that time';
COMMENT ON COLUMN audit_events.actor_type IS 'user, service_account, anonymous or operator (the command line)';
COMMENT ON COLUMN audit_events.actor_id IS 'Id of the principal, or the operating-system user of an operator';
COMMENT ON COLUMN audit_events.credential_id IS 'Public id of the API key';
COMMENT ON COLUMN audit_events.route IS 'Pattern of the route';
COMMENT ON COLUMN audit_events.status IS 'HTTP status that the client got';
COMMENT ON COLUMN audit_events.latency IS 'Microseconds from the arrival of the request to the last byte of the answer';

-- Few, because every event pays for each: the primary key serves queries by time.
CREATE INDEX audit_events_tenant ON audit_events (tenant_id, occurred_at) WHERE tenant_id IS NOT NULL;
CREATE INDEX audit_events_actor ON audit_events (actor_id, occurred_at) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_events_request ON audit_events (request_id) WHERE request_id IS NOT NULL;

CREATE FUNCTION audit_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION 'audit_events is append-only: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;

-- ALWAYS: also for a session that calls itself a replica.
CREATE FUNCTION audit_make_append_only(target regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
            FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse_change()', target);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER audit_append_only', target);
END
$$;

-- Makes the partition of the month of `at`, if it is missing. Cheap when it is there.
--
-- The new table is built apart and then attached: attaching lets other sessions go on
-- inserting, which CREATE TABLE ... PARTITION OF would not.
CREATE FUNCTION audit_ensure_partition(at timestamptz) RETURNS void
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
    EXECUTE format(
        'ALTER TABLE public.audit_events ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        partition, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
END
$$;

SELECT audit_make_append_only('audit_events');

REVOKE EXECUTE ON FUNCTION audit_make_append_only(regclass) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION audit_ensure_partition(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_ensure_partition(timestamptz) TO portcullis_gateway;
GRANT SELECT, INSERT ON audit_events TO portcullis_gateway;
