-- API keys, their use, and the pepper under which their secrets are hashed.

CREATE TABLE api_keys (
    id text PRIMARY KEY CHECK (id ~ '^[0-9A-Za-z]{12}$'),
    principal_id uuid NOT NULL REFERENCES principals,
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    permissions text[]
        CHECK (cardinality(permissions) > 0 AND array_position(permissions, NULL) IS NULL),
    projects uuid[]
        CHECK (cardinality(projects) > 0 AND array_position(projects, NULL) IS NULL),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 500),
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL
);
CREATE INDEX api_keys_principal ON api_keys (principal_id);
COMMENT ON COLUMN api_keys.secret_hash IS 'HMAC-SHA-256 of the secret under key_pepper';
COMMENT ON COLUMN api_keys.permissions IS 'Permission patterns it is limited to; NULL is no limit of its own';
COMMENT ON COLUMN api_keys.projects IS 'Projects it is limited to; NULL is no limit of its own';
COMMENT ON COLUMN api_keys.created_by IS 'Actor type and id, as in the audit event of its creation';

-- Apart from api_keys, so that the batched writes of "last used" change no policy.
CREATE TABLE api_key_usage (
    key_id text PRIMARY KEY REFERENCES api_keys,
    last_used_at timestamptz NOT NULL,
    last_used_ip inet
) WITH (fillfactor = 70);

CREATE TABLE key_pepper (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    pepper bytea NOT NULL CHECK (octet_length(pepper) = 32)
);
-- Three version-4 UUIDs: 366 bits from the server's strong random source.
INSERT INTO key_pepper (pepper)
VALUES (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

GRANT SELECT, INSERT ON api_keys TO portcullis_gateway;
GRANT UPDATE (revoked_at) ON api_keys TO portcullis_gateway;
GRANT SELECT, INSERT, UPDATE ON api_key_usage TO portcullis_gateway;
GRANT SELECT ON key_pepper TO portcullis_gateway;
