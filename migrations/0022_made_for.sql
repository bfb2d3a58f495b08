-- Only the tenant whose directory or provider has brought an account disables it.
ALTER TABLE principals ADD COLUMN made_for uuid REFERENCES tenants;
COMMENT ON COLUMN principals.made_for IS 'Whose directory or provider has brought the account; NULL: somebody''s hand';
GRANT UPDATE (made_for) ON principals TO portcullis_gateway;
