-- What sign-in providers have sent that is good for once, and the sessions there that sessions here
-- came from.

-- A message is good for once, whichever instance it is shown to.
CREATE TABLE provider_messages (
    provider text NOT NULL CHECK (length(provider) BETWEEN 1 AND 63),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (provider, digest)
);
CREATE INDEX provider_messages_end ON provider_messages (expires_at);
COMMENT ON COLUMN provider_messages.digest IS 'SHA-256 of its ID';

CREATE TABLE provider_sessions (
    session_id uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    provider text NOT NULL CHECK (length(provider) BETWEEN 1 AND 63),
    name text NOT NULL,
    session_index text,
    there jsonb NOT NULL
);
CREATE INDEX provider_sessions_name ON provider_sessions (provider, name);
COMMENT ON COLUMN provider_sessions.there IS 'As the provider wants it back when the session ends';

DO $$
DECLARE
    target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['provider_messages', 'provider_sessions'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', target);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', target);
        EXECUTE format('CREATE POLICY platform_select ON %I FOR SELECT USING ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_insert ON %I FOR INSERT WITH CHECK ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_update ON %I FOR UPDATE USING ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_delete ON %I FOR DELETE USING ((SELECT claims_to_write_all()))', target);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, DELETE ON provider_messages, provider_sessions TO portcullis_gateway;
