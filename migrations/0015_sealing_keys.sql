-- Secrets of authenticator apps are encrypted under a key from outside the database, if one is
-- configured; what was sealed before is sealed anew when it is next used.

GRANT UPDATE (sealed) ON totp TO portcullis_gateway;
COMMENT ON COLUMN totp.sealed IS
    'The secret, by AES-256-GCM under a key of sign_in.secrets, else one derived from key_pepper';
