-- name: save_waiting
-- Insert waiting items; returns the ids of those inserted: the others have a row already.
-- $1 item ids, $2 keys they wait for, $3 topics, $4 partitions, $5 offsets, $6 indexes, $7 keys, $8 headers, $9 values, $10 record timestamps, $11 expiries
INSERT INTO waiting (item_id, waits_for, topic, partition, "offset", index, key, headers, value,
                     record_timestamp, expires_at)
SELECT *
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::integer[],
              $7::bytea[], $8::bytea[], $9::bytea[], $10::timestamptz[], $11::timestamptz[])
    ON CONFLICT (item_id) DO NOTHING
RETURNING item_id;

-- name: lock_waiting
-- Lock the items that wait for any of these keys, oldest first. $1 keys
SELECT * FROM waiting WHERE waits_for = ANY ($1::text[]) ORDER BY id FOR UPDATE;

-- name: remove_waiting
-- Delete items that wait no longer. $1 item ids
DELETE FROM waiting WHERE item_id = ANY ($1::uuid[]);

-- name: lock_expired_waiting
-- Lock items that have expired, except rows that another transaction holds. An item does not expire
-- while what it waits for is parked. $1 business time, $2 at most
SELECT *
  FROM waiting
 WHERE expires_at <= $1
   AND NOT EXISTS (SELECT FROM parked_name WHERE parked_name.name = waiting.waits_for)
 ORDER BY id
 LIMIT $2
   FOR UPDATE SKIP LOCKED;

-- name: count_waiting
-- How many items wait, by topic.
SELECT topic, count(*) AS items FROM waiting GROUP BY topic;
