-- What a provider says of whoever has a session is asked for again.
ALTER TABLE provider_sessions
    ADD COLUMN sealed bytea,
    ADD COLUMN checked_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN ask_at timestamptz;
CREATE INDEX provider_sessions_due ON provider_sessions (provider, ask_at) WHERE ask_at IS NOT NULL;
COMMENT ON COLUMN provider_sessions.sealed IS 'Tokens of the provider''s, encrypted by the gateway';
COMMENT ON COLUMN provider_sessions.checked_at IS 'When it last said what its session rests on';
COMMENT ON COLUMN provider_sessions.ask_at IS 'When it is to be asked again; NULL: never';

GRANT UPDATE (sealed, checked_at, ask_at) ON provider_sessions TO portcullis_gateway;
