-- name: read_valid_keys
-- The keys that may be used. All of them: each process holds them, so that no request waits for the
-- database.
SELECT id, kind, name, source, hash, per_second
  FROM api_key
 WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp());

-- name: find_keys
-- Keys for an operator, newest first, without hashes. Null leaves a filter out. $1 kinds, $2 name,
-- $3 whether revoked and expired ones are left out
SELECT id, kind, name, source, per_second, note, created_at, expires_at, revoked_at
  FROM api_key
 WHERE ($1::text[] IS NULL OR kind = ANY ($1))
   AND ($2::text IS NULL OR name = $2)
   AND (NOT $3::boolean
        OR (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())))
 ORDER BY created_at DESC, id;

-- name: add_key
-- Store a new key. $1 id, $2 kind, $3 name, $4 source, $5 hash, $6 requests a second, $7 note,
-- $8 when it expires
INSERT INTO api_key (id, kind, name, source, hash, per_second, note, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: revoke_key
-- End a key now; no row where there is no such key, or it was revoked before. $1 id
UPDATE api_key SET revoked_at = clock_timestamp() WHERE id = $1 AND revoked_at IS NULL
RETURNING kind, name;
