-- What people prove who they are with besides a password.

-- A password alone begins such a session if its holder has a second factor: it is good for
-- proving that one, and for nothing else.
ALTER TABLE sessions ADD COLUMN pending boolean NOT NULL DEFAULT false;

-- One for each person, of RFC 6238.
CREATE TABLE totp (
    principal_id uuid PRIMARY KEY REFERENCES principals,
    sealed bytea NOT NULL CHECK (octet_length(sealed) <= 128),
    created_at timestamptz NOT NULL,
    last_step bigint NOT NULL
);
COMMENT ON COLUMN totp.sealed IS 'The secret, by AES-256-GCM under a key derived from key_pepper';
COMMENT ON COLUMN totp.last_step IS 'The newest time step of which a code was accepted: none of it or before is again';

CREATE TABLE passkeys (
    id uuid PRIMARY KEY,
    principal_id uuid NOT NULL REFERENCES principals,
    credential_id bytea NOT NULL UNIQUE CHECK (octet_length(credential_id) <= 1023),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    passkey jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX passkeys_principal ON passkeys (principal_id);
COMMENT ON COLUMN passkeys.passkey IS 'Public key and signature counter';

CREATE TABLE recovery_codes (
    principal_id uuid NOT NULL REFERENCES principals,
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    used_at timestamptz,
    PRIMARY KEY (principal_id, code_hash)
);
COMMENT ON COLUMN recovery_codes.code_hash IS 'HMAC-SHA-256 of person and code under key_pepper';

-- What was asked of a browser's authenticator, until it has answered.
CREATE TABLE ceremonies (
    id uuid PRIMARY KEY,
    session_id uuid REFERENCES sessions ON DELETE CASCADE,
    state jsonb NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ceremonies_end ON ceremonies (expires_at);
CREATE INDEX ceremonies_session ON ceremonies (session_id);
COMMENT ON COLUMN ceremonies.session_id IS 'Whose browser was asked; none: that of somebody who is about to sign in';

DO $$
DECLARE
    target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['totp', 'passkeys', 'recovery_codes', 'ceremonies'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', target);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', target);
        EXECUTE format('CREATE POLICY platform_select ON %I FOR SELECT USING ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_insert ON %I FOR INSERT WITH CHECK ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_update ON %I FOR UPDATE USING ((SELECT claims_to_write_all()))', target);
        EXECUTE format('CREATE POLICY platform_delete ON %I FOR DELETE USING ((SELECT claims_to_write_all()))', target);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, DELETE ON totp TO portcullis_gateway;
GRANT UPDATE (last_step) ON totp TO portcullis_gateway;
GRANT SELECT, INSERT, DELETE ON passkeys TO portcullis_gateway;
GRANT UPDATE (passkey, last_used_at) ON passkeys TO portcullis_gateway;
GRANT SELECT, INSERT, DELETE ON recovery_codes TO portcullis_gateway;
GRANT UPDATE (used_at) ON recovery_codes TO portcullis_gateway;
GRANT SELECT, INSERT, DELETE ON ceremonies TO portcullis_gateway;
