-- People sign in: passwords, sessions, and what throttles guessing.
--
-- A user belongs to no tenant, and so do these: only the gateway and the platform see them.

CREATE TABLE passwords (
    principal_id uuid PRIMARY KEY REFERENCES principals,
    hash text NOT NULL CHECK (hash LIKE '$argon2id$%' AND length(hash) <= 300),
    changed_at timestamptz NOT NULL
);
COMMENT ON COLUMN passwords.hash IS 'PHC string: algorithm, parameters, salt and hash';

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    principal_id uuid NOT NULL REFERENCES principals,
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    created_at timestamptz NOT NULL,
    authenticated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    idle_seconds integer NOT NULL CHECK (idle_seconds > 0),
    address inet,
    user_agent text NOT NULL CHECK (length(user_agent) <= 512),
    methods text[] NOT NULL CHECK (cardinality(methods) > 0 AND array_position(methods, NULL) IS NULL),
    revoked_at timestamptz,
    CHECK (expires_at > created_at)
);
CREATE INDEX sessions_principal ON sessions (principal_id) WHERE revoked_at IS NULL;
CREATE INDEX sessions_end ON sessions (expires_at);
COMMENT ON COLUMN sessions.secret_hash IS 'HMAC-SHA-256 of the secret under key_pepper';
COMMENT ON COLUMN sessions.methods IS 'How its holder proved who they are, by the words of RFC 8176';

-- Apart from sessions, so that the batched writes of "last active" tell nobody.
CREATE TABLE session_activity (
    session_id uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    last_active_at timestamptz NOT NULL,
    last_address inet
) WITH (fillfactor = 70);

-- Who failed to sign in lately. `account` is a keyed hash of the address as typed, whether or
-- not anybody has it.
CREATE TABLE sign_in_failures (
    account bytea NOT NULL CHECK (octet_length(account) = 32),
    source text NOT NULL CHECK (length(source) <= 64),
    failures integer NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (account, source)
);
CREATE INDEX sign_in_failures_source ON sign_in_failures (source, last_at);
CREATE INDEX sign_in_failures_age ON sign_in_failures (last_at);

DO $$
DECLARE
    target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['passwords', 'sessions', 'session_activity', 'sign_in_failures'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', target);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', target);
        EXECUTE format('CREATE POLICY platform_select ON %I FOR SELECT USING ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_insert ON %I FOR INSERT WITH CHECK ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_update ON %I FOR UPDATE USING ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_delete ON %I FOR DELETE USING ((SELECT claims_to_write_all()))', target);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, DELETE ON passwords TO portcullis_gateway;
GRANT UPDATE (hash, changed_at) ON passwords TO portcullis_gateway;
GRANT SELECT, INSERT, DELETE ON sessions TO portcullis_gateway;
GRANT UPDATE (revoked_at) ON sessions TO portcullis_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON session_activity TO portcullis_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in_failures TO portcullis_gateway;

-- A session that begins is news to nobody; one that ends is to everybody.
CREATE TRIGGER policy_update AFTER UPDATE ON sessions REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed();
CREATE TRIGGER policy_delete AFTER DELETE ON sessions REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION policy_rows_changed();
CREATE TRIGGER policy_truncate AFTER TRUNCATE ON sessions
    FOR EACH STATEMENT EXECUTE FUNCTION policy_table_truncated();
