-- name: save_waiting
-- Keep items until what they name appears; those not returned wait for something already. $1 item ids, $2 waits_for, $3 topics, $4 partitions,
-- $5 offsets, $6 indexes, $7 keys, $8 headers, $9 values, $10 record timestamps, $11 expiries
INSERT INTO waiting (item_id, waits_for, topic, partition, "offset", index, key, headers, value,
                     record_timestamp, expires_at)
SELECT *
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::integer[],
              $7::bytea[], $8::bytea[], $9::bytea[], $10::timestamptz[], $11::timestamptz[])
    ON CONFLICT (item_id) DO NOTHING
RETURNING item_id;

-- name: take_waiting
-- Lock what waits for any of these names, oldest first. $1 names
SELECT * FROM waiting WHERE waits_for = ANY ($1::text[]) ORDER BY id FOR UPDATE;

-- name: remove_waiting
-- Items that have their final outcome wait no longer. $1 item ids
DELETE FROM waiting WHERE item_id = ANY ($1::uuid[]);

-- name: lock_expired_waiting
-- What has waited too long, as long as nobody is deciding it just now. What it waits for may be
-- parked: then it goes on waiting for that. $1 business time, $2 at most
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
