-- name: waiting_for
-- What waits for any of these names, oldest first. $1 names
SELECT topic, partition, "offset", index, waits_for, record_timestamp, expires_at
  FROM waiting
 WHERE waits_for = ANY ($1::text[])
 ORDER BY id;

-- name: unpublished
-- Rows of the outbox in arrays that hold a record with this key. $1 key
SELECT count(*) FROM outbox WHERE $1::bytea = ANY (keys);
