-- API keys. Only the hash of a key is stored; its id stands in the key, so that a row is found by it.
-- A revoked key stays, so that its id and who had it can be looked up.
CREATE TABLE api_key (
    id text PRIMARY KEY CHECK (id ~ '^[a-z2-7]{12}$'),
    kind text NOT NULL CHECK (kind IN ('shop', 'carrier')),
    name text NOT NULL CHECK (name <> ''),  -- The shop's slug, or the form that the carrier sends.
    source text NOT NULL CHECK (source <> ''),  -- ce_source of what is sent with the key.
    hash text NOT NULL,  -- argon2id, with its parameters and salt.
    per_second double precision CHECK (per_second > 0),  -- Null: the setting decides.
    note text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz
);
