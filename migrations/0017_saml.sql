-- What SAML providers have sent, and the sessions there that sessions here came from.

-- A message is good for once, whichever instance it is shown to.
CREATE TABLE saml_messages (
    provider text NOT NULL CHECK (length(provider) BETWEEN 1 AND 63),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (provider, digest)
);
CREATE INDEX saml_messages_end ON saml_messages (expires_at);
COMMENT ON COLUMN saml_messages.digest IS 'SHA-256 of its ID';

CREATE TABLE saml_sessions (
    session_id uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    provider text NOT NULL CHECK (length(provider) BETWEEN 1 AND 63),
    name text NOT NULL,
    session_index text,
    there jsonb NOT NULL
);
CREATE INDEX saml_sessions_name ON saml_sessions (provider, name);
COMMENT ON COLUMN saml_sessions.there IS 'As the provider wants it back when the session ends';

DO $$
DECLARE
    target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['saml_messages', 'saml_sessions'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', target);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', target);
        EXECUTE format('CREATE POLICY platform_select ON %I FOR SELECT USING ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_insert ON %I FOR INSERT WITH CHECK ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_update ON %I FOR UPDATE USING ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_delete ON %I FOR DELETE USING ((SELECT claims_to_write_all()))', target);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, DELETE ON saml_messages, saml_sessions TO portcullis_gateway;
