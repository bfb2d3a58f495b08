-- What a tenant or a project asks of the sessions that it is used with. On the rows themselves:
-- a change of them is one of theirs, guarded and told to every gateway as any other is.

ALTER TABLE tenants ADD COLUMN session_rules jsonb
    CONSTRAINT session_rules_form CHECK (jsonb_typeof(session_rules) = 'object'
        AND octet_length(session_rules::text) <= 16384);
ALTER TABLE projects ADD COLUMN session_rules jsonb
    CONSTRAINT session_rules_form CHECK (jsonb_typeof(session_rules) = 'object'
        AND octet_length(session_rules::text) <= 16384);
COMMENT ON COLUMN tenants.session_rules IS 'See SessionRules in src/domain/session_rules.rs';

GRANT UPDATE (session_rules) ON tenants TO portcullis_gateway;
GRANT UPDATE (session_rules) ON projects TO portcullis_gateway;
